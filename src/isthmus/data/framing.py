"""Pictures in an empty frame, moved by whole pixels and enlarged: the same picture at another place and size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Array = NDArray[np.floating]
Move = tuple[int, int]  # down and across
MOVES: tuple[Move, ...] = ((-1, 0), (1, 0), (0, -1), (0, 1))


def framed(pictures: Array, frame: int = 0, times: int = 1, move: Move = (0, 0)) -> Array:
    """Rows (N, D) of pictures (N, H, W) that got a frame of zeros, were moved within it, and were enlarged.

    Parameters
    ----------
    frame : int
        Pixels of zeros on each side.
    times : int
        How many pixels each pixel becomes, a side; values between are linear.
    move : tuple of int
        Pixels down and across, before they are enlarged. What leaves the frame is cut off.
    """
    down, across = move
    room = frame + max(abs(down), abs(across))
    height, width = (side + 2 * frame for side in pictures.shape[1:])
    top, left = room - frame - down, room - frame - across
    maps = np.pad(pictures, ((0, 0), (room, room), (room, room)))[:, top : top + height, left : left + width]
    if times > 1:
        maps = zoom(maps, (1, times, times), order=1, mode="nearest", grid_mode=True)
    return maps.reshape(len(maps), -1)
