"""The divergence of the code's posterior from its prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from isthmus import codes
from isthmus._constraints import Constraint, count, non_negative, optional
from isthmus.errors import SettingError
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class Divergence(Penalty):
    """λ KL(q(z|x) ‖ p(z)); λ = 1 makes the loss the negative evidence bound (Kingma & Welling 2014).

    Parameters
    ----------
    strength : float
        λ (β of Higgins 2017).
    free_bits : float
        Nats that each part of the divergence has free: the larger of it and the part's mean over the batch is counted
        (Kingma 2016). Parts are the code's numbers where the divergence is known number by number, else the whole code.
    capacity : float, optional
        C in nats: λ |KL − C| takes the divergence's place, KL the mean over the batch (Burgess 2018).
    warm_up : int
        Epochs over which λ, or C where there is one, grows from 0 to its value. Held-out rows hear the whole one.
    """

    strength: float = 1.0
    free_bits: float = 0.0
    capacity: float | None = None
    warm_up: int = 0
    needs: ClassVar[str | None] = "divergence"
    cure: ClassVar[str] = "codes.Gaussian()"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "strength": non_negative(),
        "free_bits": non_negative(),
        "capacity": optional(non_negative()),
        "warm_up": count(0),
    }

    def build(self, parts: Parts) -> Term:
        if self.capacity is not None:
            if self.free_bits:
                raise SettingError(
                    "penalties.Divergence has both free_bits and a capacity",
                    where="penalty",
                    expected="one of them",
                )
            return _Capacity(parts.code, self.strength, self.capacity, self.warm_up)
        return _Divergence(parts.code, self.strength, self.free_bits, self.warm_up)


class _Divergence:
    def __init__(self, code: codes.Code, strength: float, free: float, warm_up: int) -> None:
        self.code, self.strength, self.free, self.settles = code, strength, free, warm_up
        self.has_free = free > 0  # a choice of its own: in a population `free` may be a tensor

    def __call__(self, p: Pass) -> Tensor:
        parts = self.code.divergence(p.z, p.stats)  # (N, J)
        strength = self.strength * p.ramp(self.settles) if self.settles else self.strength
        if not self.has_free:
            return strength * parts.sum(dim=-1)
        return strength * p.mean(parts).clamp_min(self.free).sum()


class _Capacity:
    def __init__(self, code: codes.Code, strength: float, capacity: float, warm_up: int) -> None:
        self.code, self.strength, self.capacity, self.settles = code, strength, capacity, warm_up

    def __call__(self, p: Pass) -> Tensor:
        mean = p.mean(self.code.divergence(p.z, p.stats)).sum()
        return self.strength * (mean - self.capacity * p.ramp(self.settles)).abs()
