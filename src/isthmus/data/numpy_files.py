"""NumPy's files: one array (npy) or several by name (npz). Nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.data.arrays import as_labels, as_rows
from isthmus.data.dataset import Dataset, Labels, Rows
from isthmus.data.reading import reading
from isthmus.errors import DataError

# What a npz file may call its parts: the first name of each row that the file holds is taken.
_ROWS = ("X", "x", "data", "X_train", "x_train")
_LABELS = ("y", "label", "labels", "target", "y_train")
_TEST_ROWS = ("X_test", "x_test")
_TEST_LABELS = ("y_test",)
_SPARSE = {"format", "shape", "data"}  # scipy.sparse.save_npz writes these into every file

Arrays = Mapping[str, npt.NDArray[np.generic]]


def read_numpy(path: Path) -> Dataset:
    """Read a npy or npz file, whichever its bytes say.

    A npz holds the rows as `X`, `x` or `data`, or is of a single array; `y` (labels), `X_test` and `y_test` may stand
    beside. A sparse matrix of scipy is made dense. Arrays of three axes and more are images, see `as_rows`.

    Raises
    ------
    DataError
        Not NumPy's, truncated, holds Python objects or text, has no array that is called like the rows.
    """
    faults = (ValueError, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error)
    with reading(path, "a NumPy file", *faults), path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            return _dataset(path, loaded, f"in {path}") if isinstance(loaded, np.ndarray) else _from_npz(loaded, path)
        except ValueError as error:
            if "Object arrays" in str(error):
                raise _objects(path) from error
            raise


def _from_npz(arrays: Arrays, path: Path) -> Dataset:
    if set(arrays) >= _SPARSE:
        from scipy import sparse

        return _dataset(path, sparse.load_npz(path).toarray(), f"in {path}")
    rows = _rows_key(arrays, path)
    dataset = _dataset(path, arrays[rows], f"in {path}, array {rows!r}")
    test = _test_rows(arrays, dataset.X.shape[1], path)
    return replace(
        dataset,
        y=_labels(arrays, _LABELS, len(dataset.X), path),
        X_test=test,
        y_test=None if test is None else _labels(arrays, _TEST_LABELS, len(test), path),
    )


def _dataset(path: Path, array: npt.NDArray[np.generic], where: str) -> Dataset:
    X, input_shape = as_rows(array, where)
    return Dataset(path.stem, X, input_shape=input_shape, source=str(path))


def _rows_key(arrays: Arrays, path: Path) -> str:
    found = _first(arrays, _ROWS)
    if found is None and len(arrays) == 1:
        found = next(iter(arrays))
    if found is None:
        raise DataError(
            f"arrays named {', '.join(map(repr, arrays))}" if arrays else "no arrays",
            f"in {path}",
            "expected the rows under 'X' (labels, if any, under 'y')",
            "save again with numpy.savez(path, X=…, y=…)",
        )
    return found


def _test_rows(arrays: Arrays, width: int, path: Path) -> Rows | None:
    key = _first(arrays, _TEST_ROWS)
    if key is None:
        return None
    rows, _ = as_rows(arrays[key], f"in {path}, array {key!r}")
    if rows.shape[1] != width:
        raise DataError(
            f"test rows of {rows.shape[1]} columns",
            f"in {path}",
            f"expected {width}, as the other rows have",
            "save both from one table",
        )
    return rows


def _labels(arrays: Arrays, names: tuple[str, ...], n_rows: int, path: Path) -> Labels | None:
    key = _first(arrays, names)
    return None if key is None else as_labels(arrays[key], n_rows, f"in {path}, array {key!r}")


def _first(arrays: Arrays, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in arrays), None)


def _objects(path: Path) -> DataError:
    return DataError(
        "Python objects",
        f"in {path}",
        "expected numbers; objects are never unpickled",
        "convert the array with .astype(float) and save it again",
    )
