"""Bounds on log p(x) against closed forms: the linear-Gaussian model, where p(x) = N(c, VVᵀ + s²I)."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from members import rows
from scipy.stats import multivariate_normal

from isthmus import bounds, codes, corruptions, decoders, encoders, likelihoods, penalties, zoo
from isthmus.assembly import Blueprint, assemble
from isthmus.errors import DataError, SettingError

SCALE = 0.7


def blueprint(d=6, k=3, **slots):
    given = {
        "encoder": encoders.Linear(),
        "decoder": decoders.Linear(),
        "code": codes.Gaussian(),
        "likelihood": likelihoods.Gaussian(SCALE),
        "penalty": penalties.Divergence(),
    }
    return Blueprint(given | slots, k, (d,), np.full(d, -3.0), np.full(d, 3.0))


def linear_gaussian(d=6, k=3, seed=0):
    """A module whose encoder has the exact posterior's mean, and variances that are too large by a factor."""
    module = assemble(blueprint(d, k), seed, torch.float64, torch.device("cpu")).eval()
    V = module.decoder.reader.matrix.detach()  # (D, K)
    precision = torch.eye(k, dtype=V.dtype) + V.T @ V / SCALE**2
    with torch.no_grad():
        layer = module.encoder.dense[0]
        layer.matrix[:k] = torch.linalg.solve(precision, V.T) / SCALE**2
        layer.matrix[k:] = 0
        layer.bias[k:] = -torch.log(torch.diagonal(precision)) + 0.6
    return module


def log_p(module, X):
    V, c = (t.detach().numpy() for t in (module.decoder.reader.matrix, module.decoder.reader.bias))
    return multivariate_normal(c, V @ V.T + SCALE**2 * np.eye(len(V))).logpdf(X)


@pytest.fixture(scope="module")
def module():
    return linear_gaussian()


@pytest.fixture(scope="module", name="X")
def sampled(module):
    rng = np.random.default_rng(1)
    V = module.decoder.reader.matrix.detach().numpy()
    return rng.normal(size=(40, 3)) @ V.T + SCALE * rng.normal(size=(40, 6))


def test_the_importance_weighted_estimate_is_the_closed_form(module, X):
    found = bounds.log_likelihood(module, X, 5000, seed=0)
    exact = log_p(module, X)
    assert abs(found.mean - exact.mean()) < 0.02
    assert np.all(np.abs(found.value - exact) < 5 * found.error)
    assert 0 < found.error.max() < 0.1
    assert found.samples == 5000
    assert found.value.shape == found.error.shape == found.effective.shape == (40,)


def test_the_bounds_stand_in_order(module, X):
    """ELBO ≤ L_k ≤ log p, L_k rising with k: of one stream of samples, within 2 standard errors."""
    ks = (1, 5, 25, 125, 625)
    found = [bounds.log_likelihood(module, X, k, seed=3) for k in ks]
    means, exact = [one.mean for one in found], log_p(module, X).mean()
    for low, high in pairwise(found):
        paired = high.value - low.value
        assert paired.mean() > -2 * paired.std(ddof=1) / np.sqrt(len(X))
    assert means[-1] - means[0] > 0.1
    lower = bounds.elbo(module, X, 2000, seed=3)
    assert lower.mean < means[2] < exact + 0.02
    assert abs(np.mean([bounds.log_likelihood(module, X, 1, seed=s).mean for s in range(200)]) - lower.mean) < 0.03


def test_the_evidence_bound_is_its_closed_form(module, X):
    """Of a linear decoder the expected squared error is known: E_q‖x − Vz − c‖² = ‖x − Vμ − c‖² + Σⱼ σⱼ²‖Vⱼ‖²."""
    V, c = module.decoder.reader.matrix.detach(), module.decoder.reader.bias.detach()
    mean, log_variance = module.encoder(torch.as_tensor(X)).detach().chunk(2, dim=-1)
    error = (torch.as_tensor(X) - mean @ V.T - c).square().sum(-1) + log_variance.exp() @ V.square().sum(0)
    fit = -0.5 * error / SCALE**2 - 6 * np.log(SCALE * np.sqrt(2 * np.pi))
    exact = (fit - 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)).numpy()
    found = bounds.elbo(module, X, 4000, seed=0)
    assert np.all(np.abs(found.value - exact) < 5 * found.error)
    assert found.error.max() < 0.1
    assert np.all(found.effective == 4000)


def test_the_standard_error_is_that_of_repetition(module, X):
    for bound in (bounds.log_likelihood, bounds.elbo):
        repeated = np.array([bound(module, X, 200, seed=s).value for s in range(40)])
        told = np.mean([bound(module, X, 200, seed=s).error for s in range(40)], axis=0)
        assert abs(np.median(repeated.std(axis=0, ddof=1) / told) - 1) < 0.1


def test_of_the_exact_posterior_one_sample_is_enough():
    module = linear_gaussian(d=4, k=1)
    with torch.no_grad():  # of one number the exact posterior can be told
        module.encoder.dense[0].bias[1:] -= 0.6
    X = np.random.default_rng(0).normal(size=(5, 4))
    found = bounds.log_likelihood(module, X, 7)
    np.testing.assert_allclose(found.value, log_p(module, X), rtol=1e-10)
    np.testing.assert_allclose(found.effective, 7)
    np.testing.assert_allclose(found.error, 0, atol=1e-6)


def test_the_first_samples_are_the_same_for_every_number_of_them(module, X):
    """From L_3 and L_2 of one stream follows the third weight, which averages as any other."""
    two, three, four = (np.exp(bounds.log_likelihood(module, X, k, seed=5).value) * k for k in (2, 3, 4))
    one = np.exp(bounds.log_likelihood(module, X, 1, seed=5).value)
    for sums in (two - one, three - two, four - three):
        assert np.all(sums > 0)


def test_the_seed_decides(module, X):
    first, again, other = (bounds.log_likelihood(module, X, 10, seed=s).value for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_many_rows_are_taken_in_batches_and_memory_does_not_grow(module, X, monkeypatch):
    seen = []
    nll = module.likelihood.nll
    monkeypatch.setattr(module.likelihood, "nll", lambda theta, x: seen.append(len(theta)) or nll(theta, x))
    many = np.tile(X, (60, 1))  # 2,400 rows
    found = bounds.log_likelihood(module, many, 3)
    few = max(seen)
    seen.clear()
    bounds.log_likelihood(module, X, 20_000)
    assert max(seen) <= max(few, 50 * len(X))
    assert found.value.shape == (2400,)
    assert abs(found.mean - log_p(module, X).mean()) < 0.5


def test_rows_keep_their_precision_and_the_module_its_mode():
    module = assemble(blueprint(), 0, torch.float32, torch.device("cpu"))
    found = bounds.log_likelihood(module, np.zeros((3, 6), np.float32), 2)
    assert found.value.dtype == np.float32
    assert module.training


def test_no_corruption_is_applied():
    plain, noisy = (
        assemble(blueprint(corruption=part), 0, torch.float64, torch.device("cpu"))
        for part in (None, corruptions.Masking(0.9, "hidden"))
    )
    X = np.ones((4, 6))
    assert np.array_equal(bounds.elbo(plain, X, 5).value, bounds.elbo(noisy, X, 5).value)


def test_a_likelihood_of_probability_0_gives_minus_infinity(module, X, monkeypatch):
    monkeypatch.setattr(module.likelihood, "nll", lambda theta, x: torch.full_like(x, torch.inf))
    assert np.all(bounds.log_likelihood(module, X, 3).value < -1e299)


def test_codes_without_a_density_are_refused():
    module = assemble(blueprint(code=codes.Plain(), penalty=None), 0, torch.float64, torch.device("cpu"))
    hint = "use code=codes.Gaussian(), as the variational kind does"
    for bound, given in ((bounds.log_likelihood, "density"), (bounds.elbo, "divergence")):
        with pytest.raises(SettingError) as fault:
            bound(module, np.zeros((2, 6)))
        assert str(fault.value) == (
            f"{bound.__name__} needs a code that gives '{given}'; this code gives no statistics; {hint}"
        )


def test_bad_numbers_are_refused(module, X):
    with pytest.raises(SettingError, match="samples must be a whole number >= 1; got 0"):
        bounds.log_likelihood(module, X, 0)
    with pytest.raises(DataError) as fault:
        bounds.elbo(module, X, context=np.zeros(3, int))
    assert str(fault.value) == "3 groups for 40 rows; in groups; one group a row"


def test_of_a_trained_one_of_bits_the_estimate_lies_above_the_evidence_bound():
    X = (rows() > rows().mean(axis=0)).astype(float)
    ae = zoo.variational(2, hidden=(8,), likelihood=likelihoods.Bernoulli(), max_epochs=30, random_state=0).fit(X)
    low, high = (bound(ae.module_, X, 200) for bound in (bounds.elbo, bounds.log_likelihood))
    assert low.mean < high.mean < 0
