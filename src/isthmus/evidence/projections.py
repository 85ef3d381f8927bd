"""Whether what was projected back from a unit tells the truth about it (Zeiler & Fergus 2014).

A projection is held against the patch it came from, given back to the network in the patch's place, and compared with
what covering the picture does to the unit; and the way back is held against the way there. Each number is less what
any other picture, or any other unit, would have had: what all pictures share counts for nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus import seeing
from isthmus.seeing import Patch, Strongest, tiles

Array = NDArray[np.floating]
Index = NDArray[np.intp]
Box = tuple[slice, ...]
Numbers = dict[str, float]
OTHERS = 20  # patches that a projection is held against
SMOOTHED = 3  # pixels a side over which a projection's size is averaged
SIZED = 24  # pixels a side of a tile of a sheet
COVERED = 3  # of a unit's strongest pictures that are covered


@dataclass(frozen=True)
class Level:
    """What drives the units of one layer most, and what is projected back from there: n pictures in all.

    Attributes
    ----------
    name : str
        The layer.
    best : Strongest
        The strongest activations of some live units; below they stand one after another.
    rows, units : array of int, (n,)
        Which picture, and which unit it drives.
    places : array of int, (n, dims)
        Where in the layer's map.
    boxes : list of tuple of slice
        What of the picture is seen from there.
    projections : array of shape (n, C, H, W)
        What was projected back.
    """

    name: str
    best: Strongest
    rows: Index
    units: Index
    places: Index
    boxes: list[Box]
    projections: Array

    @property
    def extent(self) -> float:
        """The mean side of what is seen, in pixels."""
        return float(np.mean([side.stop - side.start for box in self.boxes for side in box]))


def level(network: nn.Module, name: str, X: Array, most: int) -> Level:
    """Of a layer at most so many units that nine of the pictures X, (N, C, H, W), drive, with their projections."""
    best = alive(seeing.strongest(network, name, X))
    best = best.of(range(min(most, len(best.units))))
    rows, places = best.rows.reshape(-1), best.places.reshape(-1, best.places.shape[-1])
    units = np.repeat(best.units, best.rows.shape[1])
    known = {place: seeing.field(network, name, X.shape[1:], place) for place in {*map(tuple, places.tolist())}}
    boxes = [known[tuple(place)] for place in places.tolist()]
    return Level(name, best, rows, units, places, boxes, seeing.project(network, name, X[rows], units, places).numpy())


def worth(network: nn.Module, levels: Sequence[Level], X: Array, patch: Patch, rng: np.random.Generator) -> Numbers:
    """What projections from a network's levels are worth on pictures X, (N, C, H, W): the worst of each measure.

    `adjoint_conv`, `adjoint_pool`: `mismatch` on sixteen pictures; `likeness`, `fed_back`; `occlusion`: `agreement`
    from the second level on, since a projection of the first is its kernel, whatever the picture.
    """
    return {
        "adjoint_conv": mismatch(network, nn.Conv2d, X[:16], rng),
        "adjoint_pool": mismatch(network, nn.MaxPool2d, X[:16], rng),
        "likeness": min(likeness(found, X, rng) for found in levels),
        "fed_back": min(fed_back(network, found, X, rng) for found in levels),
        "occlusion": min(agreement(network, found, X, patch) for found in levels[1:]),
    }


def sheet(found: Level, shown: Array, most: int) -> Array:
    """Of a level some units below each other, (H, W) in [0, 1]: nine patches of pictures beside nine projections."""
    lit = tiles.lit(shown[found.rows], float(shown.min()), float(shown.max()))
    sides = [tiles.whole(tiles.cut(kind, found.boxes)) for kind in (lit, tiles.signed(found.projections))]
    nine = found.best.rows.shape[1]
    blocks = []
    for first in range(0, nine * min(most, len(found.best.units)), nine):
        blocks += [tiles.laid([tiles.sized(one, SIZED) for one in side[first : first + nine]], 3, 2) for side in sides]
    return np.asarray(tiles.laid(blocks, 2, 8)[0])


def alive(best: Strongest) -> Strongest:
    """The units that all of their pictures drive."""
    return best.of(np.flatnonzero(best.values[:, -1] > 0))


def class_bits(network: nn.Module, name: str, X: Array, y: NDArray[Any]) -> float:
    """Bits of the classes of a unit's nine strongest pictures, the mean over a layer's live units."""
    return float(np.mean([bits(y[rows]) for rows in alive(seeing.strongest(network, name, X)).rows]))


def bits(labels: NDArray[Any]) -> float:
    """The entropy of classes, in bits."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def mismatch(network: nn.Module, kind: type[nn.Module], X: Array, rng: np.random.Generator) -> float:
    """The largest |⟨L x, y⟩ − ⟨x, Lᵀ y⟩| / ‖L x‖‖y‖ over the layers L of a kind, in float64.

    x is what the layer gets of rows X, less its bias what it gives, y random; Lᵀ is the way that projections take. A
    maximum is linear once its switches are set. 0 where there is no such layer.
    """
    wide = copy.deepcopy(network).double().eval()
    passed: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], value: Tensor) -> None:
        passed.append((layer, given[0].clone(), value.clone()))

    hooks = [layer.register_forward_hook(note) for layer in wide.modules() if isinstance(layer, kind)]
    with torch.no_grad():
        wide(torch.as_tensor(X).double())
    for hook in hooks:
        hook.remove()
    return max((_mismatch(*one, rng) for one in passed), default=0.0)


def _mismatch(layer: nn.Module, x: Tensor, value: Tensor, rng: np.random.Generator) -> float:
    bias = getattr(layer, "bias", None)
    if bias is not None:
        value = value - bias.detach().reshape(-1, *(1 for _ in value.shape[2:]))
    y = torch.from_numpy(rng.normal(size=tuple(value.shape)))
    back = seeing.pull(nn.Sequential(layer), "0", x, lambda a: y)
    return float(((value * y).sum() - (x * back).sum()).abs() / (value.norm() * y.norm()))


def likeness(found: Level, X: Array, rng: np.random.Generator) -> float:
    """Correlation of projections with their own patches less that with other pictures' patches of the same place."""
    own, other = [], []
    for projected, box, row in zip(found.projections, found.boxes, found.rows, strict=True):
        here = (slice(None), *box)
        projection = projected[here].ravel()
        own.append(correlation(projection, X[row][here].ravel()))
        others = rng.integers(len(X), size=OTHERS)
        other.append(np.mean([correlation(projection, X[j][here].ravel()) for j in others]))
    return float(np.mean(own) - np.mean(other))


def fed_back(network: nn.Module, found: Level, X: Array, rng: np.random.Generator) -> float:
    """How often a projection drives its unit more than another picture's patch of the same place and norm."""
    won = []
    for projection, box, row, unit, place in zip(
        found.projections, found.boxes, found.rows, found.units, found.places, strict=True
    ):
        here = (slice(None), *box)
        norm = np.linalg.norm(X[row][here])
        given = np.zeros((1 + OTHERS, *X.shape[1:]), dtype=X.dtype)
        for one, part in zip(given, [projection, *X[rng.integers(len(X), size=OTHERS)]], strict=True):
            one[here] = part[here] * (norm / max(float(np.linalg.norm(part[here])), 1e-12))
        drive = seeing.activations(network, found.name, given)[(slice(None), unit, *place)]
        won.append(np.mean(drive[0] > drive[1:]))
    return float(np.mean(won))


def agreement(network: nn.Module, found: Level, X: Array, patch: Patch) -> float:
    """Correlation of the unit's drop under a covering patch with the projection's size, less another unit's."""
    of_a_unit = found.best.rows.shape[1]
    chosen = [i for i in range(len(found.rows)) if i % of_a_unit < COVERED]
    drops = [_drop(network, found.name, int(found.units[i]), X[found.rows[i]], patch) for i in chosen]
    summed = torch.from_numpy(np.abs(found.projections[chosen]).sum(axis=1, keepdims=True))
    sizes = F.avg_pool2d(summed, SMOOTHED, 1, SMOOTHED // 2)[:, 0].numpy()
    others = np.roll(sizes, COVERED, axis=0)  # of the unit before
    own, other = (
        [correlation(a.ravel(), b.ravel()) for a, b in zip(drops, held, strict=True)] for held in (sizes, others)
    )
    return float(np.mean(own) - np.mean(other))


def _drop(network: nn.Module, name: str, unit: int, x: Array, patch: Patch) -> Array:
    """How far a unit's map falls where a patch covers the picture, by pixel."""
    return -seeing.occlusion(seeing.unit(network, name, unit), x, patch).on_pixels()


def correlation(a: Array, b: Array) -> float:
    """Pearson's; 0 where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else 0.0
