"""Closed forms of a linear decoder against draws, slopes and densities; and a biased gradient is seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from isthmus import zoo
from isthmus.evidence.linear_gaussian import Judged, LinearGaussian, decoder_matrix


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    x, V, c = rng.normal(size=(3, 5)), rng.normal(size=(5, 2)), rng.normal(size=5)
    mean, log_variance = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)) - 1
    noise = rng.normal(size=(200_000, 3, 2))
    return x, V, c, mean, log_variance, noise


def test_all_three_gradients_are_one_on_average(parts):
    x, V, c, mean, log_variance, noise = parts
    variance = np.exp(log_variance)
    z = mean + np.sqrt(variance) * noise
    exact = LinearGaussian(V, c, 0.7).exact(x, mean, variance)
    for gradient in (LinearGaussian(V, c, 0.7).reparametrised, LinearGaussian(V, c, 0.7).score):
        found = gradient(x, z, mean, variance)
        error = found.std(axis=0) / np.sqrt(len(found))
        assert np.abs((found.mean(axis=0) - exact) / error).max() < 4


def test_the_closed_form_is_the_slope_of_the_bound(parts):
    """By central differences of E_q log p(x | z) − KL, which is known of a linear decoder."""
    x, V, c, mean, log_variance, _ = parts

    def bound(mean, log_variance):
        variance = np.exp(log_variance)
        fit = np.square(x - mean @ V.T - c).sum() + (variance * np.square(V).sum(axis=0)).sum()
        return -0.5 * fit / 0.7**2 - 0.5 * (np.square(mean) + variance - 1 - log_variance).sum()

    exact = LinearGaussian(V, c, 0.7).exact(x, mean, np.exp(log_variance))
    for row, unit in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[row, unit] = 1e-5
        by_mean = (bound(mean + step, log_variance) - bound(mean - step, log_variance)) / 2e-5
        by_log = (bound(mean, log_variance + step) - bound(mean, log_variance - step)) / 2e-5
        assert exact[row, unit] == pytest.approx(by_mean, rel=1e-6, abs=1e-8)
        assert exact[row, 2 + unit] == pytest.approx(by_log, rel=1e-6, abs=1e-8)


def test_a_biased_gradient_is_seen(parts):
    x, V, c, mean, log_variance, noise = parts
    variance = np.exp(log_variance)
    z = mean + np.sqrt(variance) * noise[:2000]
    found = LinearGaussian(V, c, 0.7).reparametrised(x, z, mean, variance)
    exact = LinearGaussian(V, c, 0.7).exact(x, mean, variance)
    sound = Judged(np.zeros(3), None, {}, exact, found, found)
    assert sound.bias < 2
    assert Judged(np.zeros(3), None, {}, exact, found + 0.3 * np.abs(exact), found).bias > 3


def test_the_likelihood_is_that_of_the_integral_over_codes():
    model, x = LinearGaussian(np.array([[1.5], [-0.5]]), np.array([0.2, 0.1]), 0.6), np.array([0.7, -1.0])
    density = quad(lambda z: norm.pdf(z) * norm.pdf(x, model.V[:, 0] * z + model.c, model.s).prod(), -10, 10)[0]
    np.testing.assert_allclose(model.log_p(x), np.log(density), rtol=1e-8)


def test_the_decoder_is_read_off_its_answers():
    X = np.random.default_rng(0).normal(size=(50, 4))
    ae = zoo.linear(2, max_epochs=1, random_state=0).fit(X)
    Z = np.random.default_rng(1).normal(size=(3, 2))
    wanted = ae.inverse_transform(Z) - ae.inverse_transform(np.zeros((1, 2)))
    np.testing.assert_allclose(Z @ decoder_matrix(ae).T, wanted, rtol=1e-4, atol=1e-5)
