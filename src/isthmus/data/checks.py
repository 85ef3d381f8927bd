"""What no table may be, whoever made it: empty, not finite, or constant throughout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from isthmus.errors import DataError

_SHOWN = 40  # characters of a value that a message quotes


def check_table(
    X: npt.NDArray[np.generic],
    feature_names: Sequence[str] | None = None,
    source: str = "the data",
    *,
    constant_ok: bool = False,
) -> None:
    """Refuse a table that nothing can be learned from.

    Parameters
    ----------
    X : array of shape (N, D)
        The table.
    feature_names : sequence of str, optional
        Names of the D columns, for the message; columns are counted from 0 without them.
    source : str
        What the message calls the table: a path, a named set.
    constant_ok : bool
        Accept a table whose every column is constant (rows to transform rather than to learn from). A table of a
        single row is always accepted.

    Raises
    ------
    DataError
        Not numbers, not 2-D, no rows, no columns, NaN or infinity, every column constant.
    """
    check_type(X.dtype, f"in {source}")
    check_shape(X.shape, f"in {source}")
    check_finite(X, feature_names, source)
    if not constant_ok and len(X) > 1 and _is_constant(X):
        raise DataError(
            "every column is constant",
            f"in {source}",
            "expected at least one column that varies",
            "check that this is the right file and the right columns",
        )


def _is_constant(table: npt.NDArray[np.generic]) -> bool:
    return bool((table == table[:1]).all())


def check_type(dtype: np.dtype[np.generic], where: str) -> None:
    """Accept real numbers and booleans."""
    if dtype.kind not in "biuf":
        raise DataError(
            f"values of type {_type_name(dtype)}",
            where,
            "expected real numbers",
            "convert them to numbers (float32 or float64) and save again",
        )


def check_shape(shape: tuple[int, ...], where: str) -> None:
    """Accept (N, D) with N, D ≥ 1."""
    if len(shape) < 2:
        raise one_dimensional(shape, where)
    if len(shape) > 2:
        raise DataError(f"an array of shape {shape}", where, "expected a 2-D table", "flatten each example to one row")
    if shape[0] == 0:
        raise DataError("no rows", where, "expected at least one row of numbers", "check how the file was made")
    if shape[1] == 0:
        raise DataError("no columns", where, "expected at least one column of numbers", "check how the file was made")


def one_dimensional(shape: tuple[int, ...], where: str) -> DataError:
    return DataError(
        f"a {len(shape)}-D array of shape {shape}",
        where,
        "expected a 2-D table, one row per example",
        "reshape it: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row, windows for a signal",
    )


def counted_row(row: int) -> str:
    return f"row {row} (counted from 0)"


def check_finite(
    X: npt.NDArray[np.generic],
    feature_names: Sequence[str] | None,
    source: str,
    row_name: Callable[[int], str] = counted_row,
) -> None:
    """Refuse NaN and infinity: how many there are, and where the first one stands."""
    # The extremes of a column are finite only if all of it is: no array of the table's size is needed to say yes.
    if np.isfinite(X.min(axis=0)).all() and np.isfinite(X.max(axis=0)).all():
        return
    nans, infinities = int(np.isnan(X).sum()), int(np.isinf(X).sum())
    row, column = (int(index) for index in np.argwhere(~np.isfinite(X))[0])
    raise DataError(
        f"{_counted(nans, infinities)} among {X.size} values",
        f"in {source}, first at {row_name(row)}, {column_name(feature_names, column)}",
        "expected finite numbers",
        "fill them (scikit-learn's SimpleImputer does) or drop those rows or columns",
    )


def column_name(feature_names: Sequence[str] | None, column: int) -> str:
    return f"column {column} (counted from 0)" if feature_names is None else f"column {feature_names[column]!r}"


def shown(value: object) -> str:
    """A value as a message quotes it: on one line, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _counted(nans: int, infinities: int) -> str:
    counts = [(nans, "missing (NaN)"), (infinities, "infinite")]
    return " and ".join(f"{count} {noun}" for count, noun in counts if count)


def _type_name(dtype: np.dtype[np.generic]) -> str:
    names = {"O": "Python object", "U": "text", "S": "bytes", "c": "complex number", "M": "date", "m": "time span"}
    return names.get(dtype.kind, str(dtype))
