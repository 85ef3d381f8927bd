"""Ways through codes: straight lines, arcs, and walks along one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus._constraints import check, count
from isthmus.errors import DataError

Array = NDArray[np.floating]
TINY = 1e-12  # a direction's part at right angles to another that is rounding


def linear(z0: ArrayLike, z1: ArrayLike, steps: int = 9) -> Array:
    """Straight lines from z0 to z1, (P, K) each, both ends included, (P, steps, K).

    Raises
    ------
    DataError, SettingError
        Where the ends differ in shape, or there are fewer than two steps.
    """
    start, end, share = _checked(z0, z1, steps)
    between = start[:, None] + share[:, None] * (end - start)[:, None]
    return _with_ends(between, start, end)


def spherical(z0: ArrayLike, z1: ArrayLike, steps: int = 9) -> Array:
    """Arcs from z0 to z1, (P, K) each, both ends included, (P, steps, K).

    The direction turns at an even pace along the great circle (Shoemake 1985), the length changes linearly, so that
    codes between two of a wide Gaussian stay about as long as these, where a straight line cuts through the rare
    middle (White 2016). Opposite ends turn about a fixed axis; an end at 0 has the other's direction.

    Raises
    ------
    DataError, SettingError
        Where the ends differ in shape, or there are fewer than two steps.
    """
    start, end, share = _checked(z0, z1, steps)
    u, v = _directions(start, end)
    cosine = (u * v).sum(axis=1, keepdims=True)
    across = v - cosine * u
    sine = np.linalg.norm(across, axis=1, keepdims=True)
    across = np.where(sine > TINY, across / np.maximum(sine, TINY), _aside(u))
    angle = (np.arctan2(sine, cosine) * share)[..., None]  # P steps 1
    turned = np.cos(angle) * u[:, None] + np.sin(angle) * across[:, None]
    lengths = linear(_length(start), _length(end), steps)  # P steps 1
    return _with_ends(lengths * turned, start, end)


HOW = {"linear": linear, "spherical": spherical}


def traversal(z: ArrayLike, unit: int, values: ArrayLike) -> Array:
    """Codes z, (N, K), with one number set to each of S values in turn, (N, S, K).

    Raises
    ------
    DataError
        Where z has no such number, counted from 0.
    """
    codes, steps = np.asarray(z), np.asarray(values)
    if codes.ndim != 2 or not 0 <= unit < codes.shape[1]:
        raise DataError(
            f"unit {unit} of codes of shape {codes.shape}", "in a traversal", "codes (N, K), a unit below K"
        )
    walked = np.repeat(codes[:, None], len(steps), axis=1)
    walked[:, :, unit] = steps
    return walked


def _checked(z0: ArrayLike, z1: ArrayLike, steps: int) -> tuple[Array, Array, Array]:
    """Both ends in one floating type, and the shares of the way, (steps,)."""
    check("a path", {"steps": steps}, {"steps": count(2)})
    start, end = np.asarray(z0), np.asarray(z1)
    kind = np.result_type(start, end, np.float32)
    if start.shape != end.shape or start.ndim != 2:
        raise DataError(f"codes of shapes {start.shape} and {end.shape}", "in a path", "two of one shape, (P, K)")
    return start.astype(kind), end.astype(kind), np.linspace(0, 1, steps).astype(kind)


def _with_ends(between: Array, start: Array, end: Array) -> Array:
    """The ends to the last bit, where arithmetic would round them."""
    between[:, 0], between[:, -1] = start, end
    return between.astype(start.dtype, copy=False)


def _length(z: Array) -> Array:
    return np.linalg.norm(z, axis=1, keepdims=True)


def _directions(start: Array, end: Array) -> tuple[Array, Array]:
    """Unit vectors in float64; a code at 0 takes the other's."""
    least = np.finfo(np.float64).tiny
    u, v = (z / np.maximum(_length(z), least) for z in (start.astype(np.float64), end.astype(np.float64)))
    return np.where(_length(u) > 0, u, v), np.where(_length(v) > 0, v, u)


def _aside(u: Array) -> Array:
    """A direction at right angles to each of u, (P, K), the same every time; 0 where K is 1."""
    axis = np.zeros_like(u)
    axis[np.arange(len(u)), np.abs(u).argmin(axis=1)] = 1.0
    aside = axis - (axis * u).sum(axis=1, keepdims=True) * u
    return aside / np.maximum(_length(aside), TINY)
