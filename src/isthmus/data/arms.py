"""Five bent arms in a plane, turned into more columns, with noise of known size (Johnson 2016's pinwheel)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ARMS = 5


def generate(n: int, columns: int, noise: float, seed: int, part: int = 0) -> NDArray[np.float32]:
    """Rows (n, columns): an arm at random, a place along and across it, and noise of that deviation in each column.

    The plane depends on the seed alone; each `part` has rows of its own, to train on and to test on, say.
    """
    rng = np.random.default_rng([seed, 2, part])
    arm = 2 * np.pi * rng.integers(ARMS, size=n) / ARMS
    along, across = 1 + 0.3 * rng.normal(size=n), 0.1 * rng.normal(size=n)
    angle = arm + 0.25 * np.exp(along)
    plane = 2 * np.column_stack(
        [along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)]
    )
    turned = np.linalg.qr(np.random.default_rng([seed, 3]).normal(size=(columns, 2)))[0]
    return (plane @ turned.T + noise * rng.normal(size=(n, columns))).astype(np.float32)
