"""A Gaussian whose variance is learned: by the decoder, of each column, or one of all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, OneOf, positive
from isthmus.likelihoods.base import Distribution, Likelihood, at_least, normal, parameters

PER = ("entry", "column", "row")
LOG_2PI = math.log(2 * math.pi)


@dataclass
class GaussianVariance(Distribution):
    """p = N(μ, σ²) with σ learned; before training it is about 1 in scaled units.

    Parameters
    ----------
    per : {"entry", "column", "row"}
        "entry": the decoder says μ and σ of each entry, θ = (μ, s) with log σ = asinh(s/2). That is σ ≈ s for large s
        and 1/|s| far below 0, where e^s would make first errors weigh thousands of times too much. "column" and "row":
        θ = μ, and log σ is a free parameter of each column, or one of all, which the mean squared error decides
        (σ-VAE, Rybkin 2021).
    floor : float
        A soft bound, in scaled units, that keeps the density finite where the mean is exact: σ runs to `floor` and
        not below, log σ ↦ log floor + softplus(log σ − log floor), as Rybkin 2021 clips it.
    """

    per: str = "entry"
    floor: float = 1e-3
    constraints: ClassVar[Mapping[str, Constraint]] = {"per": OneOf(PER), "floor": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        log_floor = math.log(self.floor)
        return _PerEntry(log_floor) if self.per == "entry" else _Free(log_floor, columns if self.per == "column" else 1)


class _Learned(Likelihood):
    """The density and its draws; a subclass says what of θ is μ and what is log σ."""

    def __init__(self, log_floor: float) -> None:
        super().__init__()
        self.log_floor = log_floor

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """μ, and log σ before its bound."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        mean, free = self.split(theta.to(x.dtype))
        log_scale = at_least(free, self.log_floor)
        return 0.5 * ((x - mean) * torch.exp(-log_scale)).square() + log_scale + LOG_2PI / 2

    def mean(self, theta: Tensor) -> Tensor:
        return self.split(theta)[0]

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        mean, free = self.split(theta)
        return mean + torch.exp(at_least(free, self.log_floor)) * normal(mean, rng)


class _PerEntry(_Learned):
    width = 2

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        mean, s = parameters(theta, 2)
        return mean, torch.asinh(s / 2)


class _Free(_Learned):
    def __init__(self, log_floor: float, numbers: int) -> None:
        super().__init__(log_floor)
        self.log_scale = nn.Parameter(torch.zeros(numbers))

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta, self.log_scale
