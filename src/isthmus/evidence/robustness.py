"""What noise on the rows does to the code and to the reconstruction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.evidence.intervals import of_means
from isthmus.evidence.reconstruction import r_squared
from isthmus.evidence.subject import Subject, squared

Array = NDArray[np.floating]
NOISE = 0.1  # of each column's standard deviation


def robustness(subject: Subject) -> dict[str, object]:
    """The code's shift under noise, divided by the code's spread; the noise, divided by the rows' spread, is 0.1.

    `amplification` is the quotient of the two: 1 where noise is as large in the code as in the rows, below 1 where
    the code leaves noise out, as a projection on few directions does.
    """
    x, z = subject.x[subject.some], subject.z[subject.some]
    if len(x) < 3:
        return {"noise": NOISE, "code_shift": None, "amplification": None, "r2_noisy": None, "r2_lost": None}
    noise = np.random.default_rng(0).standard_normal(x.shape) * (NOISE * x.std(axis=0, dtype=np.float64))
    noisy = (x + noise).astype(x.dtype)
    z_noisy = subject.encode(noisy)
    two = np.column_stack([squared(z_noisy - z), squared(z - z.mean(axis=0))])
    spread = squared(x - subject.ae.mean_)
    clean, after = squared(x - subject.x_hat[subject.some]), squared(x - subject.decode(z_noisy, x))
    return {
        "noise": NOISE,
        "code_shift": of_means(two, _shift),
        "amplification": of_means(two, lambda m: _shift(m) / NOISE),
        "r2_noisy": r_squared(after, spread),
        "r2_lost": of_means(np.column_stack([clean, after, spread]), lambda m: (m[..., 1] - m[..., 0]) / m[..., 2]),
    }


def _shift(means: Array) -> Array:
    return np.sqrt(means[..., 0] / means[..., 1])
