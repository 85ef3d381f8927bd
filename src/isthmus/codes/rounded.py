"""Codes in whole steps, and what they cost an entropy coder, learned with the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, Number, count, positive
from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.codes.quantised import passed_through

LEAST = math.exp(-12)  # of a logistic's scale, in steps
PACE = 5.0  # by which log scales move faster than weights: they have decades to go


@dataclass
class Rounded(Spec):
    """z = Δ sign(a) ⌊|a|/Δ + 1 − τ⌋: whole steps, those of less than τΔ being 0; the gradient passes as if z were a.

    What z costs is measured where it is smooth, at z̃ = a + Δu, u ~ U(−½, ½): F(z̃ + Δ/2) − F(z̃ − Δ/2) is the
    probability of a step there, F of each number a mixture of logistics (Ballé, Laparra & Simoncelli 2017, eqs. 8 to
    12; noise for the cost, rounding for the decoder: Minnen & Singh 2020). −log of it is the divergence of U from the
    density of z̃, so `penalties.Divergence(β)` adds β times the nats that an entropy coder needs.

    Parameters
    ----------
    step : float
        Δ.
    threshold : float
        τ; ½ rounds, more makes a dead zone about 0.
    components : int
        Logistics in the mixture of each number of the code.
    """

    step: float = 1.0
    threshold: float = 0.5
    components: int = 3
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "step": positive(),
        "threshold": Number(0, 1, open_low=True),
        "components": count(),
    }

    def build(self, size: int) -> Code:
        return _Rounded(size, self.step, self.threshold, self.components)


class _Rounded(Code):
    """`centres`, `widths` and `logits`, (C, K): the mixtures' means, log scales / 5, both in steps, and log weights."""

    gives = frozenset({"divergence"})

    def __init__(self, size: int, step: float, threshold: float, components: int) -> None:
        super().__init__(size)
        self.step, self.threshold = step, threshold
        apart = torch.linspace(-1, 1, components + 2)[1:-1, None]
        self.centres = nn.Parameter(apart.expand(components, size).clone())
        self.widths = nn.Parameter(torch.zeros(components, size))
        self.logits = nn.Parameter(torch.zeros(components, size))

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        steps = a.detach() / self.step
        rounded = self.step * steps.sign() * (steps.abs() + (1 - self.threshold)).floor()
        noisy = rounded
        if rng is not None:
            noisy = a + self.step * (torch.rand(a.shape, generator=rng, device=a.device, dtype=a.dtype) - 0.5)
        return passed_through(a, rounded) if self.training else rounded, {"noisy": noisy}

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """−log of the probability of each number's step, (N, K), in nats."""
        narrow = 1 / ((PACE * self.widths).exp() + LEAST)
        away = (stats["noisy"] / self.step)[:, None] - self.centres  # N C K
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b−a)), and a − b is a step in scales: no difference of like numbers.
        width = torch.log(-torch.expm1(-narrow))
        inside = width - F.softplus(-(away + 0.5) * narrow) - F.softplus((away - 0.5) * narrow)
        return -torch.logsumexp(F.log_softmax(self.logits, dim=0) + inside, dim=1)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        """Whole steps, each number drawn by the probabilities of its own."""
        like = self.centres
        u, v = torch.rand(2, n, self.size, generator=rng, device=like.device, dtype=like.dtype)
        ends = F.softmax(self.logits, dim=0).cumsum(dim=0)  # C K
        which = (u[:, None] > ends[:-1]).sum(dim=1)  # N K
        centre, width = like.gather(0, which), self.widths.gather(0, which)
        drawn = centre + ((PACE * width).exp() + LEAST) * torch.logit(v, eps=torch.finfo(like.dtype).eps)
        return self.step * drawn.round()
