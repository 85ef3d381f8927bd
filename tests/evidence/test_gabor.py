"""Gabor functions are found again, noise is not taken for one."""

import numpy as np
import pytest

from isthmus import Autoencoder, encoders
from isthmus.errors import DataError
from isthmus.evidence.gabor import fit_gabors, preferred


def gabor(side=12, centre=(0.5, -1.0), angle=0.6, frequency=0.2, phase=0.8, widths=(2.0, 3.0), amplitude=1.5):
    grid = np.arange(side) - (side - 1) / 2
    y, x = np.meshgrid(grid - centre[1], grid - centre[0], indexing="ij")
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    envelope = np.exp(-(u**2) / (2 * widths[0] ** 2) - v**2 / (2 * widths[1] ** 2))
    return amplitude * envelope * np.cos(2 * np.pi * frequency * u + phase)


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.5, 2.9])
@pytest.mark.parametrize("frequency", [0.1, 0.3])
def test_a_planted_function_is_found(angle, frequency):
    (found,) = fit_gabors([gabor(angle=angle, frequency=frequency)])
    assert found.r2 > 1 - 1e-8
    assert np.cos(2 * (found.angle - angle)) == pytest.approx(1, abs=1e-6)
    assert found.frequency == pytest.approx(frequency, abs=1e-4)
    np.testing.assert_allclose(found.centre, (0.5, -1.0), atol=1e-2)
    np.testing.assert_allclose(found.widths, (2.0, 3.0), rtol=1e-3)
    np.testing.assert_allclose(found.fitted, gabor(angle=angle, frequency=frequency), atol=1e-3)


def test_what_is_told_draws_the_fit():
    (found,) = fit_gabors([gabor() + 0.1 * np.random.default_rng(0).normal(size=(12, 12))])
    told = {name: getattr(found, name) for name in ("centre", "angle", "frequency", "phase", "widths", "amplitude")}
    np.testing.assert_allclose(gabor(**told), found.fitted, atol=1e-10)


def test_noise_lowers_the_share_as_it_adds_variance():
    """R² of signal and noise of a tenth of its variance lies near 1 / 1.1; what 8 numbers fit of noise comes on top."""
    rng = np.random.default_rng(0)
    clean = gabor(16, centre=(0, 0))
    noisy = [clean + np.sqrt(0.1) * clean.std() * rng.normal(size=clean.shape) for _ in range(10)]
    assert np.mean([one.r2 for one in fit_gabors(noisy)]) == pytest.approx(1 / 1.1, abs=0.02)


def test_noise_alone_is_no_gabor():
    noise = np.random.default_rng(0).normal(size=(20, 10, 10))
    assert max(one.r2 for one in fit_gabors(noise)) < 0.5


def test_the_size_of_a_filter_does_not_matter():
    filters = np.random.default_rng(1).normal(size=(1, 8, 8)) + gabor(8)
    (one,), (other,) = fit_gabors(filters), fit_gabors(1e-6 * filters)
    assert other.r2 == pytest.approx(one.r2, abs=1e-6)
    assert other.amplitude == pytest.approx(1e-6 * one.amplitude, rel=1e-4)


def test_a_flat_filter_explains_nothing():
    assert [one.r2 for one in fit_gabors(np.zeros((1, 6, 6)))] == [0.0]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (np.zeros((5, 5)), "filters of shape (5, 5); in fit_gabors; (K, H, W) with sides of 4 pixels or more"),
        (np.zeros((2, 3, 9)), "filters of shape (2, 3, 9); in fit_gabors; (K, H, W) with sides of 4 pixels or more"),
        (np.full((1, 5, 5), np.nan), "filters that are not finite; in fit_gabors; finite numbers"),
    ],
)
def test_what_cannot_be_fitted(filters, message):
    with pytest.raises(DataError) as caught:
        fit_gabors(filters)
    assert str(caught.value) == message


def test_what_a_unit_prefers_is_its_weights_at_length_one():
    X = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    ae = Autoencoder(3, encoders.Linear(), scaling=None, max_epochs=1, device="cpu", random_state=0).fit(X)
    weights = ae.module_.encoder.dense[0].weight.detach().numpy()
    expected = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(preferred(ae, (3, 4)), expected.reshape(3, 3, 4), rtol=1e-6)
    np.testing.assert_allclose(
        preferred(ae, (2, 2, 3)), expected.reshape(3, 2, 2, 3).mean(axis=1), rtol=1e-5, atol=1e-8
    )
    with pytest.raises(DataError) as caught:
        preferred(ae, (5, 5))
    assert str(caught.value) == "rows of shape (5, 5); in preferred; (H, W) or (C, H, W), 12 numbers"
