"""Clusters beside the classes of the same rows: how well they agree, and which cluster stands for which class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score

from isthmus.errors import DataError

Array = NDArray[np.floating]
Labels = NDArray[np.generic]
STARTS = 10  # of k-means, the best of which counts


@dataclass(frozen=True)
class Agreement:
    """Clusters that were found of rows whose classes are known to the judge alone.

    Attributes
    ----------
    classes, clusters : arrays of shape (N,)
        Any labels; those of clusters need not be those of classes.
    """

    classes: Labels
    clusters: Labels

    def __post_init__(self) -> None:
        if np.ndim(self.classes) != 1 or np.shape(self.classes) != np.shape(self.clusters) or not len(self.classes):
            raise DataError(
                f"classes of shape {np.shape(self.classes)} and clusters of shape {np.shape(self.clusters)}",
                "in Agreement",
                "expected (N,) both, N >= 1",
            )

    @property
    def ari(self) -> float:
        """Adjusted Rand index: 1 where the two divide the rows alike, 0 on average by chance (Hubert & Arabie 1985)."""
        return float(adjusted_rand_score(self.classes, self.clusters))

    @property
    def table(self) -> NDArray[np.int64]:
        """Rows of each class, in order, in each cluster, (classes, clusters).

        Clusters stand in the order of the classes that they are matched to, one to one so that most rows agree (Kuhn
        1955); those without a class come last.
        """
        counts = self._counts()
        matched, clusters = linear_sum_assignment(counts, maximize=True)
        rest = np.setdiff1d(np.arange(counts.shape[1]), clusters)
        order = np.argsort(matched)
        return counts[:, [*clusters[order], *rest]]

    @property
    def accuracy(self) -> float:
        """Share of the rows that lie in the cluster which their class is matched to."""
        counts = self._counts()
        return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())

    @property
    def agrees(self) -> NDArray[np.bool_]:
        """Which rows lie in the cluster that their class is matched to, (N,)."""
        counts = self._counts()
        pair = np.zeros(counts.shape, dtype=bool)
        pair[linear_sum_assignment(counts, maximize=True)] = True
        y, found = self._numbered()
        agrees: NDArray[np.bool_] = pair[y, found]
        return agrees

    def _numbered(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        y, found = (np.unique(one, return_inverse=True)[1] for one in (self.classes, self.clusters))
        return y, found

    def _counts(self) -> NDArray[np.int64]:
        y, found = self._numbered()
        counts = np.zeros((y.max() + 1, found.max() + 1), dtype=np.int64)
        np.add.at(counts, (y, found), 1)
        return counts


def kmeans(train: Array, test: Array, clusters: int, seed: int) -> NDArray[np.int32]:
    """The number of the centre nearest to each test row, (M,); centres by k-means on training rows, (N, K)."""
    fitted = KMeans(clusters, n_init=STARTS, random_state=seed).fit(train)
    found: NDArray[np.int32] = fitted.predict(test)
    return found


def plane(rows: Array) -> Array:
    """Rows, (N, K), in a plane, (N, 2), where near ones stay near: t-SNE, the same every time (van der Maaten 2008).

    Neither classes nor clusters go into it. How far apart groups are drawn means nothing.
    """
    perplexity = min(30.0, (len(rows) - 1) / 3)
    laid: Array = TSNE(2, perplexity=perplexity, max_iter=500, init="pca", random_state=0).fit_transform(rows)
    return laid
