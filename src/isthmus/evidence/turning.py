"""Digits at every angle, and what becomes of them: how far from upright they are, and what they are read as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from isthmus.classifier import Classifier
from isthmus.data.variants import turn

Array = NDArray[np.floating]
Labels = NDArray[np.integer]
ALIKE = (6, 9)  # upside down each is the other


@dataclass(frozen=True)
class Turned:
    """Upright test rows X in [0, 1], (N, side²), their labels, a reader of upright digits, and angles in degrees."""

    X: Array
    labels: Labels
    reader: Classifier
    angles: Sequence[float]

    def judged(self, upright: Callable[[Array], Array]) -> Judged:
        """What a function of turned rows makes of them, held against the rows as they were."""
        out = [upright(spun(self.X, angle)).astype(np.float32) for angle in self.angles]
        errors = np.array([np.square(one - self.X).mean(dtype=np.float64) for one in out])
        return Judged(errors, np.stack([self.reader.predict(one) for one in out]), self.labels)


@dataclass(frozen=True)
class Judged:
    """Mean squared errors a pixel by angle, (A,), and what each row was read as, (A, N)."""

    errors: Array
    read: Labels
    labels: Labels

    @property
    def right(self) -> float:
        """Share read rightly, of digits that are no other digit upside down."""
        own = ~np.isin(self.labels, ALIKE)
        return float((self.read == self.labels)[:, own].mean())

    @property
    def confused(self) -> dict[str, float]:
        """Shares: of 6s and 9s that are read rightly, and as the other; of other digits that are read as a 6 or a 9."""
        six, nine = self.read[:, self.labels == ALIKE[0]], self.read[:, self.labels == ALIKE[1]]
        others = self.read[:, ~np.isin(self.labels, ALIKE)]
        found = {"six_read": six == ALIKE[0], "six_as_nine": six == ALIKE[1]}
        found |= {"nine_read": nine == ALIKE[1], "nine_as_six": nine == ALIKE[0]}
        return {name: float(one.mean()) for name, one in (found | {"others_confused": np.isin(others, ALIKE)}).items()}


def spun(X: Array, degrees: float | Array) -> Array:
    """Rows of square pictures, (N, side²), turned counter-clockwise by one angle, or each by its own, (N,)."""
    side = isqrt(X.shape[1])
    pictures = X.reshape(-1, side, side).astype(np.float32)
    return turn(pictures, np.radians(np.broadcast_to(degrees, len(X)))).reshape(X.shape)
