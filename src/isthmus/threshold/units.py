"""Threshold units, one alone and in two layers, and the rows and classes that all here is asked of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError

Array = NDArray[np.float64]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Unit:
    """A threshold unit with D weights and a bias: 1 where w·x + b > 0, else 0."""

    weights: Array
    bias: float

    def __call__(self, X: ArrayLike) -> Classes:
        """What it gives for rows X, (N, D): (N,)."""
        return (np.asarray(X, dtype=float) @ self.weights + self.bias > 0).astype(np.int64)


@dataclass(frozen=True)
class TwoLayers:
    """Threshold units side by side, and one that reads their answers."""

    hidden: tuple[Unit, ...]
    output: Unit

    def __call__(self, X: ArrayLike) -> Classes:
        """What it gives for rows X, (N, D): (N,)."""
        rows = np.asarray(X, dtype=float)
        answers = np.array([unit(rows) for unit in self.hidden]).reshape(len(self.hidden), len(rows))
        return self.output(answers.T)


def unit_of(w: Array) -> Unit:
    """The unit with ŵ = (w, b), (D + 1,)."""
    return Unit(w[:-1], float(w[-1]))


def signed(rows: Array, s: Array) -> Array:
    """s x̂, (N, D + 1)."""
    return s[:, None] * np.column_stack([rows, np.ones(len(rows))])


def read(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Rows, (N, D), and s = ±1, (N,), of classes of 0 and 1."""
    rows, classes = read_rows(X), np.asarray(y)
    if classes.shape != (len(rows),):
        raise DataError(f"y has the shape {classes.shape} for {len(rows)} rows", "in y", "one class a row")
    if not np.isin(classes, (0, 1)).all():
        raise DataError("a class is neither 0 nor 1", "in y", "0 and 1", "for one class among several: y == 2")
    return rows, np.where(classes == 1, 1.0, -1.0)


def read_rows(X: ArrayLike) -> Array:
    """Rows, (N, D), of finite numbers."""
    rows = np.asarray(X, dtype=float)
    if rows.ndim != 2 or not len(rows):
        raise DataError(f"X has the shape {rows.shape}", "in X", "rows, (N, D)")
    if not np.isfinite(rows).all():
        raise DataError("a number is not finite", "in X", "finite numbers")
    return rows


def binary(rows: Array) -> Array:
    """The rows, if they are of 0 and 1."""
    if not np.isin(rows, (0, 1)).all():
        raise DataError("a number is neither 0 nor 1", "in X", "truth values")
    return rows
