"""Occlusion maps: how a number moves as a patch slides over a picture (Zeiler & Fergus 2014, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import SettingError
from isthmus.seeing.layers import run_to
from isthmus.seeing.watching import at_rest, kindred

Array = NDArray[np.floating]
Measure = Callable[[Tensor], Tensor]  # rows (n, C, …) → a number each, (n,)


@dataclass(frozen=True)
class Patch:
    """What covers a part of the picture: its side, the step between two places, and the value it has."""

    size: int
    step: int = 1
    value: float = 0.0


@dataclass(frozen=True)
class Occlusion:
    """The number's change at each place of the patch, (places, …), and where the patch began there, by axis."""

    changes: Array
    starts: tuple[list[int], ...]
    size: int
    extents: tuple[int, ...]

    def on_pixels(self) -> Array:
        """The mean change over the patches that covered a pixel, of the picture's extents."""
        total, count = np.zeros(self.extents), np.zeros(self.extents)
        for place in np.ndindex(*self.changes.shape):
            box = tuple(slice(starts[i], starts[i] + self.size) for starts, i in zip(self.starts, place, strict=True))
            total[box] += self.changes[place]
            count[box] += 1
        found: Array = total / np.maximum(count, 1)
        return found


def occlusion(measure: Measure, x: Any, patch: Patch, batch: int = 128) -> Occlusion:
    """Cover each part of one picture in turn and see what a number does.

    Parameters
    ----------
    measure : callable
        Rows (n, C, …) to a number each, (n,): `unit`, `probability`, or one of your own.
    x : array or tensor of shape (C, …)
        One picture; the patch covers all its channels.
    patch : Patch
        What covers it. The last patch on each axis ends at the border.
    batch : int
        Pictures measured at once: memory does not grow with the picture's places.

    Raises
    ------
    SettingError
        Where the patch does not fit into the picture.
    """
    picture = torch.as_tensor(x)
    extents = tuple(picture.shape[1:])
    if not extents or not 1 <= patch.size <= min(extents) or patch.step < 1:
        size = " × ".join(map(str, extents)) or "no extent"
        raise SettingError(
            f"a patch of {patch.size} in steps of {patch.step}",
            where=f"on a picture of {size}",
            expected="a side from 1 to the picture's, and steps of at least 1",
        )
    starts = tuple(_starts(n, patch) for n in extents)
    places = list(product(*starts))
    with torch.no_grad():
        before = measure(picture[None])
        parts = [
            measure(_covered(picture, places[first : first + batch], patch)) - before
            for first in range(0, len(places), batch)
        ]
    changes = torch.cat(parts).cpu().numpy().reshape([len(axis) for axis in starts])
    return Occlusion(changes, starts, patch.size, extents)


def unit(network: nn.Module, name: str, number: int) -> Measure:
    """What one unit of a layer gives: of a convolution the sum over its map, as Zeiler and Fergus have it."""

    def measure(x: Tensor) -> Tensor:
        with at_rest(network), torch.no_grad():
            return run_to(network, kindred(network, x), name)[:, number].reshape(len(x), -1).sum(dim=1)

    return measure


def probability(network: nn.Module, label: int) -> Measure:
    """The probability of a class, where the network gives logits, (n, classes)."""

    def measure(x: Tensor) -> Tensor:
        with at_rest(network), torch.no_grad():
            return network(kindred(network, x)).softmax(dim=-1)[:, label]

    return measure


def distance(function: Callable[[Tensor], Tensor], x: Any) -> Measure:
    """How far what a function gives, a code say, lies from what it gives for the whole picture x, (C, …)."""
    with torch.no_grad():
        home = function(torch.as_tensor(x)[None])

    def measure(rows: Tensor) -> Tensor:
        with torch.no_grad():
            return (function(rows) - home).flatten(1).norm(dim=1)

    return measure


def _starts(extent: int, patch: Patch) -> list[int]:
    last = extent - patch.size
    return sorted({*range(0, last + 1, patch.step), last})


def _covered(picture: Tensor, places: Sequence[tuple[int, ...]], patch: Patch) -> Tensor:
    """A copy of the picture for each place, the patch on it: (n, C, …)."""
    copies = picture.repeat(len(places), *(1 for _ in picture.shape))
    for copy, place in zip(copies, places, strict=True):
        copy[(slice(None), *(slice(start, start + patch.size) for start in place))] = patch.value
    return copies
