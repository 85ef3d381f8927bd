"""Does the net index its training rows, or copy whatever it is given?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.evidence import attractors
from isthmus.evidence.intervals import Estimate, of_mean, of_means
from isthmus.evidence.reference import subset
from isthmus.evidence.subject import Subject, squared

Array = NDArray[np.floating]
STARTS = 100


def memorisation(subject: Subject) -> dict[str, object]:
    """Where iterating x ← g(f(x)) ends, how near reconstructions lie to training rows, and what becomes of noise.

    Nets with too much power make training rows attractors (Radhakrishnan 2018): from wherever one starts, x ← g(f(x))
    ends on one of them.
    """
    found: dict[str, object] = {"identity": identity(subject), "ends_on_training_rows": None, "nearness": None}
    reference = subject.reference
    if reference is None or len(reference.rows) < 3:
        return found
    neighbours = NearestNeighbors(n_neighbors=1).fit(reference.rows)
    spacing = attractors.spacing(reference.rows)
    if spacing > 0:
        ends = iterate(subject, _starts(subject.x, reference.rows))
        distance = neighbours.kneighbors(ends)[0][:, 0]
        found["ends_on_training_rows"] = of_mean(distance < attractors.ON_A_ROW * spacing)
    rows = subject.some[:500] if len(subject.some) > 500 else subject.some
    before = neighbours.kneighbors(subject.x[rows])[0][:, 0]
    after = neighbours.kneighbors(attractors.finite(subject.x_hat[rows]))[0][:, 0]
    found["seen_rows"] = float(np.mean(before <= 1e-6 * spacing))
    if np.median(before) > 1e-6 * spacing:
        found["nearness"] = 1 - of_means(np.column_stack([after, before]), lambda m: m[..., 0] / m[..., 1]).value
    return found


def identity(subject: Subject) -> object:
    """R² on noise: test rows with each column shuffled, so that only the columns' own distributions are left.

    A sound bottleneck loses what the data never show; a copier keeps it (1).
    """
    rows = subject.x[subject.some]
    if len(rows) < 2:
        return None
    noise = np.random.default_rng(0).permuted(rows, axis=0)
    error = squared(noise - subject.decode(subject.encode(noise)))
    return of_means(np.column_stack([error, squared(noise - noise.mean(axis=0))]), lambda m: 1 - m[..., 0] / m[..., 1])


def copied(ae: Autoencoder, X: ArrayLike) -> float:
    """What `identity` says of an autoencoder and rows X, (N, D), as a number.

    Raises
    ------
    DataError
        For fewer than two rows, which cannot be shuffled.
    """
    found = identity(Subject.of(ae, None, X))
    if not isinstance(found, Estimate):
        raise DataError("fewer than 2 rows", "in copied", "rows whose columns can be shuffled")
    return found.value


def iterate(subject: Subject, x: Array) -> Array:
    """x ← g(f(x)), a hundred times, on scaled rows x, (N, D)."""
    return attractors.iterate(lambda rows: subject.decode(subject.encode(rows)), x)


def _starts(x: Array, train: Array) -> Array:
    """Test rows, and points halfway between pairs of training rows."""
    pairs = np.random.default_rng(0).integers(0, len(train), size=(2, STARTS))
    halfway = (train[pairs[0]] + train[pairs[1]])[pairs[0] != pairs[1]] / 2
    return np.concatenate([x[subset(len(x), STARTS)], halfway.astype(train.dtype)])
