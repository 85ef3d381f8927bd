"""A prior made of posteriors: the mixture of what the encoder says of rows that are learned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, count
from isthmus._spec import Spec
from isthmus.priors.base import LOG_2PI, Posterior, Prior


@dataclass
class Vamp(Spec):
    """p(z) = 1/C Σ_c q(z | u_c), u_c learned rows within the columns' range (Tomczak & Welling 2018, eq. 9).

    A step encodes C more rows; its divergence is taken as that of `Mixture`.
    """

    components: int = 500
    constraints: ClassVar[Mapping[str, Constraint]] = {"components": count()}

    def build(self, size: int) -> Prior:
        return VampPrior(size, self.components)


class VampPrior(Prior):
    """A built prior, complete once it has heard of the encoder.

    Attributes
    ----------
    rows : Parameter of shape (C, D)
        u in scaled units; what lies outside the columns' range is taken at its ends.
    """

    low: Tensor
    high: Tensor

    def __init__(self, size: int, components: int) -> None:
        super().__init__(size)
        self.components = components

    def settle(self, posterior: Posterior, low: Tensor, high: Tensor) -> None:
        self._posterior = posterior  # no part of this module: the encoder's weights are the encoder's own
        middle = torch.where(low * high < 0, 0.0, (low + high) / 2)  # scaled rows have mean 0, those in [0, 1] have not
        apart = ((high - low) / 4).clamp(max=1.0)
        rows = middle + apart * torch.randn(self.components, len(low), dtype=low.dtype)
        self.rows = nn.Parameter(torch.clamp(rows, low, high))
        self.register_buffer("low", low.clone(), persistent=False)
        self.register_buffer("high", high.clone(), persistent=False)

    def posteriors(self) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the learned rows, (C, K) each."""
        mean, log_variance = self._posterior(torch.clamp(self.rows, self.low, self.high))
        return mean.to(self.rows.dtype), log_variance.to(self.rows.dtype)

    def log_prob(self, z: Tensor) -> Tensor:
        """Squares are multiplied out, so that C may be large: Σ (z − μ)²/σ² = z²·σ⁻² − 2z·(μσ⁻²) + Σ μ²σ⁻²."""
        mean, log_variance = self.posteriors()
        centre = mean.detach().mean(dim=0)  # near it less is lost to rounding
        z, mean, precision = z.to(mean.dtype) - centre, mean - centre, torch.exp(-log_variance)
        with torch.autocast(z.device.type, enabled=False):
            squares = torch.cat([z.square(), -2 * z], dim=-1) @ torch.cat([precision, mean * precision], dim=-1).mT
        constant = (LOG_2PI + log_variance + mean.square() * precision).sum(dim=-1)  # (C,)
        return (-0.5 * (squares + constant)).logsumexp(dim=-1) - math.log(self.components)

    def sample(self, n: int, rng: Generator) -> Tensor:
        with torch.no_grad():
            mean, log_variance = self.posteriors()
            chosen = torch.randint(self.components, (n,), generator=rng, device=rng.device)
            noise = torch.randn(n, self.size, generator=rng, device=rng.device, dtype=mean.dtype)
            return mean[chosen] + noise * torch.exp(log_variance[chosen] / 2)
