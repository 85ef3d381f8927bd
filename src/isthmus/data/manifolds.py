"""Rows near a manifold whose dimension is known: a product of circles, turned into more columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError

Array = NDArray[np.float64]


def circles(n: int, dimension: int, columns: int, noise: float, rng: np.random.Generator) -> Array:
    """Rows (n, columns) of a product of so many circles of radius 1, with noise of that deviation in each column.

    A row has `dimension` angles. The circles' planes are at right angles to each other, in random directions, so that
    each row lies at √dimension from the centre, its tangents are a circle's each, and PCA needs 2 · dimension numbers.

    Raises
    ------
    DataError
        Where there are fewer columns than 2 · dimension.
    """
    if columns < 2 * dimension:
        raise DataError(f"{columns} columns", f"for {dimension} circles", f"{2 * dimension} or more, 2 a circle")
    angles = 2 * np.pi * rng.random((n, dimension))
    planes = np.linalg.qr(rng.normal(size=(columns, 2 * dimension)))[0]
    X: Array = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) @ planes.T
    return X + noise * rng.normal(size=(n, columns))
