"""The loss against closed forms; likelihoods and corruptions against their distributions."""

import math

import numpy as np
import pytest
import torch
from members import rows, small
from scipy import stats
from torch import distributions as D

from isthmus import Autoencoder, codes, corruptions, encoders, likelihoods, penalties
from isthmus.assembly import Blueprint, assemble

LOW, HIGH = -2.0, 3.0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def composition(width=5, code_size=3, **slots):
    blueprint = Blueprint(slots, code_size, (width,), np.full(width, LOW), np.full(width, HIGH))
    return assemble(blueprint, 0, torch.float64, torch.device("cpu"))


def batch(n=7, width=5):
    return torch.randn(n, width, generator=generator(1), dtype=torch.float64)


def test_the_default_loss_is_half_the_squared_error_and_a_constant():
    module, x = composition(), batch()
    x_hat = module.decode(module.encode(x))
    expected = ((x - x_hat) ** 2).sum(1).mean() / 2 + 5 / 2 * math.log(2 * math.pi)
    terms = module.objective(module(x))
    assert list(terms) == ["reconstruction"]
    torch.testing.assert_close(terms["reconstruction"], expected)


def test_the_divergence_is_that_of_torch_distributions():
    module, x = composition(code=codes.Gaussian(), penalty=penalties.Divergence(2.5)), batch()
    p = module(x, rng=generator())
    posterior = D.Normal(p.stats["mean"], (p.stats["log_variance"] / 2).exp())
    oracle = D.kl_divergence(posterior, D.Normal(torch.zeros(3).double(), torch.ones(3).double())).sum(1).mean()
    torch.testing.assert_close(module.objective(p)["divergence"], 2.5 * oracle)


def test_a_gaussian_code_samples_in_training_alone():
    module, x = composition(code=codes.Gaussian()), batch(4000)
    x = x[:1].expand(4000, -1)
    p = module(x, rng=generator())
    mean, deviation = p.stats["mean"][0], (p.stats["log_variance"][0] / 2).exp()
    torch.testing.assert_close(p.z.mean(0), mean, atol=0.06, rtol=0.06)
    torch.testing.assert_close(p.z.std(0), deviation, atol=0.03, rtol=0.05)
    assert torch.equal(module(x).z, p.stats["mean"])


def test_beta_matters():
    X = rows(300)
    errors, spreads = [], []
    for beta in (1.0, 1000.0):
        ae = small("variational", beta=beta, max_epochs=40, learning_rate=1e-2).fit(X)
        errors.append(ae.score(X))
        spreads.append(ae.transform(X).std())
    assert errors[0] > 0.5
    assert errors[1] < 0.1  # at β = 1000 the code says nothing
    assert spreads[1] < 0.1 * spreads[0]


@pytest.mark.parametrize(
    "slots",
    [
        {},
        {"penalty": penalties.Contraction(0.7)},
        {"penalty": penalties.L1(0.7)},
        {"penalty": penalties.KL(0.1, 0.7), "code": codes.Activation()},
        {"penalty": penalties.Divergence(0.7), "code": codes.Gaussian()},
        {"penalty": penalties.Weights(0.7)},
    ],
    ids=lambda slots: repr(slots.get("penalty")),
)
def test_terms_do_not_depend_on_the_size_of_the_batch(slots):
    module, x = composition(**slots), batch()
    once, thrice = module.objective(module(x)), module.objective(module(x.repeat(3, 1)))
    torch.testing.assert_close(once, thrice)


def test_terms_are_sums_over_a_rows_numbers():
    """Twice the columns, all alike, is twice the loss: no hidden mean over columns."""
    likelihood = likelihoods.Gaussian().build()
    theta, x = batch(), batch().flip(0)
    narrow = likelihood.nll(theta, x).sum(-1)
    wide = likelihood.nll(theta.repeat(1, 2), x.repeat(1, 2)).sum(-1)
    torch.testing.assert_close(wide, 2 * narrow)


@pytest.mark.parametrize("penalty", [penalties.Contraction(1.0), penalties.KL(0.1, 1.0)], ids=repr)
def test_a_row_of_weight_two_counts_as_two_rows(penalty):
    module, x = composition(code=codes.Activation(), penalty=penalty), batch(3)
    weight = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    weighted = module.objective(module(x, weight=weight / weight.mean()))
    repeated = module.objective(module(torch.cat([x[:1], x])))
    torch.testing.assert_close(weighted, repeated)


def test_hidden_entries_alone_are_scored_where_the_corruption_says_so():
    module, x = composition(corruption=corruptions.Masking(0.5, "hidden")), batch()
    p = module(x, rng=generator(3))
    hidden = p.x_tilde == 0
    assert 0 < hidden.sum() < hidden.numel()
    entries = module.likelihood.nll(p.theta, x)
    torch.testing.assert_close(module.surprise(p), (entries * hidden).sum(1))
    all_of_them = composition(corruption=corruptions.Masking(0.5, "all"))
    assert all_of_them(x, rng=generator(3)).mask is None


LIKELIHOODS = [
    (likelihoods.Gaussian(), lambda t: stats.norm(t, 1)),
    (likelihoods.Gaussian(0.3), lambda t: stats.norm(t, 0.3)),
    (likelihoods.Laplace(0.7), lambda t: stats.laplace(t, 0.7)),
    (likelihoods.StudentT(4.0, 0.6), lambda t: stats.t(4, t, 0.6)),
    (likelihoods.StudentT(1.5), lambda t: stats.t(1.5, t)),
]


@pytest.mark.parametrize(("spec", "oracle"), LIKELIHOODS, ids=lambda v: repr(v) if hasattr(v, "build") else "")
def test_likelihoods_are_those_of_scipy(spec, oracle):
    theta, x = batch(), batch().flip(0) * 3
    np.testing.assert_allclose(spec.build().nll(theta, x), -oracle(theta.numpy()).logpdf(x.numpy()), rtol=1e-10)


def test_bernoulli_is_that_of_torch_distributions():
    likelihood, theta = likelihoods.Bernoulli().build(), batch()
    x = (batch() > 0).double()
    torch.testing.assert_close(likelihood.nll(theta, x), -D.Bernoulli(logits=theta).log_prob(x))
    torch.testing.assert_close(likelihood.mean(theta), D.Bernoulli(logits=theta).mean)
    grey = torch.full_like(theta, 0.3)  # between 0 and 1 it is the cross-entropy
    p = torch.sigmoid(theta)
    torch.testing.assert_close(likelihood.nll(theta, grey), -(0.3 * p.log() + 0.7 * (1 - p).log()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("spec", "oracle"), LIKELIHOODS, ids=lambda v: repr(v) if hasattr(v, "build") else "")
def test_samples_follow_their_distribution(spec, oracle, dtype):
    theta = torch.full((20000,), 0.4, dtype=dtype)
    drawn = spec.build().sample(theta, generator(5))
    assert drawn.dtype == dtype
    assert torch.isfinite(drawn).all()
    assert stats.kstest(drawn.double().numpy(), oracle(0.4).cdf).pvalue > 1e-3


def test_bernoulli_samples_have_their_mean():
    drawn = likelihoods.Bernoulli().build().sample(torch.full((20000,), 0.4), generator(5))
    assert set(drawn.tolist()) == {0.0, 1.0}
    assert abs(drawn.mean() - 1 / (1 + math.exp(-0.4))) < 0.015


CORRUPTIONS = [corruptions.Gaussian(0.4), corruptions.Masking(0.3), corruptions.SaltAndPepper(0.3)]


def corrupted(spec, x, seed):
    low, high = torch.full((x.shape[1],), LOW), torch.full((x.shape[1],), HIGH)
    return spec.build(corruptions.Columns(low, high, (x.shape[1],)))(x, generator(seed))[0]


@pytest.mark.parametrize("spec", CORRUPTIONS, ids=repr)
def test_noise_is_a_function_of_its_generator_alone(spec):
    x = torch.randn(50, 4, generator=generator())
    torch.manual_seed(1)
    first = corrupted(spec, x, 7)
    torch.manual_seed(2)
    assert torch.equal(first, corrupted(spec, x, 7))
    assert not torch.equal(first, corrupted(spec, x, 8))


def test_gaussian_noise_has_its_amount():
    x = torch.ones(5000, 4)
    noise = corrupted(corruptions.Gaussian(0.4), x, 0) - x
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.4) < 0.01


def test_masking_hides_its_share():
    x = torch.ones(5000, 4)
    masked = corrupted(corruptions.Masking(0.3), x, 0)
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert abs((masked == 0).float().mean() - 0.3) < 0.015


def test_salt_and_pepper_use_the_columns_extremes():
    x = torch.zeros(5000, 4)
    noisy = corrupted(corruptions.SaltAndPepper(0.3), x, 0)
    assert set(noisy.unique().tolist()) == {LOW, 0.0, HIGH}
    assert abs((noisy == LOW).float().mean() - 0.15) < 0.015
    assert abs((noisy == HIGH).float().mean() - 0.15) < 0.015


def test_topk_keeps_the_largest_positive_numbers():
    a = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-3.0, -1.0, -2.0, 0.5]])
    z, _ = codes.TopK(2).build(4)(a)
    assert z.tolist() == [[3.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.5]]


def test_no_corruption_outside_training():
    X = rows()
    ae = Autoencoder(2, corruption=corruptions.Gaussian(5.0), encoder=encoders.Linear(), max_epochs=2, random_state=0)
    assert np.array_equal(ae.fit(X).transform(X), ae.transform(X))
    direct = ae.scale(X) @ ae.module_.encoder.dense[0].weight.detach().numpy().T
    np.testing.assert_allclose(ae.transform(X), direct + ae.module_.encoder.dense[0].bias.detach().numpy(), atol=1e-10)
