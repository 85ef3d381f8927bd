"""The experiment holds, breaks without a divergence, and its gradients are those of the bound."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.lab import Protocol, find, holds, run
from isthmus.lab import variational as lab
from isthmus.lab.variational import VARIATIONAL


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("variational"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert result["expected"]["iwae_error"] == ["<=", 0.02]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "variational-bounds.png",
        "variational-codes.png",
        "variational-samples.png",
    ]


def test_it_breaks_without_the_divergence(tmp_path):
    """Its codes then follow no prior."""
    few = {"strength": 0.0, "epochs": 20, "rows": 300, "linear_epochs": 2}
    measured = run(VARIATIONAL, Protocol(seeds=1, settings=few), tmp_path)["measured"]
    assert measured["energy_standard"] > VARIATIONAL.expected["energy_standard"][1]
    assert not holds(measured, VARIATIONAL.expected)


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
    exact = lab.exact_gradient(x, mean, variance, V, c, 0.7)
    for gradient in (lab.reparametrised_gradient, lab.score_gradient):
        found = gradient(x, z, mean, variance, V, c, 0.7)
        error = found.std(axis=0) / np.sqrt(len(found))
        assert np.abs((found.mean(axis=0) - exact) / error).max() < 4


def test_the_closed_form_is_the_slope_of_the_bound(parts):
    """By central differences of E_q log p(x | z) − KL, which is known of a linear decoder."""
    x, V, c, mean, log_variance, _ = parts

    def bound(mean, log_variance):
        variance = np.exp(log_variance)
        fit = np.square(x - mean @ V.T - c).sum() + (variance * np.square(V).sum(axis=0)).sum()
        return -0.5 * fit / 0.7**2 - 0.5 * (np.square(mean) + variance - 1 - log_variance).sum()

    exact = lab.exact_gradient(x, mean, np.exp(log_variance), V, c, 0.7)
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
    found = lab.reparametrised_gradient(x, z, mean, variance, V, c, 0.7)
    exact = lab.exact_gradient(x, mean, variance, V, c, 0.7)
    sound = lab.Oracle(np.zeros(3), None, {}, exact, found, found)
    assert sound.bias < 2
    assert lab.Oracle(np.zeros(3), None, {}, exact, found + 0.3 * np.abs(exact), found).bias > 3


def test_the_arms_are_five_and_the_noise_is_as_told():
    settings = VARIATIONAL.settings | {"rows": 4000}
    X = lab.arms(settings, 0, 0)
    spectrum = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) / np.sqrt(len(X))
    assert spectrum[1] > 1
    np.testing.assert_allclose(spectrum[2:], settings["noise"], rtol=0.1)
    assert not np.array_equal(X, lab.arms(settings, 0, 1))
