"""Images with the factors they were made from: rows to learn from, and others to judge a code by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.data import shapes, sprites
from isthmus.data.named import sprites_file

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Factored:
    """Square images, a row each.

    Attributes
    ----------
    train, test : arrays of shape (N, side²)
        Rows to learn from, and to judge by.
    factors : array of int, (N, F)
        What the test rows were made from.
    unordered : tuple of int
        Which factors have no order.
    """

    train: Array
    test: Array
    factors: NDArray[np.integer]
    unordered: tuple[int, ...]

    @property
    def side(self) -> int:
        return round(self.train.shape[1] ** 0.5)


def of_shapes(rows: int, side: int, levels: Sequence[int]) -> Factored:
    """Drawn shapes of so many levels of each factor; one of a single level is no factor."""
    (train, _), (test, factors) = (shapes.generate(rows, side, tuple(levels), seed) for seed in (0, 1))
    varying = [i for i, count in enumerate(levels) if count > 1]
    unordered = tuple(varying.index(i) for i in shapes.UNORDERED if i in varying)
    return Factored(train, test, factors[:, varying], unordered)


def of_sprites(rows: int) -> Factored:
    """The dSprites, from the folder of data.

    Raises
    ------
    DataError
        Where they are not there.
    """
    path = sprites_file()
    (train, _), (test, factors) = (sprites.read_sprites(path, rows, seed) for seed in (0, 1))
    return Factored(train, test, factors, sprites.UNORDERED)
