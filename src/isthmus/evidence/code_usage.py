"""Which units of the code work: dead, saturated, inactive ones, and the directions that carry the reconstruction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from isthmus.evidence.intervals import of_halves, of_mean
from isthmus.evidence.reference import subset
from isthmus.evidence.structure import participation_ratio, variances
from isthmus.evidence.subject import MOST_ROWS, Subject, squared
from isthmus.inference import batched

Array = NDArray[np.floating]
ACTIVE = 0.01  # of a unit's variance is its mean's (Burda 2016, where the prior's variance is 1 and so is the whole's)
INFORMATIVE = 0.01  # nats of a unit
DEAD = 1e-3  # of the liveliest unit's standard deviation; of the range, where the code has one
BINARY = 0.9  # of the variance a unit of that mean could have, were it only ever at its two ends
AT_THE_END = 0.005  # of the range
RANK = 1e-5  # of the widest direction's spread
LEAST_ROWS = 10
KEEPS = 0.99  # of the reconstruction's R²


def code_usage(subject: Subject) -> dict[str, object]:
    """Counts of units, the code's effective dimension, and the directions that carry 99 % of the reconstruction."""
    z = subject.seen_z
    if len(z) < LEAST_ROWS:
        return {"units": z.shape[1], "rows": len(z), "spent": subject.spent}
    dead = dead_units(subject)
    found: dict[str, object] = {
        "units": z.shape[1],
        "rows": len(z),
        "spent": subject.spent,
        "dead": int(dead.sum()),
        "dead_share": float(dead.mean()),
        "live": int((~dead).sum()),
        "saturated": None,
        "saturated_share": None,
        "effective_dimension": of_halves(len(z), lambda rows: participation_ratio(variances(z[rows]))),
        "directions": directions(subject),
        "zeros": float((z == 0).mean()),
    }
    if subject.gaussian:
        found["active"] = int((~dead).sum())
    if subject.divergence is not None:
        found["divergence"] = of_mean(subject.divergence.sum(axis=1, dtype=np.float64))
        if subject.gaussian and subject.divergence.shape == z.shape:  # known unit by unit
            found["informative"] = int((subject.divergence.mean(axis=0, dtype=np.float64) > INFORMATIVE).sum())
    if subject.bounds is not None:
        saturated = saturated_units(z, subject.bounds)
        found |= {"saturated": int(saturated.sum()), "saturated_share": float(saturated.mean())}
    return found | entries(subject)


def selectivity(z: Array) -> Array:
    """How few of N rows each unit of a code z, (N, K), answers to: (K,), from 0, the same for all, to 1, one alone.

    (1 − a²/b) / (1 − 1/N), a and b the means of an activation and of its square (Vinje & Gallant 2000). Activations
    are 0 or more. Dead units have 0.
    """
    square = np.square(z, dtype=np.float64).mean(axis=0)
    share = np.divide(np.square(z.mean(axis=0, dtype=np.float64)), square, out=np.ones_like(square), where=square > 0)
    found: Array = (1 - share) / (1 - 1 / len(z))
    return found


def entries(subject: Subject) -> dict[str, object]:
    """Of a code from a finite set: its entries, those met, and e to the entropy of their use; of others nothing."""
    module, code = subject.ae.module_, subject.ae.module_.code
    if "indices" not in code.gives:
        return {}
    met = batched(module, lambda x: code(module.encoder(x))[1]["indices"], subject.seen_x)  # (N, positions)
    share = np.unique(met, return_counts=True)[1] / met.size
    return {"entries": code.entries, "entries_used": len(share), "perplexity": float(np.exp(entr(share).sum()))}


def dead_units(subject: Subject) -> NDArray[np.bool_]:
    """Units that do not vary over the rows seen, (K,); of Gaussian codes, those whose noise drowns their mean."""
    z = subject.seen_z.astype(np.float64)
    std = z.std(axis=0)
    if subject.gaussian:
        return np.square(std) < ACTIVE * (np.square(std) + subject.noise)
    least = 1e-5 * max(float(np.sqrt(np.square(z).mean())), 1e-30)  # rounding
    if subject.bounds is not None:
        return std <= max(DEAD * (subject.bounds[1] - subject.bounds[0]), least)
    return std <= max(DEAD * float(std.max()), least)


def saturated_units(z: Array, bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Units stuck at an end of their range or switching between the two, (K,).

    A unit of mean p in (0, 1) has at most variance p(1 − p), and reaches it only where it is always 0 or 1. A sparse
    unit that is small but graded stays far below.
    """
    unit = (z.astype(np.float64) - bounds[0]) / (bounds[1] - bounds[0])
    at_an_end = ((unit < AT_THE_END) | (unit > 1 - AT_THE_END)).mean(axis=0)
    p = unit.mean(axis=0)
    most = np.maximum(p * (1 - p), 1e-12)
    switching = (unit.var(axis=0) > BINARY * most) & (at_an_end > BINARY)
    return switching | ((unit > 1 - AT_THE_END).mean(axis=0) > BINARY)


def directions(subject: Subject) -> int | None:
    """Principal directions of the code that, kept alone, leave 99 % of the reconstruction's R²; found by halving.

    Never more than the code's rank, which alone is told where there is no reconstruction to keep; None for no spread.
    """
    rows = subset(len(subject.seen_z), MOST_ROWS)
    z, x = subject.seen_z[rows].astype(np.float64), subject.seen_x[rows]
    centre = z.mean(axis=0)
    stretch, axes = np.linalg.svd(z - centre, full_matrices=False)[1:]  # (K,), (K, K)
    rank = int((stretch > RANK * stretch[0]).sum())
    spread = squared(x - x.mean(axis=0)).sum()

    def kept(size: int) -> float:
        short = centre + (z - centre) @ axes[:size].T @ axes[:size]
        return 1 - float(squared(x - subject.decode(short.astype(subject.z.dtype))).sum() / spread)

    if rank == 0 or spread <= 0 or (whole := kept(len(axes))) <= 0.01:
        return rank or None
    low, high = 0, rank  # kept(high) is enough, kept(low) is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if kept(middle) >= KEEPS * whole else (middle, high)
    return high
