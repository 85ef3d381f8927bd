"""The arms lie in a plane, with noise as told."""

from __future__ import annotations

import numpy as np

from isthmus.data import arms


def test_the_arms_are_in_a_plane_and_the_noise_is_as_told():
    X, other = arms.generate(4000, 8, 0.2, 0), arms.generate(4000, 8, 0.2, 0, part=1)
    assert X.dtype == np.float32
    spectrum = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) / np.sqrt(len(X))
    assert spectrum[1] > 1
    np.testing.assert_allclose(spectrum[2:], 0.2, rtol=0.1)
    assert not np.array_equal(X, other)
    np.testing.assert_array_equal(X, arms.generate(4000, 8, 0.2, 0))


def test_there_are_five_of_them():
    """Turned by a fifth of a circle the points lie where they lay; turned by a sixth they do not."""
    X = arms.generate(20_000, 2, 0.01, 3)
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 1], X[:, 0])
    ring = angle[(radius > 1.9) & (radius < 2.1)]
    assert abs(np.exp(5j * ring).mean()) > 0.5
    assert max(abs(np.exp(1j * k * ring).mean()) for k in (1, 2, 3, 4, 6)) < 0.15
