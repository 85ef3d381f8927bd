"""What simple readers make of the code, beside the raw rows, PCA, and the same encoder untrained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from isthmus.evidence.intervals import Estimate, of_halves, of_mean, of_means
from isthmus.evidence.reconstruction import r_squared
from isthmus.evidence.subject import Subject, squared
from isthmus.inference import batched

Array = NDArray[np.floating]
Labels = NDArray[np.generic]
NEIGHBOURS = 5
FOLDS = 5
LEAST_ROWS = 12


@dataclass(frozen=True)
class View:
    """One way to see the rows: test rows, (n, M), and the training rows at hand, (R, M), if any."""

    test: Array
    train: Array | None = None


def probes(subject: Subject) -> dict[str, object]:
    """Accuracies of k-NN and linear probes and the clustering's ARI, where there are labels; linear readability always.

    `readable` is the R² with which a ridge regression on the code predicts the scaled row; its gain over the untrained
    encoder says what training added. A wide random code that already gives 0.95 holds all there is: then its gain is
    None, and only a probe's certain gain is told.
    """
    views = all_views(subject)
    found: dict[str, object] = {"rows": len(subject.some), "classes": None, "untrained_gain": None}
    found |= _readability(subject, views)
    if subject.y is not None:
        found |= _labelled(views, subject)
    return found | _gain(found)


def _gain(found: dict[str, object]) -> dict[str, object]:
    """The best gain over the untrained encoder: what counts is whether training added anything a reader can find."""
    gains = [
        g for g in (found.get(f"{name}_gain") for name in ("readable", "knn", "linear")) if isinstance(g, Estimate)
    ]
    sure = [g for g in gains if g.low is not None and g.low > 0]
    if not gains or (found["readable_gain"] is None and not sure):
        return {"untrained_gain": None}
    best = max(sure, key=_low) if sure else max(gains, key=_high)
    return {"untrained_gain": best, "untrained_loss": -_high(best), "untrained_doubt": -_low(best)}


def _low(gain: Estimate) -> float:
    return gain.value if gain.low is None else gain.low


def _high(gain: Estimate) -> float:
    return gain.value if gain.high is None else gain.high


def all_views(subject: Subject) -> dict[str, View]:
    rows, reference = subject.some, subject.reference
    module = subject.ae.untrained().module_
    x, train = subject.x[rows], None if reference is None else reference.rows
    views = {
        "code": View(subject.z[rows], subject.reference_z),
        "raw": View(x, train),
        "untrained": View(
            batched(module, module.encode, x), None if train is None else batched(module, module.encode, train)
        ),
    }
    if reference is not None:
        size = min(subject.spent, len(reference.components))
        if size > 0:
            views["pca"] = View(reference.project(x, size), reference.project(reference.rows, size))
    return views


def _readability(subject: Subject, views: dict[str, View]) -> dict[str, object]:
    x = subject.x[subject.some]
    train = None if subject.reference is None else subject.reference.rows
    if len(x) < LEAST_ROWS:
        return {"readable": None, "readable_untrained": None, "readable_gain": None}
    spread = squared(x - subject.ae.mean_)
    error = {name: reading_error(views[name], x, train) for name in ("code", "untrained")}
    untrained = r_squared(error["untrained"], spread)
    three = np.column_stack([error["code"], error["untrained"], spread])
    gain = of_means(three, lambda m: (m[..., 1] - m[..., 0]) / m[..., 2])
    return {
        "readable": r_squared(error["code"], spread),
        "readable_untrained": untrained,
        "readable_gain": None if untrained.value > 0.95 else gain,
    }


def reading_error(view: View, x: Array, train: Array | None) -> Array:
    """Squared error of rows x, (n, D), read linearly from codes, (n,): learned on training rows, else by halves."""
    if view.train is not None and train is not None and len(train) >= LEAST_ROWS:
        return squared(x - _ridge(view.train, train, view.test))
    half = np.arange(len(x)) % 2 == 0
    error = np.empty(len(x))
    for learn in (half, ~half):
        error[~learn] = squared(x[~learn] - _ridge(view.test[learn], x[learn], view.test[~learn]))
    return error


def _ridge(codes: Array, rows: Array, new: Array) -> Array:
    centre, scale = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-6 * max(float(scale.max()), 1e-30), scale, np.inf)
    reader = Ridge(alpha=1e-3 * len(codes), solver="cholesky").fit((codes - centre) / scale, rows.astype(np.float64))
    read: Array = reader.predict((new - centre) / scale)
    return read.reshape(len(new), -1)


def _labelled(views: dict[str, View], subject: Subject) -> dict[str, object]:
    y = subject.classes
    classes, counts = np.unique(y, return_counts=True)
    found: dict[str, object] = {"classes": len(classes)}
    if len(classes) < 2 or counts.min() < 2 or len(y) < LEAST_ROWS:
        return found
    labels = None if subject.reference is None else subject.reference.labels
    right = {
        (reader, name): probe(PROBES[reader], view, y, labels) for reader in PROBES for name, view in views.items()
    }
    for (reader, name), hits in right.items():
        found[reader if name == "code" else f"{reader}_{name}"] = of_mean(hits.astype(float))
    for reader in PROBES:
        found[f"{reader}_gain"] = of_mean(right[reader, "code"].astype(float) - right[reader, "untrained"])
    found |= {f"ari_{name}" if name != "code" else "ari": clustering(view.test, y) for name, view in views.items()}
    return found


PROBES: dict[str, ClassifierMixin] = {
    "knn": KNeighborsClassifier(NEIGHBOURS),
    "linear": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
}


def probe(reader: ClassifierMixin, view: View, y: Labels, train_labels: Labels | None = None) -> NDArray[np.bool_]:
    """Which test rows a probe gets right that never saw them, (n,): the same folds for every view.

    Labelled training rows, where there are any, are learned from in every fold.
    """
    right = np.zeros(len(y), dtype=bool)
    more = view.train if train_labels is not None else None
    splits = min(FOLDS, int(np.unique(y, return_counts=True)[1].min()))
    columns = _moving(view.test if more is None else np.concatenate([view.test, more]))
    for learn, judge in StratifiedKFold(splits, shuffle=True, random_state=0).split(view.test, y):
        rows, labels = view.test[learn], y[learn]
        if more is not None and train_labels is not None:
            rows, labels = np.concatenate([rows, more]), np.concatenate([labels, train_labels])
        if not columns.any():
            values, counts = np.unique(labels, return_counts=True)
            right[judge] = y[judge] == values[counts.argmax()]
            continue
        fitted = reader.fit(rows[:, columns].astype(np.float64), labels)
        right[judge] = fitted.predict(view.test[judge][:, columns].astype(np.float64)) == y[judge]
    return right


def _moving(codes: Array) -> NDArray[np.bool_]:
    """Columns that vary, (M,): a discriminant cannot divide by the spread of the others."""
    std = codes.std(axis=0, dtype=np.float64)
    return std > 1e-9 * max(float(np.abs(codes).max()), 1e-30)


def clustering(codes: Array, y: Labels) -> Estimate:
    """Adjusted Rand index of k-means, with as many clusters as classes, against the classes; 0 is chance."""
    classes = len(np.unique(y))
    if len(np.unique(codes, axis=0)) < classes:
        return Estimate(0.0)
    found = KMeans(classes, n_init=3, random_state=0).fit_predict(codes)
    return of_halves(len(y), lambda rows: float(adjusted_rand_score(y[rows], found[rows])))
