"""Scores of a code for scikit-learn's searches, by name: larger is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from isthmus.errors import SettingError, nearest
from isthmus.evidence.code_usage import code_usage
from isthmus.evidence.geometry import geometry
from isthmus.evidence.intervals import Estimate
from isthmus.evidence.memorisation import identity
from isthmus.evidence.probes import PROBES, View, clustering, probe
from isthmus.evidence.reconstruction import reconstruction
from isthmus.evidence.robustness import robustness
from isthmus.evidence.structure import variances
from isthmus.evidence.subject import Subject


def _number(value: object) -> float:
    """A measure as a score; what could not be measured scores NaN, which a search ranks last."""
    value = value.value if isinstance(value, Estimate) else value
    return float(value) if isinstance(value, int | float) else float("nan")


def _pca_gain(subject: Subject) -> float:
    # The training rows are not at hand: PCA is fitted to the scored rows themselves, so it is PCA at its best.
    found = variances(subject.x)
    total = float(found.sum())
    kept = float(found[: subject.spent].sum()) / total if total > 0 else 0.0
    return _number(reconstruction(subject)["r2"]) - kept


def _probed(name: str) -> Callable[[Subject], float]:
    def score(subject: Subject) -> float:
        return float(probe(PROBES[name], View(subject.z[subject.some]), subject.classes).mean())

    return score


def _clustered(subject: Subject) -> float:
    return clustering(subject.z[subject.some], subject.classes).value


WITHOUT_LABELS: dict[str, Callable[[Subject], float]] = {
    "r2": lambda s: _number(reconstruction(s)["r2"]),
    "mse": lambda s: -_number(reconstruction(s)["mse"]),
    "pca-gain": _pca_gain,
    "trustworthiness": lambda s: _number(geometry(s)["trustworthiness"]),
    "continuity": lambda s: _number(geometry(s)["continuity"]),
    "robustness": lambda s: -_number(robustness(s)["amplification"]),
    "noisy-r2": lambda s: _number(robustness(s)["r2_noisy"]),
    "no-copying": lambda s: 1 - max(0.0, _number(identity(s))),
    "effective-dimension": lambda s: _number(code_usage(s)["effective_dimension"]),
}
WITH_LABELS: dict[str, Callable[[Subject], float]] = {
    "knn": _probed("knn"),
    "linear": _probed("linear"),
    "clustering": _clustered,
}


@dataclass(frozen=True)
class Scorer:
    """Called as scikit-learn calls scorers, with a fitted estimator, rows, and classes where it needs them."""

    name: str

    def __call__(self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """The score of a fitted `Autoencoder`, or of a pipeline that ends in one, on rows X, (N, D).

        Raises
        ------
        SettingError
            Where the score needs classes and there are none.
        """
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
            estimator = estimator[-1]
        if self.name in WITH_LABELS and y is None:
            raise SettingError(
                f"the score {self.name!r} needs classes", where="in y", hint="pass y to fit, or use 'r2' or 'noisy-r2'"
            )
        subject = Subject.of(estimator, None, X, y if self.name in WITH_LABELS else None)
        with np.errstate(all="ignore"):
            return (WITH_LABELS | WITHOUT_LABELS)[self.name](subject)


def scorer(name: str) -> Scorer:
    """A score for `GridSearchCV(scoring=…)` and its kin. R² alone always prefers the weakest penalty.

    Parameters
    ----------
    name : str
        - "r2", "mse" (negative): the reconstruction's, in scaled and in input units;
        - "pca-gain": R² less that of PCA of equal size, fitted to the scored rows themselves;
        - "trustworthiness", "continuity": neighbourhoods kept, 0 to 1;
        - "robustness": the code's relative shift under noise, divided by the noise's, negative;
        - "noisy-r2": R² of clean rows from noisy ones;
        - "no-copying": 1 less the R² on noise, no more than 1;
        - "effective-dimension": participation ratio of the code's variances;
        - "knn", "linear", "clustering": probes' accuracy and k-means' adjusted Rand index; these need y.

    Raises
    ------
    SettingError
        Where there is no such score.
    """
    known = WITHOUT_LABELS | WITH_LABELS
    if name not in known:
        raise SettingError(f"no score called {name!r}", where="in evidence.scorer", hint=nearest(name, known))
    return Scorer(name)
