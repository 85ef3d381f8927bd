"""Codes on the unit sphere: a mean direction and how closely draws keep to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.codes.bessel import log_bessel
from isthmus.errors import SettingError

PROPOSALS = 12  # one of them is accepted but for a few draws in a million
REACH = 9.0  # standard deviations over which an integral over angles is taken, by so many
NODES = 32  # places
TINY = 1e-12


@dataclass
class VonMisesFisher(Spec):
    """q(z|x) ∝ exp(κ μᵀz) on the unit sphere in K dimensions, p(z) uniform on it (Davidson 2018).

    The encoder emits K + 1 numbers a row: a direction, which is normalised to μ, and what gives κ = 1 + softplus(·).
    Without sampling z = μ. Densities are with respect to the sphere's area. Unlike a Gaussian's, its prior draws
    no code towards the centre, which suits few dimensions and clusters around a sphere.

    Draws are by rejection (Wood 1994) from a fixed number of proposals; they are differentiated by κ implicitly,
    through the distribution function of the angle (Figurnov 2018), which unlike the proposals' own path is unbiased.
    """

    def build(self, size: int) -> Code:
        if size < 2:
            raise SettingError(
                "codes.VonMisesFisher has no sphere in 1 dimension", where="code", expected="a code_size of at least 2"
            )
        return _VonMisesFisher(size)


class _VonMisesFisher(Code):
    gives = frozenset({"density", "divergence"})
    nodes: Tensor
    weights: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size, size + 1)
        nodes, weights = np.polynomial.legendre.leggauss(NODES)  # on [−1, 1]
        self.register_buffer("nodes", torch.from_numpy(nodes), persistent=False)
        self.register_buffer("weights", torch.from_numpy(weights), persistent=False)

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        a = a.to(self.nodes.dtype)  # not in half precision
        direction, concentration = F.normalize(a[:, :-1], dim=-1), 1 + F.softplus(a[:, -1])
        stats = {"direction": direction, "concentration": concentration}
        return (direction if rng is None else self._drawn(direction, concentration, rng)), stats

    def _drawn(self, direction: Tensor, kappa: Tensor, rng: Generator) -> Tensor:
        """One draw for each row: an angle from the mean direction, and a way to turn from projected normals."""
        fixed = kappa.detach()
        angle = _angle(fixed, self.size, rng)
        angle = angle + (kappa - fixed) * _angle_slope(angle, fixed, self.size, (self.nodes, self.weights))
        noise = torch.randn(direction.shape, generator=rng, device=direction.device, dtype=direction.dtype)
        across = F.normalize(noise - (noise * direction).sum(dim=-1, keepdim=True) * direction, dim=-1)
        return torch.cos(angle)[:, None] * direction + torch.sin(angle)[:, None] * across

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """In closed form, (N, 1): κ I_{K/2}(κ) / I_{K/2−1}(κ) + log C(κ) + log of the sphere's area."""
        log, ratio = self._normaliser(stats["concentration"])
        return (stats["concentration"] * (ratio - 1) + log - self._log_density)[:, None]

    def log_posterior(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        log, _ = self._normaliser(stats["concentration"])
        return stats["concentration"] * ((stats["direction"] * z).sum(dim=-1) - 1) + log

    def log_prior(self, z: Tensor) -> Tensor:
        return torch.full_like(z[:, 0], self._log_density)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        return F.normalize(torch.randn(n, self.size, generator=rng, device=rng.device), dim=-1)

    @property
    def _log_density(self) -> float:
        """Of the uniform distribution: −log(2 π^{K/2} / Γ(K/2))."""
        half = self.size / 2
        return math.lgamma(half) - math.log(2) - half * math.log(math.pi)

    def _normaliser(self, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """log(e^κ C(κ)), C(κ) the density's constant, and the mean length of a draw along μ; (N,) each."""
        order = self.size / 2 - 1
        log, ratio = log_bessel(order, kappa)
        return order * torch.log(kappa) - (order + 1) * math.log(2 * math.pi) - log, ratio


def _angle(kappa: Tensor, size: int, rng: Generator) -> Tensor:
    """The angle between μ and a draw, (N,): that of the first proposal that is accepted (Wood 1994).

    The Beta((K − 1)/2, (K − 1)/2) of the proposals is half of 1 plus a coordinate of a uniform point on the sphere.
    """
    like: dict[str, Any] = {"generator": rng, "device": kappa.device, "dtype": kappa.dtype}
    normals = torch.randn(*kappa.shape, PROPOSALS, size, **like)
    uniform = torch.rand(*kappa.shape, PROPOSALS, **like)
    kappa = kappa[:, None]
    b = (size - 1) / (2 * kappa + torch.sqrt(4 * kappa.square() + (size - 1) ** 2))
    centre = (1 - b) / (1 + b)
    beta = (1 + F.normalize(normals, dim=-1)[..., 0]) / 2
    half = b * beta / (1 - (1 - b) * beta)  # half of 1 − the cosine
    cosine = 1 - 2 * half
    odds = kappa * (cosine - centre) + (size - 1) * torch.log((1 - centre * cosine) / (1 - centre.square()))
    first = (odds >= torch.log(uniform)).to(kappa.dtype).argmax(dim=1, keepdim=True)
    return 2 * torch.asin(torch.sqrt(half.gather(1, first)[:, 0].clamp(TINY, 1)))


def _angle_slope(angle: Tensor, kappa: Tensor, size: int, rule: tuple[Tensor, Tensor]) -> Tensor:
    """dθ/dκ at a fixed quantile, (N,): ∫ (cos t − A) g(t) dt / g(θ) from θ to the end of the sphere that lies outwards.

    g(t) = exp(κ cos t) sin^{K−2} t is the angle's density, A the mean cosine. Outwards from its peak g falls.
    """
    nodes, weights = rule
    _, mean = log_bessel(size / 2 - 1, kappa)
    peak = torch.acos(2 * kappa / (size - 2 + torch.sqrt((size - 2) ** 2 + 4 * kappa.square())))
    reach = REACH / torch.sqrt(kappa + size - 2)
    end = torch.where(angle > peak, (angle + reach).clamp(max=math.pi), (angle - reach).clamp(min=0.0))
    half = (end - angle) / 2
    t = angle[:, None] + half[:, None] * (1 + nodes)
    log_g = kappa[:, None] * (torch.cos(t) - torch.cos(angle)[:, None])
    log_g = log_g + (size - 2) * torch.log(torch.sin(t) / torch.sin(angle)[:, None])
    return half * ((torch.cos(t) - mean[:, None]) * torch.exp(log_g) * weights).sum(dim=-1)
