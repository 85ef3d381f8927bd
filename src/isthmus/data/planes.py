"""Sets of points of the plane in two classes that no straight line parts: what decision regions are drawn on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi

import numpy as np
import numpy.typing as npt

from isthmus._constraints import Constraint, OneOf, check, count, non_negative

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]
Generator = np.random.Generator

RADIUS = 0.5  # of the inner class of "circle"
GAP = 0.1  # half of the strip between two classes where "circle" and "xor" have no points
TURNS = 1.5  # of each arm of "spiral"


def generate(name: str, n: int = 200, noise: float = 0.0, random_state: int = 0) -> tuple[Array, Classes]:
    """Points of one of the sets, about the square from −1 to 1.

    Parameters
    ----------
    name : {"xor", "circle", "moons", "spiral"}
        "xor": the class is whether x₁ and x₂ have unlike signs. "circle": a disc within a ring. "moons": two half
        circles that reach into each other. "spiral": two arms of 1.5 turns each. Points of "xor" and of "circle" keep
        0.1 away from the boundary, before noise.
    n : int
        How many points, in classes that differ by one at most.
    noise : float
        Standard deviation of what is added to each coordinate.
    random_state : int
        Seed of the draws.

    Returns
    -------
    X : float64 array of shape (n, 2)
    y : int64 array of shape (n,)
        0 or 1, in random order.

    Raises
    ------
    SettingError
        Where a setting does not fit.
    """
    check("planes.generate", {"name": name, "n": n, "noise": noise}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    y = rng.permutation(np.arange(n) % 2).astype(np.int64)
    X = PLANES[name](y, rng)
    return X + noise * rng.standard_normal(X.shape), y


def _xor(y: Classes, rng: Generator) -> Array:
    size = rng.uniform(GAP, 1, (len(y), 2))
    sign = rng.choice((-1.0, 1.0), len(y))
    return size * np.stack([sign, np.where(y == 1, -sign, sign)], axis=1)


def _circle(y: Classes, rng: Generator) -> Array:
    """Uniform over the disc's area, and over the ring's."""
    low, high = np.where(y == 1, RADIUS + GAP, 0.0), np.where(y == 1, 1.0, RADIUS - GAP)
    radius = np.sqrt(rng.uniform(low**2, high**2))
    return _polar(radius, rng.uniform(0, 2 * pi, len(y)))


def _moons(y: Classes, rng: Generator) -> Array:
    arc = _polar(np.full(len(y), 0.6), rng.uniform(0, pi, len(y)))
    return np.where(y[:, None] == 1, (0.3, 0.15) - arc, arc - (0.3, 0.15))


def _spiral(y: Classes, rng: Generator) -> Array:
    """Points at equal steps of the arm's angle on average, each arm half a turn from the other."""
    along = np.sqrt(rng.uniform(0.01, 1, len(y)))
    return _polar(along, 2 * pi * TURNS * along + pi * y)


def _polar(radius: Array, angle: Array) -> Array:
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


PLANES: Mapping[str, Callable[[Classes, Generator], Array]] = {
    "xor": _xor,
    "circle": _circle,
    "moons": _moons,
    "spiral": _spiral,
}
_CONSTRAINTS: Mapping[str, Constraint] = {"name": OneOf(tuple(PLANES)), "n": count(), "noise": non_negative()}
