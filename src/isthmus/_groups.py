"""Groups of rows as labels: read or refused in one line, and numbered as a model was trained with them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError

Labels = NDArray[Any]
Numbers = NDArray[np.integer]
NAMED = 5  # groups that a message names


def read_groups(groups: ArrayLike, n: int) -> Labels:
    """Labels, (N,), one for each of n rows.

    Raises
    ------
    DataError
        Where there are not as many, or one is missing.
    """
    try:
        labels = np.asarray(groups)
    except ValueError as fault:
        raise DataError(
            "groups are of unequal lengths", where="in groups", expected=f"({n},), one a row of X"
        ) from fault
    if labels.ndim != 1 or len(labels) != n:
        raise DataError(f"groups have shape {labels.shape}", where="in groups", expected=f"({n},), one a row of X")
    missing = np.array([_missing(label) for label in labels.tolist()], dtype=bool)
    if missing.any():
        raise DataError(
            f"row {int(np.argmax(missing))} has no group",
            where="in groups",
            expected="a label for every row",
            hint="leave such rows out, or give each a group of its own",
        )
    if labels.dtype == object:
        labels = labels.astype(str)
    return labels


def _missing(label: object) -> bool:
    return label is None or type(label).__name__ == "NAType" or (isinstance(label, float) and math.isnan(label))


def numbered(labels: Labels, known_labels: Labels) -> Numbers:
    """Numbers of labels, (N,): those in training keep theirs, (G,) in order; new ones get numbers from G on."""
    new = np.setdiff1d(labels, known_labels)
    places = np.searchsorted(known_labels, labels)
    own = known_labels[np.minimum(places, len(known_labels) - 1)] == labels
    return np.where(own, places, len(known_labels) + np.searchsorted(new, labels))


def known(labels: Labels, known_labels: Labels) -> Numbers:
    """Numbers of labels, (N,), all of which were there in training.

    Raises
    ------
    DataError
        Naming one that was not.
    """
    numbers = numbered(labels, known_labels)
    if (numbers >= len(known_labels)).any():
        stranger = labels[np.argmax(numbers >= len(known_labels))]
        shown = ", ".join(map(repr, known_labels[:NAMED].tolist()))
        more = f" and {len(known_labels) - NAMED} more" if len(known_labels) > NAMED else ""
        raise DataError(
            f"no group {stranger.item()!r} in training", where="in groups", expected=f"one of {shown}{more}"
        )
    return numbers
