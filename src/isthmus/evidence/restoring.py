"""What is left of noise after it was taken off rows: by a net, by rivals that need none, and for who looks rows up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter
from sklearn.neighbors import NearestNeighbors

from isthmus import corruptions
from isthmus._constraints import check, count
from isthmus._spec import Spec
from isthmus.errors import DataError

Array = NDArray[np.floating]
Shape = tuple[int, ...]  # a row's own


def corrupted(corruption: Spec, X: Array, known: Array, shape: Shape, seed: int) -> Array:
    """Rows X, (N, D), corrupted as an autoencoder's would be that was trained on `known` rows, unscaled, (M, D)."""
    low, high = (torch.as_tensor(np.array(column)) for column in (known.min(axis=0), known.max(axis=0)))
    built = corruption.build(corruptions.Columns(low, high, shape))
    rng = torch.Generator()
    rng.manual_seed(seed)
    with torch.no_grad():
        noisy: Array = built(torch.as_tensor(np.array(X)), rng)[0].numpy()
    return noisy


def median(X: Array, shape: Shape, side: int = 3) -> Array:
    """Rows X, (N, D), of channels of signals or images, each number the median of a window of so many a side."""
    window = (1, 1, *[side] * (len(shape) - 1))
    filtered: Array = median_filter(X.reshape(len(X), *shape), size=window).reshape(X.shape)
    return filtered


@dataclass(frozen=True)
class Projection:
    """Rows brought back from noise by the plane of their first principal components, (K, D)."""

    mean: Array
    components: Array

    @classmethod
    def chosen(cls, X: Array, noisy: Array) -> Projection:
        """PCA of rows X, (N, D), with as many components as bring their noisy versions nearest to them."""
        mean = X.mean(axis=0)
        directions = np.linalg.svd(X - mean, full_matrices=False)[2]
        clean, seen = ((rows - mean) @ directions.T for rows in (X, noisy))
        within, beyond = np.square(seen - clean).sum(axis=0), np.square(clean).sum(axis=0)
        error = np.append(0, np.cumsum(within)) + beyond.sum() - np.append(0, np.cumsum(beyond))
        return cls(mean, directions[: max(1, int(np.argmin(error)))])

    def codes(self, X: Array) -> Array:
        found: Array = (X - self.mean) @ self.components.T
        return found

    def restored(self, X: Array) -> Array:
        """Rows X, (N, D), as their projections on the plane."""
        found: Array = self.mean + self.codes(X) @ self.components
        return found


def precision(queries: Array, classes: ArrayLike, rows: Array, row_classes: ArrayLike, k: int = 10) -> float:
    """Precision@k: of the k rows nearest to a query, the share that have its class; mean over queries, (Q, K).

    Raises
    ------
    SettingError, DataError
        Where k is no count, or there are fewer rows.
    """
    check("precision", {"k": k}, {"k": count()})
    if k > len(rows):
        raise DataError(f"{len(rows)} rows to look {k} up in", "in precision", f"at least {k}")
    found = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(queries, return_distance=False)
    return float(np.mean(np.asarray(row_classes)[found] == np.asarray(classes)[:, None]))
