"""Does the net index its training rows, or copy whatever it is given?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from isthmus.evidence.intervals import of_mean, of_means
from isthmus.evidence.reference import subset
from isthmus.evidence.subject import Subject, squared

Array = NDArray[np.floating]
STARTS = 100
ITERATIONS = 100
ON_A_ROW = 0.1  # of the usual distance between neighbouring training rows


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
    spacing = float(np.median(_to_second(reference.rows)))
    if spacing > 0:
        ends = iterate(subject, _starts(subject.x, reference.rows))
        distance = neighbours.kneighbors(ends)[0][:, 0]
        found["ends_on_training_rows"] = of_mean(distance < ON_A_ROW * spacing)
    rows = subject.some[:500] if len(subject.some) > 500 else subject.some
    before = neighbours.kneighbors(subject.x[rows])[0][:, 0]
    after = neighbours.kneighbors(_finite(subject.x_hat[rows]))[0][:, 0]
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


def iterate(subject: Subject, x: Array) -> Array:
    """x ← g(f(x)), a hundred times."""
    for _ in range(ITERATIONS):
        x = _finite(subject.decode(subject.encode(x)))
    return x


def _starts(x: Array, train: Array) -> Array:
    """Test rows, and points halfway between pairs of training rows."""
    pairs = np.random.default_rng(0).integers(0, len(train), size=(2, STARTS))
    halfway = (train[pairs[0]] + train[pairs[1]])[pairs[0] != pairs[1]] / 2
    return np.concatenate([x[subset(len(x), STARTS)], halfway.astype(train.dtype)])


def _to_second(rows: Array) -> Array:
    """Distance of each row to the nearest other one, (N,)."""
    some = rows[subset(len(rows), 1000)]
    distances: Array = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(some)[0][:, 1]
    return distances


def _finite(x: Array) -> Array:
    """An exploding iteration is far away, not undefined."""
    return np.nan_to_num(x, nan=1e6, posinf=1e6, neginf=-1e6).clip(-1e6, 1e6)
