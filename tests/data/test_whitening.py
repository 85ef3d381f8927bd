"""The filter against its formula, on waves and on pictures whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data.whitening import whitened
from isthmus.errors import DataError


def response(f, cutoff):
    return f * np.exp(-((f / cutoff) ** 4))


@pytest.mark.parametrize("cutoff", [0.4, 0.2])
def test_waves_come_out_as_strong_as_the_formula_says(cutoff):
    """The ratio of two waves' amplitudes, one along each axis; their mean is lost."""
    y, x = np.mgrid[:40, :64]
    slow, fast = np.cos(2 * np.pi * 4 * x / 64), np.cos(2 * np.pi * 12 * y / 40)
    found = whitened(3.0 + 5 * slow + 2 * fast, cutoff)
    expected = 5 * response(4 / 64, cutoff) * slow + 2 * response(12 / 40, cutoff) * fast
    np.testing.assert_allclose(found, expected / expected.std(), atol=1e-12)


def test_a_picture_whose_amplitudes_fall_as_1_over_f_becomes_level():
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64))
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=(64, 64)))
    photo = np.fft.ifft2(noise / np.maximum(f, 1 / 64)).real
    amplitude = np.abs(np.fft.fft2(whitened(photo))) / np.abs(noise)  # of white noise that went through both filters
    inside = (f > 0) & (f < 0.2)
    assert np.ptp(amplitude[inside]) < 0.08 * amplitude[inside].mean()  # e^(−1/16) is the filter's fall at half its end
    assert amplitude[f > 0.6].max() < 0.01 * amplitude[inside].mean()
    assert amplitude[0, 0] < 1e-12


def test_mean_and_deviation():
    found = whitened(np.random.default_rng(1).random((20, 30)))
    np.testing.assert_allclose([found.mean(), found.std()], [0, 1], atol=1e-12)
    np.testing.assert_allclose(whitened(7 + 3 * np.eye(20)), whitened(np.eye(20)), atol=1e-9)


SAID = "no photo to whiten; in whitened; finite numbers of shape (H, W) that are not all the same"


@pytest.mark.parametrize("photo", [np.zeros((8, 8)), np.full((8, 8), np.nan), np.eye(8)[None], np.eye(8)[0]])
def test_what_is_no_photo_is_refused(photo):
    with pytest.raises(DataError) as caught:
        whitened(photo)
    assert str(caught.value) == SAID
