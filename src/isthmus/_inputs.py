"""What users pass as rows and weights, made into dense float arrays or refused in one line."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from isthmus.errors import DataError

Array = NDArray[np.floating]


def read_rows(estimator: BaseEstimator, X: ArrayLike, reset: bool) -> Array:
    """Rows as a dense (N, D) array of float32 or float64, checked against the columns seen in fit unless `reset`.

    Raises
    ------
    DataError
        Where they are not rows of finite numbers, at least one, as wide as in fit.
    """
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    try:
        rows = validate_data(
            estimator, X, reset=reset, dtype=(np.float64, np.float32), accept_sparse="csr", ensure_all_finite=False
        )
    except ValueError as fault:
        if str(fault).startswith("The feature names"):  # a list, in words that scikit-learn's users know
            raise
        raise _refused(fault) from fault
    rows = rows.toarray() if sparse.issparse(rows) else rows
    _check_finite(rows)
    return rows


def _refused(fault: ValueError) -> DataError:
    """scikit-learn's finding in one line."""
    what, _, rest = str(fault).partition("\n")
    hint = "Reshape your data: one row is X.reshape(1, -1), one column X.reshape(-1, 1)" if "Reshape" in rest else ""
    return DataError(what.removesuffix(":"), where="in X", hint=hint)


def _check_finite(X: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        total = X.sum()
    if np.isfinite(total):  # a sum that overflows costs only the search below
        return
    found = np.argwhere(~np.isfinite(X))
    if len(found):
        row, column = found[0]
        kind = "NaN" if np.isnan(X[row, column]) else "infinity"
        raise DataError(
            f"Input X contains {kind}",
            where=f"in row {row}, column {column} of X, counted from 0",
            expected="finite numbers",
            hint="drop or impute such rows first",
        )


def read_tangents(tangents: ArrayLike | None, X: Array) -> Array | None:
    """Directions at each of N rows of D columns, (N, r, D), as float32 or float64.

    Raises
    ------
    DataError
        Where they are not of that shape, r at least 1, or not finite.
    """
    if tangents is None:
        return None
    given = np.asarray(tangents)
    U = np.require(given, None if given.dtype in (np.float32, np.float64) else X.dtype, "W")
    n, columns = X.shape
    if U.ndim != 3 or not U.size or (len(U), U.shape[2]) != (n, columns):
        raise DataError(f"tangents have shape {U.shape}", "in tangents", f"({n}, r, {columns}), r directions a row")
    if not np.isfinite(U.sum(dtype=np.float64)):
        raise DataError("tangents contain NaN or infinity", "in tangents", "finite numbers")
    return U


def read_weights(weight: ArrayLike | None, X: Array) -> Array | None:
    """Row weights with mean 1, (N,), or None where all are alike.

    Raises
    ------
    DataError
        Where they are not N finite numbers ≥ 0 with a positive sum.
    """
    if weight is None:
        return None
    w = np.asarray(weight, dtype=np.float64)
    if w.ndim == 0:
        return None
    if w.shape != (len(X),):
        raise DataError(f"sample_weight has shape {w.shape}", expected=f"({len(X)},), one a row of X")
    if not np.all(np.isfinite(w)) or np.any(w < 0):
        raise DataError("sample_weight has entries that are negative or not finite", expected="numbers >= 0")
    if not np.any(w > 0):
        raise DataError("every weight is zero", where="in sample_weight", expected="at least one positive weight")
    return None if np.all(w == w[0]) else w
