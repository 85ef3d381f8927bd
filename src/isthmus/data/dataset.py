"""The record every named set and every file is loaded into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.data.cutting import ImageOptions

Rows = npt.NDArray[np.float32 | np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    file: str
    why: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from, and what is known about them.

    Attributes
    ----------
    name : str
        The named set, or the file's name without its suffix.
    X : array of shape (N, D)
        float32 or float64; an image is one row, channels first.
    y : int64 array of shape (N,) or None
        Labels; never part of `X`, only used to judge a code.
    feature_names : tuple of str or None
        The columns of a table that names them.
    input_shape : tuple of int or None
        (C, H, W) where a row is an image, else None.
    X_test, y_test : arrays or None
        The set's own test rows, where it has them.
    source : str
        Where the rows come from: a publication or a path.
    images : ImageOptions or None
        How images from a folder were cut into rows.
    skipped : tuple of Skipped
        Images of the folder that could not be used.
    notes : tuple of str
        What was done to the data, in words.
    """

    name: str
    X: Rows
    y: Labels | None = None
    feature_names: tuple[str, ...] | None = None
    input_shape: tuple[int, ...] | None = None
    X_test: Rows | None = None
    y_test: Labels | None = None
    source: str = ""
    images: ImageOptions | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
