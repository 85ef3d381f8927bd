"""Do rows decoded from the prior look like rows that the net has not seen?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.evidence.aggregate import from_prior
from isthmus.evidence.intervals import Estimate, of_halves
from isthmus.evidence.reference import Reference, subset
from isthmus.evidence.subject import Subject
from isthmus.evidence.two_sample import LEAST_ROWS, classifier_test, frechet

Array = NDArray[np.floating]
MOST_ROWS = 1000
MOST_FEATURES = 50


def generation(subject: Subject) -> dict[str, object]:
    """Samples against test rows, seen through the training rows' principal components; {} without a prior.

    Samples are means of p(x | z), as `sample` gives them, without the likelihood's noise, which would give them away.
    The features are PCA's of the training rows, at most 50, and no network's: they do not depend on the code that is
    judged, nor on a seed, so that models of the same rows can be compared. `auc` and `p_value` are a classifier's
    two-sample test, `frechet` the distance of the normal distributions fitted to both (Heusel 2017, with these
    features for Inception's) as a share of the test rows' variance. Beside them stands what a sampler without fault
    would reach: `…_reconstructions` of reconstructed training rows, which lack what any code of this size loses, and
    `frechet_train` of the training rows themselves.
    """
    reference = subject.reference
    test = subset(len(subject.x), MOST_ROWS)
    z = from_prior(subject, len(test), seed=2)
    if z is None or reference is None or subject.reference_z is None:
        return {}
    if min(len(test), len(reference.rows)) < 2 * LEAST_ROWS:
        return {}
    features = _Features(reference)
    rows, samples = features(subject.x[test]), features(subject.decode(z))
    train, restored = features(reference.rows), features(subject.decode(subject.reference_z))
    told, told_restored = classifier_test(rows, samples), classifier_test(rows, restored)
    return {
        "features": rows.shape[1],
        "samples": len(samples),
        "auc": told.auc,
        "p_value": told.p_value,
        "auc_reconstructions": told_restored.auc,
        "frechet": _distance(rows, samples),
        "frechet_reconstructions": _distance(rows, restored),
        "frechet_train": _distance(rows, train),
    }


class _Features:
    """Rows (N, D) on the training rows' first components, (N, ≤ 50)."""

    def __init__(self, reference: Reference) -> None:
        self.reference, self.size = reference, min(MOST_FEATURES, len(reference.components))

    def __call__(self, x: Array) -> Array:
        return np.nan_to_num(self.reference.project(x, self.size).astype(np.float64), posinf=1e15, neginf=-1e15)


def _distance(rows: Array, others: Array) -> Estimate:
    """The Fréchet distance as a share of the rows' variance, with an interval from halves of both."""
    variance = max(float(rows.var(axis=0).sum()), 1e-30)
    n = min(len(rows), len(others))
    return of_halves(n, lambda some: frechet(rows[some], others[some]) / variance)
