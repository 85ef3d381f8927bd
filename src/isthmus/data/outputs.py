"""What is written out: tables and sheets of images, the format by the suffix, whole or not at all."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus._files import atomic
from isthmus.data.arrays import as_floats
from isthmus.data.dataset import Rows
from isthmus.data.parquet import write_parquet
from isthmus.data.reading import needs
from isthmus.errors import DataError

_GAP = 2  # pixels between images
_TILE = 64  # pixels: smaller images are enlarged by a whole factor to about this height and width
_CHUNK = 10_000  # rows turned to text at once

Table = npt.NDArray[np.generic]


def write_table(path: str | os.PathLike[str], array: Table, columns: Sequence[str]) -> None:
    """Write a table as .npy, .parquet or .csv.

    Parameters
    ----------
    path : str or path
        The file; its suffix chooses the format.
    array : array of shape (N, K) or (N,)
        Numbers; they are written so that reading gives the same bits.
    columns : sequence of str
        K names; a .npy file does not keep them.

    Raises
    ------
    DataError
        An unknown suffix, not as many names as columns, a place that cannot be written. Nothing half-written stays.
    """
    write = _WRITERS.get(Path(path).suffix.lower())
    if write is None:
        raise _unknown_suffix(path, tuple(_WRITERS))
    table = array.reshape(len(array), -1) if array.ndim < 2 else array
    if table.shape[1:] != (len(columns),):
        raise DataError(
            f"{len(columns)} column names for an array of shape {array.shape}",
            f"to write {os.fspath(path)}",
            "expected one name per column",
            "give as many names as the table has columns",
        )
    with atomic(path) as beside:
        write(beside, table, tuple(columns))


def write_image(
    path: str | os.PathLike[str],
    rows: Table,
    input_shape: Sequence[int] | None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Write rows as one PNG: a sheet of images, left to right, top to bottom.

    Parameters
    ----------
    path : str or path
        The .png file.
    rows : array of shape (N, C·H·W)
        Images, channels first.
    input_shape : (C, H, W) or (H, W), C one of 1, 3, 4
        The shape of a row.
    limits : (low, high), optional
        The values drawn as black and as white. By default 0 and 1 if all values lie between, else their extremes.

    Raises
    ------
    DataError
        Another suffix, rows that are not images, Pillow missing, a place that cannot be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise _unknown_suffix(path, (".png",))
    images = _as_images(as_floats(rows), input_shape, path)
    sheet = _sheet(_to_bytes(images, limits or _limits(images)))
    try:
        from PIL import Image
    except ImportError as error:
        raise needs("Pillow", "report", "write a PNG") from error
    with atomic(path) as beside:
        Image.fromarray(sheet).save(beside, format="PNG")


def _write_npy(path: Path, table: Table, columns: tuple[str, ...]) -> None:
    with path.open("wb") as file:
        np.save(file, table, allow_pickle=False)


def _write_csv(path: Path, table: Table, columns: tuple[str, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for start in range(0, len(table), _CHUNK):
            # NumPy writes the shortest text that reads back as the same float32 or float64.
            writer.writerows(table[start : start + _CHUNK].astype(str).tolist())


_WRITERS: dict[str, Callable[[Path, Table, tuple[str, ...]], None]] = {
    ".npy": _write_npy,
    ".parquet": write_parquet,
    ".csv": _write_csv,
}


def _as_images(rows: Rows, input_shape: Sequence[int] | None, path: str | os.PathLike[str]) -> Rows:
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


def _limits(images: Rows) -> tuple[float, float]:
    low, high = float(images.min()), float(images.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _to_bytes(images: Rows, limits: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = limits
    shares = (images - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)


def _sheet(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """N images of shape (H, W, C) as one of shape (rows · (H + gap) + gap, …): white between them."""
    n, height, width, channels = images.shape
    zoom = max(1, _TILE // max(height, width))
    tiles = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    across = math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    step_y, step_x = zoom * height + _GAP, zoom * width + _GAP
    sheet = np.full((down * step_y + _GAP, across * step_x + _GAP, channels), 255, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        y, x = _GAP + i // across * step_y, _GAP + i % across * step_x
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet[:, :, 0] if channels == 1 else sheet


def _unknown_suffix(path: str | os.PathLike[str], known: tuple[str, ...]) -> DataError:
    return DataError(
        f"the suffix {Path(path).suffix!r} is not known",
        f"to write {os.fspath(path)}",
        f"expected {', '.join(known)}",
        "the suffix chooses the format",
    )
