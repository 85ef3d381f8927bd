"""A picture of any size as overlapping tiles, and results of tiles blended into one without seams.

Along each axis a tile has a window: a raised cosine over `overlap` pixels where it ends within the picture, else 1.
Divided by the sum of all windows there it is the tile's share of a pixel; the shares of a pixel sum to 1, so that equal
results are kept as they are, and a result that differs from its neighbour's turns into it with the cosine's slope, at
most about π / (2·overlap) of the difference a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Index = npt.NDArray[np.intp]
Picture = npt.NDArray[np.generic]  # (C, H, W), of any type
Restore = Callable[[Picture], Array]  # tiles (n, C, h, w) → results (n, C', h, w)

NUMBERS = 1 << 22  # that are cut at a time: 4 MiB of bytes, 16 MiB once they are float32


def starts(extent: int, tile: int, stride: int) -> Index:
    """First pixels of tiles a stride apart; the last is moved inwards, so that `extent` ≥ `tile` pixels are covered."""
    last = extent - tile
    return np.append(np.arange(0, last, stride), last)


def spread(extent: int, tile: int, overlap: int) -> Index:
    """First pixels of as few tiles as cover `extent` ≥ `tile` pixels and overlap so far at least, evenly spread."""
    steps = math.ceil((extent - tile) / (tile - overlap))
    return np.arange(steps + 1) * (extent - tile) // max(steps, 1)


def shares(first: Index, extent: int, tile: int, overlap: int) -> Array:
    """Of each tile its share of each of its pixels along one axis, (n, tile); those of a pixel sum to 1."""
    window = np.ones((len(first), tile))
    ramp = np.sin(np.pi * (np.arange(overlap) + 0.5) / (2 * max(overlap, 1))) ** 2
    window[1:, :overlap] = ramp
    window[:-1, tile - overlap :] = ramp[::-1]
    places = first[:, None] + np.arange(tile)  # n tile
    total = np.bincount(places.ravel(), window.ravel(), minlength=extent)
    return window / total[places]


def mirrored(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture continued by its own reflection, to the right and downwards, where it is smaller than (h, w)."""
    missing = [max(0, wanted - given) for wanted, given in zip(size, picture.shape[1:], strict=True)]
    return np.pad(picture, ((0, 0), (0, missing[0]), (0, missing[1])), mode="reflect") if any(missing) else picture


def tiling(size: tuple[int, int], tile: tuple[int, int], overlap: tuple[int, int]) -> tuple[Index, Index]:
    """First rows and first columns of the tiles that `bands` cuts a picture of (H, W) into."""
    down, across = (spread(max(extent, side), side, lap) for extent, side, lap in zip(size, tile, overlap, strict=True))
    return down, across


def bands(picture: Picture, tile: tuple[int, int], overlap: tuple[int, int], restore: Restore) -> Iterator[Array]:
    """The blended results of all tiles, from the top downwards as bands of whole rows, (C', r, W) each.

    Only the rows under the current row of tiles are held, and no more than `NUMBERS` of its tiles' numbers are cut at
    a time, so that the memory needed grows with the picture's width, not with its height.

    Parameters
    ----------
    picture : array of shape (C, H, W)
        Where it is smaller than a tile it is continued by reflection, and the result is cut back.
    tile, overlap : (int, int)
        A tile's height and width, and how many pixels neighbours share at least, at most half of those.
    restore : callable
        Tiles (n, C, h, w) of the picture's type → results (n, C', h, w).

    Yields
    ------
    float32 array of shape (C', r, W)
        The next r rows, final.
    """
    height, width = picture.shape[1:]
    down, across = tiling((height, width), tile, overlap)
    picture = mirrored(picture, tile)
    rows = shares(down, picture.shape[1], tile[0], overlap[0]).astype(np.float32)
    columns = shares(across, picture.shape[2], tile[1], overlap[1]).astype(np.float32)
    held = np.zeros(0, np.float32)  # C' h W: sums that the tiles of later rows still add to
    for top, following, share in zip(down, [*down[1:], picture.shape[1]], rows, strict=True):
        for some, results in _restored(picture, int(top), across, tile, restore):
            held = held if held.size else np.zeros((results.shape[1], tile[0], picture.shape[2]), np.float32)
            for left, column, result in zip(across[some], columns[some], results, strict=True):
                held[:, :, left : left + tile[1]] += result * (share[:, None] * column)
        done = int(following - top)
        yield held[:, : min(done, height), :width].copy()
        held[:, : tile[0] - done] = held[:, done:]
        held[:, tile[0] - done :] = 0


def _restored(
    picture: Picture, top: int, across: Index, tile: tuple[int, int], restore: Restore
) -> Iterator[tuple[slice, Array]]:
    """The tiles of one row through `restore`, some at a time, with which they are."""
    size = max(1, NUMBERS // (len(picture) * tile[0] * tile[1]))
    row = picture[:, top : top + tile[0]]
    for begin in range(0, len(across), size):
        some = slice(begin, begin + size)
        yield some, restore(np.stack([row[:, :, left : left + tile[1]] for left in across[some]]))


def blended(picture: Picture, tile: tuple[int, int], overlap: tuple[int, int], restore: Restore) -> Array:
    """The results of all tiles as one float32 array of shape (C', H, W); parameters as of `bands`."""
    return np.concatenate(list(bands(picture, tile, overlap, restore)), axis=1)
