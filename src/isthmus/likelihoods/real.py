"""Likelihoods of real numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, positive
from isthmus.likelihoods.base import Distribution, Likelihood, normal, uniform
from isthmus.likelihoods.support import UNIT, Demand, Demands

LOG_2PI = math.log(2 * math.pi)


@dataclass
class Gaussian(Distribution):
    """p = N(θ, scale²). With unit scale −log p is half the squared error, plus a constant."""

    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        return _Gaussian(self.scale)


class _Gaussian(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.constant = math.log(scale) + LOG_2PI / 2

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return (x - theta).square() * (0.5 / self.scale**2) + self.constant

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return theta + self.scale * normal(theta, rng)


@dataclass
class SigmoidGaussian(Distribution):
    """p = N(sigmoid(θ), scale²): the squared error of an output that a sigmoid bends; rows must lie in [0, 1].

    What networks of sigmoids were first trained by (Rumelhart, Hinton & Williams 1986; Mitchell 1997, table 4.2). Its
    gradient fades where the sigmoid saturates, that of `Bernoulli` does not.
    """

    scale: float = 1.0
    unit_interval: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        return _SigmoidGaussian(self.scale)

    def demands(self, columns: int) -> Demands:
        return (Demand(UNIT),)


class _SigmoidGaussian(_Gaussian):
    unit_interval = True

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return super().nll(torch.sigmoid(theta), x)

    def mean(self, theta: Tensor) -> Tensor:
        return torch.sigmoid(theta)

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return super().sample(torch.sigmoid(theta), rng)


@dataclass
class Laplace(Distribution):
    """p ∝ exp(−|x − θ| / scale): the absolute error, less moved by outliers than the square."""

    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        return _Laplace(self.scale)


class _Laplace(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.constant = math.log(2 * scale)

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return (x - theta).abs() / self.scale + self.constant

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        centred = uniform(theta, rng).clamp_min(torch.finfo(theta.dtype).eps) - 0.5
        return theta - self.scale * centred.sign() * torch.log1p(-2 * centred.abs())


@dataclass
class StudentT(Distribution):
    """p = Student's t about θ: gross outliers move the fit little (Lange, Little & Taylor 1989)."""

    degrees: float = 4.0
    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"degrees": positive(), "scale": positive()}

    def build(self, columns: int = 1) -> Likelihood:
        return _StudentT(self.degrees, self.scale)


class _StudentT(Likelihood):
    def __init__(self, degrees: float, scale: float) -> None:
        super().__init__()
        self.degrees, self.scale = degrees, scale
        self.constant = (
            math.lgamma(degrees / 2)
            - math.lgamma((degrees + 1) / 2)
            + math.log(math.pi * degrees) / 2
            + math.log(scale)
        )

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        squared = ((x - theta) / self.scale).square()
        return (self.degrees + 1) / 2 * torch.log1p(squared / self.degrees) + self.constant

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        # Bailey's polar form (1994): a t variate from two uniform ones, whatever the degrees of freedom.
        radius = torch.sqrt(self.degrees * (uniform(theta, rng).clamp_min(1e-12) ** (-2 / self.degrees) - 1))
        return theta + self.scale * radius * torch.cos(2 * math.pi * uniform(theta, rng))
