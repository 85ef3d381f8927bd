"""How much of the test rows comes back, beside PCA of equal size and beside predicting the mean; and the gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.evidence.intervals import Estimate, of_mean, of_means
from isthmus.evidence.reference import Reference
from isthmus.evidence.subject import Subject, squared

Array = NDArray[np.floating]
Measures = dict[str, object]


def reconstruction(subject: Subject) -> Measures:
    """R² against predicting the training mean in scaled space; mse in squared input units, a number."""
    x, centre = subject.x, subject.ae.mean_
    spread, error = squared(x - centre), squared(x - subject.x_hat)
    found: Measures = {
        "mse": of_mean(_input_error(subject, subject.x_hat)),
        "r2": r_squared(error, spread),
        "mean_mse": of_mean(_input_error(subject, centre)),
        "output_spread": of_means(
            np.column_stack([squared(subject.x_hat - subject.x_hat.mean(axis=0)), squared(x - x.mean(axis=0))]), _ratio
        ),
        "pca_size": None,
        "pca_mse": None,
        "pca_r2": None,
        "pca_gain": None,
        "pca_shortfall": None,
    }
    return found | (_beside_pca(subject, subject.reference, error, spread) if subject.reference is not None else {})


def _beside_pca(subject: Subject, reference: Reference, error: Array, spread: Array) -> Measures:
    size = min(subject.spent, len(reference.components))
    x_pca = reference.pca(subject.x, size)
    pca_error = squared(subject.x - x_pca)
    three = np.column_stack([error, pca_error, spread])
    r2, pca_r2 = r_squared(error, spread).value, r_squared(pca_error, spread).value
    exact = subject.spent >= reference.rank
    return {
        "pca_size": size,
        "pca_mse": of_mean(_input_error(subject, x_pca)),
        "pca_r2": r_squared(pca_error, spread),
        "pca_gain": of_means(three, lambda m: (m[..., 1] - m[..., 0]) / m[..., 2]),
        "pca_shortfall": None if exact or pca_r2 <= 0 else (pca_r2 - r2) / pca_r2,
    }


def generalisation(subject: Subject) -> Measures:
    """R² on training rows less R² on test rows, and the share of the test error that training rows do not have."""
    reference = subject.reference
    if reference is None or subject.reference_z is None:
        return {"train_r2": None, "gap": None, "excess_error": None}
    train_error = squared(reference.rows - subject.decode(subject.reference_z, reference.rows))
    train = r_squared(train_error, squared(reference.rows - subject.ae.mean_))
    test_error = squared(subject.x - subject.x_hat)
    test = r_squared(test_error, squared(subject.x - subject.ae.mean_))
    return {
        "train_rows": len(reference.rows),
        "train_r2": train,
        "gap": _difference(train, test),
        "excess_error": 1 - train_error.mean() / test_error.mean() if test_error.mean() > 0 else None,
    }


def r_squared(error: Array, spread: Array) -> Estimate:
    """1 − Σ error / Σ spread over rows, (N,) each: exactly 0 where the prediction is the mean itself."""
    return of_means(np.column_stack([error, spread]), lambda m: 1 - _ratio(m))


def _ratio(means: Array) -> Array:
    return means[..., 0] / means[..., 1]


def _difference(a: Estimate, b: Estimate) -> Estimate:
    """a − b of two independent samples: half-widths add in quadrature."""
    value = a.value - b.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(value)
    reach = float(np.hypot(a.high - a.low, b.high - b.low)) / 2
    return Estimate(value, value - reach, value + reach)


def _input_error(subject: Subject, x_hat: Array) -> Array:
    """Mean squared error of each row over its columns, in squared input units, (N,)."""
    return squared((subject.x - x_hat) * subject.ae.scaler_.scale) / subject.x.shape[1]
