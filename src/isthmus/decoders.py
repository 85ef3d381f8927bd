"""Decoders g: codes (N, K) → the likelihood's parameters θ, (N, D·width)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import Tensor, nn

from isthmus._constraints import Constraint, Each, Flag, OneOf, count
from isthmus._spec import Spec
from isthmus.errors import SettingError
from isthmus.nn import (
    ACTIVATIONS,
    INITIALISATIONS,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    Dense,
    Perceptron,
    Style,
    Transposed,
    TransposedConvolutional,
)

STARTS = ("auto", *INITIALISATIONS)
LEVELS: Mapping[str, Constraint] = {  # what convolutional encoders and decoders share
    "channels": Each(count(), least=1),
    "kernel": count(2),
    "blocks": count(0),
    "norm": Flag(),
    "hidden": Each(count()),
    "spatial": Flag(),
    "activation": OneOf(tuple(ACTIVATIONS)),
    "initialisation": OneOf(STARTS),
}
Shape = tuple[int, ...]  # of θ: (D·width,), or (C·width, H, W) and its like


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

    def build(self, inputs: int, shape: Shape, encoder: nn.Module) -> nn.Module:
        return Decoder(Perceptron((inputs, prod(shape)), "identity"))


@dataclass
class MLP(Spec):
    """A multi-layer perceptron with the named hidden widths, from the code outwards."""

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    initialisation: str = "auto"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count()),
        "activation": OneOf(tuple(ACTIVATIONS)),
        "initialisation": OneOf(STARTS),
    }

    def build(self, inputs: int, shape: Shape, encoder: nn.Module) -> nn.Module:
        return Decoder(Perceptron((inputs, *self.hidden, prod(shape)), self.activation, self.initialisation))


@dataclass
class Convolutional(Spec):
    """Levels that each double a map's extents, up to the row's own: the mirror of `encoders.Convolutional`.

    Parameters
    ----------
    channels : tuple of int
        Of the maps that the levels read, from the code outwards.
    up : {"transposed", "resize"}
        How a level doubles: a transposed convolution of stride 2, or nearest neighbours and a convolution of stride 1,
        which leaves no chequered pattern and costs more (Odena, Dumoulin & Olah 2016).
    kernel, blocks, norm, hidden, spatial, activation
        As in `encoders.Convolutional`.
    """

    channels: tuple[int, ...] = (64, 32)
    kernel: int = 3
    up: str = "transposed"
    blocks: int = 0
    norm: bool = False
    hidden: tuple[int, ...] = ()
    spatial: bool = False
    activation: str = "silu"
    initialisation: str = "auto"
    constraints: ClassVar[Mapping[str, Constraint]] = {**LEVELS, "up": OneOf(("transposed", "resize"))}

    def build(self, inputs: int, shape: Shape, encoder: nn.Module) -> nn.Module:
        style = Style(self.kernel, self.blocks, bool(self.norm), self.activation, self.initialisation)
        hidden = None if self.spatial else self.hidden
        return ConvolutionalDecoder(inputs, self.channels, shape, style, self.up == "resize", hidden)


@dataclass
class Tied(Spec):
    """The encoder's matrices and kernels transposed, with biases of its own: what f shrinks, g cannot grow."""

    def build(self, inputs: int, shape: Shape, encoder: nn.Module) -> nn.Module:
        if not isinstance(encoder, Perceptron | ConvolutionalEncoder):
            raise SettingError(
                f"decoders.Tied cannot transpose {type(encoder).__name__}",
                where="decoder",
                expected="encoders.Linear, encoders.MLP or encoders.Convolutional",
                hint="give a decoder of its own",
            )
        ties = (encoder.outputs, encoder.inputs)
        if ties != (inputs, prod(shape)):
            raise SettingError(
                f"decoders.Tied would map {ties[0]} to {ties[1]} numbers where {inputs} to {prod(shape)} are needed",
                where="decoder",
                expected="a code that emits as many numbers as it reads, and one parameter an entry",
                hint="give a decoder of its own",
            )
        return Transposed(encoder) if isinstance(encoder, Perceptron) else TransposedConvolutional(encoder)
