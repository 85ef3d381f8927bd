"""Rows on products of circles: their geometry is the planted one."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data.manifolds import circles
from isthmus.errors import DataError


@pytest.mark.parametrize("dimension", [1, 3])
def test_rows_lie_on_so_many_circles_and_nowhere_else(dimension):
    X = circles(4000, dimension, 8, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), np.sqrt(dimension))
    variances = np.linalg.eigvalsh(X.T @ X / len(X))[::-1]
    np.testing.assert_allclose(variances[: 2 * dimension], 0.5, atol=0.05)  # a circle fills its plane
    np.testing.assert_allclose(variances[2 * dimension :], 0, atol=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_near_a_row_the_others_fill_so_many_directions(dimension):
    X = circles(200_000, dimension, 6, 0.0, np.random.default_rng(1))
    near = X[np.linalg.norm(X - X[0], axis=1) < 0.25] - X[0]
    spread = np.linalg.svd(near, compute_uv=False)
    assert spread[dimension - 1] > 8 * spread[dimension]


def test_noise_has_its_deviation_in_each_column():
    X = circles(20_000, 1, 5, 0.2, np.random.default_rng(0))
    thin = np.linalg.svd(X, compute_uv=False)[2:] / np.sqrt(len(X))
    np.testing.assert_allclose(thin, 0.2, rtol=0.05)


def test_too_few_columns_are_refused():
    with pytest.raises(DataError) as told:
        circles(10, 3, 5, 0.1, np.random.default_rng(0))
    assert str(told.value) == "5 columns; for 3 circles; 6 or more, 2 a circle"
