"""Rows resident on the device: one gather a batch, an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Rows:
    """x (N, D) in scaled units; weight (N,) with mean 1, or None; context (N,) what a code or decoder may need."""

    x: Tensor
    weight: Tensor | None = None
    context: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> Rows:
        def gather(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.index_select(0, index)

        return Rows(self.x.index_select(0, index), gather(self.weight), gather(self.context))

    def order(self, batch_size: int, rng: Generator) -> list[Tensor]:
        """One epoch's batches of row numbers, shuffled. A last batch of one row joins the one before it."""
        if batch_size >= len(self):
            return [torch.arange(len(self), device=self.x.device)]
        batches = list(torch.randperm(len(self), generator=rng, device=self.x.device).split(batch_size))
        if len(batches[-1]) == 1 < batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches
