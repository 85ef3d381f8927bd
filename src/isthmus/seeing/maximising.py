"""The input that a unit answers to most: in closed form for one layer, by gradient ascent above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from isthmus.errors import SettingError
from isthmus.seeing.layers import run_to
from isthmus.seeing.pulling import pulled
from isthmus.seeing.spectra import OPPONENT, Spectrum
from isthmus.seeing.watching import at_rest, kindred

Array = NDArray[np.floating]
Bound = Callable[[Tensor], Tensor]  # any pictures → admissible ones


def along(weights: Array, radius: float = 1.0) -> Array:
    """The inputs of norm `radius` that maximise w·x for each row of weights, (units, …): x = radius · w / ‖w‖.

    Any increasing activation behind the product has the same maximum (Ng, CS294A lecture notes, Sparse autoencoder).
    A unit without weights has x = 0.
    """
    norms = np.sqrt(np.square(weights).sum(axis=tuple(range(1, weights.ndim)), keepdims=True))
    return radius * weights / np.where(norms > 0, norms, 1.0)


@dataclass(frozen=True)
class Ball:
    """Inputs of norm `radius`."""

    radius: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        norm = x.flatten(1).norm(dim=1).clamp(min=torch.finfo(x.dtype).tiny)
        return self.radius * x / norm.reshape(-1, *(1 for _ in x.shape[1:]))


@dataclass(frozen=True)
class Within:
    """Inputs whose every number lies between its `low` and `high`, numbers or arrays of a row's shape."""

    low: Array | float
    high: Array | float

    def __call__(self, x: Tensor) -> Tensor:
        low, high = (torch.as_tensor(end).to(x) for end in (self.low, self.high))
        return low + (high - low) * torch.sigmoid(x)


@dataclass(frozen=True)
class Ascent:
    """How to climb.

    Attributes
    ----------
    steps : int
        Steps of Adam (Kingma & Ba 2015).
    rate : float
        Their length, in coefficients of waves.
    jitter : float
        At each step the picture is shifted by at most this share of each extent, the same for all units.
    seed : int
        Decides the first pictures and the shifts.
    colours : Tensor or None
        Colours as multiples of a matrix's columns, (C, C); None: opponent ones for three channels, else none.
    """

    steps: int = 128
    rate: float = 0.05
    jitter: float = 1 / 16
    seed: int = 0
    colours: Tensor | None = None


@dataclass(frozen=True)
class Maximised:
    """Inputs, (U, …), and what each unit gives for its own, (U,): the mean over places."""

    inputs: Array
    values: Array


def maximise(
    network: nn.Module,
    name: str,
    shape: Sequence[int],
    units: Sequence[int],
    bound: Bound | None = None,
    how: Ascent | None = None,
) -> Maximised:
    """Climb to an input that drives each of some units of a layer; of a convolution, its mean over all places.

    Parameters
    ----------
    network : torch.nn.Module
        Maps rows (N, *shape).
    name : str
        A layer.
    shape : sequence of int
        Of a row: (C, …) is parametrised by waves, (D,) by its own numbers.
    units : sequence of int, (U,)
        Units of the layer.
    bound : callable, optional
        Keeps pictures admissible; `Ball(1)` unless given.
    how : Ascent, optional
        Steps, jitter, seed.

    Raises
    ------
    SettingError
        Where no such layer runs, or it has no such unit.
    """
    bound, how = bound or Ball(), how or Ascent()
    rng = torch.Generator().manual_seed(how.seed)
    drawn = Spectrum(len(units), shape, rng, _colours(how, shape))
    optimiser = torch.optim.Adam([drawn.values], lr=how.rate)
    with at_rest(network), torch.enable_grad():
        for _ in range(how.steps):
            x = _jittered(bound(drawn.pictures()), how.jitter, rng)
            drawn.values.grad = pulled(-_scores(network, name, x, units).sum(), drawn.values)
            optimiser.step()
    with at_rest(network), torch.no_grad():
        x = bound(drawn.pictures())
        values = _scores(network, name, x, units)
    return Maximised(x.numpy(), values.cpu().numpy())


def _colours(how: Ascent, shape: Sequence[int]) -> Tensor | None:
    return OPPONENT if how.colours is None and len(shape) > 1 and shape[0] == 3 else how.colours


def _scores(network: nn.Module, name: str, x: Tensor, units: Sequence[int]) -> Tensor:
    """What unit i of the list gives for row i, its mean over places, (n,)."""
    a = run_to(network, kindred(network, x), name)
    if not all(0 <= unit < a.shape[1] for unit in units):
        raise SettingError(
            f"units up to {max(units)}", where=f"in the layer {name!r}", expected=f"numbers from 0 to {a.shape[1] - 1}"
        )
    own = a[torch.arange(len(a)), torch.as_tensor(units)]
    return own.flatten(1).mean(dim=1) if own.ndim > 1 else own


def _jittered(x: Tensor, share: float, rng: Generator) -> Tensor:
    """Pictures shifted by at most a share of each extent, their borders repeated; rows of a table as they are."""
    most = [min(int(share * n), n - 1) for n in x.shape[2:]]
    if not any(most):
        return x
    wide = F.pad(x, [side for n in reversed(most) for side in (n, n)], mode="replicate")
    starts = [int(torch.randint(0, 2 * n + 1, (), generator=rng)) for n in most]
    window: tuple[Any, ...] = tuple(slice(start, start + n) for start, n in zip(starts, x.shape[2:], strict=True))
    return wide[(..., *window)]
