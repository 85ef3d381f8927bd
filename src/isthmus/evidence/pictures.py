"""Arrays that a report draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus import generating
from isthmus.evidence.geometry import jacobian_spectra
from isthmus.evidence.reference import subset
from isthmus.evidence.structure import variances
from isthmus.evidence.subject import Subject

Array = NDArray[np.floating]
SHOWN, DRAWN = 16, 24
WALKED, STEPS = 6, 9  # units, and rows along each
MOST_UNITS = 512  # a code as wide as maps: the effect of one number is none


def pictures(subject: Subject) -> dict[str, object]:
    """Rows in input units beside their reconstructions, the code's map, its spectra, units and the history."""
    ae, rows, some = subject.ae, subset(len(subject.x), SHOWN), subject.some
    z, spectra = subject.z[some], jacobian_spectra(subject)
    return {
        "originals": ae.unscale(subject.x[rows]),
        "reconstructions": ae.unscale(subject.x_hat[rows]),
        "pca_reconstructions": _pca(subject, rows),
        "map": code_map(z),
        "map_labels": None if subject.y is None else subject.y[some],
        "spectrum": spectra.mean(axis=0) if len(spectra) else None,
        "code_spectrum": variances(z),
        "unit_std": z.std(axis=0),
        "unit_mean": z.mean(axis=0),
        "input_shape": None if ae.input_shape is None else tuple(ae.input_shape),
        "history": list(getattr(ae, "history_", [])),
        **made(subject),
    }


def made(subject: Subject) -> dict[str, object]:
    """Images that the code makes: walks along its units, and samples where it has a prior. Nothing of tables."""
    ae, seen = subject.ae, subject.seen_z
    if len(ae.input_shape or ()) < 2 or seen.shape[1] > MOST_UNITS:
        return {}
    units = generating.active_units(ae, seen)[:WALKED]
    centre = np.median(seen, axis=0, keepdims=True).astype(seen.dtype)
    walks = generating.walked(ae, centre, units, generating.walk(seen, units, STEPS))[0]  # U S D
    prior = generating.has_prior(ae)
    return {"walked": units, "walks": walks, "samples": ae.sample(DRAWN, random_state=0) if prior else None}


def code_map(z: Array) -> Array:
    """Codes, (n, K), on their first two principal axes, (n, 2); a code of one number lies on a line."""
    centred = np.nan_to_num(z.astype(np.float64) - z.mean(axis=0))
    if z.shape[1] <= len(z):
        places = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]  # (n, ≤ 2)
    else:
        values, axes = np.linalg.eigh(centred @ centred.T)
        places = axes[:, ::-1][:, :2] * np.sqrt(values[::-1][:2].clip(min=0))
    return places if places.shape[1] == 2 else np.column_stack([places, np.zeros(len(places))])


def _pca(subject: Subject, rows: NDArray[np.intp]) -> Array | None:
    if subject.reference is None:
        return None
    size = min(subject.spent, len(subject.reference.components))
    return subject.ae.unscale(subject.reference.pca(subject.x[rows], size).astype(subject.x.dtype))
