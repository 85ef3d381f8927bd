"""Pictures of ellipses on a ground, under uneven light and with noise, and which pixels are whose.

A scene shows a few ellipses of random place, size and turn. Its reflectance is one number on the ground and another on
the objects, or the same mean with stripes that lean one way on the ground and the other way on the objects: `LOOKS`.
The light falls off along a random direction; what is seen is reflectance × light + noise, cut to [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np
import numpy.typing as npt

from isthmus._constraints import Constraint, OneOf, check, count, non_negative, share

Array = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]
Generator = np.random.Generator

LOOKS = ("bright", "dark", "striped")
DIM, PLAIN, LIT = 0.4, 0.55, 0.7  # reflectances: of what is darker, of what has stripes, of what is brighter
STRIPES = 0.2  # how far the stripes depart from the mean
PERIOD = 4.0  # of the stripes, pixels
OBJECTS = (3, 7)  # at least, and fewer than
AXES = (0.08, 0.2)  # half of an ellipse's axes, as a share of the side


def generate(
    n: int, side: int = 48, look: str = "bright", light: float = 0.5, noise: float = 0.05, random_state: int = 0
) -> tuple[npt.NDArray[np.float32], Masks]:
    """n scenes and their true masks; a seed places the same objects under the same light in every look.

    Parameters
    ----------
    n : int
    side : int
        Pixels a side.
    look : {"bright", "dark", "striped"}
        Objects brighter than the ground, darker than it, or told from it by the way its stripes lean alone.
    light : float
        How much darker the darkest corner is than the brightest one could be, as a share, below 1.
    noise : float
        Standard deviation of what is added to each pixel.
    random_state : int
        Seed of the draws.

    Returns
    -------
    pictures : float32 array of shape (n, side, side)
    masks : bool array of shape (n, side, side)
        Whether a pixel's middle lies in an object.

    Raises
    ------
    SettingError
        Where a setting does not fit.
    """
    check("scenes.generate", {"n": n, "side": side, "look": look, "light": light, "noise": noise}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    at = (np.arange(side) + 0.5) / side
    across, down = np.meshgrid(at, at)
    masks = np.stack([_objects(across, down, rng) for _ in range(n)])
    angles = rng.uniform(0, 2 * pi, n)
    pictures = _reflectance(masks, look) * np.stack([_light(across, down, angle, light) for angle in angles])
    pictures += noise * rng.standard_normal(pictures.shape)
    return np.clip(pictures, 0, 1).astype(np.float32), masks


_CONSTRAINTS: Mapping[str, Constraint] = {
    "n": count(),
    "side": count(4),
    "look": OneOf(LOOKS),
    "light": share(),
    "noise": non_negative(),
}


def _objects(across: Array, down: Array, rng: Generator) -> Masks:
    """The union of some ellipses."""
    mask = np.zeros(across.shape, dtype=bool)
    for _ in range(rng.integers(*OBJECTS)):
        (x, y), (long, wide), angle = rng.uniform(0.1, 0.9, 2), rng.uniform(*AXES, 2), rng.uniform(0, pi)
        u = np.cos(angle) * (across - x) + np.sin(angle) * (down - y)
        v = np.cos(angle) * (down - y) - np.sin(angle) * (across - x)
        mask |= np.square(u / long) + np.square(v / wide) <= 1
    return mask


def _reflectance(masks: Masks, look: str) -> Array:
    if look != "striped":
        return np.where(masks == (look == "bright"), LIT, DIM)
    place = np.arange(masks.shape[-1])
    along, back = place + place[:, None], place - place[:, None]
    falling, rising = (PLAIN + STRIPES * np.sin(2 * pi / PERIOD / np.sqrt(2) * way) for way in (back, along))
    return np.where(masks, rising, falling)


def _light(across: Array, down: Array, angle: float, light: float) -> Array:
    """1 at most, 1 − light at least, falling off evenly along a direction."""
    way = (np.cos(angle) * (across - 0.5) + np.sin(angle) * (down - 0.5)) / np.sqrt(0.5)  # within −1 and 1
    return 1 - light * (1 + way) / 2
