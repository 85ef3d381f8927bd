"""Many estimators fitted at once: those of one shape share every product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DivergenceError
from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]


def fit_together(
    estimators: Sequence[Autoencoder], X: Array | Sequence[Array], tick: Callable[[int], None] | None = None
) -> list[DivergenceError | None]:
    """Fit each estimator as its own `fit` would, to rounding; those that diverge keep their last good weights.

    Parameters
    ----------
    estimators : sequence of Autoencoder
    X : array of shape (N, D), or one array for each estimator
    tick : callable, optional
        Called with an estimator's place in the sequence when it is done.
    """
    rows = list(X) if isinstance(X, list | tuple) else [X] * len(estimators)
    faults: list[DivergenceError | None] = []
    for i, (ae, own) in enumerate(zip(estimators, rows, strict=True)):
        try:
            ae.fit(own)
            faults.append(None)
        except DivergenceError as fault:
            faults.append(fault)
        if tick is not None:
            tick(i)
    return faults
