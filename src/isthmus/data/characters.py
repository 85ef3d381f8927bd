"""Ten letters drawn from strokes in a style: which letter (content) and how it is written (style) are both known.

A style is a row of six numbers in the order of `STYLES`, each drawn uniformly between the bounds given there and
independently of the letter. The same letter in the same style can be drawn in two looks, with strokes of solid ink or
with their outlines alone. So what a swap of styles or a translation between looks ought to give can be drawn too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.data.dataset import Labels
from isthmus.errors import DataError

Floats = NDArray[np.floating]
SIDE = 16  # pixels
LOOKS = ("solid", "outlined")
_LINE = 1.0  # width in pixels of an outline
_BLOCK = 1024  # characters drawn at once: some tens of MB

STYLES: Mapping[str, tuple[float, float]] = {
    "slant": (-0.4, 0.4),  # how far the top leans to the right, as a share of the height
    "thickness": (1.2, 2.6),  # of a stroke, pixels
    "size": (7.0, 11.0),  # height of the letter, pixels
    "right": (-1.5, 1.5),  # of the middle, pixels
    "down": (-1.5, 1.5),  # of the middle, pixels
    "brightness": (0.5, 1.0),  # of ink where all is ink; the least ink is 0
}

Stroke = tuple[tuple[float, float], ...]


def _arc(x: float, y: float, across: float, up: float, begin: float, end: float) -> Stroke:
    """Part of an ellipse around (x, y), as a line of short pieces; degrees, counter-clockwise from the right."""
    angles = np.radians(np.linspace(begin, end, 2 + int(abs(end - begin) // 30)))
    return tuple((x + across * float(np.cos(a)), y + up * float(np.sin(a))) for a in angles)


# x from 0 (left) to 1 (right) is 0.8 of the height; y from 0 (the line of writing) to 1 (top).
LETTERS: Mapping[str, tuple[Stroke, ...]] = {
    "A": (((0, 0), (0.5, 1), (1, 0)), ((0.2, 0.4), (0.8, 0.4))),
    "E": (((1, 1), (0, 1), (0, 0), (1, 0)), ((0, 0.5), (0.8, 0.5))),
    "H": (((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 0.5), (1, 0.5))),
    "L": (((0, 1), (0, 0), (1, 0)),),
    "O": (_arc(0.5, 0.5, 0.5, 0.5, 0, 360),),
    "S": (_arc(0.5, 0.75, 0.5, 0.25, 30, 270), _arc(0.5, 0.25, 0.5, 0.25, 90, -150)),
    "T": (((0, 1), (1, 1)), ((0.5, 1), (0.5, 0))),
    "U": (((0, 1), (0, 0.35)), _arc(0.5, 0.35, 0.5, 0.35, 180, 360), ((1, 0.35), (1, 1))),
    "X": (((0, 0), (1, 1)), ((0, 1), (1, 0))),
    "Z": (((0, 1), (1, 1), (0, 0), (1, 0)),),
}


@dataclass(frozen=True, eq=False)
class Characters:
    """N drawn characters: pictures in [0, 1], (N, SIDE²) float32; letters, (N,), by number; styles, (N, 6)."""

    X: NDArray[np.float32]
    content: Labels
    style: Floats


def generate(n: int, seed: int, look: str = "solid") -> Characters:
    """n characters; letters and styles are independent and uniform, and the same for a seed in either look.

    Raises
    ------
    DataError
        Where n is less than 1, or the look is none of `LOOKS`.
    """
    if n < 1:
        raise DataError(f"{n} characters", "in characters.generate", "expected a whole number >= 1")
    rng = np.random.default_rng(seed)
    content = rng.integers(len(LETTERS), size=n)
    low, high = np.array(list(STYLES.values())).T
    style = rng.uniform(low, high, (n, len(STYLES)))
    return Characters(draw(content, style, look), content, style)


def draw(content: ArrayLike, style: ArrayLike, look: str = "solid") -> NDArray[np.float32]:
    """Pictures, (N, SIDE²), of letters `content`, (N,) numbers into `LETTERS`, written in `style`, (N, 6).

    Each pixel's ink is how much of it a stroke covers, by the distance of its middle from the nearest stroke.

    Raises
    ------
    DataError
        Where there is no such letter or look, or the two are of other shapes.
    """
    content, style = np.asarray(content), np.asarray(style, dtype=np.float64)
    _check(content, style, look)
    pictures = np.empty((len(content), SIDE * SIDE), dtype=np.float32)
    for number, strokes in enumerate(LETTERS.values()):
        rows = np.flatnonzero(content == number)
        for block in np.array_split(rows, range(_BLOCK, len(rows), _BLOCK)):
            pictures[block] = _inked(_distances(strokes, style[block]), style[block], look)
    return pictures


def _check(content: NDArray[np.generic], style: Floats, look: str) -> None:
    where, letters = "in characters.draw", f"expected (N,) whole numbers from 0 to {len(LETTERS) - 1}"
    if look not in LOOKS:
        raise DataError(f"the look {look!r}", where, f"expected one of {', '.join(LOOKS)}")
    if content.ndim != 1 or content.dtype.kind not in "iu":
        raise DataError(f"letters of shape {content.shape} and type {content.dtype}", where, letters)
    if len(content) and not 0 <= content.min() <= content.max() < len(LETTERS):
        raise DataError(f"letters from {content.min()} to {content.max()}", where, letters)
    if style.shape != (len(content), len(STYLES)):
        raise DataError(
            f"styles of shape {style.shape}", where, f"expected {(len(content), len(STYLES))}, one row a letter"
        )


def _distances(strokes: tuple[Stroke, ...], style: Floats) -> Floats:
    """Of each pixel's middle from the nearest stroke, in pixels, (n, SIDE²)."""
    pieces = np.array([piece for stroke in strokes for piece in pairwise(stroke)])  # (S, 2, 2)
    begin, end = np.moveaxis(_placed(pieces, style), 2, 0)  # (n, S, 2) each
    along = end - begin
    places = np.arange(SIDE) - (SIDE - 1) / 2
    pixels = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 1, 2)  # (P, 1, x and y)
    nearest = np.full((len(style), len(pixels)), np.inf)
    for start, way in zip(np.moveaxis(begin, 1, 0), np.moveaxis(along, 1, 0), strict=True):  # (n, 2) each
        offset = pixels[:, 0] - start[:, None]  # (n, P, 2)
        share = np.clip(np.einsum("npd,nd->np", offset, way) / np.square(way).sum(axis=1)[:, None], 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(offset - share[..., None] * way[:, None], axis=2))
    return nearest


def _placed(points: Floats, style: Floats) -> Floats:
    """Points (…, 2) of a letter in pixels from the picture's middle, y downwards, once for each style: (n, …, 2)."""
    slant, _, size, right, down, _ = style.T[(...,) + (None,) * (points.ndim - 1)]  # (n, 1, …) each
    across, up = points[..., 0] - 0.5, points[..., 1] - 0.5
    return np.stack([size * (0.8 * across + slant * up) + right, down - size * up], axis=-1)


def _inked(distance: Floats, style: Floats, look: str) -> Floats:
    """Values of the pixels from their distances, both (n, P)."""
    half, brightness = style[:, 1, None] / 2, style[:, 5, None]
    if look == "solid":
        return brightness * np.clip(half + 0.5 - distance, 0, 1)
    return brightness * np.clip((_LINE + 1) / 2 - np.abs(distance - half), 0, 1)
