"""Functions of truth values: all patterns of inputs, what sees only some of them, and two layers for any function."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike

from isthmus._constraints import Constraint, check, count
from isthmus.errors import DataError
from isthmus.threshold.separating import separation
from isthmus.threshold.units import Classes, TwoLayers, Unit, binary, read, read_rows

_CONSTRAINTS: Mapping[str, Constraint] = {"n": count(), "order": count(0)}


def patterns(n: int) -> Classes:
    """All rows of n numbers 0 and 1, in the order of a truth table, (2ⁿ, n)."""
    check("patterns", {"n": n}, _CONSTRAINTS)
    return np.array(list(product((0, 1), repeat=n)), dtype=np.int64)


def masks(X: ArrayLike, order: int) -> Classes:
    """For rows X of 0 and 1, (N, n), whether all inputs of a set are 1, for each set of 1 to `order` of them.

    Every function of at most `order` inputs is a sum of these and a constant (Minsky & Papert 1969, theorem 1.5.3),
    so that a unit over them is any unit over any functions that see so many inputs each.

    Raises
    ------
    SettingError
        Where `order` is no whole number of at least 0.
    DataError
        Where rows are not of 0 and 1.
    """
    check("masks", {"order": order}, _CONSTRAINTS)
    rows = binary(read_rows(X))
    sets = [s for size in range(1, min(order, rows.shape[1]) + 1) for s in combinations(range(rows.shape[1]), size)]
    return np.array([rows[:, s].prod(axis=1) for s in sets], dtype=np.int64).reshape(len(sets), len(rows)).T


def order(X: ArrayLike, y: ArrayLike) -> int:
    """How many inputs must be seen at once: the least order whose masks of rows X of 0 and 1 a unit makes y of.

    Raises
    ------
    DataError
        Where rows or classes are not of 0 and 1, or the same row has both classes.
    """
    rows, s = read(X, y)
    inputs = binary(rows).shape[1]
    for k in range(inputs + 1):
        if separation(masks(rows, k), s > 0).exists:
            return k
    raise DataError("the same row has both classes", "in X and y", "y that is a function of X")


def two_layers(X: ArrayLike, y: ArrayLike) -> TwoLayers:
    """A network that gives y, (N,), for rows X of 0 and 1, (N, n): a unit for each row of class 1, and one that ORs.

    Raises
    ------
    DataError
        Where rows or classes are not of 0 and 1.
    """
    rows, s = read(X, y)
    true = binary(rows)[s > 0]
    hidden = tuple(Unit(2.0 * row - 1, 0.5 - float(row.sum())) for row in true)
    return TwoLayers(hidden, Unit(np.ones(len(hidden)), -0.5))
