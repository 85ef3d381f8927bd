"""Corruptions: x → (x̃, m), where m says which entries are scored (None: all)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, OneOf, non_negative, share
from isthmus._spec import Spec
from isthmus.errors import SettingError, nearest

Corrupted = tuple[Tensor, Tensor | None]


class Corruption(nn.Module):
    """Base of built corruptions: rows in, corrupted rows and the scored entries out, both (N, D)."""

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        return x, None


def _uniform(x: Tensor, rng: Generator) -> Tensor:
    return torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype)


@dataclass
class Nothing(Spec):
    """x̃ = x."""

    def build(self, low: Tensor, high: Tensor) -> Corruption:
        return Corruption()


@dataclass
class Gaussian(Spec):
    """x̃ = x + amount·ε, ε ~ N(0, 1); `amount` is in the scaled units the network sees (Vincent 2010)."""

    amount: float = 0.3
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": non_negative()}

    def build(self, low: Tensor, high: Tensor) -> Corruption:
        return _Gaussian(self.amount)


class _Gaussian(Corruption):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        return x + self.amount * noise, None


@dataclass
class Masking(Spec):
    """Each entry becomes 0 with probability `amount` (Vincent 2010).

    `score` says which entries the likelihood counts: "all", or only the "hidden" ones. Scoring hidden ones alone
    leaves the reconstruction of visible entries free: use it to impute, not to compress.
    """

    amount: float = 0.3
    score: str = "all"
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": share(), "score": OneOf(("all", "hidden"))}

    def build(self, low: Tensor, high: Tensor) -> Corruption:
        return _Masking(self.amount, self.score == "hidden")


class _Masking(Corruption):
    def __init__(self, amount: float, hidden_only: bool) -> None:
        super().__init__()
        self.amount, self.hidden_only = amount, hidden_only

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        hidden = _uniform(x, rng) < self.amount
        return x.masked_fill(hidden, 0), hidden.to(x.dtype) if self.hidden_only else None


@dataclass
class SaltAndPepper(Spec):
    """Each entry becomes, with probability `amount`, its column's least or greatest training value, a coin deciding."""

    amount: float = 0.1
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": share()}

    def build(self, low: Tensor, high: Tensor) -> Corruption:
        return _SaltAndPepper(self.amount, low, high)


class _SaltAndPepper(Corruption):
    low: Tensor
    high: Tensor

    def __init__(self, amount: float, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.amount = amount
        self.register_buffer("low", low.clone())  # (D,)
        self.register_buffer("high", high.clone())

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        draw = _uniform(x, rng)  # one draw decides both: below amount / 2 pepper, below amount salt
        noisy = torch.where(draw < self.amount / 2, self.low, torch.where(draw < self.amount, self.high, x))
        return noisy, None


NAMED = {"gaussian": Gaussian, "masking": Masking, "salt-and-pepper": SaltAndPepper}


def named(noise: str, amount: float) -> Spec:
    """A corruption by its everyday name.

    Raises
    ------
    SettingError
        Where there is no such noise.
    """
    if noise not in NAMED:
        raise SettingError(f"no noise called {noise!r}", where="in noise", hint=nearest(noise, NAMED))
    return NAMED[noise](amount)
