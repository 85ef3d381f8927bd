"""Scaling of inputs: an affine map a column, learned from the training rows and undone on the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from isthmus.errors import DataError
from isthmus.likelihoods.support import Demands, Support

HOW = ("standard", "minmax", "global", None)
BLOCK = 1 << 17  # numbers scaled at a time: float64 that stays in the cache
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Scaler:
    """x ↦ (x − shift) / scale, with shift and scale of shape (D,) in float64.

    The arithmetic is float64's whatever the rows are, since a column may lie far from 0 and vary little.
    """

    shift: Array
    scale: Array

    def apply(self, X: Array) -> Array:
        """Rows X, (N, D), scaled, in X's dtype."""
        return _blockwise(X, self.scaled_)

    def undo(self, X: Array) -> Array:
        """Scaled rows X, (N, D), in input units and X's dtype."""
        return _blockwise(X, self.undone_)

    def turned(self, U: Array | None) -> Array | None:
        """Directions U, (N, r, D), in scaled units and U's dtype; not copied where they are the same there."""
        return U if U is None or bool(np.all(self.scale == 1)) else U / self.scale.astype(U.dtype)

    def scaled_(self, x: Tensor) -> Tensor:
        """Float64 rows x, (n, D), scaled in place."""
        return x.sub_(_beside(self.shift, x)).div_(_beside(self.scale, x))

    def undone_(self, x: Tensor) -> Tensor:
        """Float64 rows x, (n, D), brought back to input units in place."""
        return x.mul_(_beside(self.scale, x)).add_(_beside(self.shift, x))


def _beside(column: Array, x: Tensor) -> Tensor:
    """A column as a tensor of x's kind; copied where the array cannot be written, as torch takes no other."""
    return torch.from_numpy(column if column.flags.writeable else column.copy()).to(x)


def staged(X: Array, size: int, dtype: DTypeLike) -> Iterator[tuple[slice, Tensor]]:
    """Slices of `size` rows of X, (N, D), each as a tensor of `dtype` in memory made once; one slice where N is 0.

    X itself is only read: it may be read-only, strided or in Fortran's order.
    """
    held = np.empty((min(size, len(X)), X.shape[1]), dtype)
    for start in range(0, max(len(X), 1), size):
        part = X[start : start + size]
        np.copyto(held[: len(part)], part)
        yield slice(start, start + len(part)), torch.from_numpy(held[: len(part)])


def _blockwise(X: Array, change: Callable[[Tensor], Tensor]) -> Array:
    """`change`, in place on float64, of each row of X, (N, D): written into one new array of X's dtype."""
    out = np.empty(X.shape, X.dtype)
    for rows, x in staged(X, max(1, BLOCK // X.shape[1]), np.float64):
        torch.from_numpy(out[rows]).copy_(change(x))
    return out


def fit_scaler(X: Array, how: str | None, weight: Array | None = None) -> Scaler:
    """Learn the scaling of rows X, (N, D), weighted by `weight`, (N,), where given.

    "standard" centres each column and divides by its standard deviation; "minmax" maps each column to [0, 1];
    "global" centres each column and divides all by one number, the root of the mean variance; None leaves X alone.
    A constant column gets scale 1.
    """
    columns = X.shape[1]
    if how is None:
        return Scaler(np.zeros(columns), np.ones(columns))
    rows = X if weight is None else X[weight > 0]
    if how == "minmax":
        low = rows.min(axis=0).astype(np.float64)
        return Scaler(low, _or_one(rows.max(axis=0) - low, low))
    mean = _mean(X, weight)
    variance = np.where(rows.min(axis=0) == rows.max(axis=0), 0, _variance(X, mean, weight))
    if how == "global":
        size = np.abs(mean).max(keepdims=True)
        return Scaler(mean, np.full(columns, _or_one(np.sqrt(variance.mean(keepdims=True)), size)[0]))
    return Scaler(mean, _or_one(np.sqrt(variance), mean))


def scaler_for(
    demands: Demands, X: Array, how: str | None, images: bool = False, weight: Array | None = None
) -> Scaler:
    """Learn the scaling of rows X, (N, D), of which a model demands this.

    "auto" is "global" for `images` and "standard" for other real numbers; numbers on [0, 1] are left alone where they
    lie there, else it is "minmax"; discrete ones are left alone, but whole numbers for a grid on [0, 1] are brought to
    it. Where columns differ in what is demanded of them, anything else but None is for those of real numbers alone.
    """
    if how is None or (how != "auto" and all(demand.columns is None for demand in demands)):
        return fit_scaler(X, how, weight)
    shift, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for demand in demands:
        own = slice(None) if demand.columns is None else list(demand.columns)
        found = _suited(demand.support, demand.of(X), how, images, weight)
        shift[own], scale[own] = found.shift, found.scale
    return Scaler(shift, scale)


def _suited(support: Support, X: Array, how: str, images: bool, weight: Array | None) -> Scaler:
    if support.discrete:
        scaler = fit_scaler(X, None)
        raised = support.unit_interval and X.max() > 1 and not support.fault(X * support.step)
        return Scaler(scaler.shift, scaler.scale / support.step) if raised else scaler
    if support.unit_interval:
        return fit_scaler(X, None if X.min() >= 0 and X.max() <= 1 else "minmax", weight)
    return fit_scaler(X, ("global" if images else "standard") if how == "auto" else how, weight)


def _mean(X: Array, weight: Array | None) -> Array:
    if weight is None:
        return np.asarray(X.mean(axis=0, dtype=np.float64))
    return weight.astype(np.float64) @ X / weight.sum()


def _variance(X: Array, mean: Array, weight: Array | None) -> Array:
    """Column variances in float64, a slice of rows at a time so that wide data are not copied whole."""
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=np.float64)
    total = np.zeros(X.shape[1])
    for start in range(0, len(X), 4096):
        part = slice(start, start + 4096)
        total += weight[part] @ np.square(X[part] - mean)
    return total / weight.sum()


def _or_one(scale: Array, size: Array) -> Array:
    """Scales that are no more than rounding of their own column's size become 1."""
    rounding = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(size), 1e-300)
    return np.where(scale > rounding, scale, 1.0)


def check_varies(X: Array) -> None:
    """Refuse rows that are all alike: there is nothing to learn. A single row is let through.

    Raises
    ------
    DataError
        Where every column is constant.
    """
    if len(X) > 1 and bool(np.all(X.min(axis=0) == X.max(axis=0))):
        raise DataError(
            f"every column is constant over {len(X)} rows",
            where="in X",
            expected="rows that differ",
            hint="check that the right columns were read",
        )
