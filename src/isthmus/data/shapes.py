"""Small images of one shape each, drawn from independent factors that are known."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np
import numpy.typing as npt

from isthmus._constraints import Constraint, Each, check, count, optional
from isthmus.data.dataset import Labels, Rows

Array = npt.NDArray[np.float64]

SHAPES = ("rectangle", "ellipse", "triangle")
FACTORS = ("shape", "scale", "orientation", "x", "y")
LEVELS = (3, 4, 8, 8, 8)  # how many values each factor has: 6,144 images
SIDE = 16  # pixels
UNORDERED = (0,)  # columns of the factors whose values have no order

SCALES = 0.14, 0.23  # half of a shape's length, as a share of the image's side
ANGLES = 0.0, pi / 2  # radians: over a quarter turn no two orientations of a shape look alike
PLACES = 0.26, 0.74  # of the centre, as a share of the side: the largest shape stays within the image
THIN = 0.5  # a rectangle's or an ellipse's width over its length
WIDE = 0.75  # half of a triangle's base, over half of the others' length
POINTS = 4  # a side of the grid of points in a pixel
BLOCK = 1 << 19  # points at a time: what a cache holds is drawn several times as fast


def generate(
    n: int | None = None, side: int = SIDE, levels: tuple[int, ...] = LEVELS, random_state: int = 0
) -> tuple[Rows, Labels]:
    """Anti-aliased images of a rectangle, an ellipse or a triangle, white on black, and the factors they are made from.

    Parameters
    ----------
    n : int, optional
        How many to draw at random, every factor uniformly and independently; None: every combination once, the last
        factor changing fastest.
    side : int
        Pixels a side.
    levels : tuple of 5 int
        How many values each factor has: shape (at most 3), scale, orientation, x, y; equally spaced.
    random_state : int
        Seed of the draws.

    Returns
    -------
    rows : float32 array of shape (N, side²)
        The share of each pixel that the shape covers, in [0, 1].
    factors : int64 array of shape (N, 5)
        The number of each factor's value, from 0, in the order of `FACTORS`. Shapes have no order; scale, orientation
        (clockwise, over a quarter turn), x and y (rightwards, downwards) do.

    Raises
    ------
    SettingError
        Where a setting does not fit.
    """
    given = {"n": n, "side": side, "levels": levels, "random_state": random_state}
    check("shapes.generate", given, _CONSTRAINTS)
    check("shapes.generate", {"levels": len(levels), "shapes": levels[0]}, _FITTING)
    if n is None:
        factors = np.indices(levels).reshape(len(levels), -1).T
    else:
        factors = np.random.default_rng(random_state).integers(levels, size=(n, len(levels)))
    several = max(1, BLOCK // (side * POINTS) ** 2)
    chunks = [_render(part, side, levels) for part in np.split(factors, range(several, len(factors), several))]
    return np.concatenate(chunks), np.ascontiguousarray(factors, dtype=np.int64)


_CONSTRAINTS: Mapping[str, Constraint] = {
    "n": optional(count()),
    "side": count(4),
    "levels": Each(count()),
    "random_state": count(0),
}
_FITTING: Mapping[str, Constraint] = {"levels": count(len(FACTORS), len(FACTORS)), "shapes": count(1, len(SHAPES))}


def _render(factors: npt.NDArray[np.int64], side: int, levels: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Rows of the images, (N, side²): points within the shape are counted."""
    length, angle, x, y = (
        _value(factors[:, i], levels[i], *ends)[:, None, None]
        for i, ends in enumerate((SCALES, ANGLES, PLACES, PLACES), start=1)
    )  # (N, 1, 1) each
    at = (np.arange(side * POINTS) + 0.5) / (side * POINTS)
    across, down = at[None, None, :] - x, at[None, :, None] - y
    u = (np.cos(angle) * across + np.sin(angle) * down) / length  # along the shape, half of whose length is 1
    v = (np.cos(angle) * down - np.sin(angle) * across) / length
    present = np.unique(factors[:, 0])
    kinds = [factors[:, :1, None] == i for i in present]
    inside = np.select(kinds, [(_rectangle, _ellipse, _triangle)[i](u, v) for i in present])
    cells = inside.reshape(len(factors), side, POINTS, side, POINTS)
    return cells.mean(axis=(2, 4), dtype=np.float32).reshape(len(factors), -1)


def _value(number: npt.NDArray[np.int64], levels: int, low: float, high: float) -> Array:
    """The middle, where there is a single value."""
    return np.linspace(low, high, levels)[number] if levels > 1 else np.full(len(number), (low + high) / 2)


def _rectangle(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    return (np.abs(u) <= 1) & (np.abs(v) <= THIN)


def _ellipse(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    return np.square(u) + np.square(v / THIN) <= 1


def _triangle(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    """Its tip at u = 1 and its base at u = −1/2, so that its centre of mass is at 0."""
    return (u >= -0.5) & (np.abs(v) <= WIDE * (1 - u) / 1.5)
