"""As many labelled rows of every class, and what the nearest of them, or a logistic regression, then names rightly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import KNeighborsClassifier

from isthmus._spec import Spec
from isthmus.errors import DataError
from isthmus.evidence.few_labels import accuracy
from isthmus.evidence.restoring import corrupted
from isthmus.trials import Split

Array = NDArray[np.floating]
Index = NDArray[np.intp]


def of_each_class(labels: ArrayLike, most: int, seed: int | Sequence[int]) -> Index:
    """Numbers of `most` rows of every class, (classes, most), in random order: the first columns are a smaller draw.

    Raises
    ------
    DataError
        Where a class has fewer rows.
    """
    y = np.asarray(labels)
    classes, counts = np.unique(y, return_counts=True)
    if not len(y) or not 1 <= most <= counts.min():
        fewest = f"from 1 to {counts.min() if len(y) else 0}, all of the rarest class"
        raise DataError(f"{most} labelled rows a class", "in of_each_class", fewest)
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.flatnonzero(y == one))[:most] for one in classes])


def nearest(Z: Array, labels: ArrayLike, Z_test: Array, test_labels: ArrayLike) -> float:
    """Share of test codes, (M, K), whose nearest code of Z, (N, K), has their label."""
    return float(KNeighborsClassifier(1).fit(Z, labels).score(Z_test, test_labels))


READERS: Mapping[str, Callable[[Array, ArrayLike, Array, ArrayLike], float]] = {"linear": accuracy, "nearest": nearest}


def read(seen: Split, drawn: Sequence[Index], sizes: Sequence[int]) -> Array:
    """Accuracies of each of `READERS` from so many labelled rows of every class, (readers, sizes).

    Means over draws, each as `of_each_class` gives it for the training rows; test rows are judged.
    """
    y, T, t = np.asarray(seen.train_labels), seen.test, np.asarray(seen.test_labels)
    rows = [[one[:, :size].ravel() for size in sizes] for one in drawn]
    readers = READERS.values()
    found = [[[reader(seen.train[few], y[few], T, t) for few in one] for reader in readers] for one in rows]
    return np.mean(found, axis=0)


def augmented(rows: Split, few: Index, corruption: Spec, shape: tuple[int, ...], copies: int, seed: int) -> Array:
    """Accuracies of each of `READERS` from labelled rows and so many corrupted copies of each, (readers,).

    What is known of rows, such as that a moved image shows the same, without any code. Against all copies of a row the
    regression's penalty weighs as much as else against the row.

    Parameters
    ----------
    rows : Split
        Unscaled, of this `shape`.
    few : array of shape (n,)
        Numbers of the labelled training rows.
    corruption : specification of `corruptions`
        As in an autoencoder without scaling.
    """
    own, y = rows.train[few], np.asarray(rows.train_labels)[few]
    changed = corrupted(corruption, np.tile(own, (copies, 1)), rows.train, shape, seed)
    X, labels = np.concatenate([own, changed]), np.tile(y, copies + 1)
    T, t = rows.test, np.asarray(rows.test_labels)
    return np.array([accuracy(X, labels, T, t, 1 / (copies + 1)), nearest(X, labels, T, t)])
