"""Likelihoods p(x | θ): what a decoder's output θ says of a row, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, positive
from isthmus._spec import Spec

LOG_2PI = math.log(2 * math.pi)


class Likelihood(nn.Module):
    """Base of built likelihoods: θ has shape (N, D·width).

    `unit_interval` says that rows must lie in [0, 1].
    """

    width = 1
    unit_interval = False

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        """−log p(x | θ) of each entry, (N, D)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def mean(self, theta: Tensor) -> Tensor:
        """The mean of p, (N, D): the reconstruction."""
        return theta

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        """One draw of p for each entry, (N, D)."""
        raise TypeError(f"{type(self).__name__} is abstract")


def _normal(like: Tensor, rng: Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, device=like.device, dtype=like.dtype)


def _uniform(like: Tensor, rng: Generator) -> Tensor:
    return torch.rand(like.shape, generator=rng, device=like.device, dtype=like.dtype)


@dataclass
class Gaussian(Spec):
    """p = N(θ, scale²). With unit scale −log p is half the squared error, plus a constant."""

    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive()}

    def build(self) -> Likelihood:
        return _Gaussian(self.scale)


class _Gaussian(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.constant = math.log(scale) + LOG_2PI / 2

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return (x - theta).square() * (0.5 / self.scale**2) + self.constant

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return theta + self.scale * _normal(theta, rng)


@dataclass
class Bernoulli(Spec):
    """p(x) = pˣ(1 − p)¹⁻ˣ with p = sigmoid(θ); rows must lie in [0, 1]. Between 0 and 1 it is the cross-entropy."""

    def build(self) -> Likelihood:
        return _Bernoulli()


class _Bernoulli(Likelihood):
    unit_interval = True

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(theta, x, reduction="none")

    def mean(self, theta: Tensor) -> Tensor:
        return torch.sigmoid(theta)

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return (_uniform(theta, rng) < torch.sigmoid(theta)).to(theta.dtype)


@dataclass
class Laplace(Spec):
    """p ∝ exp(−|x − θ| / scale): the absolute error, less moved by outliers than the square."""

    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive()}

    def build(self) -> Likelihood:
        return _Laplace(self.scale)


class _Laplace(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.constant = math.log(2 * scale)

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        return (x - theta).abs() / self.scale + self.constant

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        centred = _uniform(theta, rng).clamp_min(torch.finfo(theta.dtype).eps) - 0.5
        return theta - self.scale * centred.sign() * torch.log1p(-2 * centred.abs())


@dataclass
class StudentT(Spec):
    """p = Student's t about θ: gross outliers move the fit little (Lange, Little & Taylor 1989)."""

    degrees: float = 4.0
    scale: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"degrees": positive(), "scale": positive()}

    def build(self) -> Likelihood:
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
        radius = torch.sqrt(self.degrees * (_uniform(theta, rng).clamp_min(1e-12) ** (-2 / self.degrees) - 1))
        return theta + self.scale * radius * torch.cos(2 * math.pi * _uniform(theta, rng))
