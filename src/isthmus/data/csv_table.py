"""A csv file as a table: delimiter and header are detected, every fault is named by its line."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from isthmus.data.arrays import as_labels
from isthmus.data.checks import check_finite, column_name, shown
from isthmus.data.dataset import Dataset, Labels
from isthmus.data.reading import reading
from isthmus.errors import DataError

LABELS = ("label", "target", "y")  # columns of these names, in any case, are labels and never fed to an encoder
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
_DELIMITERS = "\t;,"  # the first one that the first line holds: a decimal comma must not win over a semicolon

Line = tuple[int, list[str]]  # its number in the file, counted from 1, and its cells


def read_csv(path: Path) -> Dataset:
    """Read a numeric table from UTF-8 text.

    Commas, semicolons or tabs separate, a first line of names is taken as the header, blank lines are skipped. A
    column named `label`, `target` or `y` becomes `y`: whole numbers stay, text is numbered in sorted order.

    Returns
    -------
    Dataset
        `X` float64 of shape (N, D).

    Raises
    ------
    DataError
        No rows, ragged rows, text among the numbers, missing or infinite values (each with line and column), bytes
        that are not UTF-8, quotes that do not close.
    """
    with reading(path, "a csv file"), path.open(encoding="utf-8-sig", newline="") as file:
        lines = _lines(file, path)
        head = list(islice(lines, 2))
        if not head:
            raise _no_rows(path)
        header = _is_header(*(cells for _, cells in head))
        columns = _columns(path, head[0][1], header)
        for number, cells in chain(head[header:], lines):
            columns.add(number, cells)
    return _dataset(columns)


@dataclass
class _Columns:
    """What is known of the columns, and the values read so far."""

    path: Path
    width: int
    names: tuple[str, ...] | None
    label: int | None
    values: array[float] = field(default_factory=lambda: array("d"))
    labels: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))

    def add(self, number: int, cells: list[str]) -> None:
        if len(cells) != self.width:
            raise _ragged(self.path, number, len(cells), self.width)
        if self.label is not None:
            self.labels.append(cells.pop(self.label).strip())
        self.lines.append(number)
        try:
            self.values.fromlist(list(map(float, cells)))
        except ValueError:
            self.values.fromlist([self._number(cell, number, i) for i, cell in enumerate(cells)])

    def _number(self, cell: str, number: int, column: int) -> float:
        if cell.strip().lower() in _MISSING:
            return float("nan")
        try:
            return float(cell)
        except ValueError as error:
            raise self._text(cell, number, column) from error

    def _text(self, cell: str, number: int, column: int) -> DataError:
        decimal_comma = cell.count(",") == 1 and _is_number(cell.replace(",", "."))
        return DataError(
            f"text {shown(cell)} among numbers",
            f"in {self.path}, line {number}, {column_name(self.inputs, column)}",
            "expected a number",
            "write decimals with a point"
            if decimal_comma
            else "remove the column or turn it into numbers; only a column named label, target or y may hold text",
        )

    @property
    def inputs(self) -> tuple[str, ...] | None:
        """The names of the columns that are not labels."""
        if self.names is None:
            return None
        return tuple(name for i, name in enumerate(self.names) if i != self.label)


def _dataset(columns: _Columns) -> Dataset:
    path, lines = columns.path, columns.lines
    if not lines:
        raise _no_rows(path)
    n_inputs = columns.width - (columns.label is not None)
    if n_inputs == 0:
        raise DataError(
            "no columns but the labels", f"in {path}", "expected columns of numbers beside them", "add some"
        )
    X = np.frombuffer(columns.values, dtype=np.float64).reshape(len(lines), n_inputs)
    check_finite(X, columns.inputs, str(path), row_name=lambda row: f"line {lines[row]}")
    y = None
    if columns.names is not None and columns.label is not None:
        y = _labels(columns, columns.names[columns.label])
    return Dataset(path.stem, X, y, columns.inputs, source=str(path))


def _labels(columns: _Columns, name: str) -> Labels:
    for number, label in zip(columns.lines, columns.labels, strict=True):
        if label.lower() in _MISSING:
            raise DataError(
                "a label is missing",
                f"in {columns.path}, line {number}, column {name!r}",
                "expected a label in every row",
                "fill it, remove the row or rename the column",
            )
    values = np.array(columns.labels)
    if all(map(_is_number, columns.labels)):
        values = values.astype(np.float64)
    return as_labels(
        values, len(values), f"in {columns.path}, column {name!r}", lambda row: f"line {columns.lines[row]}"
    )


def _lines(file: TextIO, path: Path) -> Iterator[Line]:
    """The lines that hold anything, each with its number."""
    reader = csv.reader(())
    try:
        reader = csv.reader(file, delimiter=_delimiter(file), strict=True)
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield reader.line_num, cells
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{error.object[error.start]:02x} is not UTF-8 text",
            f"in {path}",
            "expected a csv file",
            "save it as csv in UTF-8",
        ) from error
    except csv.Error as error:
        raise DataError(
            f"malformed csv ({error})",
            f"in {path}, line {reader.line_num}",
            "expected quotes that close, and quotes inside them doubled",
            "mend the line",
        ) from error


def _columns(path: Path, first: Sequence[str], header: bool) -> _Columns:
    if not header:
        return _Columns(path, len(first), None, None)
    names = tuple(cell.strip() or f"unnamed {i}" for i, cell in enumerate(first))
    return _Columns(path, len(first), names, label_column(names, path))


def label_column(names: Sequence[str], path: Path) -> int | None:
    """Which column holds the labels, if one does."""
    found = [i for i, name in enumerate(names) if name.lower() in LABELS]
    if len(found) > 1:
        raise DataError(
            f"{len(found)} columns of labels ({', '.join(repr(names[i]) for i in found)})",
            f"in {path}",
            "expected at most one column named label, target or y",
            "rename or remove the others",
        )
    return found[0] if found else None


def _is_header(first: Sequence[str], second: Sequence[str] = ()) -> bool:
    """Whether the first line names the columns.

    It does if it is all text, if its numbers only count the columns (0, 1, 2, …), or if most of it is text and some
    of that stands over numbers; a line of numbers with a slip in it must not be lost as a header.
    """
    named = [cell for cell in first if cell.strip()]
    text = [cell for cell in named if _is_text(cell)]
    if _counts([cell for cell in named if not _is_text(cell)]):
        return True
    over_numbers = any(_is_text(a) and not _is_text(b) for a, b in zip(first, second, strict=False))
    mostly = 2 * len(text) >= len(first) or any(cell.strip().lower() in LABELS for cell in text)
    return bool(text) and (len(text) == len(named) or (over_numbers and mostly))


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells read 0, 1, 2, … or 1, 2, 3, …; three at least, for two may be data."""
    return len(cells) > 2 and any(list(cells) == [str(i) for i in range(start, start + len(cells))] for start in (0, 1))


def _is_text(cell: str) -> bool:
    return cell.strip().lower() not in _MISSING and not _is_number(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _delimiter(file: TextIO) -> str:
    first = next((line for line in file if line.strip()), "")
    file.seek(0)
    return next((mark for mark in _DELIMITERS if mark in first), ",")


def _ragged(path: Path, number: int, found: int, expected: int) -> DataError:
    return DataError(
        f"{found} fields",
        f"in {path}, line {number}",
        f"expected {expected}, as in the first line",
        "give every line the same number of fields",
    )


def _no_rows(path: Path) -> DataError:
    return DataError("no rows", f"in {path}", "expected at least one row of numbers", "check how the file was made")
