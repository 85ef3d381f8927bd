"""Numbers with their 95 % intervals: by bootstrap where a number is a function of means, else by halving the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Rows = NDArray[np.intp]

RESAMPLES = 200
HALVES = 12
MOST_BLOCKS = 20_000  # more rows than this are averaged into as many random blocks before they are resampled


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % interval; ends are None where there are too few rows to say."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> list[float] | None:
        return None if self.low is None or self.high is None else [self.low, self.high]


def of_means(rows: Array, statistic: Callable[[Array], Array]) -> Estimate:
    """A function of column means of `rows`, (N, M), with a percentile bootstrap over rows (Efron 1979).

    Parameters
    ----------
    rows : array of shape (N, M)
        What each row contributes, for example its squared error and its squared distance from the mean.
    statistic : callable
        Maps means, (..., M), to numbers, (...).
    """
    rows = _blocks(np.asarray(rows, dtype=np.float64).reshape(len(rows), -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(rows.mean(axis=0)))
        if len(rows) < 2:
            return Estimate(value)
        draws = statistic(_counts(len(rows)) @ rows / len(rows))
    draws = draws[np.isfinite(draws)]
    if not math.isfinite(value) or len(draws) < RESAMPLES // 2:
        return Estimate(value)
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def of_mean(values: Array) -> Estimate:
    """The mean of values, (N,)."""
    return of_means(np.asarray(values, dtype=np.float64)[:, None], lambda means: means[..., 0])


def of_halves(n: int, statistic: Callable[[Rows], float], least: int = 20) -> Estimate:
    """Any statistic of n rows, with a normal interval from random halves of them.

    The spread over halves is the standard error itself (delete-half jackknife, Shao & Wu 1989). Fewer rows than
    `least` get no interval.
    """
    value = statistic(np.arange(n))
    if n < least:
        return Estimate(value)
    rng = np.random.default_rng(n)
    halves = [statistic(np.sort(rng.permutation(n)[: n // 2])) for _ in range(HALVES)]
    reach = 1.96 * float(np.std(halves, ddof=1))
    return Estimate(value, value - reach, value + reach)


@lru_cache(maxsize=4)
def _counts(n: int) -> Array:
    """How often each of n rows is drawn in each resample, (RESAMPLES, n); always the same for one n."""
    rng = np.random.default_rng(n)
    return rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


def _blocks(rows: Array) -> Array:
    if len(rows) <= MOST_BLOCKS:
        return rows
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    starts = np.linspace(0, len(rows), MOST_BLOCKS, endpoint=False).astype(int)
    sizes = np.diff(np.append(starts, len(rows)))[:, None]
    blocks: Array = np.add.reduceat(rows[order], starts, axis=0) / sizes
    return blocks * (sizes / sizes.mean())  # so that the mean of blocks is the mean of rows
