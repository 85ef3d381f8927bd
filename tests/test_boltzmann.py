"""Restricted Boltzmann machines against sums over every state, scikit-learn's, and the distributions they learn."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from members import rows
from scipy import integrate
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from isthmus import BoltzmannMachine, codes, encoders, finetune, load
from isthmus.errors import DataError, RunError, SettingError
from isthmus.nn.boltzmann import Boltzmann
from isthmus.training import Rows, Settings, State, train

D = torch.float64
KINDS = ["binary", "gaussian"]
VISIBLE, HIDDEN = 4, 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def machine(visible="binary", columns=VISIBLE, hidden=HIDDEN, size=1.0, **how):
    """A machine whose weights are of size 1, all drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = Boltzmann(visible, torch.full((columns,), 0.4), hidden, **how).double()
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.normal_(std=size)
    return made


def data(visible="binary", n=6, columns=VISIBLE, seed=1):
    x = torch.randn(n, columns, generator=generator(seed), dtype=D)
    return (x > 0).double() if visible == "binary" else x


def states(bits):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=D)


def minus_energy(m, v, h):
    """−E of every pair, (N, M), written out."""
    own = 0 if m.visible.name == "binary" else -(v**2).sum(1, keepdim=True) / 2
    return own + (v @ m.visible_bias)[:, None] + h @ m.hidden_bias + v @ m.weight.T @ h.T


# --- energies, gradients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("visible", KINDS)
def test_free_energy_is_the_sum_over_hidden_states(visible):
    m, v = machine(visible), data(visible)
    exponents = minus_energy(m, v, states(HIDDEN))
    torch.testing.assert_close(m.free_energy(v), -exponents.logsumexp(1), rtol=0, atol=1e-12)
    posterior = exponents.softmax(1)
    torch.testing.assert_close(m.encode(v), posterior @ states(HIDDEN), rtol=0, atol=1e-12)


def test_the_mean_of_the_visible_units_is_that_of_their_states():
    m, h = machine(), states(HIDDEN)
    given = minus_energy(m, states(VISIBLE), h).softmax(0)  # p(v | h)
    torch.testing.assert_close(m.decode(h), given.T @ states(VISIBLE), rtol=0, atol=1e-12)
    m = machine("gaussian")
    torch.testing.assert_close(m.decode(h), m.visible_bias + h @ m.weight)


def textbook(m, x, dream, weight=None, share=1.0):
    """Minus ⟨v h⟩ of the rows plus ⟨v h⟩ of the dreams (Hinton 2002, equation 6), for W, c and b."""
    w = torch.ones(len(x), dtype=D) if weight is None else weight
    u = w if len(dream) == len(x) and share is None else torch.full((len(dream),), share or 1.0, dtype=D)

    def means(v, weight):
        h = 1 / (1 + torch.exp(-(v @ m.weight.T + m.hidden_bias)))
        h, own = h * weight[:, None] / len(v), v * weight[:, None] / len(v)
        return h.T @ v, own.sum(0), h.sum(0)

    return [b - a for a, b in zip(means(x, w), means(dream, u), strict=True)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("visible", KINDS)
def test_the_gradient_is_that_of_contrastive_divergence(visible, steps, weighted):
    m, x = machine(visible, steps=steps), data(visible)
    weight = torch.tensor([0.5, 2.0, 0.0, 1.5, 1.0, 1.0], dtype=D) if weighted else None
    terms = m.objective(m(x, None, generator(5), weight))
    assert list(terms) == ["contrast"]
    found = torch.autograd.grad(terms["contrast"], [m.weight, m.visible_bias, m.hidden_bias])
    dream = m.gibbs(x, steps, generator(5))
    assert not torch.equal(dream, x)
    for got, want in zip(found, textbook(m, x, dream, weight, None), strict=True):
        torch.testing.assert_close(got, want.detach(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("visible", KINDS)
def test_chains_go_on_from_step_to_step(visible):
    m, x = machine(visible, chains=9, steps=2), data(visible)
    weight, expected = torch.tensor([3.0, 2.0, 0.0, 1.0, 1.0, 2.0], dtype=D), m.chains.clone()
    for moment in range(3):
        expected = m.gibbs(expected, 2, generator(moment))
        found = torch.autograd.grad(
            m.objective(m(x, None, generator(moment), weight))["contrast"], [m.weight, m.visible_bias, m.hidden_bias]
        )
        assert torch.equal(m.chains, expected)
        for got, want in zip(found, textbook(m, x, expected, weight, 1.5), strict=True):
            torch.testing.assert_close(got, want.detach(), rtol=0, atol=1e-10)
    m.eval()
    m.objective(m(x, None, generator(), None))
    assert torch.equal(m.chains, expected)


def test_steps_of_gibbs_sampling_draw_hidden_bits_then_visible_units():
    m, x, rng = machine(), data(), generator(2)
    h = (torch.rand(6, HIDDEN, generator=rng, dtype=D) < m.encode(x)).double()
    v = (torch.rand(6, VISIBLE, generator=rng, dtype=D) < m.decode(h)).double()
    assert torch.equal(m.gibbs(x, 1, generator(2)), v)


# --- what held-out rows are judged by ----------------------------------------------------------------------------


def test_bits_are_judged_by_their_pseudo_likelihood():
    m, x = machine(), data(n=200)
    every = minus_energy(m, states(VISIBLE), states(HIDDEN)).logsumexp(1)
    column = (torch.rand(200, 1, generator=generator(4), dtype=D)[:, 0] * VISIBLE).long()
    place = x @ (2.0 ** torch.arange(VISIBLE - 1, -1, -1, dtype=D))
    want = []
    for row, own, i in zip(x, place.long().tolist(), column.tolist(), strict=True):
        bit = 2 ** (VISIBLE - 1 - i)
        other = own - bit if row[i] else own + bit
        want.append(-VISIBLE * (every[own] - torch.logaddexp(every[own], every[other])))
    assert sorted(set(column.tolist())) == [0, 1, 2, 3]
    torch.testing.assert_close(m.surprise(x, generator(4)), torch.stack(want), rtol=0, atol=1e-10)
    m.eval()
    terms = m.objective(m(x, None, generator(4), None))
    torch.testing.assert_close(terms["contrast"], torch.stack(want).mean())


def test_real_numbers_are_judged_by_score_matching():
    m, x = machine("gaussian"), data("gaussian")

    def log_p(v):
        return -m.free_energy(v[None])[0]

    slope = torch.stack([torch.autograd.functional.jacobian(log_p, row) for row in x])
    bend = torch.stack([torch.autograd.functional.hessian(log_p, row).trace() for row in x])
    torch.testing.assert_close(m.surprise(x), slope.square().sum(1) / 2 + bend, rtol=0, atol=1e-10)


# --- the partition function --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "hidden"), [(VISIBLE, HIDDEN), (3, 18), (18, 2), (13, 13)])
def test_the_partition_function_of_bits_is_the_sum_over_all_states(columns, hidden):
    m = machine(columns=columns, hidden=hidden, size=0.3).requires_grad_(False)
    small = states(min(columns, hidden))  # the other side summed by hand
    inner = small @ m.weight + m.visible_bias if hidden <= columns else small @ m.weight.T + m.hidden_bias
    own = small @ (m.hidden_bias if hidden <= columns else m.visible_bias)
    want = (own + torch.log1p(inner.exp()).sum(1)).logsumexp(0)
    log, error = m.partition()
    assert error == 0
    assert log == pytest.approx(float(want), abs=1e-10)
    if columns * hidden == VISIBLE * HIDDEN:
        every = minus_energy(m, states(VISIBLE), states(HIDDEN))
        assert log == pytest.approx(float(every.flatten().logsumexp(0)), abs=1e-10)


def test_the_partition_function_of_real_numbers_is_the_integral():
    m = machine("gaussian", columns=2)

    def density(y, x):
        with torch.no_grad():
            return float(torch.exp(-m.free_energy(torch.tensor([[x, y]], dtype=D))))

    total, _ = integrate.dblquad(density, -9, 9, -9, 9, epsabs=1e-5)
    assert m.partition().log == pytest.approx(np.log(total), abs=1e-6)


@pytest.mark.parametrize("visible", KINDS)
def test_annealing_finds_the_partition_function(visible):
    m = machine(visible, columns=10, hidden=8, size=0.7)
    exact = m.partition().log
    with torch.no_grad():
        log, error = m._annealed(generator(), 200, 300)
    assert 0 < error < 0.1
    assert abs(log - exact) < 4 * error + 0.02


def test_large_machines_are_annealed():
    m = machine(columns=20, hidden=17, size=0.05).requires_grad_(False)
    log, error = m.partition(generator(), 50, 50)
    every = [m.partition(generator(seed), 50, 50).log for seed in range(1, 4)]
    assert 0 < error < 0.1
    assert np.allclose(every, log, atol=0.2)
    weak = np.log(2) * 17 + float(torch.log1p(m.visible_bias.exp()).sum())  # of hidden bits that hardly matter
    assert abs(log - weak) < 2


# --- sampling ----------------------------------------------------------------------------------------------------


def test_long_chains_have_the_exact_marginals():
    m = machine()
    with torch.no_grad():
        drawn = m.sample(20000, 30, generator())
        p = (-m.free_energy(states(VISIBLE)) - m.partition().log).exp()
    assert float(p.sum()) == pytest.approx(1)
    place = (drawn @ (2.0 ** torch.arange(VISIBLE - 1, -1, -1, dtype=D))).long()
    share = torch.bincount(place, minlength=16) / 20000
    assert (share - p).abs().max() < 4 * 0.5 / np.sqrt(20000)


def test_long_chains_of_real_numbers_have_the_exact_moments():
    """Given each hidden state they are Gaussian, and the states' shares are known."""
    m, h = machine("gaussian", size=0.6), states(HIDDEN)
    with torch.no_grad():
        field = h @ m.weight + m.visible_bias
        share = (h @ m.hidden_bias + field.square().sum(1) / 2).softmax(0)
        drawn = m.sample(20000, 50, generator())
        mean = share @ field
        covariance = torch.eye(VISIBLE, dtype=D) + (field - mean).T @ ((field - mean) * share[:, None])
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0, atol=0.05)
    torch.testing.assert_close(drawn.T.cov(), covariance, rtol=0, atol=0.12)


# --- learning ----------------------------------------------------------------------------------------------------


def bars_and_stripes(n):
    """Every picture of n × n whose rows, or whose columns, are alike."""
    tiles = [np.tile(bits, (n, 1)) for bits in itertools.product([0.0, 1.0], repeat=n)]
    return np.array([picture.ravel() for tile in tiles for picture in (tile, tile.T)])


def entropy(X):
    counts = np.unique(X, axis=0, return_counts=True)[1] / len(X)
    return -float((counts * np.log(counts)).sum())


def likelihood(est, X):
    return float(est.score_samples(X).mean() - est.partition().log)


@pytest.mark.parametrize(("n", "how"), [(2, {"steps": 5, "chains": 400}), (3, {"steps": 5})], ids=str)
def test_bars_and_stripes_are_learned(n, how):
    """The mean log-likelihood can at most be minus the entropy of the pictures."""
    X = np.tile(bars_and_stripes(n), (10, 1))
    settings = {"batch_size": None, "learning_rate": 0.03, "validation_fraction": 0, "random_state": 0}
    est = BoltzmannMachine(16, max_epochs=1500, **settings, **how).fit(X)
    before = likelihood(BoltzmannMachine(16, max_epochs=1, **settings, **how).fit(X), X)
    assert before < -entropy(X) - 0.9
    assert -entropy(X) - 0.2 < likelihood(est, X) <= -entropy(X)
    assert est.engine_.startswith("recorded, ")


def test_it_is_as_likely_as_scikit_learns():
    X = (load_digits().data > 7).astype(float)
    est = BoltzmannMachine(12, chains=64, max_epochs=40, random_state=0).fit(X[:1400])
    theirs = BernoulliRBM(12, learning_rate=0.05, n_iter=40, batch_size=64, random_state=0).fit(X[:1400])
    other = Boltzmann("binary", torch.zeros(64), 12).double()
    other.load_state_dict(
        {
            "weight": torch.tensor(theirs.components_),
            "visible_bias": torch.tensor(theirs.intercept_visible_),
            "hidden_bias": torch.tensor(theirs.intercept_hidden_),
            "base": other.base,
        }
    )
    held = torch.tensor(X[1400:])
    with torch.no_grad():
        np.testing.assert_allclose(other.free_energy(held), theirs._free_energy(held.numpy()), atol=1e-9)
        np.testing.assert_allclose(other.encode(held), theirs.transform(held.numpy()), atol=1e-12)
        other_likelihood = float(-other.free_energy(held).mean() - other.partition().log)
    assert likelihood(est, X[1400:]) > other_likelihood


def test_real_numbers_are_learned():
    """Two clusters: their middle is unlikely, and samples lie in both."""
    rng = np.random.default_rng(0)
    X = (np.where(rng.random((600, 1)) < 0.5, 2.0, -2.0) + rng.normal(size=(600, 6))) * 3 + np.arange(6)
    est = BoltzmannMachine(8, "gaussian", steps=5, max_epochs=80, learning_rate=0.02, random_state=0).fit(X)
    ends = est.score_samples(np.arange(6) + np.array([[6.0], [-6.0]]))
    assert ends.min() > est.score_samples(np.arange(6.0)[None])[0] + 0.5
    drawn = est.sample(2000, 200, random_state=0)
    np.testing.assert_allclose(drawn.mean(0), X.mean(0), atol=1)
    found, want = (np.linalg.eigvalsh(np.corrcoef(rows.T))[-1] for rows in (drawn, X))
    assert found > 0.6 * want
    assert est.score(X) > quick().fit(X).score(X)


def test_the_first_visible_biases_are_those_of_the_columns():
    X = bars_and_stripes(3)[:, :4] * [1, 1, 0, 0.5]
    est = BoltzmannMachine(2, max_epochs=1, learning_rate=1e-9, validation_fraction=0, scaling=None).fit(X)
    want = np.log(np.clip(X.mean(0), 0.01, 0.99) / (1 - np.clip(X.mean(0), 0.01, 0.99)))
    np.testing.assert_allclose(est.module_.visible_bias.detach(), want, atol=1e-6)


# --- training in the one loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"steps": 3}, {"chains": 7}], ids=str)
@pytest.mark.parametrize("visible", KINDS)
def test_recorded_steps_are_those_run_as_they_stand(visible, how):
    made = [
        BoltzmannMachine(5, visible, **how, max_epochs=12, batch_size=16, engine=engine, random_state=0).fit(rows())
        for engine in ("recorded", "eager")
    ]
    assert made[0].engine_.startswith("recorded, ")
    for (name, one), other in zip(
        made[0].module_.state_dict().items(), made[1].module_.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9, msg=name)


def test_the_best_weights_on_held_out_rows_are_kept():
    X = (load_digits().data > 7).astype(float)[:300]
    est = BoltzmannMachine(40, max_epochs=150, learning_rate=0.05, random_state=0).fit(X)
    losses = [row["validation_loss"] for row in est.history_]
    assert est.n_iter_ == 150
    assert int(np.argmin(losses)) < 149
    assert est.n_validation_ == 30
    assert min(losses) < losses[0]


def test_training_the_module_itself():
    m, x = machine(), data(n=40)
    settings = Settings(30, 10, 0.01, early_stopping=False)
    state = train(State.begin(m, settings), Rows(x), settings, Rows(x))
    assert [*state.history[-1]][:4] == ["epoch", "loss", "contrast", "validation_loss"]


# --- the estimator -----------------------------------------------------------------------------------------------

STOCHASTIC = "bits are drawn by row number, so repeated rows draw others"
EXCUSED = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), STOCHASTIC
)
CHECKED = [
    BoltzmannMachine(4, max_epochs=3, random_state=0),
    BoltzmannMachine(4, "gaussian", max_epochs=3, random_state=0),
    BoltzmannMachine(4, steps=2, chains=5, max_epochs=3, random_state=0),
]


@parametrize_with_checks(CHECKED, expected_failed_checks=lambda estimator: EXCUSED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def quick(visible="gaussian", **settings):
    return BoltzmannMachine(5, visible, **{"max_epochs": 3, "random_state": 0} | settings)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("visible", KINDS)
def test_what_it_gives_is_in_input_units(visible, dtype):
    X = rows(dtype=dtype)
    est = quick(visible).fit(X)
    m, scaled = est.module_, torch.tensor(est.scaler_.apply(X))
    with torch.no_grad():
        np.testing.assert_array_equal(est.transform(X), m.encode(scaled))
        np.testing.assert_array_equal(est.score_samples(X), -m.free_energy(scaled))
        decoded = est.scaler_.undo(m.decode(m.encode(scaled)).numpy())
    np.testing.assert_array_equal(est.inverse_transform(est.transform(X)), decoded)
    np.testing.assert_array_equal(est.reconstruct(X), decoded)
    for out in (est.transform(X), est.reconstruct(X), est.score_samples(X), est.sample(3, 2)):
        assert out.dtype == dtype
    assert est.score(X) == est.score(X)
    drawn = est.sample(200, 5, random_state=1)
    np.testing.assert_array_equal(drawn, est.sample(200, 5, random_state=1))
    if visible == "binary":
        ends = [np.isclose(drawn[:, [j]], [X[:, j].min(), X[:, j].max()]).any(axis=1).all() for j in range(6)]
        assert sum(ends) >= 4, "the ends of columns are those of the rows trained on"
    assert est.get_feature_names_out().tolist() == [f"boltzmannmachine{i}" for i in range(5)]


def test_how_rows_are_scaled():
    X = rows()
    assert quick().fit(X).scaler_.scale == pytest.approx(X[: len(X)].std(0), rel=0.2)
    bits = (X.mean(0) < X).astype(float)
    assert np.array_equal(quick("binary").fit(bits).scaler_.scale, np.ones(6))
    assert not np.array_equal(quick("binary").fit(X).scaler_.scale, np.ones(6))
    with pytest.raises(DataError) as caught:
        quick("binary", scaling="standard").fit(X)
    assert caught.value.where == "under scaling='standard'"
    assert caught.value.hint == "use scaling='minmax'"


@pytest.mark.parametrize("how", [{}, {"chains": 4, "steps": 2}], ids=str)
@pytest.mark.parametrize("visible", KINDS)
def test_loading_gives_the_same_bits(visible, how, tmp_path):
    est = quick(visible, **how).fit(rows())
    est.set_params(n_hidden=9)  # after the fit: what was built counts
    est.save(tmp_path)
    again = load(tmp_path)
    assert again.get_params() == est.get_params()
    for method in ("transform", "reconstruct", "score_samples", "score"):
        assert np.array_equal(getattr(est, method)(rows()), getattr(again, method)(rows()))
    assert np.array_equal(est.sample(5, 3, random_state=0), again.sample(5, 3, random_state=0))
    assert again.partition() == est.partition()
    assert (again.history_, again.n_iter_, again.seed_) == (est.history_, 3, 0)
    again.partial_fit(rows())
    assert again.n_iter_ == 4


def test_files_that_do_not_fit(tmp_path):
    quick().fit(rows()).save(tmp_path)
    with pytest.raises(SettingError) as caught:
        load(tmp_path, encoder=nn.Linear(6, 5))
    assert str(caught.value) == "no slot called 'encoder'; in load; none, for a Boltzmann machine"
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"n_hidden": 5', '"n_hidden": 6'))
    with pytest.raises(RunError) as caught:
        load(tmp_path)
    assert caught.value.what.startswith("config.json and model.safetensors do not fit (")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))], ids=["copy", "pickle"])  # noqa: S301
def test_copies_train_alike(copied):
    est = quick(chains=4).fit(rows()).partial_fit(rows())
    twin = copied(est)
    assert np.array_equal(est.partial_fit(rows()).transform(rows()), twin.partial_fit(rows()).transform(rows()))


def test_partial_fits_are_epochs():
    est = quick("binary")
    for epoch in range(1, 4):
        est.partial_fit(rows())
        assert est.n_iter_ == epoch
    assert est.transform(rows()).shape == (120, 5)


def test_a_stack_is_a_pipeline():
    X = bars_and_stripes(3)
    stack = make_pipeline(*(BoltzmannMachine(k, max_epochs=3, random_state=0) for k in (6, 4)))
    top = stack.fit_transform(X)
    assert top.shape == (16, 4)
    first, second = (step for _, step in stack.steps)
    assert np.array_equal(second.transform(first.transform(X)), top)
    assert second.scaler_.scale.tolist() == [1.0] * 6, "codes are probabilities as they are"
    assert stack.inverse_transform(top).shape == X.shape


def test_its_code_is_that_of_an_autoencoders_parts():
    est = quick().fit(rows())
    encoder, code, size, shape, state = est.encoding()
    assert (encoder, code, size, shape) == (encoders.Linear(), codes.Activation("sigmoid"), 5, (6,))
    built = nn.ModuleDict({"encoder": encoder.build(shape, size), "code": code.build(size)}).double()
    built.load_state_dict(state)
    with torch.no_grad():
        z = built["code"](built["encoder"](torch.tensor(est.scaler_.apply(rows()))))[0]
    np.testing.assert_allclose(z, est.transform(rows()), rtol=0, atol=1e-12)


def test_a_stack_becomes_a_classifier():
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    stack = make_pipeline(*(BoltzmannMachine(k, max_epochs=20, random_state=0) for k in (40, 30))).fit(X)
    made = finetune(stack, max_epochs=1, learning_rate=1e-9, random_state=0).fit(X[:200], y[:200])
    _, first, second, _ = made.module_.network.network
    with torch.no_grad():
        np.testing.assert_allclose(second(first(torch.tensor(X))), stack.transform(X), rtol=0, atol=1e-6)
    made = finetune(stack, max_epochs=40, random_state=0).fit(X[:900], y[:900])
    assert made.score(X[900:], y[900:]) > 0.7


WRONG = [
    ({"n_hidden": 0}, "n_hidden must be a whole number >= 1; got 0"),
    ({"visible": "real"}, "visible must be one of 'binary', 'gaussian'; got 'real'"),
    ({"steps": 1.5}, "steps must be a whole number >= 1; got 1.5"),
    ({"chains": 0}, "chains must be one of None or a whole number >= 1; got 0"),
    ({"learning_rate": 0}, "learning_rate must be a number > 0; got 0"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=lambda v: next(iter(v)) if isinstance(v, dict) else "")
def test_wrong_settings(settings, message):
    for call in ("fit", "partial_fit"):
        with pytest.raises(SettingError) as caught:
            getattr(BoltzmannMachine(**settings), call)(rows())
        assert str(caught.value) == f"{message}; in BoltzmannMachine"


def test_wrong_calls():
    est = quick().fit(rows())
    with pytest.raises(DataError) as caught:
        est.inverse_transform(np.zeros((3, 4)))
    assert str(caught.value) == "codes of shape (3, 4); in inverse_transform; (N, 5)"
    with pytest.raises(SettingError) as caught:
        est.sample(0)
    assert str(caught.value) == "n_samples must be a whole number >= 1; got 0; in sample"
    with pytest.raises(SettingError) as caught:
        est.partition(chains=1)
    assert str(caught.value) == "chains must be a whole number >= 2; got 1; in partition"
    with pytest.raises(ValueError, match=r"^This BoltzmannMachine instance is not fitted yet"):
        quick().sample(3)
