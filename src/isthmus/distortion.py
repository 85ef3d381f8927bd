"""How far rows are from what was made of them, in decibels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import DataError


def psnr(X: ArrayLike, X_hat: ArrayLike, peak: float = 1.0) -> float:
    """10 log₁₀(peak² / mean squared difference) of rows and their restorations, in dB; infinite where they are equal.

    Raises
    ------
    DataError
        Where their shapes differ.
    """
    rows, restored = np.asarray(X, dtype=np.float64), np.asarray(X_hat, dtype=np.float64)
    if rows.shape != restored.shape:
        raise DataError(f"rows of shape {rows.shape} and {restored.shape}", "in psnr", "the same shape")
    return decibels(float(np.mean(np.square(rows - restored))), peak)


def decibels(error: float, peak: float = 1.0) -> float:
    """10 log₁₀(peak² / a mean squared error); infinite where there is none."""
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf
