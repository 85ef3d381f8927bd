"""What a linear decoder shares with PCA: the subspace, and under L2 the directions and the eigenvalues (Kunin 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Principal:
    """PCA of the rows: eigenvalues of the covariance, (K,), directions, (D, K), and squared error a row."""

    eigenvalues: Array
    directions: Array
    error: float


@dataclass(frozen=True)
class Decoders:
    """PCA, and the matrices V, (D, K), of linear decoders without L2 and with it.

    `error` is the squared error a row without L2; `strength` is the λ of λ(‖W‖² + ‖V‖²) beside ½‖x − x̂‖².
    """

    principal: Principal
    plain: Array
    l2: Array
    error: float
    strength: float

    @property
    def cosine(self) -> float:
        """Of the largest principal angle between the columns of V and PCA's directions."""
        return float(np.cos(subspace_angles(self.plain, self.principal.directions).max()))

    @property
    def column_cosine(self) -> float:
        """The largest |cosine| of two columns of V."""
        unit = self.plain / np.linalg.norm(self.plain, axis=0)
        return float(np.abs(unit.T @ unit - np.eye(unit.shape[1])).max())

    @property
    def recovered(self) -> Array:
        """Eigenvalues from the singular values of V under L2, largest first."""
        singular = np.linalg.svd(self.l2, compute_uv=False)
        return 2 * self.strength / np.maximum(1 - np.square(singular), 1e-12)

    @property
    def eigenvalue_error(self) -> float:
        """The largest relative error of a recovered eigenvalue."""
        return float(np.max(np.abs(self.recovered / self.principal.eigenvalues - 1)))

    def direction_cosines(self, V: Array) -> Array:
        """|cosine| of each left singular vector of V with the principal direction of its rank, (K,)."""
        left = np.linalg.svd(V, full_matrices=False)[0]
        return np.abs(np.sum(left * self.principal.directions, axis=0))


def principal(X: Array, K: int) -> Principal:
    """PCA of centred rows X, (N, D), with K directions."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    return Principal(values[::-1][:K], vectors[:, ::-1][:, :K], float(values[:-K].sum()))
