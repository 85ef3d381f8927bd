"""Codes from a finite set: the nearest entry of a codebook that follows the rows, or a fixed grid.

K numbers are vectors of d numbers at K/d positions, channels first: the first number of every position, then the
second. A convolutional encoder with `spatial=True` emits its map so, (d, height, width), and a dense one may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, Each, Number, count, optional, share
from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.errors import SettingError


@dataclass
class VectorQuantised(Spec):
    """z = the entry of a codebook that is nearest to a; the gradient passes as if z were a (van den Oord 2017).

    Entries follow the vectors nearest to them by moving averages. They begin as vectors of the first batch, and one
    that is hardly used begins anew as a vector of the batch at hand. `penalties.Commitment` keeps the encoder near.

    Parameters
    ----------
    entries : int
        Of the codebook, which all positions share.
    vector : int, optional
        d, the numbers of an entry; `code_size` is a multiple of it. None: the whole code is one vector.
    decay : float
        Of the moving averages: the share that a step leaves of them.
    dead : float
        An entry begins anew where its use falls below this share of the average use.
    """

    entries: int = 512
    vector: int | None = None
    decay: float = 0.99
    dead: float = 0.03
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "entries": count(2),
        "vector": optional(count()),
        "decay": share(),
        "dead": Number(0, 1, open_low=True, open_high=True),
    }

    def build(self, size: int) -> Code:
        vector = size if self.vector is None else self.vector
        _check_multiple(size, vector, f"codes.VectorQuantised has vectors of {vector} numbers")
        return _VectorQuantised(size, self.entries, vector, self.decay, self.dead)


class _VectorQuantised(Code):
    """`codebook`, (entries, d), is `sums` over `counts`, moving averages of the vectors of each entry in a batch."""

    gives = frozenset({"indices", "codebook"})
    codebook: Tensor
    counts: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, size: int, entries: int, vector: int, decay: float, dead: float) -> None:
        super().__init__(size)
        self.entries, self.vector, self.decay, self.dead = entries, vector, decay, dead
        self.register_buffer("codebook", torch.randn(entries, vector))
        self.register_buffer("counts", torch.ones(entries))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("started", torch.zeros(()))

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        vectors = _to_vectors(a.detach(), self.vector).to(self.codebook.dtype)  # (M, d)
        indices = self._nearest(vectors)
        chosen = _to_code(self.codebook.index_select(0, indices), len(a))
        if self.training and rng is not None:
            self._follow(vectors, indices, rng)
        stats = {"indices": indices.view(len(a), -1), "before": a, "chosen": chosen}
        return passed_through(a, chosen) if self.training else chosen, stats

    def _nearest(self, vectors: Tensor) -> Tensor:
        """The numbers of the nearest entries, (M,)."""
        with torch.autocast(vectors.device.type, enabled=False):
            products = vectors @ self.codebook.mT
        return (self.codebook.square().sum(dim=1) - 2 * products).argmin(dim=1)

    def _follow(self, vectors: Tensor, indices: Tensor, rng: Generator) -> None:
        """Move the averages, and the codebook with them."""
        own = (indices[:, None] == torch.arange(self.entries, device=indices.device)).to(vectors.dtype)  # (M, entries)
        with torch.autocast(vectors.device.type, enabled=False):
            totals = own.mT @ vectors
        counts = self.counts * self.decay + own.sum(dim=0) * (1 - self.decay)
        sums = self.sums * self.decay + totals * (1 - self.decay)
        usual = len(vectors) / self.entries
        renewed = (counts < self.dead * usual) | (self.started == 0)
        counts = torch.where(renewed, usual, counts)
        sums = torch.where(renewed[:, None], usual * self._some(vectors, rng), sums)
        self.counts.copy_(counts)
        self.sums.copy_(sums)
        self.codebook.copy_(sums / counts[:, None])
        self.started.fill_(1)

    def _some(self, vectors: Tensor, rng: Generator) -> Tensor:
        """As many vectors of the batch as there are entries, (entries, d)."""
        places = torch.rand(self.entries, generator=rng, device=vectors.device, dtype=vectors.dtype) * len(vectors)
        return vectors.index_select(0, places.long().clamp(max=len(vectors) - 1))

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        """Entries drawn by their use, each position for itself."""
        positions = self.size // self.vector
        drawn = torch.multinomial(self.counts, n * positions, replacement=True, generator=rng)
        return _to_code(self.codebook[drawn], n)


@dataclass
class FiniteScalar(Spec):
    """z = round(l/2 · tanh(a)) / ⌊l/2⌋: each number of a vector on so many levels within [−1, 1] (Mentzer 2024).

    A codebook of ∏ l entries that nothing learns. The gradient passes the rounding as if it were not there. Even
    numbers of levels lie half a step off, as in the paper's appendix; here a = 0 stays 0.

    Parameters
    ----------
    levels : tuple of int
        l of each number of a vector; `code_size` is a multiple of how many there are.
    """

    levels: tuple[int, ...] = (8, 5, 5, 5)
    constraints: ClassVar[Mapping[str, Constraint]] = {"levels": Each(count(2), least=1)}

    def build(self, size: int) -> Code:
        _check_multiple(size, len(self.levels), f"codes.FiniteScalar has levels for {len(self.levels)} numbers")
        return _FiniteScalar(size, tuple(self.levels))


class _FiniteScalar(Code):
    gives = frozenset({"indices"})
    levels: Tensor
    steps: Tensor

    def __init__(self, size: int, levels: tuple[int, ...]) -> None:
        super().__init__(size)
        self.entries, self.vector = prod(levels), len(levels)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.get_default_dtype()), persistent=False)
        steps = [prod(levels[:i]) for i in range(len(levels))]  # places of the digits of an entry's number
        self.register_buffer("steps", torch.tensor(steps), persistent=False)

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        reach = (self.levels - 1) * (1 + 1e-3) / 2
        offset = 0.5 * (1 - self.levels % 2)  # of even levels
        vectors = torch.tanh(_to_vectors(a, self.vector) + torch.atanh(offset / reach)) * reach - offset
        rounded = vectors.detach().round()
        half = (self.levels / 2).floor()
        digits = (rounded + half).long()  # (M, d)
        stats = {"indices": (digits * self.steps).sum(dim=1).view(len(a), -1)}
        vectors = passed_through(vectors, rounded) if self.training else rounded
        return _to_code(vectors / half, len(a)), stats

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        """All entries alike, each position for itself."""
        uniform = torch.rand(n * self.size // self.vector, self.vector, generator=rng, device=rng.device)
        digits = torch.minimum((uniform.to(self.levels) * self.levels).floor(), self.levels - 1)
        half = (self.levels / 2).floor()
        return _to_code((digits - half) / half, n)


def passed_through(given: Tensor, taken: Tensor) -> Tensor:
    """What was taken in place of what was given, and its gradient as if it were that (Bengio 2013)."""
    return given + (taken - given).detach()


def _check_multiple(size: int, vector: int, fault: str) -> None:
    if size % vector:
        raise SettingError(fault, where="code", expected=f"a code_size that is a multiple; got {size}")


def _to_vectors(code: Tensor, vector: int) -> Tensor:
    """Codes (N, K) as vectors (N · K/d, d), position by position."""
    return code.reshape(len(code), vector, -1).mT.reshape(-1, vector)


def _to_code(vectors: Tensor, n: int) -> Tensor:
    """Vectors (N · K/d, d) as codes (N, K), channels first."""
    return vectors.reshape(n, -1, vectors.shape[1]).mT.reshape(n, -1)
