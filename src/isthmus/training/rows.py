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

    tangents (N, r, D): directions at each row, in scaled units, for what hears of them.

    A batch of P members' rows has a leading axis: x (P, N, D) and so on.
    """

    x: Tensor
    weight: Tensor | None = None
    context: Tensor | None = None
    tangents: Tensor | None = None

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
        return Rows(change(self.x), *(None if t is None else change(t) for t in self._beside))

    @property
    def _beside(self) -> tuple[Tensor | None, ...]:
        return self.weight, self.context, self.tangents

    @property
    def more(self) -> dict[str, Tensor]:
        """By name what only some modules hear of."""
        return {} if self.tangents is None else {"tangents": self.tangents}

    @property
    def tensors(self) -> list[Tensor]:
        """All that there is of each row."""
        return [t for t in (self.x, *self._beside) if t is not None]

    def gathers(self, room: Rows) -> list[Gather]:
        """As `take`, into memory made before: calls that want the row numbers, flat."""
        return [_gather(t, out) for t, out in zip(self.tensors, room.tensors, strict=True)]


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
