"""Codes with a Gaussian posterior of independent entries, drawn by reparametrisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, optional
from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.priors import IS_PRIOR, Prior, Standard

LOG_2PI = math.log(2 * math.pi)


@dataclass
class Gaussian(Spec):
    """z = μ + σ⊙ε, ε ~ N(0, I), where a = (μ, log σ²); without sampling z = μ (Kingma & Welling 2014).

    `prior` is one of `isthmus.priors`; None is N(0, I).
    """

    prior: Any = None
    constraints: ClassVar[Mapping[str, Constraint]] = {"prior": optional(IS_PRIOR)}

    def build(self, size: int) -> Code:
        return _Gaussian(size, (Standard() if self.prior is None else self.prior).build(size))


class _Gaussian(Code):
    gives = frozenset({"gaussian", "density", "divergence"})

    def __init__(self, size: int, prior: Prior) -> None:
        super().__init__(size, 2 * size)
        self.prior = prior
        self.restarts = prior.restarts

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        mean, log_variance = split(a)
        stats = {"mean": mean, "log_variance": log_variance}
        return (mean if rng is None else drawn(mean, log_variance, rng)), stats

    def settle(self, encoder: nn.Module, low: Tensor, high: Tensor) -> None:
        self.prior.settle(partial(posterior, encoder), low, high)

    def restart(self, a: Tensor) -> None:
        self.prior.restart(*split(a))

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        return self.prior.divergence(z, stats["mean"], stats["log_variance"])

    def log_posterior(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        return log_normal(z, stats["mean"], stats["log_variance"]).sum(dim=-1)

    def log_prior(self, z: Tensor) -> Tensor:
        return self.prior.log_prob(z)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        return self.prior.sample(n, rng)


def posterior(encoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ² of rows, (N, K) each."""
    return split(encoder(x))


def split(a: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ², kept where exp stays within float32."""
    mean, log_variance = whole(a).chunk(2, dim=-1)
    return mean, log_variance.clamp(-30, 20)


def whole(a: Tensor) -> Tensor:
    """Numbers in half precision in single precision; others as they are."""
    return a.to(torch.promote_types(a.dtype, torch.float32))


def drawn(mean: Tensor, log_variance: Tensor, rng: Generator) -> Tensor:
    """One draw of N(μ, σ²), differentiable by both."""
    noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
    return mean + noise * torch.exp(log_variance / 2)


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(z; μ, σ²) entry by entry."""
    return -0.5 * (LOG_2PI + log_variance + (z - mean).square() * torch.exp(-log_variance))
