"""The law of composition: (x̃, m) = corrupt(x), (z, s) = code(f(x̃), c), θ = g(z, c), loss = −log p + Σ λΩ."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from isthmus import jacobians
from isthmus.codes import Code
from isthmus.corruptions import Corruption
from isthmus.likelihoods import Likelihood
from isthmus.nn import trail
from isthmus.passes import Pass
from isthmus.penalties import Term


class Composition(nn.Module):
    """One choice for each slot of the equation; it knows the slots and nothing of what fills them.

    Rows are in scaled units, (N, D). With a generator, rows are corrupted and codes sampled; without one everything
    is deterministic.
    """

    def __init__(
        self,
        corruption: Corruption,
        encoder: nn.Module,
        code: Code,
        decoder: nn.Module,
        likelihood: Likelihood,
        penalties: Mapping[str, Term],
    ) -> None:
        super().__init__()
        self.corruption = corruption
        self.encoder = encoder
        self.code = code
        self.decoder = decoder
        self.likelihood = likelihood
        self.penalties = dict(penalties)

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Pass:
        x_tilde, mask = (x, None) if rng is None else self.corruption(x, rng)
        if torch.is_grad_enabled() and any(getattr(term, "differentiates", False) for term in self.penalties.values()):
            x_tilde = x_tilde.view_as(x_tilde).requires_grad_()  # a view: the caller's rows stay as they are
        way = trail(self.encoder, x_tilde)
        z, stats = self.code(way[-1], context, rng)
        return Pass(x, x_tilde, mask, z, stats, self.decoder(z, context), weight, rng, way)

    def objective(self, p: Pass) -> dict[str, Tensor]:
        """The loss as named terms, each a mean over rows of sums over a row's numbers; their sum is minimised."""
        terms = {"reconstruction": _mean(self.surprise(p), p.weight)}
        for name, penalty in self.penalties.items():
            value = penalty(p)
            terms[name] = _mean(value, p.weight) if value.ndim else value
        return terms

    def surprise(self, p: Pass) -> Tensor:
        """−log p(x | θ, m) of each row, (N,)."""
        entries = self.likelihood.nll(p.theta, p.x)
        return (entries if p.mask is None else entries * p.mask).sum(dim=-1)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The deterministic code, (N, K)."""
        return self.code(self.encoder(x), context)[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The mean of p given the code, (N, D)."""
        return self.likelihood.mean(self.decoder(z, context))

    def jacobian(self, x: Tensor) -> Tensor:
        """∂z/∂x of the deterministic code at each row, (N, K, D)."""
        return jacobians.jacobian(self.encoder, self.code, x)


def _mean(rows: Tensor, weight: Tensor | None) -> Tensor:
    return rows.mean() if weight is None else (rows * weight).mean()
