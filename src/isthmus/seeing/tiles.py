"""Pictures as tiles of a sheet: put on one scale of grey or colour, brought to a size, laid beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Array = NDArray[np.floating]
GAP = 4  # pixels between tiles
BLANK = 0.9  # a light grey, in which white pictures show: no picture is there
UNSEEN = 0.5  # grey: the picture ends before the tile does
DEEP = np.array([[33, 84, 158], [247, 247, 247], [178, 53, 33]]) / 255  # below, at and above 0


def drawable(shape: Sequence[int]) -> bool:
    """Whether rows of that shape are grey or coloured pictures."""
    return len(shape) == 3 and shape[0] in {1, 3}


def signed(pictures: Array) -> Array:
    """Numbers about 0, (n, …), each picture on its own scale: −max|x| black, 0 grey, max|x| white."""
    peaks = np.abs(pictures).max(axis=tuple(range(1, pictures.ndim)), keepdims=True, initial=0)
    return 0.5 + 0.5 * pictures / np.where(peaks > 0, peaks, 1.0)


def lit(pictures: Array, low: float, high: float) -> Array:
    """Numbers from `low`, black, to `high`, white."""
    return np.clip((pictures - low) / ((high - low) or 1.0), 0, 1)


def heat(rows: Array) -> Array:
    """Rows (n, D) as one coloured picture (3, n, D): blue below 0, white at it, red above, each on its own scale."""
    height = (2 * signed(rows) - 1)[..., None]
    colours = np.where(height < 0, DEEP[1] + height * (DEEP[1] - DEEP[0]), DEEP[1] + height * (DEEP[2] - DEEP[1]))
    return np.moveaxis(colours, -1, 0)


def fitting(extents: Sequence[int], side: int) -> int:
    """The side of a tile for pictures of these extents: a whole multiple of theirs, near `side`, or that."""
    longest = max(extents)
    return longest * max(1, round(side / longest)) if longest <= 1.5 * side else side


def sized(picture: Array, side: int) -> Array:
    """A picture (C, h, w) in a square of `side` pixels: enlarged by a whole factor, or shrunk by means; centred."""
    _, h, w = picture.shape
    if max(h, w) > side:
        scale = side / max(h, w)
        size = (max(round(h * scale), 1), max(round(w * scale), 1))
        picture = F.adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(picture)), size).numpy()
    else:
        factor = side // max(h, w)
        picture = picture.repeat(factor, axis=1).repeat(factor, axis=2)
    square = np.full((len(picture), side, side), BLANK)
    top, left = ((side - n) // 2 for n in picture.shape[1:])
    square[:, top : top + picture.shape[1], left : left + picture.shape[2]] = picture
    return square


def laid(pictures: Sequence[Array], across: int, gap: int = GAP) -> Array:
    """Pictures (C, h, w) of one size left to right and top to bottom, as one picture."""
    c, h, w = pictures[0].shape
    down = math.ceil(len(pictures) / across)
    sheet = np.full((c, down * (h + gap) - gap, across * (w + gap) - gap), BLANK)
    for i, picture in enumerate(pictures):
        top, left = i // across * (h + gap), i % across * (w + gap)
        sheet[:, top : top + h, left : left + w] = picture
    return sheet


def cut(pictures: Array, boxes: Sequence[tuple[slice, ...]]) -> list[Array]:
    """The part of each picture, (n, C, H, W), that lies in its box, at the size of the largest box.

    A box that a border has made smaller keeps to that border; the rest is NaN.
    """
    extents = pictures.shape[2:]
    size = [max(box[axis].stop - box[axis].start for box in boxes) for axis in range(len(extents))]
    parts = []
    for picture, box in zip(pictures, boxes, strict=True):
        part = np.full((len(picture), *size), np.nan)
        held = [
            slice(n - (b.stop - b.start), n) if b.start == 0 and b.stop < extent else slice(0, b.stop - b.start)
            for n, b, extent in zip(size, box, extents, strict=True)
        ]
        part[(slice(None), *held)] = picture[(slice(None), *box)]
        parts.append(part)
    return parts


def whole(pictures: Sequence[Array]) -> list[Array]:
    """Pictures with grey where they say nothing."""
    return [np.where(np.isnan(picture), UNSEEN, picture) for picture in pictures]
