"""Digits made harder by a factor that has nothing to do with their class: turned, on noise, or on photos.

As Larochelle, Erhan, Courville, Bergstra & Bengio (2007) made their variants of MNIST, which are regenerated here and
not theirs: other draws, other photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi

import numpy as np
import numpy.typing as npt

from isthmus.errors import DataError

Array = npt.NDArray[np.float32]
Generator = np.random.Generator
BLOCK = 1024  # pictures made at once
SPREAD = 0.05  # patches of photos whose grey values deviate less say nothing


def turned(pictures: Array, rng: Generator) -> tuple[Array, npt.NDArray[np.float64]]:
    """Pictures (N, H, W) turned about their middle, each by an angle of its own, uniform over the circle.

    Returns
    -------
    pictures : float32 array of shape (N, H, W)
        Linear between pixels; 0 around.
    angles : float64 array of shape (N,)
        Radians, counter-clockwise as the picture is seen.
    """
    angles = rng.uniform(0, 2 * pi, len(pictures))
    return turn(pictures, angles), angles


def turn(pictures: Array, angles: npt.NDArray[np.float64]) -> Array:
    """Pictures (N, H, W), float32, each turned by its own of the angles (N,), as `turned` tells them."""
    out = np.empty_like(pictures, np.float32)
    for start in range(0, len(pictures), BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = _turned(pictures[part], angles[part])
    return out


def _turned(pictures: Array, angles: npt.NDArray[np.float64]) -> Array:
    from scipy.ndimage import map_coordinates  # as long in coming as all that importing isthmus takes

    height, width = pictures.shape[1:]
    down, across = np.mgrid[:height, :width] - np.array([[[height - 1]], [[width - 1]]]) / 2
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    place = np.stack(
        [
            np.broadcast_to(np.arange(len(pictures))[:, None, None], (len(pictures), height, width)),
            cos * down + sin * across + (height - 1) / 2,
            cos * across - sin * down + (width - 1) / 2,
        ]
    )
    found: Array = map_coordinates(pictures, place, np.float32, order=1, mode="grid-constant")
    return found


def on_noise(pictures: Array, rng: Generator) -> Array:
    """Pictures (N, H, W) in [0, 1] on pixels that are each uniform in [0, 1]: the lighter of both is seen."""
    return np.maximum(pictures, rng.random(pictures.shape, dtype=np.float32))


def on_photos(pictures: Array, photos: list[Array], rng: Generator) -> Array:
    """Pictures (N, H, W) in [0, 1] on patches of photos (h, w) in [0, 1]: the lighter of both is seen.

    Patches are cut at random places of random photos; those that hardly vary are drawn again.

    Raises
    ------
    DataError
        Where no photo is large enough, or has a patch that varies.
    """
    height, width = pictures.shape[1:]
    large = [photo for photo in photos if photo.shape[0] >= height and photo.shape[1] >= width]
    windows = [np.lib.stride_tricks.sliding_window_view(photo, (height, width)) for photo in large]
    if not any(float(photo.std()) >= SPREAD for photo in large):
        raise DataError(
            "no photo to put behind the pictures", "in photos", f"some of {height} × {width} pixels or more"
        )
    out = np.empty_like(pictures, np.float32)
    left = np.arange(len(pictures))
    while len(left):
        which = rng.integers(len(windows), size=len(left))
        for i, window in enumerate(windows):
            own = left[which == i]
            top, side = (rng.integers(extent, size=len(own)) for extent in window.shape[:2])
            out[own] = window[top, side]
        left = left[out[left].reshape(len(left), -1).std(axis=1) < SPREAD]
    return np.maximum(pictures, out)


Change = Callable[[Array, list[Array], Generator], Array]
VARIANTS: Mapping[str, Change] = {
    "rot": lambda pictures, photos, rng: turned(pictures, rng)[0],
    "bg-rand": lambda pictures, photos, rng: on_noise(pictures, rng),
    "bg-img": on_photos,
}
