"""Every kind and PCA on the same split of the same data, over several seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data import Dataset
from isthmus.errors import DataError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.evidence import Reference, examine_with
from isthmus.plain import plain
from isthmus.runs.examining import scores
from isthmus.runs.settings import build, find_kind, own_arguments
from isthmus.zoo import KINDS

Array = NDArray[np.floating]
Tick = Callable[[str], None]  # called with a kind's name when one of its seeds is done
TEST_SHARE = 0.3
SPLIT_SEED = 20260101  # one for all: seeds vary the weights, never the rows
SHOWN = 10  # rows drawn beside their reconstructions
MAPPED = 1000  # rows drawn on a map of the code


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on, with the labels of the latter."""

    train: Array
    test: Array
    test_labels: NDArray[np.int64] | None = None


@dataclass
class Comparison:
    """What `compare` found: `result` as `isthmus compare --json` prints it, `pictures` for the report."""

    result: dict[str, Any]
    pictures: dict[str, Any] = field(default_factory=dict)


def split(dataset: Dataset) -> Split:
    """A set's own test rows where it has them, else 30 % of its rows, the same ones every time.

    Raises
    ------
    DataError
        Where there are too few rows.
    """
    if dataset.X_test is not None:
        return Split(dataset.X, dataset.X_test, dataset.y_test)
    n = len(dataset.X)
    if n < 2:
        raise DataError(f"{n} row", f"in {dataset.name}", "at least 2, to train on some and test on others")
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    test, train = np.split(order, [max(1, int(n * TEST_SHARE))])
    return Split(dataset.X[train], dataset.X[test], None if dataset.y is None else dataset.y[test])


def choose_kinds(text: str) -> list[str]:
    """Names of kinds from "all" or "sparse,topk".

    Raises
    ------
    SettingError
        Where one does not exist.
    """
    names = list(KINDS) if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        find_kind(name)
    if not names:
        raise SettingError("no kinds", "in --kinds", "all, or names such as sparse,topk")
    return list(dict.fromkeys(names))


def compare(
    dataset: Dataset,
    kinds: Sequence[str],
    code_size: int,
    seeds: int,
    settings: Mapping[str, Any] | None = None,
    tick: Tick = lambda kind: None,
) -> Comparison:
    """Train each kind with each seed and score it on the test rows.

    Parameters
    ----------
    seeds : int
        Seeds 0 to seeds − 1 choose the first weights and the order of the rows.
    settings : mapping
        The estimator's parameters, by dotted name, for every kind.

    Raises
    ------
    SettingError, DataError, DivergenceError
        As `Autoencoder.fit`.
    """
    if seeds < 1:
        raise SettingError(f"seeds must be a whole number >= 1; got {seeds}", "in compare")
    estimators = [estimator(kind, dataset, code_size, 0, settings) for kind in kinds]  # refuses before it trains
    rows = split(dataset)
    comparison = Comparison({"data": dataset.name, "code_size": code_size, "rows": []}, _pictures(dataset, rows))
    for kind in kinds:
        fitted, seconds = [], []
        for seed in range(seeds):
            began = time.perf_counter()
            fitted.append(estimator(kind, dataset, code_size, seed, settings).fit(rows.train))
            seconds.append(time.perf_counter() - began)
            tick(kind)
        _note(comparison, kind, fitted, seconds, rows)
    _note_pca(comparison, fitted[0], code_size, seeds, rows)
    comparison.result |= {"n_train": len(rows.train), "n_test": len(rows.test)}
    del estimators
    return comparison
