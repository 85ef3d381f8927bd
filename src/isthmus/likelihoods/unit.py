"""Likelihoods of numbers in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from isthmus._constraints import Constraint, Flag, count
from isthmus.likelihoods.base import Distribution, Likelihood, at_least, parameters, uniform
from isthmus.likelihoods.support import BINARY, UNIT, Demand, Demands, grid


@dataclass
class Bernoulli(Distribution):
    """p(x) = pˣ(1 − p)¹⁻ˣ with p = sigmoid(θ); rows must lie in [0, 1]. Between 0 and 1 it is the cross-entropy.

    The cross-entropy is no probability of a grey value: bounds on log p(x) mean something for 0 and 1 alone, and
    `binary=True` demands these.
    """

    binary: bool = False
    unit_interval: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"binary": Flag()}

    def build(self, columns: int = 1) -> Likelihood:
        return _Bernoulli()

    def demands(self, columns: int) -> Demands:
        return (Demand(BINARY if self.binary else UNIT),)


class _Bernoulli(Likelihood):
    unit_interval = True

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(theta.to(x.dtype), x, reduction="none")

    def mean(self, theta: Tensor) -> Tensor:
        return torch.sigmoid(theta)

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return (uniform(theta, rng) < torch.sigmoid(theta)).to(theta.dtype)


@dataclass
class DiscretisedLogistic(Distribution):
    """A logistic distribution of mean μ and scale e^s, cut into `levels` numbers at equal distances from 0 to 1.

    p(x) is the mass within half a distance of x; the first and the last number take the tails (Salimans 2017,
    eq. 2, with one component). θ = (μ, s). The scale stays above a tenth of a distance, softly. Rows must lie on the
    grid: images of 8 bits are divided by 255, which scaling="auto" does where rows are whole numbers from 0 to
    `levels` − 1. The reconstruction is the mean of the distribution taken to [0, 1], within half a distance of p's.
    """

    levels: int = 256
    unit_interval: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"levels": count(2)}

    def build(self, columns: int = 1) -> Likelihood:
        return _DiscretisedLogistic(self.levels)

    def demands(self, columns: int) -> Demands:
        return (Demand(grid(self.levels)),)


class _DiscretisedLogistic(Likelihood):
    width = 2
    unit_interval = True

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.distance = 1 / (levels - 1)
        self.log_floor = math.log(0.1 * self.distance)

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log scale, kept where exp stays within float32."""
        mean, s = parameters(theta, 2)
        return mean, at_least(s.clamp(max=20), self.log_floor)

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        mean, log_scale = self.split(theta.to(x.dtype))
        narrow = torch.exp(-log_scale)
        half = self.distance / 2
        above = F.softplus((mean - x - half) * narrow)  # −log P(X ≤ x + half)
        below = F.softplus((x - half - mean) * narrow)  # −log P(X > x − half)
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b−a)), and a − b is the distance in scales: no difference of like numbers.
        width = -torch.log(-torch.expm1(-self.distance * narrow))
        return torch.where(x < half, above, torch.where(x > 1 - half, below, above + below + width))

    def mean(self, theta: Tensor) -> Tensor:
        mean, log_scale = self.split(theta)
        scale = torch.exp(log_scale)
        return scale * (F.softplus(mean / scale) - F.softplus((mean - 1) / scale))

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        mean, log_scale = self.split(theta)
        u = uniform(mean, rng).clamp(torch.finfo(mean.dtype).tiny, 1 - torch.finfo(mean.dtype).eps)
        drawn = mean + torch.exp(log_scale) * (torch.log(u) - torch.log1p(-u))
        return (drawn.clamp(0, 1) / self.distance).round() * self.distance
