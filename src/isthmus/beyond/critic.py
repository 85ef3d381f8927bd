"""FactorVAE: a critic of its own tells a code from one whose numbers are independent, and the code learns to pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from isthmus._constraints import Constraint, Each, count, non_negative
from isthmus.nn import Perceptron
from isthmus.passes import Pass
from isthmus.penalties import Parts, Penalty, Term


@dataclass
class FactorVAE(Penalty):
    """λ KL(q(z) ‖ Πₖ q(zₖ)), beside Divergence(1), the ratio of the two densities learned (Kim & Mnih 2018, γ = λ).

    A critic D is trained to tell the codes of a batch from the same codes with every column in an order of its own, as
    they would be if the numbers were independent; then D(z) = log q(z) / Πₖ q(zₖ), and its mean is the penalty. Both
    learn in the one loop: the code hears D with its weights held still, the critic hears codes held still. They share
    optimiser, learning rate and batch, where the paper has an Adam of its own and a second batch for the critic. What
    is reported, and watched by early stopping, is the penalty alone; the critic's cross-entropy adds 0 to it.

    Parameters
    ----------
    strength : float
        λ.
    hidden : sequence of int
        The critic's hidden widths; the paper has six layers of 1000.
    warm_up : int
        Epochs over which λ grows from 0 to its value. Held-out rows hear the whole one.
    """

    strength: float = 10.0
    hidden: tuple[int, ...] = (256, 256, 256)
    warm_up: int = 0
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "strength": non_negative(),
        "hidden": Each(count()),
        "warm_up": count(0),
    }

    def build(self, parts: Parts) -> Term:
        return _Critic(parts.code.size, self.hidden, self.strength, self.warm_up)


class _Critic(nn.Module):
    def __init__(self, size: int, hidden: tuple[int, ...], strength: float, warm_up: int) -> None:
        super().__init__()
        self.network = Perceptron((size, *hidden, 1), "leaky_relu")
        self.strength, self.settles = strength, warm_up

    def forward(self, p: Pass) -> Tensor:
        still = {name: weight.detach() for name, weight in self.network.named_parameters()}
        ratio = cast("Tensor", functional_call(self.network, still, (p.z,)))[:, 0]
        wrong = self._cross_entropy(p)
        return self.strength * p.ramp(self.settles) * ratio + (wrong - wrong.detach())

    def _cross_entropy(self, p: Pass) -> Tensor:
        together, apart = p.z.detach(), shuffled(p)
        missed = p.mean(F.softplus(-self.network(together)))
        mistaken = F.softplus(self.network(apart)).mean(dim=0)
        return 0.5 * (missed + mistaken).sum()


def shuffled(p: Pass) -> Tensor:
    """Codes whose columns are each drawn for themselves from the batch, (N, K), with no gradient.

    Every number once where rows weigh alike; else as often as its row weighs. Without a generator the k-th column is
    moved on by k rows.
    """
    z = p.z.detach()
    if p.rng is None:
        rows, columns = (torch.arange(size, device=z.device) for size in z.shape)
        return z.gather(0, (rows[:, None] + columns) % len(z))
    drawn = torch.rand(z.shape, generator=p.rng, device=z.device, dtype=z.dtype)
    if p.weight is None:
        return z.gather(0, drawn.argsort(dim=0))
    shares = p.weight.cumsum(0)
    return z.gather(0, torch.searchsorted(shares, drawn * shares[-1]).clamp(max=len(z) - 1))
