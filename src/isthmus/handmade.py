"""Features made by hand: edges and histograms of pictures, thresholds and basins of their pixels. They learn nothing.

scikit-image, of the extra `lab`, is imported where it is used.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from isthmus.data.reading import needs

Array = NDArray[np.floating]
Masks = NDArray[np.bool_]
PIXEL = ("value", "smoothed", "edge", "threshold", "basin")  # the features of a pixel, in order


def edges_and_histogram(pictures: Array, orientations: int = 8, cell: int = 2, bins: int = 8) -> Array:
    """Histograms of oriented gradients (Dalal & Triggs 2005) and of values, for pictures (N, H, W) in [0, 1].

    Cells have `cell` × `cell` pixels; blocks of 2 × 2 cells are normalised together. An edge's sign is not kept.

    Returns
    -------
    array of shape (N, F)
        The gradients' shares first, then the share of the pixels in each of so many bins.

    Raises
    ------
    DataError
        Where scikit-image is not installed.
    """
    hog = _skimage("feature").hog
    how = {"orientations": orientations, "pixels_per_cell": (cell, cell), "cells_per_block": (2, 2)}
    gradients = np.stack([hog(picture, **how) for picture in pictures])
    counts = np.stack([np.histogram(picture, bins, (0, 1))[0] for picture in pictures])
    return np.hstack([gradients, counts / pictures[0].size])


def threshold(picture: Array) -> Masks:
    """Pixels (H, W) above Otsu's threshold (1979), which parts their values with the least variance within the parts.

    Raises
    ------
    DataError
        Where scikit-image is not installed.
    """
    return np.asarray(picture > _skimage("filters").threshold_otsu(picture))


def basins(picture: Array) -> Masks:
    """Pixels (H, W) of the bright basins of the edge strength (Sobel), flooded from what is surely bright or dark.

    Sure is what lies beyond the midpoint of Otsu's threshold and the mean above it, or below it (watershed, Beucher &
    Lantuéjoul 1979).

    Raises
    ------
    DataError
        Where scikit-image is not installed.
    """
    cut = _skimage("filters").threshold_otsu(picture)
    above = picture > cut
    dark, bright = ((cut + (picture[part].mean() if part.any() else cut)) / 2 for part in (~above, above))
    markers = np.where(picture > bright, 2, np.where(picture < dark, 1, 0))
    flooded = _skimage("segmentation").watershed(_skimage("filters").sobel(picture), markers)
    return np.asarray(flooded == 2)


def pixel_features(pictures: Array) -> Array:
    """What `PIXEL` names of every pixel of pictures (N, H, W): (N, H, W, 5).

    Its value, the value smoothed by a Gaussian of 1.5 pixels, the edge strength smoothed likewise, and whether
    `threshold` and `basins` count it in.

    Raises
    ------
    DataError
        Where scikit-image is not installed.
    """
    filters = _skimage("filters")
    return np.stack([_of_pixels(picture, filters) for picture in pictures])


def _of_pixels(picture: Array, filters: ModuleType) -> Array:
    smooth, edges = filters.gaussian(picture, 1.5), filters.gaussian(filters.sobel(picture), 1.5)
    return np.stack([picture, smooth, edges, threshold(picture), basins(picture)], axis=-1)


def patches(pictures: Array, side: int) -> Array:
    """The square of an odd `side` around every pixel of pictures (N, H, W), which go on mirrored: (N, H, W, side²)."""
    reach = side // 2
    framed = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (side, side), axis=(1, 2))
    return windows.reshape(*pictures.shape, side * side)


def _skimage(part: str) -> ModuleType:
    """A module of scikit-image.

    Raises
    ------
    DataError
        Where it is not installed.
    """
    try:
        from importlib import import_module

        return import_module(f"skimage.{part}")
    except ImportError as fault:
        raise needs("scikit-image", "lab", "make features by hand") from fault
