"""Likelihoods against the distributions of SciPy and torch; what they demand of rows; how they train."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from members import as_supported, rows
from scipy import stats
from torch import distributions as D

from isthmus import Autoencoder, codes, corruptions, decoders, encoders, evidence, load, penalties, zoo
from isthmus import likelihoods as L
from isthmus.assembly import Blueprint, assemble
from isthmus.errors import DataError, SettingError
from isthmus.likelihoods.support import BLOCK, COUNTS, grid, levels
from isthmus.populations import fit_together
from isthmus.pretraining import finetune
from isthmus.scaling import scaler_for

N, DIM = 40, 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=1):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


MIXED = L.Mixed(
    kind=L.Columns((4, 0), L.Categorical(3)),
    on=L.Columns(2, L.Bernoulli(True)),
    visits=L.Columns((1, 3), L.Poisson(None)),
    rest=L.Columns(None, L.GaussianVariance()),
)
# every likelihood that learns, looks or demands more than a Gaussian
NEW = [
    L.GaussianVariance("entry"),
    L.GaussianVariance("column"),
    L.GaussianVariance("row", 0.05),
    L.DiscretisedLogistic(7),
    L.Categorical(4),
    L.Poisson(),
    L.Poisson(None),
    L.NegativeBinomial(),
    L.NegativeBinomial("row", None),
    L.NegativeBinomial("entry"),
    L.Bernoulli(True),
    MIXED,
]
named = pytest.mark.parametrize("spec", NEW, ids=repr)


def built(spec, d=DIM, seed=2):
    """A likelihood whose free parameters are not those it begins with, and θ of the right width."""
    likelihood = spec.build(d).double()
    for i, p in enumerate(likelihood.parameters()):
        torch.nn.init.normal_(p, generator=generator(i + 5))
    return likelihood, normal(N, math.prod(likelihood.shape((d,))), seed=seed)


def x_of(spec, d=DIM, seed=0):
    """Rows as the likelihood has them, scaled."""
    X = as_supported(spec, rows(N, d, seed))
    return torch.as_tensor(scaler_for(spec.demands(d), X, "auto").apply(X))


# --- densities and probabilities ---------------------------------------------------------------------------------


@pytest.mark.parametrize("per", ["entry", "column", "row"])
def test_learned_variances_are_scipys_normal(per):
    likelihood, theta = built(L.GaussianVariance(per, 0.2))
    x = normal(N, DIM, seed=3)
    mean, log_scale = theta, likelihood.log_scale if per != "entry" else None
    if per == "entry":
        mean, s = theta[:, :DIM], theta[:, DIM:]
        log_scale = torch.log(s / 2 + torch.sqrt(1 + s**2 / 4))
    scale = 0.2 * torch.exp(torch.nn.functional.softplus(log_scale - math.log(0.2))).detach()
    oracle = -stats.norm(mean, scale).logpdf(x)
    np.testing.assert_allclose(likelihood.nll(theta, x).detach(), oracle, rtol=1e-10)
    torch.testing.assert_close(likelihood.mean(theta), mean)
    assert (scale > 0.2).all()


def test_a_bent_output_is_scipys_normal_about_its_sigmoid():
    likelihood, theta = built(L.SigmoidGaussian(0.3))
    x = torch.rand(N, DIM, generator=generator(3), dtype=torch.float64)
    mean = 1 / (1 + np.exp(-theta.numpy()))
    np.testing.assert_allclose(likelihood.nll(theta, x), -stats.norm(mean, 0.3).logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(likelihood.mean(theta), mean, rtol=1e-12)
    drawn = likelihood.sample(theta[:1].repeat(40_000, 1), generator(4)) - likelihood.mean(theta[:1])
    np.testing.assert_allclose(drawn.mean(0), np.zeros(DIM), atol=5 * 0.3 / 200)
    np.testing.assert_allclose(drawn.std(0), np.full(DIM, 0.3), rtol=0.02)


def test_a_variance_cannot_run_below_its_floor():
    for per in ("entry", "column"):
        likelihood = L.GaussianVariance(per, 0.01).build(2)
        theta = torch.full((1, 4 if per == "entry" else 2), -1e9)
        theta[:, :2] = 0.0
        for p in likelihood.parameters():
            p.data.fill_(-1e9)
        least = -stats.norm(0, 0.01).logpdf(0)
        np.testing.assert_allclose(likelihood.nll(theta, torch.zeros(1, 2)).detach(), [[least] * 2], rtol=1e-6)


def test_a_free_variance_becomes_that_of_the_residuals():
    """At the optimum σ² is the mean squared error (Rybkin 2021)."""
    likelihood, x = L.GaussianVariance("column").build(3).double(), normal(500, 3) * torch.tensor([0.1, 1.0, 7.0])
    optimiser = torch.optim.LBFGS(likelihood.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        total = likelihood.nll(torch.zeros_like(x), x).mean()
        total.backward()
        return total

    optimiser.step(loss)
    scale = likelihood.sample(torch.zeros(20000, 3).double(), generator()).std(0)
    torch.testing.assert_close(scale, x.square().mean(0).sqrt(), rtol=0.02, atol=0)


def test_a_discretised_logistic_is_made_of_scipys_masses():
    likelihood, theta = built(L.DiscretisedLogistic(7))
    x = torch.randint(0, 7, (N, DIM), generator=generator()) / 6.0
    mean, s = theta.numpy()[:, :DIM], theta[:, DIM:]
    floor = math.log(0.1 / 6)
    scale = torch.exp(floor + torch.nn.functional.softplus(s - floor)).numpy()
    cdf = stats.logistic(mean, scale).cdf
    upper = np.where(x > 0.99, 1, cdf(x.numpy() + 1 / 12))
    lower = np.where(x < 0.01, 0, cdf(x.numpy() - 1 / 12))
    np.testing.assert_allclose(likelihood.nll(theta, x.double()), -np.log(upper - lower), rtol=1e-6)


def test_the_mean_of_a_discretised_logistic_is_within_half_a_level():
    likelihood = L.DiscretisedLogistic(33).build(1)
    theta = torch.stack(torch.meshgrid(torch.linspace(-0.5, 1.5, 41), torch.linspace(-6, 1, 15), indexing="ij"), -1)
    theta = theta.reshape(-1, 2).double()
    grid = torch.arange(33).double() / 32
    p = torch.exp(-torch.stack([likelihood.nll(theta, torch.full((len(theta), 1), v)) for v in grid.tolist()]))
    exact = (p * grid[:, None, None]).sum(0)
    error = (likelihood.mean(theta) - exact).abs()
    assert error.max() < 0.5 / 32
    wide = theta[:, 1] > math.log(1 / 32)  # scales of a level and more
    assert error[wide].max() < 1e-3


def test_categories_are_those_of_torch():
    likelihood, theta = built(L.Categorical(4))
    x = torch.randint(0, 4, (N, DIM), generator=generator())
    oracle = D.Categorical(logits=theta.unflatten(1, (4, DIM)).transpose(1, 2))
    torch.testing.assert_close(likelihood.nll(theta, x.double()), -oracle.log_prob(x))
    torch.testing.assert_close(likelihood.mean(theta), oracle.probs.argmax(-1).double())


def rates(theta, x, sized):
    return theta.softmax(-1) * x.sum(1, keepdim=True) if sized else theta.exp()


@pytest.mark.parametrize("size", ["row", None])
def test_counts_are_scipys(size):
    x = torch.poisson(torch.full((N, DIM), 4.0).double(), generator=generator())
    for spec in (L.Poisson(size), *(L.NegativeBinomial(per, size) for per in ("entry", "column", "row"))):
        likelihood, theta = built(spec)
        rate = rates(theta[:, :DIM], x, size == "row").numpy()
        if isinstance(spec, L.Poisson):
            oracle = stats.poisson(rate)
        else:
            r = (theta[:, DIM:] if spec.per == "entry" else likelihood.log_r.detach()).exp().numpy()
            oracle = stats.nbinom(r, r / (r + rate))
        np.testing.assert_allclose(likelihood.nll(theta, x).detach(), -oracle.logpmf(x.numpy()), rtol=1e-8, atol=1e-9)


def test_a_negative_binomial_becomes_poisson_as_r_grows():
    theta, x = normal(N, DIM), torch.randint(0, 300, (N, DIM), generator=generator()).double()
    likelihood, poisson = L.NegativeBinomial("row", None).build(DIM), L.Poisson(None).build(DIM)
    for log_r, apart in ((8.0, 40.0), (14.9, 0.1)):
        likelihood.log_r.data.fill_(log_r)
        single = likelihood.nll(theta.float(), x.float()).double().detach()
        double = likelihood.double().nll(theta, x).detach()
        torch.testing.assert_close(single, double, rtol=2e-6, atol=2e-3)  # no digits are lost to large numbers
        assert (double - poisson.nll(theta, x)).abs().max() < apart
        likelihood.float()


def test_a_row_without_counts_is_certain():
    for spec in (L.Poisson(), L.NegativeBinomial()):
        likelihood, theta = built(spec)
        assert likelihood.nll(theta, torch.zeros(N, DIM).double()).sum(1).abs().max() < 1e-5


EVERYTHING = [
    (L.Bernoulli(True), torch.arange(2.0)),
    (L.DiscretisedLogistic(2), torch.arange(2.0)),
    (L.DiscretisedLogistic(256), torch.arange(256) / 255),
    (L.Categorical(5), torch.arange(5.0)),
    (L.Poisson(None), torch.arange(400.0)),
    (L.NegativeBinomial("entry", None), torch.arange(3000.0)),
    (L.NegativeBinomial("column", None), torch.arange(3000.0)),
]


@pytest.mark.parametrize(("spec", "numbers"), EVERYTHING, ids=lambda v: repr(v) if hasattr(v, "build") else "")
def test_probabilities_sum_to_one(spec, numbers):
    likelihood, theta = built(spec, d=3)
    p = sum(torch.exp(-likelihood.nll(theta, torch.full((N, 3), v).double())) for v in numbers.double().tolist())
    torch.testing.assert_close(p, torch.ones(N, 3).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@named
def test_draws_have_the_support_and_the_mean_of_their_distribution(spec, dtype):
    """They lie where the likelihood has probabilities, and their means within 5 standard errors."""
    likelihood, theta = built(spec, seed=8)
    likelihood, theta = likelihood.to(dtype), theta[:1].to(dtype).expand(20000, -1)
    if spec in (L.Poisson(), L.NegativeBinomial(), L.NegativeBinomial("entry")):
        likelihood.settle(torch.full((4, DIM), 5.0))
    drawn = likelihood.sample(theta, generator(3)).detach()
    assert drawn.dtype == dtype
    assert drawn.shape == (20000, DIM)
    assert not any(demand.support.fault(demand.of(drawn.numpy())) for demand in spec.demands(DIM))
    if spec not in (L.DiscretisedLogistic(7), L.Categorical(4), MIXED):  # whose reconstruction is not quite the mean
        error = drawn.double().std(0) / math.sqrt(len(drawn)) + 1e-9
        assert ((drawn.double().mean(0) - likelihood.mean(theta)[0].double()).abs() < 5 * error).all()


def test_draws_of_categories_and_levels_have_their_probabilities():
    for spec, numbers in ((L.Categorical(4), torch.arange(4)), (L.DiscretisedLogistic(7), torch.arange(7) / 6)):
        likelihood, theta = built(spec)
        theta = theta[:1].expand(20000, -1)
        drawn = likelihood.sample(theta, generator(3))
        for v in numbers.double().tolist():
            p = torch.exp(-likelihood.nll(theta[:1], torch.full((1, DIM), v).double()))[0]
            share = ((drawn - v).abs() < 1e-6).double().mean(0)
            assert ((share - p).abs() < 5 * (p * (1 - p) / 20000).sqrt() + 1e-4).all()


def test_draws_of_counts_vary_as_they_should():
    likelihood = L.NegativeBinomial("row", None).build(1)
    likelihood.log_r.data.fill_(math.log(2.0))
    drawn = likelihood.sample(torch.full((100000, 1), math.log(6.0)), generator(3))
    assert abs(drawn.var().item() - (6 + 36 / 2)) < 0.6  # the standard error is about 0.13


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@named
def test_losses_and_gradients_are_finite_at_extremes(spec, dtype):
    likelihood = spec.build(DIM).to(dtype)
    x = x_of(spec).to(dtype)
    width = math.prod(likelihood.shape((DIM,)))
    for size in (0.0, 60.0, -60.0, 1e4, -1e4):
        theta = (size * torch.sign(normal(N, width)).to(dtype)).requires_grad_()
        loss = likelihood.nll(theta, x)
        assert torch.isfinite(loss).all(), size
        wanted = [theta, *likelihood.parameters()]
        for gradient in torch.autograd.grad(loss.sum(), wanted):
            assert torch.isfinite(gradient).all(), size


@named
def test_gradients_are_those_of_finite_differences(spec):
    likelihood, theta = built(spec)
    x = x_of(spec)[:3]
    assert torch.autograd.gradcheck(lambda t: likelihood.nll(t, x), theta[:3].clone().requires_grad_())


# --- what the encoder sees ---------------------------------------------------------------------------------------


def test_counts_are_seen_as_logarithms_and_categories_as_bits():
    counts, kinds = L.Poisson().build(2), L.Categorical(3).build(2)
    x = torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    torch.testing.assert_close(counts.view(x), torch.log1p(x))
    assert kinds.view(x).tolist() == [[1, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0]]  # category by category, as θ
    assert kinds.view(torch.tensor([[0.25, 2.0]])).tolist() == [[0.75, 0, 0.25, 0, 0, 1]]
    assert torch.isfinite(counts.view(torch.tensor([[-3.0, 1e30]]))).all()
    assert kinds.seen((2,)) == (6,)
    assert kinds.seen((1, 4, 5)) == (3, 4, 5)
    assert kinds.shape((1, 4, 5)) == (3, 4, 5)
    assert kinds.shape((2,)) == (3, 2)


def test_what_is_seen_of_images_keeps_its_maps():
    X = np.random.default_rng(0).integers(0, 3, (50, 2 * 4 * 4)).astype(float)
    ae = Autoencoder(3, encoder=encoders.Convolutional((4,)), likelihood=L.Categorical(3), input_shape=(2, 4, 4))
    ae.set_params(max_epochs=2, random_state=0).fit(X)
    seen = ae.module_.likelihood.view(torch.as_tensor(X)).reshape(-1, 3, 2, 4, 4)
    for c in range(3):
        np.testing.assert_array_equal(seen[:, c].flatten(1), c == X)
    assert ae.reconstruct(X).shape == X.shape
    assert np.isin(ae.reconstruct(X), [0, 1, 2]).all()


def test_a_users_own_encoder_sees_it_too():
    X = as_supported(L.Categorical(4), rows(60))
    ae = Autoencoder(2, encoder=torch.nn.Linear(4 * DIM, 2), likelihood=L.Categorical(4), max_epochs=1).fit(X)
    bits = ae.module_.likelihood.view(torch.as_tensor(X))
    own = ae.module_.encoder.network.network
    np.testing.assert_allclose(ae.transform(X), own(bits).detach(), atol=1e-12)
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, encoder=torch.nn.Linear(DIM, 2), likelihood=L.Categorical(4)).fit(X)
    assert str(caught.value).startswith("the encoder cannot read rows of 24 numbers (")


def test_tied_decoders_and_classifiers_refuse_what_is_seen():
    X = as_supported(L.Poisson(), rows(60))
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, decoder=decoders.Tied(), likelihood=L.Poisson()).fit(X)
    assert str(caught.value) == (
        "decoders.Tied cannot transpose an encoder that sees counts as logarithms, or categories as bits; decoder; "
        "a likelihood of real numbers; give a decoder of its own"
    )
    with pytest.raises(SettingError) as caught:
        finetune(Autoencoder(2, likelihood=L.Poisson(), max_epochs=1).fit(X))
    assert str(caught.value) == (
        "the encoder sees counts as logarithms, or categories as bits; in finetune; a likelihood of real numbers; "
        "pass the module itself: Classifier(network=nn.Sequential(ae.module_.encoder, ...))"
    )


@pytest.mark.parametrize("spec", [L.Poisson(), L.Categorical(4), MIXED], ids=repr)
def test_the_jacobian_is_with_respect_to_the_rows_themselves(spec):
    X = as_supported(spec, rows(60))
    ae = Autoencoder(2, encoder=encoders.MLP((5,), "tanh"), likelihood=spec, max_epochs=1, random_state=0).fit(X)
    found = ae.jacobian(X[:4])
    x = torch.as_tensor(ae.scale(X[:4])) + 0.3  # between whole numbers all that is seen is smooth
    step = 1e-6
    own = ae.module_.jacobian(x).detach()
    for column in range(DIM):
        moved = x.clone()
        moved[:, column] += step
        slope = (ae.module_.encode(moved) - ae.module_.encode(x)) / step
        np.testing.assert_allclose(own[:, :, column], slope.detach(), atol=1e-4)
    assert found.shape == (4, 2, DIM)
    assert np.isfinite(found).all()


# --- sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [L.Poisson(), L.NegativeBinomial()], ids=repr)
def test_reconstructions_have_their_rows_totals_and_what_is_decoded_the_typical_one(spec, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.uniform(1, 30, (80, 1)) * rng.uniform(size=DIM)).astype(float)
    weight = rng.uniform(1, 2, 80)
    ae = zoo.variational(2, likelihood=spec, max_epochs=3, validation_fraction=0, random_state=0)
    ae.fit(X, sample_weight=weight)
    np.testing.assert_allclose(ae.reconstruct(X).sum(1), np.maximum(X.sum(1), 1e-6), rtol=1e-6)
    typical = np.average(X.sum(1), weights=weight)
    np.testing.assert_allclose(ae.inverse_transform(ae.transform(X)).sum(1), typical, rtol=1e-6)
    ae.save(tmp_path / "model")
    for other in (load(tmp_path / "model"), ae.untrained()):
        np.testing.assert_allclose(other.sample(5, random_state=0).sum(1), typical, rtol=1e-6)
    assert (ae.scaler_.scale == 1).all()
    assert (ae.scaler_.shift == 0).all()


def test_evidence_holds_reconstructions_against_rows_of_their_own_size():
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.uniform(1, 60, (120, 1)) * rng.uniform(size=DIM)).astype(float)
    ae = zoo.variational(2, likelihood=L.Poisson(), max_epochs=5, random_state=0).fit(X[:80])
    found = evidence.examine(ae, X[:80], X[80:]).to_dict()
    r2 = found["reconstruction"]["r2"]
    assert math.isclose(r2["value"] if isinstance(r2, dict) else r2, ae.score(X[80:]), rel_tol=1e-6)


# --- tables ------------------------------------------------------------------------------------------------------


def test_a_table_is_the_sum_of_its_parts():
    likelihood, theta = built(MIXED)
    x = x_of(MIXED)
    places = [[4, 0], [2], [1, 3], [5]]
    own = [L.Categorical(3), L.Bernoulli(), L.Poisson(None), L.GaussianVariance()]
    start, expected = 0, torch.zeros(N, DIM).double()
    means = torch.zeros(N, DIM).double()
    for spec, columns in zip(own, places, strict=True):
        part = spec.build(len(columns))
        size = part.width * len(columns)
        expected[:, columns] = part.nll(theta[:, start : start + size], x[:, columns])
        means[:, columns] = part.mean(theta[:, start : start + size])
        start += size
    assert start == theta.shape[1] == 6 + 1 + 2 + 2
    torch.testing.assert_close(likelihood.nll(theta, x), expected)
    torch.testing.assert_close(likelihood.mean(theta), means)


def test_only_the_real_columns_of_a_table_are_scaled():
    X = as_supported(MIXED, rows(80))
    X[:, 5] = X[:, 5] * 50 + 7
    for scaling in ("auto", "standard"):
        ae = Autoencoder(2, likelihood=MIXED, scaling=scaling, max_epochs=1, validation_fraction=0).fit(X)
        np.testing.assert_array_equal(ae.scaler_.scale[:5], 1)
        np.testing.assert_allclose((ae.scaler_.shift[5], ae.scaler_.scale[5]), (X[:, 5].mean(), X[:, 5].std()))
    assert (Autoencoder(2, likelihood=MIXED, scaling=None, max_epochs=1).fit(X).scaler_.scale == 1).all()
    back = ae.reconstruct(X)
    assert np.isin(back[:, [4, 0]], [0, 1, 2]).all()
    assert ((back[:, 2] > 0) & (back[:, 2] < 1)).all()
    assert (back[:, [1, 3]] > 0).all()


def test_columns_by_their_names(tmp_path):
    frame = pd.DataFrame(as_supported(MIXED, rows(80)), columns=list("abcdef"))
    names = L.Mixed(
        kind=L.Columns(("e", "a"), L.Categorical(3)),
        on=L.Columns("c", L.Bernoulli(True)),
        visits=L.Columns(("b", 3), L.Poisson(None)),
        rest=L.Columns(None, L.GaussianVariance()),
    )
    settings = {"encoder": encoders.MLP((5,)), "max_epochs": 2, "random_state": 0}
    ae = Autoencoder(2, likelihood=names, **settings).fit(frame)
    by_number = Autoencoder(2, likelihood=MIXED, **settings).fit(frame)
    np.testing.assert_array_equal(ae.transform(frame), by_number.transform(frame))
    ae.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.likelihood == names
    np.testing.assert_array_equal(ae.score_samples(frame), again.score_samples(frame))
    np.testing.assert_array_equal(ae.untrained().transform(frame), again.untrained().transform(frame))


WRONG_TABLES = [
    (
        L.Mixed(a=L.Columns("height"), rest=L.Columns()),
        (
            "no column called 'height'; in Mixed; rows whose columns have names, as a data frame's; "
            "give the column's number"
        ),
    ),
    (L.Mixed(a=L.Columns(6), rest=L.Columns()), "no column 6; in Mixed; numbers from 0 to 5, as rows have"),
    (
        L.Mixed(a=L.Columns((0, 1)), b=L.Columns((1, 2)), rest=L.Columns()),
        "column 1 is in two parts; in Mixed; each column in one part",
    ),
    (
        L.Mixed(a=L.Columns((0, 1))),
        "column 2 is in no part; in Mixed; give one part columns=None, which takes the rest",
    ),
    (
        L.Mixed(a=L.Columns(0), b=L.Columns(), c=L.Columns()),
        "the parts b and c both take the rest; in Mixed; one part with columns=None at most",
    ),
    (
        L.Mixed(a=L.Columns((0, 1, 2, 3, 4, 5)), rest=L.Columns()),
        "no columns are left for the part rest; in Mixed; leave that part out",
    ),
    (
        L.Mixed(a=L.Columns(0, L.Poisson()), rest=L.Columns()),
        "the total of a row of one count is the count itself; in Poisson; several columns, or size=None",
    ),
    (L.Mixed(), "column 0 is in no part; in Mixed; give one part columns=None, which takes the rest"),
    (
        L.Columns((0, 1)),
        (
            "likelihoods.Columns stands alone; in the slot likelihood; several of them in one Mixed; "
            "write likelihoods.Mixed(some=likelihoods.Columns(...), rest=likelihoods.Columns())"
        ),
    ),
    (
        L.Mixed(a=L.Gaussian()),
        "a must be likelihoods.Columns(columns, likelihood); got Gaussian(scale=1.0); in Mixed",
    ),
    (
        L.Mixed(a=L.Columns(None, MIXED)),
        f"likelihood must be a likelihood of ours such as likelihoods.Poisson(size=None); got {MIXED!r}; in Columns",
    ),
    (
        L.Mixed(a=L.Columns((-1,))),
        (
            "columns must be one of None or a whole number >= 0 or a column's name or a sequence of at least 1, each "
            "a whole number >= 0 or a column's name; got (-1,); in Columns"
        ),
    ),
]


@pytest.mark.parametrize(("spec", "message"), WRONG_TABLES, ids=lambda v: "" if isinstance(v, str) else repr(v)[:40])
def test_wrong_tables_are_told(spec, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, likelihood=spec, max_epochs=1).fit(np.abs(np.rint(rows(60))))
    assert str(caught.value) == message


def test_a_name_that_is_not_there_is_told_with_the_nearest():
    frame = pd.DataFrame(rows(60), columns=["age", "height", "c", "d", "e", "f"])
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, likelihood=L.Mixed(a=L.Columns("heigth"), rest=L.Columns())).fit(frame)
    assert str(caught.value) == "no column called 'heigth'; in Mixed; did you mean 'height'?"


def test_images_are_no_tables():
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, likelihood=L.Mixed(a=L.Columns()), input_shape=(1, 2, 3)).fit(rows(60))
    assert str(caught.value) == (
        "likelihoods.Mixed cannot read rows of shape (1, 2, 3); in the slot likelihood; tables, without input_shape"
    )


# --- what is demanded of rows ------------------------------------------------------------------------------------

COUNTED = "counts 0, 1, 2, ..., as this model needs; use scaling='auto' on counts, or a likelihood of real numbers"
BITS = "0 or 1 alone, as this model needs; threshold the rows, or use likelihoods.Bernoulli()"
KINDS = (
    "whole numbers from 0 to 2, as this model needs; number the categories from 0, with scaling='auto', or set `levels`"
)
GRID = (
    "multiples of 1/255 from 0 to 1, as this model needs; pass whole numbers from 0 to 255 with scaling='auto', "
    "or set `levels`"
)
AUTO = "under scaling='auto'"
COLUMNS = "in columns 1, 3 of X, counted from 0, under scaling='auto'"
DEMANDED = [
    (L.Poisson(), -1, 3, f"rows reach from -1 to 3; {AUTO}; {COUNTED}"),
    (L.NegativeBinomial(), 0.5, 3, f"rows hold 0.5; {AUTO}; {COUNTED}"),
    (L.Bernoulli(True), 0.25, 1, f"rows hold 0.25; {AUTO}; {BITS}"),
    (L.Bernoulli(True), 0, 255, f"rows reach from 0 to 255; {AUTO}; {BITS}"),
    (L.Categorical(3), 3, 1, f"rows reach from 0 to 3; {AUTO}; {KINDS}"),
    (L.Categorical(3), 1.5, 1, f"rows hold 1.5; {AUTO}; {KINDS}"),
    (L.DiscretisedLogistic(), 0.5, 1, f"rows hold 0.5; {AUTO}; {GRID}"),
    (L.DiscretisedLogistic(), 256, 3, f"rows reach from 0 to 256; {AUTO}; {GRID}"),
    (MIXED, -2, 1, f"rows reach from -2 to 1; {COLUMNS}; {COUNTED}"),
]


def table_with(low, high):
    """Zeros and ones, and these two numbers in a row to train on and in one to watch."""
    X = np.random.default_rng(0).integers(0, 2, (60, DIM)).astype(float)
    X[:, 3] = np.where(np.arange(60) % 2, low, high)
    return X


@pytest.mark.parametrize(("spec", "low", "high", "message"), DEMANDED, ids=lambda v: repr(v)[:30])
def test_rows_without_a_probability_are_refused(spec, low, high, message):
    with pytest.raises(DataError) as caught:
        Autoencoder(2, likelihood=spec, max_epochs=1).fit(table_with(low, high))
    assert str(caught.value) == message


def test_scaled_counts_are_refused():
    X = as_supported(L.Poisson(), rows(60))
    with pytest.raises(DataError) as caught:
        Autoencoder(2, likelihood=L.Poisson(), scaling="standard").fit(X)
    assert str(caught.value).endswith(f"; under scaling='standard'; {COUNTED}")


def test_probabilities_outside_their_range_are_refused():
    with pytest.raises(DataError) as caught:
        Autoencoder(2, likelihood=L.Bernoulli(), scaling=None).fit(table_with(-0.5, 1))
    assert str(caught.value) == (
        "rows reach from -0.5 to 1; under scaling=None; numbers in [0, 1], as this model needs; use scaling='minmax'"
    )


def watched(X, bad):
    """X with a number that only the rows to watch hold."""
    from isthmus import _fitting as fitting

    held = fitting.split(len(X), 0.2, 0)[1]
    X[held[0], 0] = bad
    return X


def test_rows_to_watch_are_looked_at_too():
    settings = {"validation_fraction": 0.2, "random_state": 0, "max_epochs": 1}
    for likelihood, scaling, bad in (
        (L.Poisson(), "auto", -1),
        (L.Bernoulli(), None, 2),
        (L.Bernoulli(True), None, 0.5),
    ):
        X = watched(table_with(0, 1), bad)
        with pytest.raises(DataError, match=r"^rows (reach from|hold) "):
            Autoencoder(2, likelihood=likelihood, scaling=scaling, **settings).fit(X)
    X = watched(rows(60), 100.0)  # beyond what the scaling was learned from, which is no fault
    Autoencoder(2, likelihood=L.Bernoulli(), **settings).fit(X)


def test_rows_at_test_time_are_looked_at_too():
    X = as_supported(L.Poisson(), rows(60))
    ae = zoo.variational(2, likelihood=L.Poisson(), max_epochs=1, random_state=0).fit(X)
    for name in ("score_samples", "log_likelihood", "partial_fit"):
        with pytest.raises(DataError) as caught:
            getattr(ae, name)(X + 0.5)
        assert str(caught.value) == f"rows hold {X[0, 0] + 0.5:g}; in {name}; {COUNTED}"
    before = ae.transform(X)
    assert np.isfinite(ae.transform(X + 0.5)).all()
    np.testing.assert_array_equal(before, ae.transform(X))


def test_eight_bits_are_brought_to_their_grid():
    X = np.random.default_rng(0).integers(0, 256, (60, DIM)).astype(np.float32)
    X[:, 0] = 7  # a column that does not reach far
    ae = Autoencoder(2, likelihood=L.DiscretisedLogistic(), max_epochs=1).fit(X)
    assert (ae.scaler_.scale == 255).all()
    np.testing.assert_array_equal(ae.scale(X), X / 255)
    twin = Autoencoder(2, likelihood=L.DiscretisedLogistic(), max_epochs=1).fit(X / 255)
    assert (twin.scaler_.scale == 1).all()


def test_supports_are_looked_at_to_the_last_row():
    X = np.zeros((BLOCK // 4 + 3, 4))
    X[-1, -1] = 0.25
    assert COUNTS.fault(X) == "rows hold 0.25"
    assert grid(5).fault(X) == ""
    assert levels(2).fault(X * 4) == ""
    assert levels(2).fault(np.empty((0, 3))) == ""


def test_unit_interval_is_known_before_the_fit():
    unit = (L.Bernoulli(), L.Bernoulli(True), L.DiscretisedLogistic(), L.SigmoidGaussian())
    assert all(Autoencoder(likelihood=spec).unit_interval for spec in unit)
    assert not any(Autoencoder(likelihood=spec).unit_interval for spec in (None, L.Poisson(), MIXED, L.Gaussian()))


# --- training ----------------------------------------------------------------------------------------------------

STEPS = {"encoder": encoders.MLP((5,)), "dtype": "float64", "batch_size": 16, "max_epochs": 15}


@named
def test_members_of_a_population_are_trained_as_alone(spec):
    X = as_supported(spec, rows(120))
    parts = {"code": codes.Gaussian(), "penalty": penalties.Divergence(), "likelihood": spec}
    one, other = ([Autoencoder(2, **parts, **STEPS, random_state=i) for i in range(2)] for _ in range(2))
    assert fit_together(one, X) == [None, None]
    for a, b in zip(one, other, strict=True):
        b.fit(X)
        assert ", one by one" not in a.engine_, a.engine_
        assert a.engine_.startswith("recorded, ")
        for (name, t), u in zip(a.module_.state_dict().items(), b.module_.state_dict().values(), strict=True):
            torch.testing.assert_close(t, u, rtol=1e-7, atol=1e-8, msg=name)
        assert a.history_[-1]["loss"] < a.history_[0]["loss"]


@named
def test_half_precision_trains_as_single_does(spec):
    """Products alone are rounded: what a likelihood makes of them is computed in the rows' own precision."""
    X = as_supported(spec, rows(120)).astype(np.float32)
    single, half = (
        Autoencoder(2, likelihood=spec, **STEPS | {"dtype": dtype}, random_state=0).fit(X)
        for dtype in ("float32", "bfloat16")
    )
    losses = [ae.history_[-1]["loss"] for ae in (single, half)]
    assert math.isclose(*losses, rel_tol=0.03, abs_tol=0.1)
    likelihood, theta = built(spec)
    x = x_of(spec)
    torch.testing.assert_close(likelihood.nll(theta.bfloat16(), x), likelihood.nll(theta.bfloat16().double(), x))


def test_members_may_differ_in_a_floor():
    X = rows(120)
    made = [Autoencoder(2, likelihood=L.GaussianVariance("entry", f), **STEPS, random_state=0) for f in (0.01, 0.3)]
    alone = [Autoencoder(2, **{"likelihood": ae.likelihood, "random_state": 0} | STEPS).fit(X) for ae in made]
    fit_together(made, X)
    for a, b in zip(made, alone, strict=True):
        assert ", one by one" not in a.engine_
        np.testing.assert_allclose(a.score_samples(X), b.score_samples(X), rtol=1e-6)
    assert made[0].history_[-1]["loss"] != made[1].history_[-1]["loss"]


def test_members_of_different_likelihoods_scale_their_rows_as_each_demands():
    X = as_supported(L.Poisson(), rows(60))
    made = [Autoencoder(2, likelihood=spec, max_epochs=1, random_state=0) for spec in (L.Gaussian(), L.Poisson())]
    fit_together(made, X)
    assert not (made[0].scaler_.scale == 1).any()
    assert (made[1].scaler_.scale == 1).all()


@pytest.mark.parametrize("corruption", [corruptions.Gaussian(0.5), corruptions.Masking(0.3, "hidden")], ids=repr)
@named
def test_noise_before_the_encoder_leaves_losses_finite(spec, corruption):
    X = as_supported(spec, rows(60))
    ae = Autoencoder(2, corruption=corruption, likelihood=spec, max_epochs=2, random_state=0).fit(X)
    assert np.isfinite(ae.history_[-1]["loss"])
    assert np.isfinite(ae.score_samples(X)).all()


def test_the_bound_of_a_linear_model_with_learned_variance_is_that_of_probabilistic_pca():
    """At its optimum the evidence is that of probabilistic PCA (Tipping & Bishop 1999), which has one σ for all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(400, 5))
    ae = Autoencoder(
        2,
        encoder=encoders.Linear(),
        code=codes.Gaussian(),
        penalty=penalties.Divergence(),
        likelihood=L.GaussianVariance("row"),
        scaling=None,
        validation_fraction=0,
        batch_size=None,
        learning_rate=0.02,
        max_epochs=1500,
        patience=1500,
        random_state=0,
    ).fit(X)
    values, axes = np.linalg.eigh(np.cov(X.T, bias=True))
    noise = values[:3].mean()
    covariance = axes[:, 3:] @ np.diag(values[3:] - noise) @ axes[:, 3:].T + noise * np.eye(5)
    exact = stats.multivariate_normal(X.mean(0), covariance).logpdf(X).mean()
    found = ae.log_likelihood(X, samples=50, random_state=0).mean()
    assert abs(found - exact) < 0.05
    sigma = ae.module_.likelihood.log_scale.exp().item()
    assert abs(sigma / math.sqrt(noise) - 1) < 0.03


def test_a_likelihood_is_assembled_for_its_columns():
    blueprint = Blueprint({"likelihood": L.NegativeBinomial()}, 2, (5,), np.zeros(5), np.ones(5))
    module = assemble(blueprint, 0, torch.float64, torch.device("cpu"))
    assert module.likelihood.log_r.shape == (5,)
    assert module.decoder(torch.zeros(3, 2).double()).shape == (3, 5)
