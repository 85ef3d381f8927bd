"""The curvature of the code: how much its Jacobian changes near a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import codes
from isthmus._constraints import Constraint, count, optional, positive
from isthmus.jacobians import has_closed_form, squared_change
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class Curvature(Penalty):
    """λ E‖J(x̃ + ε) − J(x̃)‖²_F with J = ∂z/∂x and ε ~ N(0, noise²): CAE+H with a contraction (Rifai 2011, ECML).

    As ε becomes small it is λ noise² times the squared norm of the code's second derivatives, which are never formed.
    Nothing is drawn for held-out rows, and so their loss leaves it out.

    Parameters
    ----------
    strength : float
    noise : float
        Standard deviation of ε, in scaled units.
    draws : int
        How many ε a row and step.
    probes : int, optional
        As in `Contraction`: the norms are estimated from so many random directions of the code.
    """

    strength: float = 0.1
    noise: float = 0.1
    draws: int = 1
    probes: int | None = None
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "strength": positive(),
        "noise": positive(),
        "draws": count(),
        "probes": optional(count()),
    }

    def build(self, parts: Parts) -> Term:
        return _Curvature(parts.encoder, parts.code, self)


class _Curvature:
    """`estimated` says from what, in words."""

    def __init__(self, encoder: nn.Module, code: codes.Code, asked: Curvature) -> None:
        self.encoder, self.code = encoder, code
        self.strength, self.noise = asked.strength, asked.noise
        self.draws, self.probes = asked.draws, asked.probes
        self.differentiates = not has_closed_form(encoder, code)
        self.estimated = f"{asked.draws} draw{'s' if asked.draws > 1 else ''} of noise"

    def __call__(self, p: Pass) -> Tensor:
        if p.rng is None:
            return p.z.new_zeros(len(p.z))
        total = torch.zeros_like(p.z[:, 0])
        for _ in range(self.draws):
            x = p.x_tilde
            noise = torch.randn(x.shape, generator=p.rng, dtype=x.dtype, device=x.device)
            total = total + squared_change(self.encoder, self.code, p, x + self.noise * noise, self.probes)
        return self.strength / self.draws * total
