"""Cart-poles as pictures: frames drawn from their states, small and without steps at the edges of things.

gymnasium draws its own through a package that it does not bring along, one at a time and 600 pixels wide. These show
the same: a cart of 0.4 m on a track from −2.4 to 2.4 m, and on it a pole of 1 m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
REACH = 2.4  # m, from the middle of the track to its ends
CART = (0.2, 0.12)  # m, half its width and half its height
AXLE = 0.06  # m above the cart's middle
POLE, THICK = 1.0, 0.05  # m, its length and half its width
BLUR = 3.0  # pixels from where an edge begins to where it ends, as through a lens a little out of focus
SHADE = 0.6  # of the pole, where the cart has 1


def frames(states: Array, size: tuple[int, int] = (12, 40)) -> NDArray[np.float32]:
    """Pictures of states (place, speed, angle, its speed), (N, 4), as (N, h, w) in [0, 1].

    A pixel is as bright as the share of it that a thing covers, taken from the distance of its middle to the edge: so
    what moves by a hundredth of a pixel changes the picture. `size` is (h, w); the track takes the width, and the
    cart's middle lies two pixels above the picture's lower edge.
    """
    height, width = size
    pixel = 2 * REACH / width
    across = ((np.arange(width) + 0.5) * pixel - REACH).astype(np.float32)
    up = ((height - 2 - np.arange(height) - 0.5) * pixel).astype(np.float32)
    place, angle = np.asarray(states, np.float32).T[[0, 2], :, None, None]
    x, y = across - place, up[:, None]  # N 1 w, h 1: from the cart's middle
    cart = np.maximum(np.abs(x) - CART[0], np.abs(y) - CART[1])
    sine, cosine = np.sin(angle), np.cos(angle)
    along = np.clip(x * sine + (y - AXLE) * cosine, 0, POLE)
    pole = np.hypot(x - along * sine, y - AXLE - along * cosine) - THICK
    return np.maximum(_covered(cart, pixel), SHADE * _covered(pole, pixel))


def pairs(now: Array, before: Array, size: tuple[int, int] = (12, 40)) -> NDArray[np.float32]:
    """Frames of states now and before, (N, 4) each, as rows of two channels, (N, 2·h·w)."""
    return np.stack([frames(now, size), frames(before, size)], axis=1).reshape(len(now), -1)


def _covered(distance: Array, pixel: float) -> Array:
    """The share of a pixel within an edge that lies so far from its middle, negative within."""
    return np.clip(0.5 - distance / (BLUR * pixel), 0, 1)
