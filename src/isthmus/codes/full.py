"""Codes with a Gaussian posterior whose entries may depend on each other, by its Cholesky factor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.codes.gaussian import LOG_2PI, whole


@dataclass
class FullGaussian(Spec):
    """z = μ + Lε, ε ~ N(0, I), L lower triangular with a positive diagonal; the prior is N(0, I).

    The encoder emits K + K(K + 1)/2 numbers a row: μ, then L row by row, log Lᵢᵢ² on its diagonal (Kingma & Welling
    2019, §2.5.1). Without sampling z = μ.
    """

    def build(self, size: int) -> Code:
        return _FullGaussian(size)


class _FullGaussian(Code):
    """`factor` in its stats is L, (N, K, K), and `log_diagonal` the logarithms of its diagonal, (N, K)."""

    gives = frozenset({"density", "divergence"})
    places: Tensor
    diagonal: Tensor

    def __init__(self, size: int) -> None:
        entries = size * (size + 1) // 2
        super().__init__(size, size + entries)
        row, column = torch.tril_indices(size, size)
        places = torch.full((size, size), entries)  # the number after the last one is a 0
        places[row, column] = torch.arange(entries)
        self.register_buffer("places", places.flatten(), persistent=False)
        self.register_buffer("diagonal", places.diagonal().clone(), persistent=False)

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        a = whole(a)
        mean, below = a[:, : self.size], a[:, self.size :]
        log_diagonal = (below.index_select(1, self.diagonal) / 2).clamp(-15, 10)  # exp of twice it stays within float32
        padded = torch.cat([below, torch.zeros_like(below[:, :1])], dim=1)
        factor = padded.index_select(1, self.places).view(-1, self.size, self.size).tril(-1)
        factor = factor + torch.diag_embed(log_diagonal.exp())
        stats = {"mean": mean, "factor": factor, "log_diagonal": log_diagonal}
        if rng is None:
            return mean, stats
        noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
        return mean + (factor * noise[:, None, :]).sum(dim=-1), stats

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """In closed form, (N, K): ½ (μᵢ² + Σⱼ Lᵢⱼ² − 1) − log Lᵢᵢ."""
        squares = stats["mean"].square() + stats["factor"].square().sum(dim=-1)
        return 0.5 * (squares - 1) - stats["log_diagonal"]

    def log_posterior(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        away = (z - stats["mean"])[:, :, None]
        noise = torch.linalg.solve_triangular(stats["factor"], away, upper=False)[:, :, 0]
        return -(0.5 * (LOG_2PI + noise.square()) + stats["log_diagonal"]).sum(dim=-1)

    def log_prior(self, z: Tensor) -> Tensor:
        return -0.5 * (LOG_2PI + z.square()).sum(dim=-1)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        return torch.randn(n, self.size, generator=rng, device=rng.device)
