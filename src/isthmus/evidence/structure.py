"""How many directions of the rows are more than chance: parallel analysis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
PERMUTATIONS = 3


def structured_directions(x: Array, seed: int = 0) -> int:
    """Leading principal components of x, (N, D), with more variance than the same columns shuffled (Horn 1965).

    0 says that no column tells anything, linearly, of another.
    """
    if len(x) < 3 or x.shape[1] < 2:
        return 0
    rng = np.random.default_rng(seed)
    chance = np.max([variances(rng.permuted(x, axis=0)) for _ in range(PERMUTATIONS)], axis=0)
    above = variances(x) > chance * 1.02  # a margin: the greatest of a few shuffles is itself a matter of chance
    return int(above.argmin()) if not above.all() else len(above)


def variances(x: Array) -> Array:
    """Variances of x, (N, D), along its principal components, largest first, (min(N, D),)."""
    centred = x.astype(np.float64) - x.mean(axis=0)
    gram = centred.T @ centred if x.shape[1] <= len(x) else centred @ centred.T
    return np.linalg.eigvalsh(gram)[::-1].clip(min=0) / len(x)


def participation_ratio(values: Array) -> float:
    """(Σλ)² / Σλ² of variances λ, (K,): K where all are alike, 1 where one has everything, 0 where there are none."""
    total = float(np.square(values).sum())
    return float(values.sum()) ** 2 / total if total > 0 else 0.0
