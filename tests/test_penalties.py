"""Penalties against the formulas as written; what holds for every one of them; how parts that do not fit are told."""

import inspect
import math

import numpy as np
import pytest
import torch
from members import rows, small
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from isthmus import Autoencoder, codes, decoders, encoders, load, penalties
from isthmus.assembly import Blueprint, assemble
from isthmus.errors import SettingError
from isthmus.passes import Pass


def sparsity(logits, rho=0.05, strength=3.0, weight=None):
    term = penalties.KL(rho, strength).build(None)
    x = torch.zeros(len(logits), 1)
    return term(Pass(x, x, None, torch.sigmoid(logits), {"logits": logits}, x, weight))


def naive_sparsity(activation, rho, strength):
    """As the lecture writes it, ρ̂ the mean activation."""
    return strength * (rho * (rho / activation).log() + (1 - rho) * ((1 - rho) / (1 - activation)).log()).sum()


def test_kl_is_the_formula():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(sparsity(logits), naive_sparsity(torch.sigmoid(logits).mean(0), 0.05, 3.0))
    at_target = torch.full((9, 4), math.log(0.05 / 0.95), dtype=torch.float64)
    torch.testing.assert_close(sparsity(at_target), torch.zeros((), dtype=torch.float64))


def test_weighted_kl_is_the_formula_of_the_weighted_mean():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.linspace(0.2, 1.8, 9, dtype=torch.float64)
    mean = (weight[:, None] * torch.sigmoid(logits)).sum(0) / weight.sum()
    torch.testing.assert_close(sparsity(logits, weight=weight), naive_sparsity(mean, 0.05, 3.0))


@pytest.mark.parametrize("level", [-1e4, -200.0, 200.0, 1e4])
def test_kl_is_finite_where_units_never_or_always_fire(level):
    logits = torch.full((5, 3), level, requires_grad=True)
    value = sparsity(logits)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad * math.copysign(1, level) > 0).all()  # descent leads back to where units fire at times


def test_kl_makes_units_fire_at_its_share():
    X = rows(400)
    settings = {"strength": 20.0, "max_epochs": 60, "learning_rate": 1e-2}
    shares = [small("sparse", rho=rho, **settings).fit(X).transform(X).mean() for rho in (0.1, 0.4)]
    np.testing.assert_allclose(shares, [0.1, 0.4], atol=0.02)


def test_l1_keeps_unit_columns():
    settings = {"encoder": encoders.Linear(), "decoder": decoders.Linear(), "random_state": 0, "max_epochs": 20}
    ae = Autoencoder(4, penalty=penalties.L1(0.5), **settings).fit(rows())
    lengths = ae.module_.decoder.reader.weight.norm(dim=0)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    assert (ae.module_.decoder.reader.matrix.norm(dim=0) - 1).abs().max() > 1e-3  # the free matrix behind it moves


def test_l1_is_the_sum_of_magnitudes():
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    x = torch.zeros(2, 1)
    reader = decoders.Linear().build(2, (1,), None)
    term = penalties.L1(0.5).build(penalties.Parts(None, None, reader))
    assert term(Pass(x, x, None, z, {}, x)).tolist() == [1.5, 1.5]


def test_weights_is_the_sum_of_squares_of_matrices():
    ae = Autoencoder(2, encoder=encoders.MLP((3,)), penalty=penalties.Weights(0.1), max_epochs=1, random_state=0)
    module = ae.fit(rows()).module_
    squares = sum(p.square().sum() for p in module.parameters() if p.ndim > 1)
    x = torch.as_tensor(ae.scale(rows()))
    torch.testing.assert_close(module.objective(module(x))["weights"], 0.1 * squares)


def test_tied_matrices_are_counted_once():
    ae = small("contractive", penalty=penalties.Weights(1.0)).fit(rows())
    x = torch.as_tensor(ae.scale(rows()))
    once = sum(layer.matrix.square().sum() for layer in ae.module_.encoder.dense)
    torch.testing.assert_close(ae.module_.objective(ae.module_(x))["weights"], once)


# What holds for every penalty: numbers of its own may be tensors, and it can be traced and batched over models

SLOTS = {
    "contraction of one layer": {"penalty": penalties.Contraction(0.7), "encoder": encoders.Linear()},
    "contraction of two layers": {"penalty": penalties.Contraction(0.7)},
    "contraction of two bent layers": {"penalty": penalties.Contraction(0.7), "code": codes.Activation()},
    "contraction of four layers": {"penalty": penalties.Contraction(0.7), "encoder": encoders.MLP((6, 5, 4))},
    "estimated contraction": {"penalty": penalties.Contraction(0.7, probes=2), "encoder": encoders.MLP((6, 5))},
    "contraction of tied layers": {"penalty": penalties.Contraction(0.7), "decoder": decoders.Tied()},
    "curvature": {"penalty": penalties.Curvature(0.7, 0.3, draws=2)},
    "KL": {"penalty": penalties.KL(0.1, 2.0), "code": codes.Activation()},
    "L1": {"penalty": penalties.L1(0.4), "code": codes.TopK(2)},
    "divergence": {"penalty": penalties.Divergence(4.0), "code": codes.Gaussian()},
    "total correlation": {"penalty": penalties.TotalCorrelation(2.0, 3), "code": codes.Gaussian()},
    "covariance of means": {"penalty": penalties.DIP(1, 3.0, 0.5), "code": codes.Gaussian()},
    "covariance of codes": {"penalty": penalties.DIP(2, 3.0, 0.5), "code": codes.Gaussian()},
    "weights": {"penalty": penalties.Weights(0.2)},
    "tied weights": {"penalty": penalties.Weights(0.2), "decoder": decoders.Tied()},
    "sum": {"penalty": penalties.Sum(a=penalties.KL(0.1), b=penalties.Contraction(0.3)), "code": codes.Activation()},
}
every_penalty = pytest.mark.parametrize("slots", SLOTS.values(), ids=SLOTS)


def composition(seed=0, **slots):
    low = np.full(6, -1.0)
    slots = {"encoder": encoders.MLP((5,), "tanh")} | slots
    return assemble(Blueprint(slots, 3, (6,), low, -low), seed, torch.float64, torch.device("cpu"))


def batch(seed=1, n=8):
    return torch.randn(n, 6, generator=generator(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_penalty_is_in_the_table():
    found = {part for part in vars(penalties).values() if inspect.isclass(part) and issubclass(part, penalties.Penalty)}
    elsewhere = {penalties.Commitment}  # with the codebook that it needs, which moves: in test_codes.py
    assert {type(slots["penalty"]) for slots in SLOTS.values()} == found - {penalties.Penalty} - elsewhere


def numbers(term):
    return [name for name, value in vars(term).items() if isinstance(value, float)]


@every_penalty
def test_tensors_may_stand_for_its_numbers(slots):
    module, x = composition(**slots), batch()
    as_it_is = module.objective(module(x, rng=generator()))
    for term in module.penalties.values():
        assert "strength" in numbers(term)
        for name in numbers(term):
            setattr(term, name, torch.tensor(getattr(term, name), dtype=torch.float64))
        assert not numbers(term)
    torch.testing.assert_close(module.objective(module(x, rng=generator())), as_it_is)


class Step(nn.Module):
    """A composition's loss, with a weight for each row."""

    def __init__(self, module, seed=None):
        super().__init__()
        self.module, self.seed = module, seed

    def forward(self, x, weight):
        rng = None if self.seed is None else generator(self.seed)
        return torch.stack(list(self.module.objective(self.module(x, weight=weight, rng=rng)).values())).sum()


def loss_and_gradients(loss, state):
    return loss, torch.autograd.grad(loss, list(state.values()), allow_unused=True, materialize_grads=True)


def weights_of(module):
    return {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}


@every_penalty
def test_it_can_be_traced(slots):
    """The trace of one net and batch gives the loss and the gradients of another: it holds neither's numbers."""
    step, other = Step(composition(0, **slots)), Step(composition(1, **slots))
    weight = torch.linspace(0.5, 1.5, 8, dtype=torch.float64)

    def run(values, x, weight):
        state = dict(zip(weights_of(step), values, strict=True))
        return loss_and_gradients(functional_call(step, state, (x, weight)), state)

    traced = make_fx(run)(list(weights_of(step).values()), batch(), weight)
    found = traced(list(weights_of(other).values()), batch(5), weight.flip(0))
    expected = loss_and_gradients(other(batch(5), weight.flip(0)), dict(other.named_parameters()))
    torch.testing.assert_close(found, expected)


@every_penalty
@pytest.mark.parametrize("seed", [None, 3], ids=["deterministic", "random"])
def test_it_can_be_batched_over_models(slots, seed):
    """Three nets of different strengths at once are each what it is alone."""
    alone = [Step(composition(i, **slots), seed) for i in range(3)]
    together = Step(composition(**slots), seed)
    names = [(key, name) for key, term in together.module.penalties.items() for name in numbers(term)]
    settings = {place: torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64) for place in names}
    for (key, name), values in settings.items():
        for step, value in zip(alone, values.tolist(), strict=True):
            setattr(step.module.penalties[key], name, value)
    x, weight = batch(), torch.linspace(0.5, 1.5, 8, dtype=torch.float64)

    def one(state, own):
        for (key, name), value in own.items():
            setattr(together.module.penalties[key], name, value)
        return functional_call(together, state, (x, weight))

    state, _ = stack_module_state(alone)
    losses = vmap(one, randomness="same")(state, settings)
    torch.testing.assert_close(losses, torch.stack([step(x, weight) for step in alone]))
    found = torch.autograd.grad(losses.sum(), list(state.values()), allow_unused=True, materialize_grads=True)
    for i, step in enumerate(alone):
        _, expected = loss_and_gradients(step(x, weight), dict(step.named_parameters()))
        torch.testing.assert_close([gradient[i] for gradient in found], list(expected))


def test_a_sum_names_its_terms_in_the_history():
    both = penalties.Sum(few=penalties.KL(0.1, 0.5), flat=penalties.Contraction(0.1))
    history = small("sparse", penalty=both).fit(rows()).history_
    for epoch in history:
        assert epoch["loss"] == pytest.approx(epoch["reconstruction"] + epoch["few"] + epoch["flat"])


def test_a_strength_within_a_sum_can_be_searched():
    both = penalties.Sum(few=penalties.KL(0.1, 0.5), flat=penalties.Contraction(0.1))
    grid = {"penalty__flat__strength": [0.0, 1e4]}
    search = GridSearchCV(small("sparse", penalty=both, max_epochs=20), grid, cv=2).fit(rows())
    assert search.best_params_ == {"penalty__flat__strength": 0.0}
    assert both.flat.strength == 0.1  # the one given is left alone


class Quiet(nn.Module):
    """A user's penalty."""

    def forward(self, p):
        return p.z.square().sum(-1)


def test_a_penalty_of_ones_own():
    history = small("linear", penalty=Quiet()).fit(rows()).history_
    assert all(epoch["penalty"] > 0 for epoch in history)


MISMATCHES = [
    (
        {"penalty": penalties.KL()},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.KL(), "code": codes.Activation("relu")},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.KL(), "code": codes.Gaussian()},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives density, divergence, gaussian; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.Divergence()},
        (
            "penalties.Divergence needs a code that gives 'divergence'; this code gives no statistics; "
            "use code=codes.Gaussian()"
        ),
    ),
    (
        {"penalty": penalties.Sum(a=penalties.Divergence()), "code": codes.Activation()},
        (
            "penalties.Divergence needs a code that gives 'divergence'; this code gives unit interval; "
            "use code=codes.Gaussian()"
        ),
    ),
    (
        {"penalty": penalties.L1(), "decoder": nn.Linear(2, 6)},
        (
            "penalties.L1 cannot keep the columns of ForeignDecoder at unit length; decoder; "
            "decoders.Linear or decoders.MLP"
        ),
    ),
    (
        {"penalty": penalties.Sum(a=3)},
        "a must be a penalty such as penalties.Contraction(0.1); got 3; in Sum",
    ),
    (
        {"penalty": penalties.Sum(terms=penalties.L1())},
        "a penalty cannot be called 'terms'; in Sum; a name without '__' that no method has",
    ),
    (
        {"penalty": penalties.Sum(reconstruction=penalties.L1())},
        (
            "a penalty cannot be called 'reconstruction'; in the slot penalty; a name other than epoch, loss, "
            "reconstruction, gradient, gradient_norm, validation_loss, learning_rate, seconds, which the history uses"
        ),
    ),
    (
        {"code": codes.TopK(5)},
        "codes.TopK keeps k=5 of 2 units; code; k at most code_size",
    ),
    (
        {"code": codes.Gaussian(), "decoder": decoders.Tied(), "encoder": encoders.Linear()},
        (
            "decoders.Tied would map 4 to 6 numbers where 2 to 6 are needed; decoder; a code that emits as many "
            "numbers as it reads, and one parameter an entry; give a decoder of its own"
        ),
    ),
    (
        {"decoder": decoders.Tied(), "encoder": nn.Linear(6, 2)},
        (
            "decoders.Tied cannot transpose ForeignEncoder; decoder; encoders.Linear, encoders.MLP or "
            "encoders.Convolutional; give a decoder of its own"
        ),
    ),
]


@pytest.mark.parametrize(("slots", "message"), MISMATCHES, ids=range(len(MISMATCHES)))
def test_parts_that_do_not_fit_are_one_clear_error(slots, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, **slots).fit(rows())
    assert str(caught.value) == message


class Learned(nn.Module):
    """(z − c)², with a centre c of its own to learn."""

    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), 3.0))

    def forward(self, p):
        return (p.z - self.centre).square().sum(dim=1)


def test_a_users_own_penalty_is_trained_saved_and_restored(tmp_path):
    X = rows()
    ae = Autoencoder(2, encoders.MLP((4,)), penalty=Learned(), max_epochs=5, random_state=0).fit(X)
    centre = ae.module_.state_dict()["own_penalty.centre"]
    assert not torch.equal(centre, torch.full_like(centre, 3.0))
    ae.save(tmp_path / "model")
    again = load(tmp_path / "model", penalty=Learned())
    assert torch.equal(again.module_.state_dict()["own_penalty.centre"], centre)
    assert np.array_equal(again.transform(X), ae.transform(X))
