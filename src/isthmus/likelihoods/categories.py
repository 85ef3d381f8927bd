"""A likelihood of categories: entries that are whole numbers and mean no quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, count
from isthmus.likelihoods.base import Distribution, Likelihood, Shape, times, uniform
from isthmus.likelihoods.support import Demand, Demands, levels


@dataclass
class Categorical(Distribution):
    """p(x = c) = softmax(θ)_c of each entry: rows hold whole numbers from 0 to `levels` − 1, which are not scaled.

    The encoder sees entries as `levels` numbers of which one is 1. The reconstruction is the most probable category,
    since the mean of numbers that are names means nothing.
    """

    levels: int = 2
    constraints: ClassVar[Mapping[str, Constraint]] = {"levels": count(2)}

    def build(self, columns: int = 1) -> Likelihood:
        return _Categorical(self.levels)

    def demands(self, columns: int) -> Demands:
        return (Demand(levels(self.levels)),)


class _Categorical(Likelihood):
    views = True

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.width = levels

    def logits(self, theta: Tensor) -> Tensor:
        """θ, (N, C·D), as log p of each category, (N, C, D)."""
        return theta.unflatten(-1, (self.width, -1)).log_softmax(dim=-2)

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        chosen = x.round().long().unsqueeze(-2)
        return -self.logits(theta.to(x.dtype)).gather(-2, chosen).squeeze(-2)

    def mean(self, theta: Tensor) -> Tensor:
        return self.logits(theta).argmax(dim=-2).to(theta.dtype)

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        logits = self.logits(theta)
        u = uniform(logits, rng).clamp(torch.finfo(theta.dtype).tiny, 1 - torch.finfo(theta.dtype).eps)
        return (logits - torch.log(-torch.log(u))).argmax(dim=-2).to(theta.dtype)  # Gumbel 1954

    def view(self, x: Tensor) -> Tensor:
        """(N, C·D); a number between two categories, as noise makes them, is shared between these."""
        categories = torch.arange(self.width, device=x.device, dtype=x.dtype).unsqueeze(-1)
        return torch.relu(1 - (x.unsqueeze(-2) - categories).abs()).flatten(-2)

    def seen(self, row: Shape) -> Shape:
        return times(row, self.width)
