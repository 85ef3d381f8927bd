"""Trainings judged on the same rows: which are held out for all, scores on them, means and spreads over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.parallel import Parallel, delayed

from isthmus.data import Dataset, load_data
from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.populations import fit_together

Array = NDArray[np.floating]
Index = NDArray[np.intp]
Labels = NDArray[np.int64]
T = TypeVar("T")
TEST_SHARE = 0.3
# settings of estimators that learn from every row until their last epoch, where every machine can
TO_THE_END: Mapping[str, Any] = {"validation_fraction": 0.0, "early_stopping": False, "device": "cpu"}
SPLIT_SEED = 20260101  # one for all: seeds vary the weights, never the rows


def hold_out(n: int, name: str) -> tuple[Index, Index]:
    """Numbers of the rows to train on and of the rows to test on: 30 % of n, the same ones every time.

    Raises
    ------
    DataError
        Where there are fewer than two rows; `name` says of what.
    """
    if n < 2:
        raise DataError(f"{n} row", f"in {name}", "at least 2, to train on some and test on others")
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    test, train = np.split(order, [max(1, int(n * TEST_SHARE))])
    return train, test


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on, with their labels where there are any."""

    train: Array
    test: Array
    test_labels: Labels | None = None
    train_labels: Labels | None = None

    def unit(self) -> Split:
        """The same rows over the largest number of those to train on: pixels in [0, 1]."""
        most = self.train.max()
        return replace(self, train=self.train / most, test=self.test / most)

    def first(self, n: int | None) -> Split:
        """With no more than n rows to train on; None, all."""
        labels = None if self.train_labels is None else np.asarray(self.train_labels)[:n]
        return replace(self, train=self.train[:n], train_labels=labels)

    def coded(self, coder: Any) -> Split:
        """The same rows as a fitted transformer codes them, an `Autoencoder` or a PCA."""
        return replace(self, train=coder.transform(self.train), test=coder.transform(self.test))


def split(dataset: Dataset) -> Split:
    """A set's own test rows where it has them, else 30 % of its rows, the same ones every time.

    Raises
    ------
    DataError
        Where there are too few rows.
    """
    X, y = dataset.X, dataset.y
    if dataset.X_test is not None:
        return Split(X, dataset.X_test, dataset.y_test, y)
    train, test = hold_out(len(X), dataset.name)
    return Split(X[train], X[test], None if y is None else y[test], None if y is None else y[train])


def pictures(name: str) -> Split:
    """A named set, split, with pixels in [0, 1]."""
    return split(load_data(name)).unit()


def split_classes(dataset: Dataset, seed: int) -> Split:
    """A set's own test rows where it has them, else 30 % of each class, other rows for every seed.

    Raises
    ------
    DataError
        Where rows have no classes.
    """
    if dataset.y is None:
        raise DataError("rows have no classes", f"in {dataset.name}", "a set with labels")
    if dataset.X_test is not None:
        return Split(dataset.X, dataset.X_test, dataset.y_test, dataset.y)
    parts = train_test_split(dataset.X, dataset.y, test_size=TEST_SHARE, stratify=dataset.y, random_state=seed)
    X, X_test, y, y_test = (np.asarray(part) for part in parts)
    return Split(X, X_test, y_test, y)


def fit_all(
    estimators: Sequence[Any],
    X: Array | Sequence[Array],
    tick: Callable[[int], None] | None = None,
    groups: ArrayLike | None = None,
    y: ArrayLike | Sequence[Array] | None = None,
) -> None:
    """Fit all as one population, or one for each shape; `groups` and answers `y` are for those that need them.

    Raises
    ------
    SettingError, DataError, DivergenceError
        As `Autoencoder.fit`; the first that diverged is raised once all are done.
    """
    for fault in fit_together(estimators, X, tick, groups=groups, y=y):
        if fault is not None:
            raise fault


def scores(ae: Autoencoder, X: Array) -> dict[str, float]:
    """mse a number in input units, and R² against the training mean in scaled units."""
    return {"mse": float(np.mean(np.square(X.astype(np.float64) - ae.reconstruct(X)))), "r2": ae.score(X)}


def seconds(ae: Autoencoder) -> float:
    """What an estimator's epochs took: its share of the time where many were trained at once."""
    return float(sum(row["seconds"] for row in ae.history_))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and sample standard deviation; a single value has a deviation of 0, no value gives NaN."""
    if not len(values):
        return {"mean": float("nan"), "sd": float("nan")}
    if min(values) == max(values):  # no rounding, such as that of equal shares of a population's time
        return {"mean": float(values[0]), "sd": 0.0}
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}


def side_by_side(function: Callable[..., T], tasks: Iterable[Sequence[Any]], n_jobs: int = -1) -> list[T]:
    """What a function of a module makes of each task's arguments, in the tasks' order, each on one core.

    For nets too large for a population to make them quicker. `n_jobs` is scikit-learn's: so many processes, −1 for as
    many as there are cores, 1 for this one. A fault ends it as it would here.
    """
    return list(Parallel(n_jobs)(delayed(function)(*task) for task in tasks))


def surely(values: ArrayLike) -> float:
    """The mean of one number a seed less two standard errors; of a single seed nothing is sure (NaN)."""
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean() - 2 * found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else float("nan")
