"""Rows resident on the device, gathered a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Gather = Callable[[Tensor], object]


@dataclass(frozen=True)
class Rows:
    """x (N, D) in scaled units; weight (N,) with mean 1, or None; context (N,) what a code or decoder may need.

    A batch of P members' rows has a leading axis: x (P, N, D) and so on.
    """

    x: Tensor
    weight: Tensor | None = None
    context: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def part(self, start: int, n: int) -> Rows:
        """n rows from `start` on."""
        return self._each(lambda t: t[start : start + n])

    def take(self, index: Tensor) -> Rows:
        """The rows of that number: index (B,), or (P, B) for P members."""
        return self._each(lambda t: _taken(t, index))

    def room(self, index: Tensor) -> Rows:
        """Memory for what `gathers` puts there."""
        return self._each(lambda t: _room(t, index))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Rows:
        weight, context = (None if t is None else change(t) for t in (self.weight, self.context))
        return Rows(change(self.x), weight, context)

    def gathers(self, room: Rows) -> list[Gather]:
        """As `take`, into memory made before: calls that want the row numbers, flat."""
        pairs = ((self.x, room.x), (self.weight, room.weight), (self.context, room.context))
        return [_gather(t, out) for t, out in pairs if t is not None and out is not None]


def sizes(n: int, batch_size: int) -> list[int]:
    """How many rows each batch of an epoch has."""
    if batch_size >= n:
        return [n]
    full, rest = divmod(n, batch_size)
    if rest == 1 < batch_size:
        return [*[batch_size] * (full - 1), batch_size + 1]
    return [batch_size] * full + [rest] * bool(rest)


def _taken(t: Tensor, index: Tensor) -> Tensor:
    return t.index_select(0, index.reshape(-1)).view(*index.shape, *t.shape[1:])


def _gather(source: Tensor, room: Tensor) -> Gather:
    out = room.view(-1, *source.shape[1:])
    return lambda index: torch.index_select(source, 0, index, out=out)


def _room(t: Tensor, index: Tensor) -> Tensor:
    return t.new_empty((*index.shape, *t.shape[1:]))
