"""Penalties Ω(pass): per row, (N,), or of the whole batch, (); each says what it needs of the code.

A strength λ multiplies a sum over a row's numbers and a mean over rows, so it means the same for every batch size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import codes
from isthmus._constraints import Constraint, Number, count, non_negative, optional
from isthmus._spec import Several, Spec
from isthmus.errors import SettingError
from isthmus.jacobians import has_closed_form, squared_norm
from isthmus.passes import Pass

Term = Callable[[Pass], Tensor]  # one with `differentiates = True` gets passes that can be differentiated by x̃


class Parts(NamedTuple):
    """The built modules a penalty may look at."""

    encoder: nn.Module
    code: codes.Code
    decoder: nn.Module


class Penalty(Spec):
    """Base of the specifications: `needs` names what the code must give, `cure` a code that gives it."""

    needs: ClassVar[str | None] = None
    cure: ClassVar[str] = ""

    def build(self, parts: Parts) -> Term:
        raise TypeError(f"{type(self).__name__} is abstract")

    def terms(self, parts: Parts) -> dict[str, Term]:
        """The built terms by name, each already multiplied by its strength."""
        if self.needs is not None and self.needs not in parts.code.gives:
            given = ", ".join(sorted(parts.code.gives)) or "no statistics"
            raise SettingError(
                f"penalties.{type(self).__name__} needs a code that gives '{self.needs}'",
                where=f"this code gives {given}",
                hint=f"use code={self.cure}",
            )
        return {type(self).__name__.lower(): self.build(parts)}


@dataclass
class Contraction(Penalty):
    """λ ‖∂z/∂x̃‖²_F, in closed form for perceptrons, by automatic differentiation otherwise (Rifai 2011).

    It is exact; with `probes` it is estimated, without bias, from so many random directions of the code in each row
    (Hutchinson 1990), which costs far less where the encoder is deep and the code has many numbers.
    """

    strength: float = 0.1
    probes: int | None = None
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative(), "probes": optional(count())}

    def build(self, parts: Parts) -> Term:
        return _Contraction(parts.encoder, parts.code, self.strength, self.probes)


class _Contraction:
    """`estimated` says from what, in words; None where it is exact."""

    def __init__(self, encoder: nn.Module, code: codes.Code, strength: float, probes: int | None) -> None:
        self.encoder, self.code, self.strength, self.probes = encoder, code, strength, probes
        self.differentiates = not has_closed_form(encoder, code)
        self.estimated = None if probes is None else f"{probes} random probe{'s' if probes > 1 else ''}"

    def __call__(self, p: Pass) -> Tensor:
        return self.strength * squared_norm(self.encoder, self.code, p, self.probes)


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


@dataclass
class Divergence(Penalty):
    """λ KL(N(μ, σ²) ‖ N(0, I)) in closed form; λ = 1 makes the loss the negative evidence bound (Kingma & Welling)."""

    strength: float = 1.0
    needs: ClassVar[str | None] = "gaussian"
    cure: ClassVar[str] = "codes.Gaussian()"
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative()}

    def build(self, parts: Parts) -> Term:
        return _Divergence(self.strength)


class _Divergence:
    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, p: Pass) -> Tensor:
        mean, log_variance = p.stats["mean"], p.stats["log_variance"]
        entries = mean.square() + log_variance.exp() - 1 - log_variance  # (N, K)
        return self.strength / 2 * entries.sum(dim=-1)


@dataclass
class Weights(Penalty):
    """λ Σ W² over every matrix of encoder and decoder: L2 in the loss itself, not decoupled as `weight_decay` is."""

    strength: float = 0.01
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative()}

    def build(self, parts: Parts) -> Term:
        return _Weights((parts.encoder, parts.decoder), self.strength)


class _Weights:
    def __init__(self, networks: Sequence[nn.Module], strength: float) -> None:
        self.networks, self.strength = networks, strength

    def __call__(self, p: Pass) -> Tensor:
        matrices = [matrix for network in self.networks for matrix in network.parameters() if matrix.ndim > 1]
        return self.strength * torch.stack([matrix.square().sum() for matrix in matrices]).sum()


class _IsPenalty:
    def fits(self, value: object) -> bool:
        return isinstance(value, Penalty) and not isinstance(value, Sum)

    def __str__(self) -> str:
        return "a penalty such as penalties.Contraction(0.1)"


class Sum(Several, Penalty):
    """Several named penalties: `Sum(sparsity=KL(0.05), contraction=Contraction(0.1))`."""

    noun, member = "penalty", _IsPenalty()

    def terms(self, parts: Parts) -> dict[str, Term]:
        named: dict[str, Any] = self.__dict__
        return {name: term for name, part in named.items() for term in part.terms(parts).values()}
