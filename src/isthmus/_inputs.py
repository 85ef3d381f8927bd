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
    """Rows as a dense (N, D) array of float32 or float64, checked against the columns seen in fit unless `reset`."""
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    rows = validate_data(estimator, X, reset=reset, dtype=(np.float64, np.float32), accept_sparse="csr")
    return rows.toarray() if sparse.issparse(rows) else rows


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
