"""Sheets of images: rows of numbers as tiles, laid beside each other, still as a PNG or moving as a GIF."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus._files import atomic
from isthmus.data.arrays import as_floats
from isthmus.data.reading import needs
from isthmus.errors import DataError

GAP = 2  # pixels between images
TILE = 64  # pixels: smaller images are enlarged by a whole factor to about this height and width
PAPER = 255
LINE, LETTERS = 16, 12  # pixels that a line of text is high, and its letters are
FRAME = 120  # milliseconds that a frame of a GIF stays

Place = str | os.PathLike[str]
Table = npt.NDArray[np.generic]
Shape = Sequence[int] | None  # of a row: (C, H, W) or (H, W), C one of 1, 3, 4
Limits = tuple[float, float] | None  # what is drawn black and what white; None: 0 and 1, or the extremes
Tiles = npt.NDArray[np.uint8]  # (N, H, W, C)


def write_sheet(
    path: Place, rows: Table, input_shape: Shape, limits: Limits = None, labels: Sequence[str] = (), apart: bool = False
) -> None:
    """Write rows (R, C, D) as one PNG of R lines of C images; a row of NaN leaves its place empty.

    Parameters
    ----------
    labels : sequence of str
        What stands to the left of each line; none where there are none.
    apart : bool
        Set the first line and the first column apart from the rest; without labels.

    Raises
    ------
    DataError
        Rows that are not images, Pillow missing, a place that cannot be written.
    """
    _require_pillow(path)
    lines, across = rows.shape[:2]
    sheet = laid(tiles(rows.reshape(lines * across, -1), input_shape, limits, path), across)
    if apart:
        sheet = _parted(sheet, len(sheet) // lines, sheet.shape[1] // across)
    step = (len(sheet) - GAP) // lines
    save(path, [_beside(sheet, labels, step)] if labels else [sheet])


def write_animation(
    path: Place, frames: Table, input_shape: Shape, limits: Limits = None, labels: Sequence[str] = ()
) -> None:
    """Write frames (S, N, D) as a GIF that goes to the last and back: each a sheet of N images, labelled above.

    Raises
    ------
    DataError
        Rows that are not images, Pillow missing, a place that cannot be written.
    """
    _require_pillow(path)
    steps, n = frames.shape[:2]
    drawn = tiles(frames.reshape(steps * n, -1), input_shape, limits, path)[..., :3]  # a GIF has no half-clear pixels
    drawn = _headed(drawn, labels) if labels else drawn
    across = math.ceil(math.sqrt(n))
    sheets = [laid(part, across) for part in drawn.reshape(steps, n, *drawn.shape[1:])]
    save(path, sheets + sheets[-2:0:-1])


def tiles(rows: Table, input_shape: Shape, limits: Limits, path: Place) -> Tiles:
    """Rows (N, D) as images, enlarged by a whole factor where they are small; those of NaN are white."""
    images = _as_images(as_floats(rows), input_shape, path)
    low, high = limits or _limits(images)
    shares = np.nan_to_num((images - low) / ((high - low) or 1.0), nan=1.0)
    levels: Tiles = np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
    zoom = max(1, TILE // max(levels.shape[1:3]))
    return levels.repeat(zoom, axis=1).repeat(zoom, axis=2)


def laid(tiles: Tiles, across: int) -> Tiles:
    """Tiles left to right and top to bottom, white between and around them, as one image (H, W, C)."""
    n, height, width, channels = tiles.shape
    step_y, step_x = height + GAP, width + GAP
    sheet = np.full((math.ceil(n / across) * step_y + GAP, across * step_x + GAP, channels), PAPER, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        y, x = GAP + i // across * step_y, GAP + i % across * step_x
        sheet[y : y + height, x : x + width] = tile
    return sheet


def save(path: Place, sheets: Sequence[Tiles]) -> None:
    """Write one image as a PNG, or several as a GIF that repeats, as the suffix says; whole or not at all.

    Raises
    ------
    DataError
        Pillow missing, a place that cannot be written.
    """
    _require_pillow(path)
    from PIL import Image

    first, *rest = [Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet) for sheet in sheets]
    moving = {"save_all": True, "append_images": rest, "duration": FRAME, "loop": 0} if rest else {}
    with atomic(path) as beside:
        first.save(beside, format=Path(path).suffix[1:].upper(), **moving)


def _require_pillow(path: Place) -> None:
    if find_spec("PIL") is None:
        raise needs("Pillow", "report", f"write a {Path(path).suffix[1:].upper()}")


def _as_images(rows: npt.NDArray[np.floating], input_shape: Shape, path: Place) -> npt.NDArray[np.floating]:
    """The rows as (N, H, W, C)."""
    shape = tuple(input_shape or ())
    c, h, w = (1, *shape) if len(shape) == 2 else shape if len(shape) == 3 else (0, 0, 0)
    if c not in (1, 3, 4) or rows.ndim != 2 or rows.shape[1] != c * h * w or len(rows) == 0:
        raise DataError(
            f"rows of shape {rows.shape} with input_shape {input_shape}",
            f"to draw {os.fspath(path)}",
            "expected images: rows of C × H × W numbers, C one of 1, 3, 4",
            "write a table instead: .npy, .parquet or .csv",
        )
    return np.moveaxis(rows.reshape(-1, c, h, w), 1, 3)


def _limits(images: npt.NDArray[np.floating]) -> tuple[float, float]:
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _parted(sheet: Tiles, y: int, x: int) -> Tiles:
    """With more white after the first line, which ends at y, and after the first column, which ends at x."""
    wide = np.insert(sheet, [y] * 3 * GAP, PAPER, axis=0)
    return np.insert(wide, [x] * 3 * GAP, PAPER, axis=1)


def _beside(sheet: Tiles, labels: Sequence[str], step: int) -> Tiles:
    """With a label to the left of each line, `step` pixels apart."""
    margin = np.full((len(sheet), _width(labels), sheet.shape[2]), PAPER, dtype=np.uint8)
    for i, label in enumerate(labels):
        top = GAP + i * step + (step - LINE) // 2
        margin[top : top + LINE] = _text(label, margin.shape[1])
    return np.concatenate([margin, sheet], axis=1)


def _headed(drawn: Tiles, labels: Sequence[str]) -> Tiles:
    """Tiles (S · N, H, W, C) with one of N labels above each."""
    heads = np.stack([_text(label, drawn.shape[2]) for label in labels])  # N LINE W 1
    heads = np.broadcast_to(heads, (*heads.shape[:3], drawn.shape[3]))
    return np.concatenate([np.tile(heads, (len(drawn) // len(heads), 1, 1, 1)), drawn], axis=1)


def _font() -> Any:
    """The font that Pillow brings along; where it was built without FreeType, its small one."""
    from PIL import ImageFont, features

    return ImageFont.load_default(LETTERS if features.check("freetype2") else None)


def _width(labels: Sequence[str]) -> int:
    return max(math.ceil(_font().getlength(label)) for label in labels) + 4 * GAP


def _text(label: str, width: int) -> Tiles:
    """A line of black text on white, (LINE, width, 1)."""
    from PIL import Image, ImageDraw

    line = Image.new("L", (width, LINE), PAPER)
    ImageDraw.Draw(line).text((2 * GAP, 0), label, fill=0, font=_font())
    return np.asarray(line)[:, :, None]
