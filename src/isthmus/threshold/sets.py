"""Sets of rows that a unit separates: with a gap, and the hardest there are for Rosenblatt's rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import hadamard

from isthmus._constraints import Constraint, check, count, non_negative
from isthmus.errors import SettingError
from isthmus.threshold.units import Array, Classes

_CONSTRAINTS: Mapping[str, Constraint] = {"n": count(), "dimensions": count(), "gap": non_negative()}


def separable(n: int, dimensions: int = 2, gap: float = 0.1, random_state: int = 0) -> tuple[Array, Classes]:
    """Normal rows on both sides of a random plane, each moved away from it by `gap`.

    Returns
    -------
    X : float64 array of shape (n, dimensions)
    y : int64 array of shape (n,)
        1 on one side, 0 on the other; where the plane lies far out all rows may be of one class.

    Raises
    ------
    SettingError
        Where a setting does not fit.
    """
    check("separable", {"n": n, "dimensions": dimensions, "gap": gap}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n, dimensions))
    w, b = rng.normal(size=dimensions), rng.normal() / 2
    y = (X @ w + b > 0).astype(np.int64)
    return X + np.outer(gap * (2 * y - 1), w / np.linalg.norm(w)), y


def right_angled(n: int) -> tuple[Array, Classes]:
    """n rows of ±1, (n, n − 1), and classes, whose s x̂ are the rows of a Hadamard matrix (Sylvester 1867).

    Each is at right angles to all others, so that Rosenblatt's rule makes a mistake at each: n, which is (R/γ)².

    Raises
    ------
    SettingError
        Where n is no power of 2, from 2 on.
    """
    check("right_angled", {"n": n}, _CONSTRAINTS)
    if n < 2 or n & (n - 1):
        raise SettingError(f"n must be a power of 2, from 2 on; got {n}", "in right_angled")
    s = hadamard(n, dtype=float)
    return s[:, :-1] * s[:, -1:], (s[:, -1] > 0).astype(np.int64)
