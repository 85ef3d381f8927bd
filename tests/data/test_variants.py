"""Variants of digits: turned by the angles that are told, on noise and on photos that are really behind them."""

import numpy as np
import pytest
from scipy.ndimage import rotate
from scipy.stats import kstest

from isthmus.data import variants
from isthmus.errors import DataError


def blobs(n=6, side=15, seed=0):
    """Smooth pictures that end before their border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side // 2
    spots = [np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / 8) for dy, dx in rng.uniform(-3, 3, (n, 2))]
    return np.stack(spots).astype(np.float32)


def test_pictures_are_turned_by_the_angles_told():
    found, angles = variants.turned(blobs(), np.random.default_rng(1))
    for before, after, angle in zip(blobs(), found, angles, strict=True):
        np.testing.assert_allclose(
            after, rotate(before, np.degrees(angle), reshape=False, order=1, mode="grid-constant"), atol=1e-5
        )


def test_quarter_turns_are_exact():
    upright = np.random.default_rng(0).random((4, 9, 9)).astype(np.float32)
    found = variants.turn(upright, np.arange(4) * np.pi / 2)
    for k in range(4):
        np.testing.assert_allclose(found[k], np.rot90(upright[k], k), atol=1e-5)


def test_angles_are_uniform_over_the_circle():
    _, angles = variants.turned(blobs(2000, 5), np.random.default_rng(0))
    assert kstest(angles / (2 * np.pi), "uniform").pvalue > 0.01


def test_noise_is_seen_where_the_digit_is_darker():
    found = variants.on_noise(blobs(200), np.random.default_rng(0))
    assert (found >= blobs(200)).all()
    empty = blobs(200) < 1e-3
    assert kstest(found[empty], "uniform").pvalue > 0.01


def test_patches_of_photos_are_behind_the_digits():
    rng = np.random.default_rng(0)
    photos = [rng.random((40, 30)).astype(np.float32), np.full((50, 50), 0.3, np.float32), rng.random((5, 5))]
    found = variants.on_photos(np.zeros((30, 8, 8), np.float32), photos, np.random.default_rng(1))
    windows = np.lib.stride_tricks.sliding_window_view(photos[0], (8, 8)).reshape(-1, 64)
    assert all((np.abs(windows - one.reshape(64)).max(axis=1) < 1e-6).any() for one in found)  # never the flat photo
    assert len(np.unique(found.reshape(30, -1), axis=0)) > 20
    lit = variants.on_photos(np.ones((3, 8, 8), np.float32), photos, rng)
    assert (lit == 1).all()


def test_the_same_seed_gives_the_same_pictures():
    for change in variants.VARIANTS.values():
        photos = [np.random.default_rng(9).random((40, 40)).astype(np.float32)]
        one, same, other = (change(blobs(), photos, np.random.default_rng(seed)) for seed in (0, 0, 1))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)
        assert (one.dtype, one.shape) == (np.float32, blobs().shape)


def test_photos_that_cannot_be_used():
    with pytest.raises(DataError) as caught:
        variants.on_photos(blobs(), [np.ones((99, 99), np.float32), np.eye(3)], np.random.default_rng(0))
    assert str(caught.value) == "no photo to put behind the pictures; in photos; some of 15 × 15 pixels or more"
