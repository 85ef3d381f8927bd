"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
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
    def of(cls, values: Sequence[float]) -> Figure:
        return cls(median(values), min(values), max(values))


def ratio(case: Measured, over: str, under: str, less: str = "") -> Figure | None:
    """Seconds of one contender over another's, round by round; `less` is taken from both first, where it is named."""
    seconds = case["seconds"]
    if not all(seconds.get(name) for name in (over, under, less) if name):
        return None
    off = seconds[less] if less else [0.0] * len(seconds[over])
    pairs = zip(seconds[over], seconds[under], off, strict=True)
    return Figure.of([(a - c) / (b - c) for a, b, c in pairs])


def per_second(case: Measured, entrant: str) -> Figure:
    """Samples a second, over all members."""
    return Figure.of([case["rows"] * case["members"] / s for s in case["seconds"][entrant]])


def per_step(case: Measured, entrant: str) -> Figure:
    """Microseconds a step (of all members)."""
    steps = case["rows"] // case["batch"]
    return Figure.of([1e6 * s / steps for s in case["seconds"][entrant]])
