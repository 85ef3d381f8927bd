"""Rows as pictures: strips of images, and tables as fields of colour, each a PNG inside the page."""

from __future__ import annotations

import math
from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.report.view import Array

_TILE = 64  # pixels: a larger image is shrunk to about this height
_GAP = 4  # pixels, clear, between images
_DEEP = np.array([[33, 84, 158], [247, 247, 247], [178, 53, 33]], dtype=np.float64)  # below, at, above the mean

Bytes = NDArray[np.uint8]


def image_shape(shape: object, columns: int) -> tuple[int, ...] | None:
    """(channels, height, width) where rows of so many columns are grey or coloured images, else None."""
    if not isinstance(shape, tuple | list) or len(shape) != 3 or shape[0] not in {1, 3}:
        return None
    return tuple(shape) if math.prod(shape) == columns else None


def strip(rows: Array, shape: tuple[int, ...], low: float, high: float, tile: int = _TILE) -> str:
    """Images beside each other as one data URI; numbers from `low` (black) to `high` (white)."""
    span = high - low if high > low else 1.0
    levels = np.clip((rows - low) / span, 0, 1) * 255
    images = levels.round().astype(np.uint8).reshape(len(rows), *shape).transpose(0, 2, 3, 1)  # n h w c
    tiles = [_opaque(_sized(image, tile)) for image in images]
    gap = np.zeros((tiles[0].shape[0], _GAP, tiles[0].shape[2]), dtype=np.uint8)
    return _png(np.concatenate([part for one in tiles for part in (one, gap)][:-1], axis=1))


def field(rows: Array, centre: Array, spread: Array) -> str:
    """A table as colours: blue below its column's mean, white at it, red above, full at two and a half spreads."""
    height = np.clip((rows - centre) / np.where(spread > 0, spread, 1.0) / 2.5, -1, 1)[..., None]
    colours = np.where(height < 0, _DEEP[1] + height * (_DEEP[1] - _DEEP[0]), _DEEP[1] + height * (_DEEP[2] - _DEEP[1]))
    return _png(colours.round().astype(np.uint8))


def _sized(image: Bytes, tile: int) -> Bytes:
    """Shrunk to `tile` pixels where larger; enlarged by a whole factor where that fits."""
    factor = tile // max(image.shape[:2])
    if factor:
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    scale = tile / max(image.shape[:2])
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    small = np.asarray(Image.fromarray(image.squeeze()).resize(size, Image.Resampling.BOX))
    return small.reshape(*small.shape[:2], image.shape[2])


def _opaque(image: Bytes) -> Bytes:
    """With a channel that says all of it is seen; the gaps between images are not."""
    return np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)


def _png(pixels: Bytes) -> str:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
