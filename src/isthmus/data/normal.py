"""Normal rows whose distribution is known: a planted spectrum, or few causes with noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def planted(n: int, variances: ArrayLike, rng: np.random.Generator) -> Array:
    """Centred normal rows (n, D) whose sample covariance has exactly the given eigenvalues, in random directions."""
    spectrum = np.asarray(variances, dtype=np.float64)
    axes = np.linalg.qr(rng.normal(size=(len(spectrum), len(spectrum))))[0]
    Z = rng.normal(size=(n, len(spectrum)))
    Z = np.linalg.qr(Z - Z.mean(axis=0))[0] * np.sqrt(n)
    X: Array = (Z * np.sqrt(spectrum)) @ axes.T
    return X


def caused(n: int, causes: int, columns: int, noise: float, rng: np.random.Generator) -> Array:
    """Rows V z + s ε, (n, columns), with z ~ N(0, I) of so many causes, s the noise, and V of normal entries."""
    X: Array = rng.normal(size=(n, causes)) @ rng.normal(size=(causes, columns)) + noise * rng.normal(size=(n, columns))
    return X
