"""The commitment of an encoder to the entries of a codebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from isthmus._constraints import Constraint, non_negative
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class Commitment(Penalty):
    """λ ‖a − z‖², z the chosen entries held fixed: what the encoder says stays near them (van den Oord 2017, eq. 3).

    Codebooks that follow by moving averages need no term of their own.
    """

    strength: float = 0.25
    needs: ClassVar[str | None] = "codebook"
    cure: ClassVar[str] = "codes.VectorQuantised()"
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative()}

    def build(self, parts: Parts) -> Term:
        return _Commitment(self.strength)


class _Commitment:
    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, p: Pass) -> Tensor:
        return self.strength * (p.stats["before"] - p.stats["chosen"]).square().sum(dim=-1)
