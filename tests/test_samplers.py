"""Samplers of codes: densities against closed forms, samples against what was planted."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.base import clone

from isthmus import generating, zoo
from isthmus.errors import DataError, SettingError
from isthmus.samplers import Flow, GaussianMixture

QUICK = {"layers": 4, "hidden": 32, "max_epochs": 30, "random_state": 0, "device": "cpu"}


def correlated(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3)) @ [[2, 1, 0], [0, 0.5, 3], [0, 0, 0.1]] + [1, -2, 50]


def test_one_component_is_the_gaussian_of_the_codes():
    Z, new = correlated(400), correlated(50, 1)
    sampler = GaussianMixture(1, regularisation=1e-9).fit(Z)
    gaussian = multivariate_normal(Z.mean(axis=0), np.cov(Z.T, bias=True))
    np.testing.assert_allclose(sampler.score_samples(new), gaussian.logpdf(new), rtol=1e-5)
    assert sampler.score(new) == pytest.approx(gaussian.logpdf(new).mean(), rel=1e-5)
    drawn = sampler.sample(40_000, 0)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(Z.T), rtol=0.05, atol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), Z.mean(axis=0), atol=0.06)


@pytest.mark.parametrize("sampler", [GaussianMixture(3), Flow(**QUICK | {"max_epochs": 2})], ids=["mixture", "flow"])
def test_units_that_never_change_come_back_as_they_are(sampler):
    """A constant, and a unit that repeats another: codes on a plane of two of four numbers."""
    a = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    Z = np.column_stack([a[:, 0], np.full(100, 7, np.float32), a[:, 1], -2 * a[:, 0]])
    drawn = sampler.fit(Z).sample(30, 0)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn[:, 1], 7, rtol=1e-5)
    np.testing.assert_allclose(drawn[:, 3], -2 * drawn[:, 0], atol=1e-4)
    assert np.isfinite(sampler.score_samples(Z)).all()


@pytest.mark.parametrize("size", [1, 2])
def test_a_flow_learns_a_density_that_no_gaussian_has(size):
    """Two clouds far apart: the true density is known."""
    rng = np.random.default_rng(0)

    def clouds(n):
        return rng.choice([-4.0, 4.0], size=(n, 1)) + rng.normal(size=(n, size))

    def truth(Z):
        return np.logaddexp(*(multivariate_normal(np.full(size, c)).logpdf(Z) for c in (-4.0, 4.0))) - np.log(2)

    new = clouds(800)
    flow = Flow(**QUICK).fit(clouds(800))
    assert truth(new).mean() - flow.score(new) < 0.12
    assert truth(new).mean() - GaussianMixture(1).fit(new).score(new) > 0.5
    drawn = flow.sample(4000, 0)
    assert (drawn[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (np.abs(drawn[:, 0]) < 1.5).mean() < 0.06  # of the truth 0.6 %, of a Gaussian 28 %
    with torch.no_grad():  # exact both ways, where it was trained too
        u = torch.as_tensor((drawn - flow.whitening_.mean) @ flow.whitening_.inward)
        np.testing.assert_allclose(flow.module_.gather(flow.module_.spread(u)[0]), u, atol=1e-5)


def energy(A, B):
    """The energy distance of two samples (Székely & Rizzo 2013); 0 where the distributions are the same."""
    return 2 * cdist(A, B).mean() - cdist(A, A).mean() - cdist(B, B).mean()


def ring(n, seed):
    """Rows on a circle in five columns: no Gaussian of two numbers leaves its middle empty."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    way = np.random.default_rng(0).normal(size=(2, 5))
    return np.column_stack([np.cos(angle), np.sin(angle)]) @ way + 0.03 * rng.normal(size=(n, 5))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_samples_of_a_plain_autoencoder_are_closer_to_held_out_rows_than_a_gaussian_s(seed):
    X, held = ring(1000, seed), ring(1500, seed + 100)
    ae = zoo.undercomplete(2, max_epochs=10, random_state=seed, device="cpu").fit(X)
    Z = ae.transform(X)
    samplers = {
        "gaussian": GaussianMixture(1, random_state=seed),
        "mixture": GaussianMixture(10, random_state=seed),
        "flow": Flow(**QUICK | {"random_state": seed}),
    }
    found = {
        name: energy(generating.sample_with(ae, sampler.fit(Z), 1500, seed), held) for name, sampler in samplers.items()
    }
    assert found["mixture"] < 0.4 * found["gaussian"]
    assert found["flow"] < 0.4 * found["gaussian"]


@pytest.mark.parametrize("sampler", [GaussianMixture(3), Flow(**QUICK | {"max_epochs": 2})], ids=["mixture", "flow"])
def test_seeds_decide_samples(sampler):
    sampler = clone(sampler).set_params(random_state=0).fit(correlated(100))
    np.testing.assert_array_equal(sampler.sample(5, 1), sampler.sample(5, 1))
    assert not np.array_equal(sampler.sample(5, 1), sampler.sample(5, 2))
    again = clone(sampler).fit(correlated(100))
    np.testing.assert_array_equal(again.sample(5, 1), sampler.sample(5, 1))


def test_fewer_codes_than_components():
    assert GaussianMixture(10).fit(correlated(4)).sample(3, 0).shape == (3, 3)


FAULTS = [
    (
        lambda: GaussianMixture(0).fit(correlated(9)),
        SettingError,
        "components must be a whole number >= 1; got 0; in GaussianMixture",
    ),
    (
        lambda: Flow(bins=1).fit(correlated(9)),
        SettingError,
        "bins must be a whole number >= 2 and <= 100; got 1; in Flow",
    ),
    (
        lambda: GaussianMixture().fit(np.ones((3, 2))),
        DataError,
        "3 codes, all alike; in GaussianMixture.fit; two different ones at least",
    ),
    (
        lambda: GaussianMixture().fit(correlated(9)).sample(0),
        SettingError,
        "n_samples must be a whole number >= 1; got 0; in sample",
    ),
    (
        lambda: GaussianMixture().fit(correlated(9)).score_samples(np.ones((2, 2))),
        DataError,
        "X has 2 features, but GaussianMixture is expecting 3 features as input.; in X",
    ),
]


@pytest.mark.parametrize(("act", "kind", "message"), FAULTS)
def test_what_does_not_fit_is_one_line(act, kind, message):
    with pytest.raises(kind) as caught:
        act()
    assert str(caught.value) == message
