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
BLOCK = 32  # frames drawn at a time: their arrays stay in the cache


def frames(states: Array, size: tuple[int, int] = (12, 40)) -> NDArray[np.float32]:
    """Pictures of states (place, speed, angle, its speed), (N, 4), as (N, h, w) in [0, 1].

    A pixel is as bright as the share of it that a thing covers, taken from the distance of its middle to the edge: so
    what moves by a hundredth of a pixel changes the picture. `size` is (h, w); the track takes the width, and the
    cart's middle lies two pixels above the picture's lower edge.
    """
    height, width = size
    pixel = 2 * REACH / width
    across = ((np.arange(width) + 0.5) * pixel - REACH).astype(np.float32)
    up = ((height - 2 - np.arange(height) - 0.5) * pixel).astype(np.float32)[:, None]
    found = np.empty((len(states), height, width), np.float32)
    placed = np.asarray(states, np.float32).T[[0, 2], :, None, None]
    for start in range(0, len(states), BLOCK):
        place, angle = placed[:, start : start + BLOCK]
        found[start : start + BLOCK] = _drawn(across - place, up, angle, pixel)
    return found


def _drawn(x: Array, y: Array, angle: Array, pixel: float) -> Array:
    """Cart and pole, (N, h, w), where pixels lie at x, (N, 1, w), and y, (h, 1), from the cart's middle."""
    cart = np.minimum(_covered(np.abs(x) - CART[0], pixel), _covered(np.abs(y) - CART[1], pixel))
    sine, cosine, y = np.sin(angle), np.cos(angle), y - np.float32(AXLE)
    along = np.clip(x * sine + y * cosine, 0, POLE)
    pole = np.sqrt(np.square(x - along * sine) + np.square(y - along * cosine)) - THICK
    drawn: Array = np.maximum(cart, SHADE * _covered(pole, pixel))
    return drawn


def pairs(now: Array, before: Array, size: tuple[int, int] = (12, 40)) -> NDArray[np.float32]:
    """Frames of states now and before, (N, 4) each, as rows of two channels, (N, 2·h·w)."""
    return np.stack([frames(now, size), frames(before, size)], axis=1).reshape(len(now), -1)


def _covered(distance: Array, pixel: float) -> Array:
    """The share of a pixel within an edge that lies so far from its middle, negative within."""
    return np.clip(0.5 - distance / (BLUR * pixel), 0, 1)
