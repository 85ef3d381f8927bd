"""What a threshold unit can tell apart, decided by linear programming and proved in fractions.

Either there is a ŵ with s ŵ·x̂ > 0 for each row, or there are multipliers α ≥ 0, not all 0, with Σ α s x̂ = 0 (Gordan
1873): a mixture of rows of one class that is also a mixture of rows of the other. Never both, so that each answer comes
with what proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog, nnls

from isthmus.errors import DataError
from isthmus.threshold.units import Array, Unit, read, signed, unit_of

INFEASIBLE = 2  # the solver's word for: no such numbers
TINY = 1e-9  # of multipliers that add up to 1: the solver's word for 0


@dataclass(frozen=True)
class Separation:
    """Whether a unit separates rows, and why.

    Attributes
    ----------
    unit : Unit or None
        One that does, with s(w·x + b) ≥ 1 on every row.
    multipliers : array of shape (N,) or None
        Where none does: α ≥ 0 with Σα = 1 and Σ α s x̂ = 0.
    """

    unit: Unit | None
    multipliers: Array | None

    @property
    def exists(self) -> bool:
        return self.unit is not None

    def proved(self, X: ArrayLike, y: ArrayLike) -> bool:
        """Whether the answer stands for the rows it was asked of, worked out in fractions without any rounding.

        Of the multipliers it is taken from the solver which are not 0; what they are is solved for anew.
        """
        rows = [[Fraction(number) for number in row] for row in signed(*read(X, y)).tolist()]
        if self.multipliers is None:
            unit = cast("Unit", self.unit)
            weights = [Fraction(number) for number in (*unit.weights.tolist(), unit.bias)]
            return all(_dot(weights, row) > 0 for row in rows)
        mixed = np.flatnonzero(self.multipliers > TINY)
        alpha = _mixture([rows[i] for i in mixed], self.multipliers[mixed])
        return min(alpha) >= 0 and sum(alpha) > 0


@dataclass(frozen=True)
class Widest:
    """The unit through whose separation the rows x̂ keep farthest from ŵ·x̂ = 0.

    Attributes
    ----------
    unit : Unit
        With min s ŵ·x̂ = 1, and ‖ŵ‖ the least for it.
    margin : float
        γ = min s ŵ·x̂ / ‖ŵ‖ of this unit.
    ceiling : float
        The length of the shortest mixture Σ α s x̂, Σα = 1: no unit has a larger margin.
    radius : float
        R, the length of the longest x̂.
    """

    unit: Unit
    margin: float
    ceiling: float
    radius: float

    @property
    def mistakes(self) -> float:
        """(R/γ)², what Rosenblatt's rule never passes from ŵ = 0 (Novikoff 1962); γ the ceiling, to be strict."""
        return (self.radius / self.ceiling) ** 2


def separation(X: ArrayLike, y: ArrayLike) -> Separation:
    """Whether a threshold unit gives y, (N,) of 0 and 1, for rows X, (N, D), by linear programming (HiGHS).

    A first program asks for ŵ with s ŵ·x̂ ≥ 1; where it is infeasible, a second one finds the multipliers that say why.
    Classes that come closer than 1e-8 of a column's largest number may deceive the solver: `proved` tells.

    Raises
    ------
    DataError
        Where rows or classes are none, or neither program has an answer.
    """
    V = signed(*read(X, y))  # s x̂: (N, D + 1)
    largest = np.abs(V).max(axis=0)
    units = np.where(largest > 0, largest, 1)
    V = V / units
    found = linprog(np.zeros(V.shape[1]), A_ub=-V, b_ub=-np.ones(len(V)), bounds=(None, None))
    if found.status != INFEASIBLE and found.success:
        return Separation(unit_of(found.x / units), None)
    mixtures = np.vstack([V.T, np.ones(len(V))])
    refuted = linprog(np.zeros(len(V)), A_eq=mixtures, b_eq=np.eye(len(mixtures))[-1], bounds=(0, None))
    if not refuted.success:
        raise DataError(
            "linear programming found neither a unit nor a proof that there is none", "in X and y", "classes less close"
        )
    return Separation(None, refuted.x)


def widest(X: ArrayLike, y: ArrayLike) -> Widest:
    """The unit of the largest margin on rows X, (N, D), and classes y, (N,) of 0 and 1, the bias counted as a weight.

    The least ‖ŵ‖ with s ŵ·x̂ ≥ 1, by non-negative least squares (Lawson & Hanson 1974, chapter 23: "LDP").

    Raises
    ------
    DataError
        Where rows or classes are none, or no unit separates them.
    """
    rows, s = read(X, y)
    V = signed(rows, s)
    E = np.vstack([V.T, np.ones(len(V))])
    f = np.eye(len(E))[-1]
    u = nnls(E, f)[0]
    r = E @ u - f
    w = r[:-1] / -r[-1] if r[-1] < 0 else np.zeros(len(r) - 1)
    least = float(np.min(V @ w))
    if least <= 0:
        raise DataError("no unit separates the rows", "in X and y", hint="separation(X, y) tells why")
    w = w / least
    radius = float(np.linalg.norm(V, axis=1).max())
    return Widest(unit_of(w), float(1 / np.linalg.norm(w)), float(np.linalg.norm(u @ V) / u.sum()), radius)


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _mixture(rows: Sequence[Sequence[Fraction]], about: Array) -> list[Fraction]:
    """Multipliers α near those given with Σ α v = 0 for rows v, by Gauss's and Jordan's elimination; else all 0."""
    equations = [list(column) for column in zip(*rows, strict=True)]
    pivots: list[int] = []
    for j in range(len(rows)):
        i = next((i for i in range(len(pivots), len(equations)) if equations[i][j]), None)
        if i is None:
            continue  # α of this row is free
        pivot = [number / equations[i][j] for number in equations[i]]
        equations[i] = equations[len(pivots)]
        equations = [_without(equation, pivot, j) for equation in equations]
        equations[len(pivots)] = pivot
        pivots.append(j)
    free = [Fraction(0) if j in pivots else Fraction(number) for j, number in enumerate(about.tolist())]
    solved = {j: -_dot(equation, free) for j, equation in zip(pivots, equations, strict=False)}
    return [solved.get(j, number) for j, number in enumerate(free)]


def _without(equation: list[Fraction], pivot: Sequence[Fraction], j: int) -> list[Fraction]:
    """The equation with its j-th number taken out by a multiple of the pivot."""
    if not (times := equation[j]):
        return equation
    return [number - times * other for number, other in zip(equation, pivot, strict=True)]
