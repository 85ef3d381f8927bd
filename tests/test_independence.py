"""Total correlation and DIP against loops, closed forms and NumPy's covariances."""

import math

import numpy as np
import pytest
import torch
from members import rows
from sklearn.base import clone
from torch.autograd import gradcheck

from isthmus import Autoencoder, codes, encoders, penalties
from isthmus.errors import SettingError
from isthmus.passes import Pass
from isthmus.populations import fit_together

EPOCH = torch.tensor(2.0)


def coded(n=7, k=3, seed=0, dtype=torch.float64, spread=0.5):
    """Means, log-variances and a draw of each."""
    rng = torch.Generator().manual_seed(seed)
    mean, log_variance, noise = (torch.randn(n, k, generator=rng, dtype=dtype) for _ in range(3))
    log_variance = spread * log_variance - 1
    return mean, log_variance, mean + noise * torch.exp(log_variance / 2)


def passed(mean, log_variance, z, weight=None, epoch=None):
    x = torch.zeros(len(z), 1, dtype=z.dtype)
    return Pass(x, x, None, z, {"mean": mean, "log_variance": log_variance}, x, weight, epoch=epoch)


def correlation(mean, log_variance, z, references=128, weight=None, strength=1.0):
    term = penalties.TotalCorrelation(strength, references).build(None)
    return term(passed(mean, log_variance, z, weight))


def density(z, mean, log_variance):
    """N(z; μ, σ²) of plain numbers."""
    variance = math.exp(log_variance)
    return math.exp(-((z - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def by_loops(mean, log_variance, z, block, weight):
    """As the paper writes it, q the weighted mean over the block of each row."""
    found = []
    for i, own in enumerate(z.tolist()):
        start = i // block * block
        start = start if start + block <= len(z) else max(len(z) - block, 0)
        held = range(start, min(start + block, len(z)))
        whole = sum(weight[j] for j in held)
        each = [
            [density(v, *of) for v, *of in zip(own, mean[j].tolist(), log_variance[j].tolist(), strict=True)]
            for j in held
        ]
        shares = [weight[j] / whole for j in held]
        joint = sum(share * math.prod(densities) for share, densities in zip(shares, each, strict=True))
        single = [
            sum(share * densities[k] for share, densities in zip(shares, each, strict=True)) for k in range(len(own))
        ]
        found.append(math.log(joint) - sum(math.log(one) for one in single))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("references", [2, 3, 7, 128])
def test_it_is_what_loops_over_rows_give(references, weighted):
    """Whole blocks, blocks with rows left over, one block, and blocks larger than the batch."""
    weight = torch.linspace(0.2, 1.8, 7, dtype=torch.float64)
    found = correlation(*coded(), references, weight if weighted else None, strength=2.0)
    expected = by_loops(*coded(), references, weight.tolist() if weighted else [1.0] * 7)
    torch.testing.assert_close(found, 2.0 * expected)


def test_its_gradient_is_that_of_finite_differences():
    given = [t.requires_grad_() for t in coded(5, 2)]
    assert gradcheck(lambda *given: correlation(*given, references=3), given)


def test_a_row_of_weight_nothing_is_nobodys_reference():
    mean, log_variance, z = coded(8)
    weight = torch.ones(8, dtype=torch.float64)
    weight[5:] = 0
    found = correlation(mean, log_variance, z, weight=weight)
    torch.testing.assert_close(found[:5], correlation(mean[:5], log_variance[:5], z[:5]))
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_variance", [-30.0, 20.0])
def test_it_is_finite_where_posteriors_are_as_narrow_or_wide_as_codes_allow(log_variance, dtype):
    mean, _, noise = coded(9, dtype=dtype)
    mixed = torch.full_like(mean, log_variance)
    mixed[::2] = -log_variance if log_variance > 0 else 0.0
    mixed = mixed.clamp(-30, 20).requires_grad_()
    weight = torch.ones(9, dtype=dtype)
    weight[1] = 0
    found = correlation(mean, mixed, mean + noise * torch.exp(mixed.detach() / 2), weight=weight)
    (gradient,) = torch.autograd.grad(found.sum(), mixed)
    assert torch.isfinite(found).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_it_is_near_the_closed_form_of_a_gaussian_aggregate(rho):
    """Means of covariance S and posteriors of variance v: q(z) = N(0, S + v I), whose total correlation is known.

    What the estimate is off by is its own bias, which falls as references grow, and 5 standard errors.
    """
    rng = np.random.default_rng(0)
    covariance, v = np.array([[1, rho], [rho, 1]]), 0.2
    mean = rng.multivariate_normal(np.zeros(2), covariance, 4096)
    z = mean + math.sqrt(v) * rng.normal(size=mean.shape)
    whole = covariance + v * np.eye(2)
    exact = 0.5 * (np.log(np.diag(whole)).sum() - np.linalg.slogdet(whole)[1])
    given = [torch.tensor(a) for a in (mean, np.full_like(mean, math.log(v)), z)]
    means = [float(correlation(*given, references).mean()) for references in (16, 1024)]
    noise = float(correlation(*given, 1024).std()) / math.sqrt(len(z))
    assert abs(means[1] - exact) < 0.02 + 5 * noise
    if rho < 0.9:  # beyond log(references) the estimate saturates, from below; here it is the bias of one's own row
        assert means[0] > means[1]


def test_half_precision_is_counted_in_single():
    given = [t.to(torch.bfloat16) for t in coded()]
    found = correlation(*given)
    torch.testing.assert_close(found, correlation(*(t.float() for t in given)))


@pytest.mark.parametrize("penalty", [penalties.TotalCorrelation(3.0, 64, 4), penalties.DIP(1, 3.0, 2.0, 4)], ids=repr)
def test_it_grows_over_its_warm_up(penalty):
    term = penalty.build(None)
    whole, half = term(passed(*coded())), term(passed(*coded(), epoch=EPOCH))
    assert term.settles == 4
    torch.testing.assert_close(half, 0.5 * whole)


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_dip_is_the_covariances_of_numpy(kind, weighted):
    mean, log_variance, z = coded(9)
    weight = np.linspace(0.5, 1.5, 9) if weighted else np.ones(9)
    covariance = np.cov(mean.numpy().T, aweights=weight, ddof=0)
    if kind == 2:
        covariance += np.diag(np.average(np.exp(log_variance.numpy()), axis=0, weights=weight))
    across = np.sum(np.square(covariance - np.diag(np.diag(covariance))))
    along = np.sum(np.square(np.diag(covariance) - 1))
    term = penalties.DIP(kind, 3.0, 0.7).build(None)
    found = term(passed(mean, log_variance, z, torch.tensor(weight) if weighted else None))
    assert float(found) == pytest.approx(3.0 * across + 0.7 * along)


def members(penalty, seeds, **settings):
    both = penalties.Sum(divergence=penalties.Divergence(0.1), own=penalty)
    settings = {"learning_rate": 1e-2, "validation_fraction": 0, "device": "cpu", "code": codes.Gaussian()} | settings
    return [Autoencoder(2, encoders.MLP((16,)), penalty=both, random_state=seed, **settings) for seed in range(seeds)]


def test_a_square_code_is_cheapest_where_its_numbers_are_its_sides():
    """Turned, a uniform square has dependent numbers, though they are as little correlated as before."""
    square, noise = np.random.default_rng(0).uniform(-2, 2, (2, 2048, 2))
    found = []
    for angle in np.radians([0, 15, 30, 45]):
        mean = torch.tensor(square @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found.append(float(correlation(mean, torch.full_like(mean, -4.0), mean + 0.1 * torch.tensor(noise)).mean()))
    assert found == sorted(found)
    assert found[3] - found[0] > 0.1


@pytest.mark.parametrize("penalty", [penalties.TotalCorrelation(2.0, 24, 2), penalties.DIP(2, 1.0, 1.0)], ids=repr)
def test_members_of_a_population_are_what_they_are_alone(penalty):
    def some():
        return [
            ae.set_params(penalty=clone(ae.penalty).set_params(own__strength=1.0 + i))
            for i, ae in enumerate(members(penalty, 3, max_epochs=4, batch_size=50))
        ]

    X, together = rows(120), some()
    assert fit_together(together, X) == [None] * 3
    for ae, alone in zip(together, some(), strict=True):
        assert "one by one" not in ae.engine_
        np.testing.assert_allclose(ae.transform(X), alone.fit(X).transform(X), atol=1e-8)


@pytest.mark.parametrize("name", ["TotalCorrelation", "DIP"])
def test_they_need_a_gaussian_code(name):
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, penalty=getattr(penalties, name)()).fit(rows())
    assert str(caught.value) == (
        f"penalties.{name} needs a code that gives 'gaussian'; this code gives no statistics; use code=codes.Gaussian()"
    )
