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
from isthmus.data import sheets
from isthmus.data.parquet import write_parquet
from isthmus.errors import DataError

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


def write_numbers(path: str | os.PathLike[str], array: Table) -> None:
    """Write an array of any number of axes as .npy.

    Raises
    ------
    DataError
        Another suffix, a place that cannot be written. Nothing half-written stays.
    """
    if Path(path).suffix.lower() != ".npy":
        raise _unknown_suffix(path, (".npy",))
    with atomic(path) as beside:
        _write_npy(beside, array, ())


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
    tiles = sheets.tiles(rows, input_shape, limits, path)
    sheets.save(path, [sheets.laid(tiles, math.ceil(math.sqrt(len(tiles))))])


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


def _unknown_suffix(path: str | os.PathLike[str], known: tuple[str, ...]) -> DataError:
    return DataError(
        f"the suffix {Path(path).suffix!r} is not known",
        f"to write {os.fspath(path)}",
        f"expected {', '.join(known)}",
        "the suffix chooses the format",
    )
