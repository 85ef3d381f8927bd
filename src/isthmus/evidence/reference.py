"""What of the training rows an examination needs: their mean, their PCA, and a sample of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.evidence.structure import structured_directions

Array = NDArray[np.floating]
MOST_ROWS = 2000
TENSORS = ("mean", "components", "counts", "rows")


@dataclass(frozen=True)
class Reference:
    """Training rows in brief, in the scaled units of one fitted autoencoder.

    Attributes
    ----------
    mean : array of shape (D,)
        Mean of the training rows.
    components : array of shape (S, D)
        Principal components, strongest first: at least as many as the code has numbers, where the rows have them.
    n_train : int
        Rows the above were computed from.
    structure : int
        Components with more variance than chance gives (parallel analysis).
    rows : array of shape (R, D)
        At most 2,000 training rows.
    labels : array of shape (R,) or None
        Their classes.
    """

    mean: Array
    components: Array
    n_train: int
    structure: int
    rows: Array
    labels: NDArray[np.generic] | None = None

    @classmethod
    def of(cls, ae: Autoencoder, X_train: ArrayLike, y_train: ArrayLike | None = None) -> Self:
        """Summarise the rows `ae` was trained on, X_train, (N, D), and their classes, (N,), where there are any.

        Raises
        ------
        DataError
            Where there are not as many classes as rows.
        """
        x = ae.scale(X_train)
        labels = as_labels(y_train, len(x), "y_train")
        kept = subset(len(x), MOST_ROWS)
        structure = structured_directions(x[kept])
        size = min(max(ae.module_.code.size, structure), x.shape[1], len(x) - 1)
        return cls(
            mean=x.mean(axis=0, dtype=np.float64),
            components=_components(x, size),
            n_train=len(x),
            structure=structure,
            rows=x[kept],
            labels=None if labels is None else labels[kept],
        )

    @property
    def rank(self) -> int:
        """Numbers a row with which PCA loses nothing of the training rows."""
        return min(len(self.mean), self.n_train - 1)

    def pca(self, x: Array, size: int) -> Array:
        """Rows x, (N, D), as PCA of `size` components reconstructs them."""
        return self.mean + self.project(x, size) @ self.components[:size]

    def project(self, x: Array, size: int) -> Array:
        """PCA's code of rows x, (N, size)."""
        return (x - self.mean) @ self.components[:size].T

    def to_tensors(self) -> dict[str, Tensor]:
        """Everything as tensors, for a safetensors file. Labels that are not whole numbers are left out."""
        arrays = {
            "mean": self.mean,
            "components": self.components,
            "counts": np.array([self.n_train, self.structure]),
            "rows": self.rows,
        }
        if self.labels is not None and self.labels.dtype.kind in "biu":
            arrays["labels"] = self.labels.astype(np.int64)
        return {name: torch.as_tensor(np.ascontiguousarray(array)) for name, array in arrays.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The inverse of `to_tensors`.

        Raises
        ------
        DataError
            Where a tensor is missing.
        """
        missing = [name for name in TENSORS if name not in tensors]
        if missing:
            raise DataError(
                f"no tensor {missing[0]!r}", where="in the reference", expected=", ".join(TENSORS), hint="train again"
            )
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        n_train, structure = (int(count) for count in arrays["counts"])
        return cls(arrays["mean"], arrays["components"], n_train, structure, arrays["rows"], arrays.get("labels"))


def as_labels(y: ArrayLike | None, n: int, where: str) -> NDArray[np.generic] | None:
    """Classes as an array, (N,), or None.

    Raises
    ------
    DataError
        Where their number is not n.
    """
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise DataError(f"labels of shape {labels.shape}", where=f"in {where}", expected=f"({n},), one a row")
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        raise DataError(
            "labels that are not whole numbers", where=f"in {where}", expected="classes", hint="leave them out"
        )
    return labels


def subset(n: int, most: int, seed: int = 0) -> NDArray[np.intp]:
    """Numbers of at most `most` of n rows, in order, the same every time."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, n]).choice(n, most, replace=False))


def _components(x: Array, size: int) -> Array:
    if size < 1:
        return np.zeros((0, x.shape[1]), dtype=x.dtype)
    components: Array = PCA(size, random_state=0).fit(x).components_
    return components
