"""What every built prior offers: the density of codes, draws, and the divergence of a Gaussian from it; N(0, I)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Has
from isthmus._spec import Spec

LOG_2PI = math.log(2 * math.pi)
Posterior = Callable[[Tensor], tuple[Tensor, Tensor]]  # rows (N, D) → μ and log σ², (N, K) each


class Prior(nn.Module):
    """Base of built priors over K numbers; what it learns is trained with the rest.

    Attributes
    ----------
    restarts : int
        Epochs of training after which `restart` is called, once; 0: never.
    """

    restarts = 0

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def settle(self, posterior: Posterior, low: Tensor, high: Tensor) -> None:
        """Hear of the built posterior and of the columns' range in scaled units, (D,) each, once all is built."""

    def restart(self, mean: Tensor, log_variance: Tensor) -> None:
        """Hear of posteriors of training rows, μ and log σ², (N, K) each, after `restarts` epochs of training."""

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of each code, (N,)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def sample(self, n: int, rng: Generator) -> Tensor:
        """n codes, (n, K)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def divergence(self, z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL(N(μ, σ²) ‖ p), (N, J) parts: here −H(q) in closed form and −log p at the one z drawn."""
        entropy = 0.5 * (1 + LOG_2PI + log_variance).sum(dim=-1)
        return (-entropy - self.log_prob(z))[:, None]


IS_PRIOR = Has("build", "a prior such as priors.Mixture(10)")


@dataclass
class Standard(Spec):
    """p(z) = N(0, I)."""

    def build(self, size: int) -> Prior:
        return _Standard(size)


class _Standard(Prior):
    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (LOG_2PI + z.square()).sum(dim=-1)

    def sample(self, n: int, rng: Generator) -> Tensor:
        return torch.randn(n, self.size, generator=rng, device=rng.device)

    def divergence(self, z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """In closed form, number by number, (N, K)."""
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
