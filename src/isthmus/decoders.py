"""Decoders g: codes (N, K) → the likelihood's parameters θ, (N, D·width)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from isthmus._constraints import Constraint, Each, OneOf, count
from isthmus._spec import Spec
from isthmus.errors import SettingError
from isthmus.nn import ACTIVATIONS, Dense, Perceptron, Transposed


class Decoder(nn.Module):
    """A network that reads codes; it hears no context."""

    def __init__(self, network: Perceptron) -> None:
        super().__init__()
        self.network = network

    @property
    def reader(self) -> Dense:
        """The layer that reads the code."""
        return self.network.dense[0]

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.network(z)


@dataclass
class Linear(Spec):
    """θ = V z + c."""

    def build(self, inputs: int, outputs: int, encoder: nn.Module) -> nn.Module:
        return Decoder(Perceptron((inputs, outputs), "identity"))


@dataclass
class MLP(Spec):
    """A multi-layer perceptron with the named hidden widths, from the code outwards."""

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count()),
        "activation": OneOf(tuple(ACTIVATIONS)),
    }

    def build(self, inputs: int, outputs: int, encoder: nn.Module) -> nn.Module:
        return Decoder(Perceptron((inputs, *self.hidden, outputs), self.activation))


@dataclass
class Tied(Spec):
    """The encoder's matrices transposed, with biases of its own: what f shrinks, g cannot grow."""

    def build(self, inputs: int, outputs: int, encoder: nn.Module) -> nn.Module:
        if not isinstance(encoder, Perceptron):
            raise SettingError(
                f"decoders.Tied cannot transpose {type(encoder).__name__}",
                where="decoder",
                expected="encoders.Linear or encoders.MLP",
                hint="give a decoder of its own",
            )
        ties = (encoder.dense[-1].weight.shape[0], encoder.dense[0].weight.shape[1])
        if ties != (inputs, outputs):
            raise SettingError(
                f"decoders.Tied would map {ties[0]} to {ties[1]} numbers where {inputs} to {outputs} are needed",
                where="decoder",
                expected="a code that emits as many numbers as it reads, and one parameter an entry",
                hint="give a decoder of its own",
            )
        return Transposed(encoder)
