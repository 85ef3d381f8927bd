"""Encoders f: rows (N, D) → the numbers a code is made of, (N, width)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from isthmus import decoders
from isthmus._constraints import Constraint, Each, OneOf, count
from isthmus._spec import Spec
from isthmus.nn import ACTIVATIONS, Perceptron


@dataclass
class Linear(Spec):
    """a = W x + b: no hidden layer."""

    def build(self, inputs: int, outputs: int) -> nn.Module:
        return Perceptron((inputs, outputs), "identity")

    def mirror(self) -> Spec:
        return decoders.Linear()


@dataclass
class MLP(Spec):
    """A multi-layer perceptron with the named hidden widths; the last layer is linear, the code bends it."""

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count()),
        "activation": OneOf(tuple(ACTIVATIONS)),
    }

    def build(self, inputs: int, outputs: int) -> nn.Module:
        return Perceptron((inputs, *self.hidden, outputs), self.activation)

    def mirror(self) -> Spec:
        return decoders.MLP(tuple(reversed(self.hidden)), self.activation)
