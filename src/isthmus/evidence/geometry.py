"""The shape of the code: neighbourhoods kept, and the singular values of the encoder's Jacobian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from isthmus.evidence.intervals import Estimate, of_halves, of_mean
from isthmus.evidence.reference import subset
from isthmus.evidence.structure import participation_ratio
from isthmus.evidence.subject import Subject
from isthmus.inference import batched

Array = NDArray[np.floating]
MOST_ROWS = 500
NEIGHBOURS = 10
JACOBIAN_NUMBERS = 4_000_000  # so that wide codes of wide rows are measured on fewer rows,
MOST_NUMBERS = 4 * JACOBIAN_NUMBERS  # and none at all where one row's Jacobian alone would take minutes


def geometry(subject: Subject) -> dict[str, object]:
    """Trustworthiness and continuity (Venna & Kaski 2001) and how many directions move the code at a row."""
    rows = subset(len(subject.x), MOST_ROWS)
    x, z = subject.x[rows], subject.z[rows]
    spectra = jacobian_spectra(subject)
    norms, ranks = np.square(spectra).sum(axis=1), [participation_ratio(np.square(s)) for s in spectra]
    return {
        "rows": len(rows),
        "trustworthiness": neighbourhoods(x, z),
        "continuity": neighbourhoods(z, x),
        "jacobian_rows": len(spectra),
        "jacobian_norm": of_mean(np.sqrt(norms)) if len(spectra) else None,
        "jacobian_dimension": of_mean(np.asarray(ranks)) if len(spectra) else None,
    }


def neighbourhoods(x: Array, z: Array) -> Estimate | None:
    """Share of neighbours in z that are neighbours in x too, weighted by rank; None for fewer than 6 rows."""
    if len(x) < 6:
        return None

    def of(rows: NDArray[np.intp]) -> float:
        return float(trustworthiness(x[rows], z[rows], n_neighbors=min(NEIGHBOURS, (len(rows) - 1) // 2)))

    return of_halves(len(x), of)


def jacobian_spectra(subject: Subject) -> Array:
    """Singular values of ∂z/∂x at a few test rows, (n, min(K, D)), largest first; at none where K·D is too many."""
    module = subject.ae.module_
    numbers = subject.code_size * subject.x.shape[1]
    if numbers > MOST_NUMBERS:
        return np.empty((0, min(subject.code_size, subject.x.shape[1])))
    rows = subset(len(subject.x), int(np.clip(JACOBIAN_NUMBERS // numbers, 4, 100)))
    jacobians = batched(module, module.jacobian, subject.x[rows], width_hint=subject.code_size)
    return np.linalg.svd(jacobians, compute_uv=False)
