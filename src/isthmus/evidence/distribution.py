"""Are the test rows like the training rows? A classifier two-sample test, and each column on its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from isthmus.evidence.intervals import of_halves
from isthmus.evidence.reference import subset
from isthmus.evidence.subject import Subject

Array = NDArray[np.floating]
MOST_ROWS = 1000
NEIGHBOURS = 10
MOST_AXES = 100
CHANCE = 1e-3  # how often, over all columns, a column may look shifted by chance


def distribution(subject: Subject) -> dict[str, object]:
    """How well training rows can be told from test rows (AUC, 0.5 = not at all; Lopez-Paz & Oquab 2017).

    `separation` is 2·AUC − 1 less what chance gives for so few rows.
    """
    reference = subject.reference
    if reference is None or min(len(reference.rows), len(subject.x)) < 10:
        return {"auc": None, "separation": None, "column_shift": None, "worst_column": None}
    train = reference.rows[subset(len(reference.rows), MOST_ROWS)]
    test = subject.x[subset(len(subject.x), MOST_ROWS)]
    side = np.repeat([0, 1], [len(train), len(test)])
    scores = max(two_sample_scores(train, test), key=lambda s: roc_auc_score(side, s))
    auc = of_halves(len(side), lambda rows: _auc(side[rows], scores[rows]))
    chance = 2.5 * np.sqrt((len(side) + 1) / (12 * len(train) * len(test)))  # standard deviations of a chance AUC
    shift, column = column_shift(train, test)
    return {
        "auc": auc,
        "separation": max(0.0, 2 * (auc.value - 0.5 - float(chance))),
        "column_shift": shift,
        "worst_column": column,
    }


def two_sample_scores(train: Array, test: Array) -> list[Array]:
    """For each row of both samples, how much it looks like a test row, by two judges that never saw it.

    A linear discriminant on the columns and their squares (of wide rows: on their principal axes) sees shifts and
    scales; the share of test rows among a row's neighbours sees what remains, such as turned axes.
    """
    rows = np.concatenate([train, test]).astype(np.float64)
    rows = rows / np.maximum(np.abs(rows).max(), 1e-300)  # so that squares of rows in other units stay finite
    side = np.repeat([0, 1], [len(train), len(test)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    few = rows if rows.shape[1] <= MOST_AXES else PCA(MOST_AXES, random_state=0).fit_transform(rows)
    both = np.hstack([few, np.square(few - few[side == 0].mean(axis=0))])
    moving = both[:, both.std(axis=0) > 1e-12]
    linear = cross_val_predict(judge, moving / moving.std(axis=0), side, cv=folds, method="decision_function")
    k = min(NEIGHBOURS, len(side) - 1)
    nearest = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)
    weight = np.where(side == 1, 1 / len(test), 1 / len(train))[nearest]
    return [linear, (weight * side[nearest]).sum(axis=1) / weight.sum(axis=1)]


def column_shift(train: Array, test: Array) -> tuple[float, int]:
    """The greatest Kolmogorov–Smirnov distance of a column beyond chance (0: none), and which column it is."""
    found = [ks_2samp(a, b, method="asymp") for a, b in zip(train.T, test.T, strict=True)]
    distances = np.array([f.statistic if f.pvalue * len(found) < CHANCE else 0.0 for f in found])
    worst = int(distances.argmax())
    return float(distances[worst]), worst


def _auc(side: NDArray[np.intp], scores: Array) -> float:
    return float(roc_auc_score(side, scores)) if 0 < side.sum() < len(side) else 0.5
