"""The linear pieces of a network along a line, by arithmetic: where it bends, how steep it is between, and how often.

A network of matrices and of activations that are linear in pieces is itself linear in pieces. Along a line from one
row to another each unit is a t + b on each piece of t; where it passes a kink of its activation the piece is cut. So
the pieces are followed layer by layer in float64 and none is missed, however narrow, as samples would miss it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from isthmus.classification import OnMaps
from isthmus.errors import DataError, SettingError
from isthmus.nn import ACTIVATIONS
from isthmus.nn.activations import Bend
from isthmus.nn.classic import Network
from isthmus.nn.dense import Dense
from isthmus.nn.perceptron import Perceptron

Array = NDArray[np.float64]
# Where an activation bends, by its name in ACTIVATIONS: those that are linear in pieces.
KINKS: Mapping[str, tuple[float, ...]] = {
    "identity": (),
    "relu": (0.0,),
    "leaky_relu": (0.0,),
    "hard_tanh": (-1.0, 1.0),
}
SAME = 1e-12  # of the largest slope: pieces whose slopes differ by less are one
NARROW = 1e-13  # of the line: ends that lie closer are one, told apart by rounding


@dataclass(frozen=True)
class Pieces:
    """A function of t from 0 to 1, linear between its ends and continuous.

    Attributes
    ----------
    ends : array of shape (count + 1,)
        Where the pieces meet, from 0 to 1.
    slopes : array of shape (count, outputs)
        d output / dt on each piece.
    values : array of shape (count + 1, outputs)
        The outputs at the ends.
    """

    ends: Array
    slopes: Array
    values: Array

    @property
    def count(self) -> int:
        """How many pieces, no two neighbours of which have the same slopes."""
        return len(self.slopes)

    def __call__(self, t: ArrayLike) -> Array:
        """The outputs at places t, (n,), between 0 and 1: (n, outputs)."""
        t = np.asarray(t, dtype=np.float64)
        piece = np.searchsorted(self.ends[1:-1], t, side="right")
        found: Array = self.values[piece] + self.slopes[piece] * (t - self.ends[piece])[..., None]
        return found

    def crossings(self, level: float = 0.0) -> int:
        """How often the first output goes from one side of a level to the other."""
        sides = np.sign(self.values[:, 0] - level)
        return int(np.count_nonzero(np.diff(sides[sides != 0])))


class _Affine(NamedTuple):
    """Units on each piece, slope · t + offset: ends (P + 1,), slope and offset (P, units)."""

    ends: Array
    slope: Array
    offset: Array

    def at_middles(self) -> Array:
        return self.slope * ((self.ends[1:] + self.ends[:-1]) / 2)[:, None] + self.offset

    def cut(self, places: Array) -> _Affine:
        """The same units with further ends."""
        inner = np.union1d(self.ends[1:-1], places)
        inner = inner[(inner > NARROW) & (inner < 1 - NARROW)]
        ends = np.concatenate([[0.0], inner[np.diff(inner, prepend=0.0) > NARROW], [1.0]])
        piece = np.searchsorted(self.ends, (ends[1:] + ends[:-1]) / 2, side="right") - 1
        return _Affine(ends, self.slope[piece], self.offset[piece])


def pieces(network: nn.Module, start: ArrayLike, end: ArrayLike) -> Pieces:
    """The pieces of a network on the segment from a row to another, t = 0 to 1.

    Parameters
    ----------
    network : torch.nn.Module
        Dense layers in a row, with "relu", "leaky_relu", "hard_tanh" or nothing between them: what `networks.MLP`
        builds, a `Perceptron`, or an `nn.Sequential` of `nn.Linear` and `nn.ReLU`.
    start, end : number or array of shape (D,)
        Of a network of one input numbers do; the piece of a place x is then that of t = (x − start) / (end − start).

    Returns
    -------
    Pieces
        In float64, whatever the weights are. Units on whose two sides the outputs have the same slopes end no piece.

    Raises
    ------
    SettingError
        Where the network has a part that is not linear in pieces.
    DataError
        Where the rows do not fit the network, or each other.
    """
    parts = list(_parts(network))
    first, last = (np.atleast_1d(np.asarray(row, dtype=np.float64)) for row in (start, end))
    _check(parts, first, last)
    units = _Affine(np.array([0.0, 1.0]), (last - first)[None], first[None])
    for part in parts:
        units = _bent(units, part) if isinstance(part, str) else _mapped(units, part)
    return _joined(units)


def _parts(part: Any) -> Iterator[Dense | nn.Linear | str]:
    """Layers with a weight, and names of activations, in the order they run.

    Raises
    ------
    SettingError
        Where a part is not linear in pieces.
    """
    if isinstance(part, Dense | nn.Linear) or part in KINKS:
        yield part
        return
    if type(part) not in INSIDE:
        raise SettingError(
            f"{part} is not linear in pieces",
            "in the network",
            f"dense layers with {', '.join(KINKS)} between them",
        )
    for inner in INSIDE[type(part)](part):
        yield from _parts(inner)


def _alternating(network: Perceptron) -> Iterator[Any]:
    first, *rest = network.dense
    yield first
    for layer in rest:
        yield from (network.activation, layer)


# What runs inside a part, in order.
INSIDE: Mapping[type, Callable[[Any], Iterable[Any]]] = {
    nn.Sequential: iter,
    Network: lambda network: network.trunk,
    OnMaps: lambda network: (network.network,),
    Perceptron: _alternating,
    Bend: lambda bend: (bend.name,),
    nn.ReLU: lambda bend: ("relu",),
    nn.Identity: lambda part: (),
    nn.Flatten: lambda part: (),
    nn.Dropout: lambda part: (),  # at rest
}


def _check(parts: Iterable[Any], start: Array, end: Array) -> None:
    wanted = next((part.weight.shape[1] for part in parts if not isinstance(part, str)), len(start))
    if start.shape != (wanted,) or end.shape != (wanted,):
        raise DataError(f"rows of shapes {start.shape} and {end.shape}", "in pieces", f"two rows of shape ({wanted},)")


def _mapped(units: _Affine, layer: Dense | nn.Linear) -> _Affine:
    weight, bias = _double(layer.weight), getattr(layer, "bias", None)
    offset = units.offset @ weight.T
    return _Affine(units.ends, units.slope @ weight.T, offset if bias is None else offset + _double(bias))


def _double(tensor: torch.Tensor) -> Array:
    return tensor.detach().cpu().double().numpy()


def _bent(units: _Affine, name: str) -> _Affine:
    """Pieces cut where a unit passes a kink; on each the activation is a line, whose slope it says itself."""
    units = units.cut(np.concatenate([np.empty(0), *(_passing(units, kink) for kink in KINKS[name])]))
    activation, middles = ACTIVATIONS[name], torch.as_tensor(units.at_middles())
    bent = activation.function(middles)
    steep = activation.slope(middles, bent)
    slope, shift = steep.numpy(), (bent - steep * middles).numpy()
    return _Affine(units.ends, slope * units.slope, slope * units.offset + shift)


def _passing(units: _Affine, kink: float) -> Array:
    """Where units are at a kink, within the piece they are on."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a unit that does not move passes nothing
        places = (kink - units.offset) / units.slope
    inside: Array = places[(places > units.ends[:-1, None]) & (places < units.ends[1:, None])]
    return inside


def _joined(units: _Affine) -> Pieces:
    """Without the ends at which no output bends."""
    steps = np.abs(np.diff(units.slope, axis=0)).max(axis=1, initial=0)
    first = np.flatnonzero(np.concatenate([[True], steps > SAME * np.abs(units.slope).max(initial=0)]))
    ends, slope, offset = np.append(units.ends[first], 1.0), units.slope[first], units.offset[first]
    values = np.vstack([slope * ends[:-1, None] + offset, slope[-1] * ends[-1] + offset[-1]])
    return Pieces(ends, slope, values)
