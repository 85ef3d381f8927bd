"""Parquet tables, through pyarrow: every column a number a row."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isthmus.data.arrays import as_floats, as_labels
from isthmus.data.checks import shown
from isthmus.data.csv_table import label_column
from isthmus.data.dataset import Dataset, Labels, Rows
from isthmus.data.reading import needs, reading
from isthmus.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX = "__index_level_"  # what pandas names the index it stores beside the columns


def read_parquet(path: Path) -> Dataset:
    """Read a table of numbers; a column named `label`, `target` or `y` becomes `y`, as in a csv file.

    Returns
    -------
    Dataset
        `X` of shape (N, D), float32 if every column is exact in it, else float64; nulls are NaN.

    Raises
    ------
    DataError
        pyarrow missing, not Parquet, truncated, a column that holds anything but numbers.
    """
    arrow = _pyarrow("read Parquet")
    with reading(path, "a Parquet file", arrow.ArrowException), path.open("rb") as file:
        table = arrow.parquet.read_table(file)
    names = [name for name in table.column_names if not name.startswith(_INDEX)]
    label = label_column(names, path)
    inputs = tuple(name for i, name in enumerate(names) if i != label)
    X = _rows({name: _numbers(table[name], name, path) for name in inputs}, path)
    y = None if label is None else _labels(table[names[label]], names[label], path)
    return Dataset(path.stem, X, y, inputs, source=str(path))


def write_parquet(path: Path, array: npt.NDArray[np.generic], columns: tuple[str, ...]) -> None:
    """Write an array of shape (N, K) as K named columns of its own type."""
    arrow = _pyarrow("write Parquet")
    table = arrow.table([np.ascontiguousarray(column) for column in array.T], names=list(columns))
    arrow.parquet.write_table(table, os.fspath(path))


def _rows(columns: dict[str, npt.NDArray[np.generic]], path: Path) -> Rows:
    if not columns:
        raise DataError("no columns of inputs", f"in {path}", "expected columns of numbers", "add some")
    return as_floats(np.column_stack(list(columns.values())))


def _numbers(column: pa.ChunkedArray, name: str, path: Path) -> npt.NDArray[np.generic]:
    """One column as numbers, nulls as NaN."""
    types = _pyarrow("read Parquet").types
    kind = column.type
    if types.is_decimal(kind):
        column = column.cast("float64")
    elif not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        first = next((value for value in column.to_pylist() if value is not None), None)
        raise DataError(
            f"{shown(first)} (type {kind}) among numbers",
            f"in {path}, column {name!r}",
            "expected numbers",
            "remove the column or turn it into numbers; only a column named label, target or y may hold text",
        )
    return column.cast("float64").to_numpy() if column.null_count else column.to_numpy()


def _labels(column: pa.ChunkedArray, name: str, path: Path) -> Labels:
    if column.null_count:
        raise DataError(
            f"{column.null_count} of {len(column)} labels are missing",
            f"in {path}, column {name!r}",
            "expected a label in every row",
            "fill them, remove the rows or rename the column",
        )
    return as_labels(np.array(column.to_pylist()), len(column), f"in {path}, column {name!r}")


def _pyarrow(task: str) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise needs("pyarrow", "data", task) from error
    return pyarrow
