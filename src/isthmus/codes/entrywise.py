"""Codes without randomness: z is the encoder's output, bent or thinned out entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, OneOf, count
from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.errors import SettingError
from isthmus.nn import ACTIVATIONS


@dataclass
class Plain(Spec):
    """z = a."""

    def build(self, size: int) -> Code:
        return Code(size)


@dataclass
class Activation(Spec):
    """z = s(a), s one of the activations by name; "sigmoid" keeps z in (0, 1), as a sparsity target needs."""

    name: str = "sigmoid"
    constraints: ClassVar[Mapping[str, Constraint]] = {"name": OneOf(tuple(ACTIVATIONS))}

    def build(self, size: int) -> Code:
        return _Activation(size, self.name)


class _Activation(Code):
    def __init__(self, size: int, name: str) -> None:
        super().__init__(size)
        self.name = name
        self.gives = frozenset({"unit interval"}) if name == "sigmoid" else frozenset()

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        return ACTIVATIONS[self.name].function(a), {"logits": a}

    def slope(self, a: Tensor) -> Tensor | None:
        bend = ACTIVATIONS[self.name]
        return bend.slope(a, bend.function(a))


@dataclass
class TopK(Spec):
    """z keeps the k largest positive activations of each row, the rest are exactly 0 (Makhzani & Frey 2013)."""

    k: int = 8
    constraints: ClassVar[Mapping[str, Constraint]] = {"k": count()}

    def build(self, size: int) -> Code:
        if self.k > size:
            raise SettingError(
                f"codes.TopK keeps k={self.k} of {size} units", where="code", expected="k at most code_size"
            )
        return _TopK(size, self.k)


class _TopK(Code):
    def __init__(self, size: int, k: int) -> None:
        super().__init__(size)
        self.k = k

    def kept(self, a: Tensor) -> Tensor:
        top = torch.topk(a, self.k, dim=-1, sorted=False).indices
        return torch.zeros_like(a).scatter(-1, top, 1.0) * (a > 0)

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        return torch.where(self.kept(a) > 0, a, 0.0), {}

    def slope(self, a: Tensor) -> Tensor | None:
        return self.kept(a)
