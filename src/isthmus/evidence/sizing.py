"""Is the code too small for what the rows hold, or larger than they need?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.evidence.reconstruction import r_squared
from isthmus.evidence.structure import structured_directions, variances
from isthmus.evidence.subject import Subject, squared
from isthmus.evidence.verdicts import Sections, number

Array = NDArray[np.floating]
Measures = dict[str, object]
MARGIN = 0.05  # of R²
LEAST_NATS = 0.05  # of a row in its code
LEAST_ROWS = 50  # fewer rows than this cannot tell structure from chance


def sizing(subject: Subject, sections: Sections) -> Measures:
    """What of the structure this many numbers miss, and how many of them the reconstruction can do without.

    `structure` counts principal components that are more than chance; `missed` is the share of what they explain that
    neither the net nor PCA of the code's size keeps: a fault of the size, not of the training. `unneeded` is the
    share of directions without which 99 % of the reconstruction stays, of those that could be used: the live units, no
    more than the columns, no more than the units at work on a row. `structureless` is 1 where there is no
    structure to find and none was found.
    """
    found: Measures = {"structure": None, "structure_r2": None, "missed": None, "structureless": None}
    found["oversized"] = None
    r2, pca_r2 = number(sections, "reconstruction.r2"), number(sections, "reconstruction.pca_r2")
    directions, live = number(sections, "code.directions"), number(sections, "code.live")
    usable = min(live or 0, subject.x.shape[1], subject.spent, at_work(subject))
    found["unneeded"] = None if directions is None or usable < 1 else max(0.0, 1 - directions / usable)
    reference = subject.reference
    if reference is None or r2 is None or pca_r2 is None or len(reference.rows) < LEAST_ROWS or subject.x.shape[1] < 2:
        return found
    found["structure"] = reference.structure
    kept = max(r2, pca_r2)
    if reference.structure == 0:
        gain = r2 - pca_r2
        return found | {"structureless": 1.0 if gain < 0.05 and not _curved(reference.rows) else 0.0}
    full = r_squared(
        squared(subject.x - reference.pca(subject.x, reference.structure)), squared(subject.x - subject.ae.mean_)
    ).value
    small = subject.spent < reference.structure and full > 0
    return found | {
        "structure_r2": full,
        "missed": max(0.0, 1 - kept / full) if small else 0.0,
        "structureless": 0.0,
        "oversized": 1 - reference.structure / subject.code_size if _like_pca(subject, r2, full) else 0.0,
    }


def collapse(subject: Subject, sections: Sections) -> Measures:
    """The share of what PCA of equal size, fitted to the test rows, tells of a row that reconstructions do not tell.

    A small code shows little of the rows' variance and is none the worse for it; nor is one that shrinks every
    reconstruction towards the mean, as a strong prior does, while R² is there. A code that no unit moves, or that
    carries fewer than 0.05 nats of a row (the divergence is more than it carries), has collapsed altogether. One that
    carries something in some units only is `starved` of that share of what PCA of equal size tells which neither the
    reconstructions nor PCA of as many directions as there are live units show.
    """
    spread, r2 = number(sections, "reconstruction.output_spread"), number(sections, "reconstruction.r2")
    if len(subject.some) < 3 or spread is None or r2 is None:
        return {"pca_spread": None, "collapsed": None, "starved": None}
    found = variances(subject.x[subject.some])
    expected = float(found[: subject.spent].sum() / found.sum())
    live, nats = number(sections, "code.live"), number(sections, "code.divergence")
    if live == 0 or (nats is not None and nats < LEAST_NATS):
        return {"pca_spread": expected, "collapsed": 1.0, "starved": None}
    left = max(spread, r2)
    starved = 0.0
    if nats is not None and live is not None and live < subject.code_size:
        starved = max(0.0, 1 - max(left, float(found[: int(live)].sum() / found.sum())) / expected)
    return {"pca_spread": expected, "collapsed": 1 - left / expected, "starved": starved}


def copied(subject: Subject, sections: Sections) -> Measures:
    """The share of noise that a dense code at least as wide as the rows lets through; 0 for other codes."""
    wide = subject.code_size >= subject.x.shape[1] and dense(subject)
    return {"uncompressed": number(sections, "memorisation.identity") if wide else 0.0}


def at_work(subject: Subject) -> int:
    """Units that carry a row on average: K, or for codes in (0, 1) the participation ratio of a row's activations."""
    if subject.bounds is None or subject.bounds[0] < 0:
        return subject.code_size
    z = subject.z.astype(np.float64)
    return round(float((np.square(z.sum(axis=1)) / np.maximum(np.square(z).sum(axis=1), 1e-30)).mean()))


def _like_pca(subject: Subject, r2: float, full: float) -> bool:
    return dense(subject) and abs(r2 - full) < MARGIN


def dense(subject: Subject) -> bool:
    """Whether every unit is at work on every row; a sparse code is wide on purpose."""
    return min(at_work(subject), subject.spent) >= 0.8 * subject.code_size


def _curved(rows: Array) -> bool:
    """Whether squares of the columns hang together where the columns do not, as on a sphere or in mixtures."""
    return structured_directions(np.square(rows - rows.mean(axis=0))) > 0
