"""Contact sheets: of each unit what it looks for, the nine rows that drive it most, and what in them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus.seeing import tiles
from isthmus.seeing.deconvolution import project
from isthmus.seeing.drawing import drawn
from isthmus.seeing.fields import Box, field
from isthmus.seeing.filters import projective, receptive
from isthmus.seeing.layers import Layer, layers
from isthmus.seeing.maximising import Ascent, Ball, Bound, maximise
from isthmus.seeing.spectra import learned_colours
from isthmus.seeing.strongest import Strongest, strongest

Array = NDArray[np.floating]
NINE = 9
SIDE = 48  # pixels of a patch; what a unit looks for is three of them high
ACROSS = 2  # units beside each other
NUMBERS = 1 << 20  # numbers of the rows that are projected at once, at the most
MOST = 64  # and how many rows


@dataclass(frozen=True)
class Viewed:
    """A network and the rows it is looked at with.

    Attributes
    ----------
    network : torch.nn.Module
        Maps rows (N, *shape).
    X : array of shape (N, *shape)
        Rows as the network takes them.
    show : callable
        Turns rows as the network takes them, (n, *shape), into what people see; by default they are that.
    bound : callable or None
        Within what the maximising inputs are sought; by default they have the norm of the median row.
    """

    network: nn.Module
    X: Array
    show: Callable[[Array], Array] = np.asarray
    bound: Bound | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.X.shape[1:])

    @cached_property
    def layers(self) -> list[Layer]:
        return layers(self.network, self.X[:1])

    @property
    def weighted(self) -> list[Layer]:
        """The layers that multiply."""
        return [layer for layer in self.layers if layer.weight is not None]

    @cached_property
    def limits(self) -> tuple[float, float]:
        """What is drawn black and what white."""
        shown = self.show(self.X)
        return float(shown.min()), float(shown.max())

    def lit(self, rows: Array) -> Array:
        """Rows as the network takes them, (n, *shape), as pictures from 0 to 1."""
        return tiles.lit(self.show(rows), *self.limits)

    @cached_property
    def ascent(self) -> Ascent:
        """With the colours of the rows, where they have colours."""
        coloured = tiles.drawable(self.shape) and self.shape[0] == 3
        return Ascent(colours=learned_colours(self.X) if coloured else None)

    def lots(self, n: int) -> list[slice]:
        """n rows in lots that a backward pass has memory for."""
        size = max(1, min(MOST, NUMBERS // self.X[0].size))
        return [slice(first, first + size) for first in range(0, n, size)]

    @cached_property
    def within(self) -> Bound:
        if self.bound is not None:
            return self.bound
        norms = np.sqrt(np.square(self.X.reshape(len(self.X), -1)).sum(axis=1))
        return Ball(float(np.median(norms)) or sqrt(self.X[0].size))


@dataclass(frozen=True)
class Sheet:
    """One layer's sheet.

    Attributes
    ----------
    layer : Layer
    units : list of int
        The units shown, left to right and top to bottom.
    of : int
        How many there are.
    answers : array of shape (U, …)
        What each unit looks for, or what it draws.
    picture : array of shape (C, h, w)
        The sheet, from 0 to 1.
    told : str
        What stands on it.
    """

    layer: Layer
    units: list[int]
    of: int
    answers: Array
    picture: Array
    told: str


LOOKS = {
    "filter": "the filter itself",
    "ascent": "an input, as large as rows are, that gradient ascent found to drive it",
    "draws": "what it adds to the output, the mean over nine rows",
}


def sheet(viewed: Viewed, layer: Layer, units: int = 16, paints: bool = False) -> Sheet:
    """What units of a layer see: the filter of a first layer, else a maximising input; nine patches; nine projections.

    Parameters
    ----------
    viewed : Viewed
        The network and rows.
    layer : Layer
        One of its layers.
    units : int
        How many units at the most: those whose strongest activation differs most from row to row.
    paints : bool
        The layer stands behind the code: what a unit adds to the output is shown, not what it sees in the input.
    """
    best = strongest(viewed.network, layer.name, viewed.X, NINE)
    lively = np.sort(np.argsort(-best.spread, kind="stable")[:units])
    best = best.of(lively)
    if paints:
        return _painted(viewed, layer, best)
    first = layer.name == viewed.weighted[0].name
    if first:
        answers = receptive(layer, viewed.shape)[lively]
    else:
        network, within = viewed.network, viewed.within
        answers = maximise(network, layer.name, viewed.shape, lively.tolist(), within, viewed.ascent).inputs
    looks = LOOKS["filter" if first else "ascent"]
    if not tiles.drawable(viewed.shape):
        return _fields(layer, best, answers, looks)
    seen = tiles.signed(answers) if first else viewed.lit(answers)
    patches, projections = _patches(viewed, layer, best)
    told = f"Of each unit {looks}; the nine rows that drive it most, as far as it sees; what in them drives it."
    return Sheet(layer, best.units.tolist(), layer.units, answers, _sheet(seen, patches, projections), told)


def last_sheet(viewed: Viewed, layer: Layer, units: int = 16) -> Sheet:
    """The columns of a last layer, or its kernels: what each number that it reads adds to the output."""
    columns = projective(layer, viewed.shape)
    norms = np.sqrt(np.square(columns).reshape(len(columns), -1).sum(axis=1))
    chosen = np.sort(np.argsort(-norms, kind="stable")[:units])
    told = "What each number that this layer reads adds to the output, where it is 1."
    if not tiles.drawable(viewed.shape) or columns.ndim != 4:
        picture = _heat(columns[chosen])
    else:
        side = tiles.fitting(columns.shape[2:], 2 * SIDE)
        picture = tiles.laid([tiles.sized(one, side) for one in tiles.signed(columns[chosen])], 8, 8)
    return Sheet(layer, chosen.tolist(), len(columns), columns[chosen], picture, told)


def _painted(viewed: Viewed, layer: Layer, best: Strongest) -> Sheet:
    flat = best.rows.reshape(-1)
    owners = np.repeat(best.units, best.rows.shape[1])
    lots = viewed.lots(len(flat))
    added = np.concatenate(
        [drawn(viewed.network, layer.name, viewed.X[flat[lot]], owners[lot]).cpu().numpy() for lot in lots]
    )
    strokes = added.reshape(*best.rows.shape, *added.shape[1:])
    answers = strokes.mean(axis=1)
    if not tiles.drawable(viewed.shape):
        return _fields(layer, best, answers, LOOKS["draws"])
    patches = [list(viewed.lit(viewed.X[nine])) for nine in best.rows]
    told = f"Of each unit {LOOKS['draws']}; the nine rows that drive it most; what it adds to the output of each."
    picture = _sheet(tiles.signed(answers), patches, [list(tiles.signed(nine)) for nine in strokes])
    return Sheet(layer, best.units.tolist(), layer.units, answers, picture, told)


def _patches(viewed: Viewed, layer: Layer, best: Strongest) -> tuple[list[list[Array]], list[list[Array]]]:
    """Of each unit nine patches and nine projections, cut to what the unit sees."""
    flat, places = best.rows.reshape(-1), best.places.reshape(best.rows.size, best.places.shape[-1])
    owners = np.repeat(best.units, best.rows.shape[1])
    lots = viewed.lots(len(flat))
    found = np.concatenate(
        [
            project(viewed.network, layer.name, viewed.X[flat[lot]], owners[lot], places[lot]).cpu().numpy()
            for lot in lots
        ]
    )
    known: dict[tuple[int, ...], Box] = {}
    for place in {tuple(place) for place in places.tolist()}:
        known[place] = field(viewed.network, layer.name, viewed.shape, place)
    boxes = [known[tuple(place)] for place in places.tolist()]
    patches = tiles.cut(viewed.lit(viewed.X[flat]), boxes)
    projections = tiles.cut(tiles.signed(found), boxes)
    n = best.rows.shape[1]
    return _in_lots(tiles.whole(patches), n), _in_lots(tiles.whole(projections), n)


def _in_lots(pictures: Sequence[Array], n: int) -> list[list[Array]]:
    return [list(pictures[first : first + n]) for first in range(0, len(pictures), n)]


def _sheet(looks: Array, patches: Sequence[Sequence[Array]], projections: Sequence[Sequence[Array]]) -> Array:
    """A unit: what it looks for, nine patches, nine projections; units beside and beneath each other."""
    small = tiles.fitting(patches[0][0].shape[1:], SIDE)
    side = 3 * small + 2 * tiles.GAP
    units = []
    for look, seen, why in zip(looks, patches, projections, strict=True):
        nines = [_of_nine([tiles.sized(one, small) for one in nine]) for nine in (seen, why)]
        units.append(tiles.laid([tiles.sized(look, side), *nines], 3, 8))
    return tiles.laid(units, ACROSS, 20)


def _of_nine(pictures: list[Array]) -> Array:
    """A block of three by three, empty where there are fewer."""
    blank = np.full_like(pictures[0], tiles.BLANK)
    return tiles.laid([*pictures, *[blank] * (NINE - len(pictures))], 3)


def _fields(layer: Layer, best: Strongest, answers: Array, looks: str) -> Sheet:
    """Rows that are no pictures: a line for each unit, a place for each number of a row."""
    told = f"A line is a unit, a place a column: {looks}. Red raises it, blue lowers it."
    return Sheet(layer, best.units.tolist(), layer.units, answers, _heat(answers), told)


def _heat(answers: Array) -> Array:
    rows = tiles.heat(answers.reshape(len(answers), -1))
    _, n, columns = rows.shape
    width = max(1, min(24, 960 // columns))
    return rows.repeat(18, axis=1).repeat(width, axis=2) if n * 18 < 4000 else rows
