"""Which numbers a likelihood has probabilities for: what is demanded of rows before anything is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError

TOLERANCE = 1e-3  # of a step: what rounding may make of a number of the grid
BLOCK = 1 << 18  # numbers looked at a time


@dataclass(frozen=True)
class Support:
    """Numbers from `low` to `high`, every one, or those that are a whole number of `step`s."""

    words: str
    low: float = -math.inf
    high: float = math.inf
    step: float = 0.0
    cure: str = ""

    @property
    def unit_interval(self) -> bool:
        return (self.low, self.high) == (0, 1)

    @property
    def discrete(self) -> bool:
        return self.step > 0

    def fault(self, X: NDArray[np.floating]) -> str:
        """What is wrong with rows X, (N, D), in words; "" where nothing is."""
        if X.size == 0 or not (self.discrete or math.isfinite(self.low) or math.isfinite(self.high)):
            return ""
        low, high = X.min(), X.max()
        if low < self.low or high > self.high:
            return f"rows reach from {low:g} to {high:g}"
        return self._between(X) if self.discrete else ""

    def _between(self, X: NDArray[np.floating]) -> str:
        """The first number that is none of the grid's."""
        size = max(1, BLOCK // max(1, X.shape[1]))
        for start in range(0, len(X), size):
            part = X[start : start + size]
            steps = part / self.step
            off = np.abs(steps - np.rint(steps)) > TOLERANCE
            if off.any():
                return f"rows hold {part[off][0]:g}"
        return ""


REAL = Support("numbers")
UNIT = Support("numbers in [0, 1]", 0, 1, cure="use scaling='minmax'")
BINARY = Support("0 or 1 alone", 0, 1, 1, cure="threshold the rows, or use likelihoods.Bernoulli()")
COUNTS = Support("counts 0, 1, 2, ...", 0, step=1, cure="use scaling='auto' on counts, or a likelihood of real numbers")


def levels(count: int) -> Support:
    """0, 1, ..., count − 1."""
    cure = "number the categories from 0, with scaling='auto', or set `levels`"
    return Support(f"whole numbers from 0 to {count - 1}", 0, count - 1, 1, cure)


def grid(count: int) -> Support:
    """So many numbers at equal distances from 0 to 1."""
    step = f"1/{count - 1}" if count > 2 else "1"
    cure = f"pass whole numbers from 0 to {count - 1} with scaling='auto', or set `levels`"
    return Support(f"multiples of {step} from 0 to 1", 0, 1, 1 / (count - 1), cure)


class Demand(NamedTuple):
    """What is demanded of some columns; None: of all."""

    support: Support
    columns: tuple[int, ...] | None = None

    def of(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """These columns of rows X, (N, D)."""
        return X if self.columns is None else X[:, list(self.columns)]


Demands = tuple[Demand, ...]


def check(demands: Demands, X: NDArray[np.floating], where: str, discrete: bool = False) -> None:
    """Refuse rows X, (N, D), scaled, that have no probability; `discrete`: only those off a grid.

    Raises
    ------
    DataError
        Naming the numbers found, the columns and what is demanded of them.
    """
    for demand in demands:
        if demand.support.discrete or not discrete:
            fault = demand.support.fault(demand.of(X))
            if fault:
                place = "" if demand.columns is None else f"in {_listed(demand.columns)} of X, counted from 0, "
                expected = f"{demand.support.words}, as this model needs"
                raise DataError(fault, where=place + where, expected=expected, hint=demand.support.cure)


def _listed(columns: tuple[int, ...]) -> str:
    if len(columns) == 1:
        return f"column {columns[0]}"
    return f"columns {', '.join(map(str, columns[:5]))}{', ...' if len(columns) > 5 else ''}"
