"""Talking faces, drawn: who it is, how the head is held and what the mouth does are all known.

A face has an identity, a row of `IDENTITIES`, and an expression, a row of numbers in the order of `EXPRESSIONS`. Either
can be drawn with any of the other, so that what a swap of faces ought to give can be drawn too. Nothing but the
identity differs between two people with the same expression, and that differs in every part of the face; the wall
behind them is the same, and what is darker than its surroundings in one face is so in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus._constraints import Constraint, Number, check, count
from isthmus.data.dataset import Rows
from isthmus.errors import DataError

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

SIDE = 32  # pixels
BLOCK = 256  # faces drawn at once
EXPRESSIONS: Mapping[str, tuple[float, float]] = {
    "turn": (-1.0, 1.0),  # of the head, to the right of the picture
    "tilt": (-10.0, 10.0),  # degrees, clockwise
    "right": (-0.12, 0.12),  # of the head's middle, as a share of the side
    "down": (-0.08, 0.08),
    "mouth": (0.0, 1.0),  # how far it is open
    "smile": (-1.0, 1.0),  # how far the corners of the mouth are raised
    "light": (0.8, 1.1),  # what colours are multiplied by
}
TALKING = ("mouth", "smile")  # change from frame to frame of a video; the others drift
HELD = ("right", "down")  # are left small where pictures are cut out around the head


@dataclass(frozen=True)
class Identity:
    """What makes a face somebody's: colours, and lengths as shares of half the picture's side."""

    skin: Colour
    hair: Colour
    behind: Colour
    lips: Colour
    eyes: Colour
    width: float
    height: float
    fringe: float  # how far down the hair reaches
    apart: float  # from the middle to an eye
    eye: float
    brow: float  # thickness
    nose: float
    lip: float  # half the mouth's width


WALL = (0.86, 0.87, 0.88)
IDENTITIES: Mapping[str, Identity] = {
    "A": Identity(
        skin=(0.93, 0.76, 0.65),
        hair=(0.25, 0.15, 0.08),
        behind=WALL,
        lips=(0.75, 0.30, 0.30),
        eyes=(0.20, 0.35, 0.55),
        width=0.52,
        height=0.70,
        fringe=0.38,
        apart=0.22,
        eye=0.085,
        brow=0.035,
        nose=0.16,
        lip=0.20,
    ),
    "B": Identity(
        skin=(0.72, 0.52, 0.40),
        hair=(0.45, 0.22, 0.10),
        behind=WALL,
        lips=(0.50, 0.20, 0.20),
        eyes=(0.15, 0.10, 0.08),
        width=0.60,
        height=0.64,
        fringe=0.30,
        apart=0.24,
        eye=0.075,
        brow=0.060,
        nose=0.18,
        lip=0.22,
    ),
}


def generate(
    n: int, identity: str = "A", side: int = SIDE, random_state: int = 0, held: float = 1.0
) -> tuple[Rows, Floats]:
    """Faces of one person, every number of the expression uniform between its bounds and independent of the others.

    Parameters
    ----------
    n, side : int
        Faces, and the pixels of their sides.
    identity : str
        One of `IDENTITIES`.
    random_state : int
        Seed of the expressions, which two people share.
    held : float
        What the bounds of right and down are multiplied by: less than 1 are pictures cut out around the head, as a face
        detector does, nearly.

    Returns
    -------
    rows : float32 array of shape (n, 3 · side²)
        Red, green, blue, in [0, 1].
    expressions : float64 array of shape (n, 7)
        In the order of `EXPRESSIONS`.

    Raises
    ------
    SettingError, DataError
        Where a setting does not fit, or there is no such person.
    """
    check("faces.generate", {"n": n, "side": side, "held": held}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    low, high = _bounds(held).T
    expressions = rng.uniform(low, high, (n, len(low)))
    return draw(identity, expressions, side), expressions


def talk(
    n: int, identity: str = "A", side: int = SIDE, random_state: int = 0, held: float = 1.0
) -> tuple[Rows, Floats]:
    """n frames of a video of one person talking: the mouth moves quickly, the head slowly. As `generate` otherwise."""
    check("faces.talk", {"n": n, "side": side, "held": held}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    frames = np.arange(n)
    columns = []
    for name, (low, high) in zip(EXPRESSIONS, _bounds(held), strict=True):
        period = rng.uniform(6, 12, 3) if name in TALKING else rng.uniform(60, 120, 3)
        waves = np.sin(2 * np.pi * frames[:, None] / period + rng.uniform(0, 2 * np.pi, 3)).mean(axis=1)  # n
        columns.append(low + (high - low) * (1 + waves) / 2)
    expressions = np.stack(columns, axis=1)
    return draw(identity, expressions, side), expressions


def _bounds(held: float) -> Floats:
    """Of each number of an expression, (7, 2)."""
    bounds: Floats = np.array([np.multiply(both, held if name in HELD else 1) for name, both in EXPRESSIONS.items()])
    return bounds


def draw(identity: str, expressions: ArrayLike, side: int = SIDE) -> Rows:
    """One person with each of the expressions (N, 7): rows (N, 3 · side²), float32 in [0, 1]."""
    if identity not in IDENTITIES:
        raise DataError(f"nobody called {identity!r}", "in faces", " or ".join(IDENTITIES))
    table = np.asarray(expressions, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(EXPRESSIONS):
        raise DataError(f"expressions of shape {table.shape}", "in faces", f"(N, {len(EXPRESSIONS)})")
    out = np.empty((len(table), 3 * side * side), np.float32)
    for start in range(0, len(table), BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = _Canvas(table[part], side).face(IDENTITIES[identity])
    return out


class _Canvas:
    """Pictures of N heads, (N, 3, side, side), painted over one part after the other in the head's own coordinates."""

    def __init__(self, expressions: Floats, side: int) -> None:
        named = dict(zip(EXPRESSIONS, expressions.T[:, :, None, None], strict=True))  # N 1 1 each
        self.turn, self.mouth, self.smile, self.light = (named[key] for key in ("turn", "mouth", "smile", "light"))
        grid = (np.arange(side) + 0.5) / side * 2 - 1
        down, across = np.meshgrid(grid, grid, indexing="ij")
        x, y = across - 2 * named["right"], down - 2 * named["down"]
        cos, sin = np.cos(np.radians(named["tilt"])), np.sin(np.radians(named["tilt"]))
        self.x, self.y = cos * x + sin * y, cos * y - sin * x  # N S S
        self.sharp = side / 2  # a pixel's share of an edge
        self.picture = np.zeros((len(expressions), 3, side, side))

    def paint(self, distance: Floats, colour: Colour, opacity: float = 1.0) -> None:
        """Colour where the signed distance (N, S, S), in halves of the side, is negative; edges are a pixel soft."""
        share = opacity * np.clip(0.5 - distance * self.sharp, 0, 1)[:, None]
        self.picture += share * (np.array(colour)[:, None, None] - self.picture)

    def ellipse(self, right: float | Floats, down: float | Floats, width: float, height: float | Floats) -> Floats:
        """Distance to an ellipse, near enough at its edge."""
        u, v = (self.x - right) / width, (self.y - down) / height
        radius = np.sqrt(u**2 + v**2)
        slope = np.sqrt((u / width) ** 2 + (v / height) ** 2)
        distance: Floats = radius * (radius - 1) / np.maximum(slope, 1e-9)
        return distance

    def face(self, who: Identity) -> NDArray[np.float32]:
        """The whole picture, (N, 3 · side²)."""
        self.picture[:] = np.array(who.behind)[:, None, None]
        aside = 0.12 * self.turn  # what lies in front of the head's axis moves aside as it turns
        head = self.ellipse(0, 0, who.width, who.height)
        self.paint(self.ellipse(-0.5 * aside, -0.12, 1.12 * who.width, 1.02 * who.height), who.hair)
        self.paint(head, who.skin)
        self.paint(np.maximum(head, self.y + who.height - who.fringe - 0.2 * np.abs(self.x - aside)), who.hair)
        for sign in (-1, 1):
            self._eye(who, aside + sign * who.apart, sign)
        self._nose(who, aside)
        self._mouth(who, aside)
        lit = np.clip(self.picture * self.light[:, None], 0, 1)
        return lit.reshape(len(lit), -1).astype(np.float32)

    def _eye(self, who: Identity, right: Floats, sign: int) -> None:
        place = right - 0.02 * sign * np.abs(self.turn)  # foreshortened
        self.paint(self.ellipse(place, -0.12, 1.5 * who.eye, who.eye), (0.97, 0.97, 0.95))
        self.paint(self.ellipse(place + 0.04 * self.turn, -0.12, 0.7 * who.eye, 0.8 * who.eye), who.eyes)
        self.paint(self.ellipse(place, -0.12 - 2.2 * who.eye, 1.7 * who.eye, who.brow), who.hair)

    def _nose(self, who: Identity, aside: Floats) -> None:
        shade = (0.75 * who.skin[0], 0.72 * who.skin[1], 0.70 * who.skin[2])
        self.paint(self.ellipse(1.6 * aside, who.nose - 0.06, 0.07, 0.5 * who.nose), shade, 0.7)

    def _mouth(self, who: Identity, aside: Floats) -> None:
        """Lips around an opening; the corners go up as it smiles."""
        middle, down = 1.2 * aside, 0.36
        bent = down - 0.10 * self.smile * ((self.x - middle) / who.lip) ** 2 + 0.05 * self.smile
        opening = 0.015 + 0.11 * self.mouth
        self.paint(self.ellipse(middle, bent, 1.15 * who.lip, opening + 0.05), who.lips)
        self.paint(self.ellipse(middle, bent, 0.9 * who.lip, opening), (0.18, 0.05, 0.06))


_CONSTRAINTS: Mapping[str, Constraint] = {"n": count(), "side": count(8), "held": Number(0, 1)}
