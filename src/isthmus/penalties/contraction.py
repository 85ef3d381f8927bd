"""The contraction of the code: its Jacobian's squared norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from isthmus import codes
from isthmus._constraints import Constraint, count, non_negative, optional
from isthmus.jacobians import has_closed_form, squared_norm
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


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
