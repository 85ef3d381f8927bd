"""Decoders g: codes (N, K) → the likelihood's parameters θ, (N, D·width)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from isthmus._constraints import Constraint, Each, Flag, Has, OneOf, count, optional
from isthmus._spec import Spec
from isthmus.errors import SettingError
from isthmus.nn import (
    ACTIVATIONS,
    INITIALISATIONS,
    Beside,
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
INNER = Has("build", "a decoder such as decoders.MLP((256, 512))")
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
class Residual(Spec):
    """θ = z + g(z), z continued by zeros where θ has more numbers and g a perceptron that begins at 0.

    So decoding begins as what it is for the code of `encoders.Residual`: the first numbers of a row, and means.
    """

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count(), least=1),
        "activation": OneOf(tuple(ACTIVATIONS)),
    }

    def build(self, inputs: int, shape: Shape, encoder: nn.Module) -> nn.Module:
        return Beside((inputs, *self.hidden, prod(shape)), self.activation)


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
class Conditional(Spec):
    """θ = g(z, one-hot c): one decoder that also reads which group c a row is of (Sohn, Lee & Yan 2015).

    `decoder` is one of these; None: the encoder's mirror image. Without a group c is the same for all groups, 1/G.
    """

    decoder: Any = None
    needs_groups: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"decoder": optional(INNER)}

    def build(self, inputs: int, shape: Shape, encoder: nn.Module, groups: int) -> nn.Module:
        return _Conditional(self.decoder.build(inputs + groups, shape, encoder), groups)


class _Conditional(nn.Module):
    def __init__(self, decoder: nn.Module, groups: int) -> None:
        super().__init__()
        self.decoder, self.groups = decoder, groups

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        if context is None:
            told = z.new_full((len(z), self.groups), 1 / self.groups)
        else:
            told = (context[:, None] == torch.arange(self.groups, device=z.device)).to(z.dtype)
        return cast("Tensor", self.decoder(torch.cat([z, told], dim=1)))


@dataclass
class PerGroup(Spec):
    """θ = g_c(z): a decoder of its own for each group c, such as a domain or a face, on one encoder.

    `decoder` is one of these, built anew for each group; None: the encoder's mirror image. In training every row passes
    through every decoder and its own is kept, so a step costs as much as all of them.
    """

    decoder: Any = None
    needs_groups: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"decoder": optional(INNER)}

    def build(self, inputs: int, shape: Shape, encoder: nn.Module, groups: int) -> nn.Module:
        return _PerGroup([self.decoder.build(inputs, shape, encoder) for _ in range(groups)])


class _PerGroup(nn.Module):
    def __init__(self, decoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(decoders)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        if context is None:
            raise SettingError(
                "decoders.PerGroup cannot tell whose decoder to use",
                where="without groups",
                expected="the group of each row, as in fit",
                hint="or bind it to one group: ae.for_group(label)",
            )
        theta = self.decoders[0](z)
        for group, decoder in enumerate(self.decoders[1:], start=1):
            theta = torch.where((context == group)[:, None], decoder(z), theta)
        return cast("Tensor", theta)


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
