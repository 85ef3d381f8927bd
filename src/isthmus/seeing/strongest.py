"""The rows of a data set that drive each unit of a layer most, and where in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import DataError
from isthmus.seeing.layers import batches

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class Strongest:
    """For each of U units its n strongest activations, the strongest first; a row counts once, at its best place.

    Attributes
    ----------
    units : array of int, (U,)
        Which units of the layer.
    values : array of shape (U, n)
        Activations.
    rows : array of int, (U, n)
        The rows they were found in.
    places : array of int, (U, n, dims)
        Where in the layer's map; dims is 0 for a dense layer.
    spread : array of shape (U,)
        The standard deviation of a row's strongest activation over all rows.
    """

    units: Counts
    values: NDArray[np.floating]
    rows: Counts
    places: Counts
    spread: NDArray[np.floating]

    def of(self, chosen: Sequence[int] | Counts) -> Strongest:
        """Those of some units only, by their place in `units`."""
        at = np.asarray(chosen, dtype=np.intp)
        return Strongest(self.units[at], self.values[at], self.rows[at], self.places[at], self.spread[at])


def strongest(network: nn.Module, name: str, X: Any, n: int = 9) -> Strongest:
    """The n strongest activations of every unit of a layer over rows X, (N, …); memory holds one batch.

    Raises
    ------
    DataError
        Where there are no rows.
    SettingError
        Where no such layer runs.
    """
    if not len(X):
        raise DataError("no rows", where="in X", expected="at least one row")
    best: _Best | None = None
    for part, a in batches(network, name, X):
        values, spots = a.flatten(2).max(dim=2) if a.ndim > 2 else (a, torch.zeros_like(a, dtype=torch.long))
        best = best or _Best(tuple(a.shape[1:]), n)
        best.take(values.T.double().cpu(), spots.T.cpu(), part.start)
    assert best is not None  # noqa: S101  # there is a row
    return best.found()


class _Best:
    """What was strongest so far: values, rows and spots, (U, ≤ n) each, and sums for the spread."""

    def __init__(self, shape: tuple[int, ...], n: int) -> None:
        self.shape, self.n = shape, n
        units = shape[0]
        self.values = torch.empty(units, 0, dtype=torch.float64)
        self.rows = self.spots = torch.empty(units, 0, dtype=torch.long)
        self.count = 0
        self.mean = self.squares = torch.zeros(units, dtype=torch.float64)

    def take(self, values: Tensor, spots: Tensor, start: int) -> None:
        """Another batch, (U, b) each, whose first row has the number `start`."""
        self._weigh(values)
        rows = torch.arange(start, start + values.shape[1]).expand_as(spots)
        values = torch.cat([self.values, values], dim=1)
        order = values.argsort(dim=1, descending=True, stable=True)[:, : self.n]
        self.values = values.gather(1, order)
        self.rows = torch.cat([self.rows, rows], dim=1).gather(1, order)
        self.spots = torch.cat([self.spots, spots], dim=1).gather(1, order)

    def _weigh(self, values: Tensor) -> None:
        """Mean and squares about it, batch by batch (Chan, Golub & LeVeque 1979)."""
        more = values.shape[1]
        mean = values.mean(dim=1)
        shift = mean - self.mean
        total = self.count + more
        self.squares = self.squares + (values - mean[:, None]).square().sum(dim=1)
        self.squares = self.squares + shift.square() * self.count * more / total
        self.mean = self.mean + shift * more / total
        self.count = total

    def found(self) -> Strongest:
        places = np.stack(np.unravel_index(self.spots.numpy(), self.shape[1:] or (1,)), axis=-1)
        return Strongest(
            np.arange(self.shape[0]),
            self.values.numpy(),
            self.rows.numpy(),
            places[..., : len(self.shape) - 1],
            (self.squares / self.count).sqrt().numpy(),
        )
