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
    """p = N(μ, σ²) with σ learned; at the start it is 1 in scaled units.

    Parameters
    ----------
    per : {"entry", "column", "row"}
        "entry": the decoder says μ and log σ of each entry, θ = (μ, s). "column" and "row": θ = μ, and s is a free
        parameter of each column, or one of all, which the mean squared error decides (σ-VAE, Rybkin 2021, eq. 5).
    floor : float
        The least σ, in scaled units, which keeps the density finite where the mean is exact: log σ = log floor +
        softplus(s − log floor), the soft bound of Rybkin 2021, appendix.
    """

    per: str = "entry"
    floor: float = 1e-3
    constraints: ClassVar[Mapping[str, Constraint]] = {"per": OneOf(PER), "floor": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        log_floor = math.log(self.floor)
        return _PerEntry(log_floor) if self.per == "entry" else _Free(log_floor, columns if self.per == "column" else 1)


class _Learned(Likelihood):
    """The density and its draws; a subclass says what of θ is μ and what is s."""

    def __init__(self, log_floor: float) -> None:
        super().__init__()
        self.log_floor = log_floor

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """μ and s."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        mean, s = self.split(theta)
        log_scale = at_least(s, self.log_floor)
        return 0.5 * ((x - mean) * torch.exp(-log_scale)).square() + log_scale + LOG_2PI / 2

    def mean(self, theta: Tensor) -> Tensor:
        return self.split(theta)[0]

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        mean, s = self.split(theta)
        return mean + torch.exp(at_least(s, self.log_floor)) * normal(mean, rng)


class _PerEntry(_Learned):
    width = 2

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        mean, s = parameters(theta, 2)
        return mean, s.clamp(max=40)  # exp stays within float32


class _Free(_Learned):
    def __init__(self, log_floor: float, numbers: int) -> None:
        super().__init__(log_floor)
        self.s = nn.Parameter(torch.zeros(numbers))

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta, self.s
