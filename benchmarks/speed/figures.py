"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from speed.rounds import Measured

Results = dict[str, Measured]  # by the case's name


@dataclass(frozen=True)
class Figure:
    """A median and the span from the least to the greatest of its rounds."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Sequence[float | None]) -> Figure:
        """Of the rounds that a contender took part in."""
        values = [value for value in rounds if value is not None]
        return cls(median(values), min(values), max(values))


def ratio(case: Measured, over: str, under: str, less: str = "") -> Figure | None:
    """Seconds of one contender over another's, round by round; `less` is taken from both first, where it is named.

    Infinite where nothing is left of the other's.
    """
    seconds = case["seconds"]
    if not all(seconds.get(name) for name in (over, under, less) if name):
        return None
    off = seconds[less] if less else [0.0] * len(seconds[over])
    rounds = zip(seconds[over], seconds[under], off, strict=True)
    whole = [(a, b, c) for a, b, c in rounds if a is not None and b is not None and c is not None]
    return Figure.of([(a - c) / (b - c) if b > c else math.inf for a, b, c in whole])


def per_second(case: Measured, entrant: str) -> Figure:
    """Samples a second, over all members."""
    return _scaled(case, entrant, lambda seconds: case["rows"] * case["members"] / seconds)


def per_step(case: Measured, entrant: str) -> Figure:
    """Microseconds a step (of all members)."""
    steps = case["rows"] // case["batch"]
    return _scaled(case, entrant, lambda seconds: 1e6 * seconds / steps)


def _scaled(case: Measured, entrant: str, scale: Callable[[float], float]) -> Figure:
    return Figure.of([None if seconds is None else scale(seconds) for seconds in case["seconds"][entrant]])
