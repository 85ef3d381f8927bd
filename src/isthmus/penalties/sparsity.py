"""Sparsity: a target for each unit's mean activation, or small activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus._constraints import Constraint, Number, non_negative
from isthmus.errors import SettingError
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class KL(Penalty):
    """λ Σᵢ KL(ρ ‖ ρ̂ᵢ) between Bernoulli variables, ρ̂ᵢ the mean activation of unit i over the batch (Ng 2011).

    log ρ̂ and log(1 − ρ̂) are computed from the logits, so that units which never fire make no NaN.
    """

    rho: float = 0.05
    strength: float = 3.0
    needs: ClassVar[str | None] = "unit interval"
    cure: ClassVar[str] = "codes.Activation('sigmoid')"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "rho": Number(0, 1, open_low=True, open_high=True),
        "strength": non_negative(),
    }

    def build(self, parts: Parts) -> Term:
        return _Sparsity(self.rho, self.strength)


class _Sparsity:
    def __init__(self, rho: float, strength: float) -> None:
        self.rho, self.strength = rho, strength
        self.entropy = rho * math.log(rho) + (1 - rho) * math.log(1 - rho)

    def __call__(self, p: Pass) -> Tensor:
        logits = p.stats["logits"]  # (N, K)
        shares = torch.full_like(logits[:, :1], -math.log(len(logits))) if p.weight is None else _log_shares(p.weight)
        log_on = torch.logsumexp(F.logsigmoid(logits) + shares, dim=0)
        log_off = torch.logsumexp(F.logsigmoid(-logits) + shares, dim=0)
        divergence = self.entropy - self.rho * log_on - (1 - self.rho) * log_off  # (K,)
        return self.strength * divergence.sum()


def _log_shares(weight: Tensor) -> Tensor:
    return torch.log(weight / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny))[:, None]


@dataclass
class L1(Penalty):
    """λ Σᵢ |zᵢ|, with the decoder's columns kept at unit length, else the code shrinks and the decoder undoes it."""

    strength: float = 0.1
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative()}

    def build(self, parts: Parts) -> Term:
        reader = getattr(parts.decoder, "reader", None)
        if reader is None:
            raise SettingError(
                f"penalties.L1 cannot keep the columns of {type(parts.decoder).__name__} at unit length",
                where="decoder",
                expected="decoders.Linear or decoders.MLP",
            )
        reader.unit_columns = True
        return _L1(self.strength)


class _L1:
    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, p: Pass) -> Tensor:
        return self.strength * p.z.abs().sum(dim=-1)
