"""Rosenblatt's rule, its mistakes counted, and whether it goes round for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus._constraints import Constraint, check, count
from isthmus.threshold.units import Array, Unit, read, signed, unit_of

_CONSTRAINTS: Mapping[str, Constraint] = {"sweeps": count()}


@dataclass(frozen=True)
class Learning:
    """What Rosenblatt's rule went through.

    Attributes
    ----------
    path : array of shape (mistakes + 1, D + 1)
        ŵ = (w, b), from 0, after each mistake.
    mistakes : tuple of int
        In each sweep over the rows.
    returned : int or None
        How many sweeps back the last ŵ stood at the same place: what follows is what followed then, for ever.
    """

    path: Array
    mistakes: tuple[int, ...]
    returned: int | None

    @property
    def converged(self) -> bool:
        return self.mistakes[-1] == 0

    @property
    def unit(self) -> Unit:
        return unit_of(self.path[-1])

    @property
    def circle(self) -> Array:
        """The ŵ of one round, (mistakes of it, D + 1), where it returned; else none."""
        within = sum(self.mistakes[-self.returned :]) if self.returned else 0
        return self.path[len(self.path) - within :]


def rosenblatt(X: ArrayLike, y: ArrayLike, sweeps: int = 1000) -> Learning:
    """Rosenblatt's rule (1958) from ŵ = 0: at each row with s ŵ·x̂ ≤ 0, in order, ŵ becomes ŵ + s x̂.

    It ends with a sweep without mistakes, or where ŵ stands after a sweep at a place where it stood after another:
    each sweep is a function of the ŵ it begins with, so that it goes round for ever. Rows X, (N, D), of whole numbers
    keep ŵ whole and exact.

    Raises
    ------
    SettingError
        Where `sweeps`, the most there are, is no whole number of at least 1.
    DataError
        Where rows or classes are none.
    """
    check("rosenblatt", {"sweeps": sweeps}, _CONSTRAINTS)
    V = signed(*read(X, y))
    path, mistakes = [np.zeros(V.shape[1])], []
    stood = {path[0].tobytes(): 0}
    returned = None
    for sweep in range(1, sweeps + 1):
        mended = _sweep(V, path[-1])
        path.extend(mended)
        mistakes.append(len(mended))
        before = stood.setdefault(path[-1].tobytes(), sweep)
        if not mended or before < sweep:
            returned = sweep - before if mended else None
            break
    return Learning(np.array(path), tuple(mistakes), returned)


def _sweep(V: Array, w: Array) -> list[Array]:
    """ŵ after each mistake of one sweep over the rows s x̂."""
    mended: list[Array] = []
    at = 0
    while len(wrong := np.flatnonzero(V[at:] @ w <= 0)):
        at += wrong[0] + 1
        w = w + V[at - 1]
        mended.append(w)
    return mended
