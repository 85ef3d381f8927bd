"""Pictures distorted at random, as many as wanted: each is one of some given pictures, moved, turned, and bent.

For every picture a row of numbers is drawn, each uniformly between the bounds in `CHANGES`, and knots of a field, which
are normal. The given picture is stretched, then slanted, turned and moved, and last bent by the field, a cubic through
KNOTS × KNOTS points (Simard, Steinkraus & Platt 2003 bend digits by smoothed noise instead).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy.interpolate import make_interp_spline
from scipy.ndimage import map_coordinates

from isthmus._constraints import Constraint, check, count, non_negative
from isthmus.data.dataset import Labels, Rows
from isthmus.errors import DataError

Array = npt.NDArray[np.floating]

BLOCK = 1024  # pictures drawn at once: some tens of MB at 28 × 28
KNOTS = 4  # a side, of the field
BEND = 0.03  # standard deviation of a knot's displacement, as a share of the side
CHANGES: Mapping[str, tuple[float, float]] = {
    "turn": (-25.0, 25.0),  # degrees, counter-clockwise
    "width": (-0.25, 0.25),  # the logarithm of the factor
    "height": (-0.25, 0.25),
    "slant": (-0.3, 0.3),  # how far the top leans to the right, as a share of the height
    "right": (-0.15, 0.15),  # of the middle, as a share of the side
    "down": (-0.15, 0.15),
}


def generate(
    n: int, pictures: npt.ArrayLike, labels: npt.ArrayLike, side: int = 16, strength: float = 1.0, random_state: int = 0
) -> tuple[Rows, Labels]:
    """The first n pictures of `stream`, so that fewer are the beginning of more.

    Returns
    -------
    rows : float32 array of shape (n, side²)
    labels : int64 array of shape (n,)

    Raises
    ------
    SettingError, DataError
        As `stream`; or where n is no whole number from 1 on.
    """
    check("distorted.generate", {"n": n}, {"n": count()})
    blocks = itertools.islice(stream(pictures, labels, side, strength, random_state), -(-n // BLOCK))
    X, y = (np.concatenate(parts)[:n] for parts in zip(*blocks, strict=True))
    return X, y


def stream(
    pictures: npt.ArrayLike, labels: npt.ArrayLike, side: int = 16, strength: float = 1.0, random_state: int = 0
) -> Iterator[tuple[Rows, Labels]]:
    """Distorted pictures without end, BLOCK at a time, so that memory does not grow with their number.

    Parameters
    ----------
    pictures : array of shape (M, H, W)
        What is distorted, each as often as any other on average; what lies around a picture is 0.
    labels : array of shape (M,)
        Whole numbers, such as classes; every distorted picture keeps its own.
    side : int
        Pixels a side of the results, which show the whole of a given picture where it is not moved.
    strength : float
        What the bounds in `CHANGES`, and `BEND`, are multiplied by; 0 only enlarges.
    random_state : int
        Seed of the draws.

    Yields
    ------
    rows : float32 array of shape (BLOCK, side²)
    labels : int64 array of shape (BLOCK,)

    Raises
    ------
    SettingError
        Where a setting does not fit.
    DataError
        Where there are no pictures, or not a label for each.
    """
    given = {"side": side, "strength": strength, "random_state": random_state}
    check("distorted.stream", given, _CONSTRAINTS)
    P, y = np.asarray(pictures, dtype=np.float32), np.asarray(labels)
    if P.ndim != 3 or not P.size or y.shape != P.shape[:1] or y.dtype.kind not in "iu":
        raise DataError(
            f"pictures of shape {P.shape} and labels of shape {y.shape}, {y.dtype}",
            "in distorted.stream",
            "expected (M, H, W) with M >= 1, and (M,) whole numbers",
        )
    return (_block(P, y, side, strength, [random_state, block]) for block in itertools.count())


_CONSTRAINTS: Mapping[str, Constraint] = {"side": count(4), "strength": non_negative(), "random_state": count(0)}


def _block(pictures: Array, labels: Labels, side: int, strength: float, seed: list[int]) -> tuple[Rows, Labels]:
    rng = np.random.default_rng(seed)
    which = rng.integers(len(pictures), size=BLOCK)
    low, high = strength * np.array(list(CHANGES.values())).T
    changes = rng.uniform(low, high, (BLOCK, len(CHANGES)))
    knots = strength * BEND * rng.standard_normal((BLOCK, 2, KNOTS, KNOTS))
    return distort(pictures[which], changes, knots, side), labels[which].astype(np.int64)


def distort(pictures: Array, changes: Array, knots: Array, side: int) -> Rows:
    """Each picture as its own numbers say, read bilinearly between the middles of its pixels.

    Parameters
    ----------
    pictures : array of shape (N, H, W)
    changes : array of shape (N, 6)
        In the order and the units of `CHANGES`.
    knots : array of shape (N, 2, K, K)
        How far to the right and down of its place each knot reads, as a share of the side. The outermost knots are
        those of the outermost pixels.
    side : int

    Returns
    -------
    rows : float32 array of shape (N, side²)
    """
    place = (np.arange(side) + 0.5) / side - 0.5
    x, y = _undone(place[None, None, :], place[None, :, None], changes)  # (N, side, side) each
    bends = _between(side, knots.shape[-1])
    x, y = (at + bends @ knots[:, i] @ bends.T for i, at in enumerate((x, y)))
    height, width = pictures.shape[1:]
    which = np.broadcast_to(np.arange(len(pictures))[:, None, None], x.shape)
    points = np.stack([which, (y + 0.5) * height - 0.5, (x + 0.5) * width - 0.5])
    read = map_coordinates(pictures, points, output=np.float32, order=1, mode="grid-constant")
    rows: Rows = read.reshape(len(pictures), -1)
    return rows


def _undone(x: Array, y: Array, changes: Array) -> tuple[Array, Array]:
    """Where the points (x, y) of the result lie in the given picture; x to the right, y down, both from its middle."""
    turn, width, height, slant, right, down = changes.T[:, :, None, None]
    x, y = x - right, y - down
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    x, y = cos * x - sin * y, sin * x + cos * y
    return (x + slant * y) * np.exp(-width), y * np.exp(-height)


def _between(side: int, knots: int) -> Array:
    """The matrix, (side, knots), that carries values at knots to pixels by cubic interpolation."""
    at = np.linspace(0, side - 1, knots)
    matrix: Array = make_interp_spline(at, np.eye(knots), k=3)(np.arange(side))
    return matrix
