"""Encoders f: rows (N, D) → the numbers a code is made of, (N, width)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from isthmus import decoders
from isthmus._constraints import Constraint, Each, Has, OneOf, Text, count, optional
from isthmus._spec import Spec
from isthmus.errors import SettingError, nearest
from isthmus.nn import ACTIVATIONS, Beside, ConvolutionalEncoder, Perceptron, Style
from isthmus.nn.convolutional import as_map

Shape = tuple[int, ...]  # a row's own: (D,), (C, L), (C, H, W), (C, D, H, W)


@dataclass
class Linear(Spec):
    """a = W x + b: no hidden layer."""

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        return Perceptron((prod(shape), outputs), "identity")

    def mirror(self) -> Spec:
        return decoders.Linear()


@dataclass
class MLP(Spec):
    """A multi-layer perceptron with the named hidden widths; the last layer is linear, the code bends it.

    `initialisation` is "auto", He's for rectifiers and Glorot's for the others, or one of `isthmus.nn.INITIALISATIONS`.
    """

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    initialisation: str = "auto"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count()),
        "activation": OneOf(tuple(ACTIVATIONS)),
        "initialisation": OneOf(decoders.STARTS),
    }

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        return Perceptron((prod(shape), *self.hidden, outputs), self.activation, self.initialisation)

    def mirror(self) -> Spec:
        return decoders.MLP(tuple(reversed(self.hidden)), self.activation, self.initialisation)


@dataclass
class Residual(Spec):
    """a = x + f(x), of x the first numbers, as many as the code has, and f a perceptron that begins at 0.

    Of rows in their principal coordinates (scikit-learn's `PCA` before it in a pipeline, which turns them and loses
    nothing) the code begins as that of PCA, and training goes on from there. The mirror image is `decoders.Residual`.
    """

    hidden: tuple[int, ...] = (128,)
    activation: str = "silu"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count(), least=1),
        "activation": OneOf(tuple(ACTIVATIONS)),
    }

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        return Beside((prod(shape), *self.hidden, outputs), self.activation)

    def mirror(self) -> Spec:
        return decoders.Residual(tuple(reversed(self.hidden)), self.activation)


@dataclass
class Convolutional(Spec):
    """Levels of convolutions, each of which halves the extents of signals, images or volumes; any size will do.

    Parameters
    ----------
    channels : tuple of int
        Of each level's map, from the input on.
    kernel : int
        Width of the kernels.
    down : {"strided", "pooled"}
        How a level halves: a convolution of stride 2, or one of stride 1 and the maximum of each pair.
    blocks : int
        Residual blocks of two convolutions after each halving (He 2016).
    norm : bool
        Group normalisation (Wu & He 2018).
    hidden : tuple of int
        Dense layers between the last map and the code.
    spatial : bool
        The code is itself a map, of the last level's extents: `code_size` is a multiple of their product. Such a
        network has no dense layer.
    """

    channels: tuple[int, ...] = (32, 64)
    kernel: int = 3
    down: str = "strided"
    blocks: int = 0
    norm: bool = False
    hidden: tuple[int, ...] = ()
    spatial: bool = False
    activation: str = "silu"
    initialisation: str = "auto"
    constraints: ClassVar[Mapping[str, Constraint]] = {**decoders.LEVELS, "down": OneOf(("strided", "pooled"))}

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        style = Style(self.kernel, self.blocks, bool(self.norm), self.activation, self.initialisation)
        hidden = None if self.spatial else self.hidden
        return ConvolutionalEncoder(shape, self.channels, outputs, style, self.down == "pooled", hidden)

    def mirror(self) -> Spec:
        return decoders.Convolutional(
            tuple(reversed(self.channels)),
            self.kernel,
            blocks=self.blocks,
            norm=self.norm,
            hidden=tuple(reversed(self.hidden)),
            spatial=self.spatial,
            activation=self.activation,
            initialisation=self.initialisation,
        )


@dataclass
class Network(Spec):
    """One of `networks` up to a named stage, and a dense layer to the code.

    Parameters
    ----------
    network : specification of `networks`
    upto : str, optional
        The last stage that is used; None: the one before the classes are told apart.
    """

    network: Any
    upto: str | None = None
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "network": Has("build", "a specification such as networks.ResNet(18)"),
        "upto": optional(Text("the name of a stage")),
    }

    def build(self, shape: Shape, outputs: int) -> nn.Module:
        shape = as_map(shape)
        network = self.network.build(shape, 1)
        stages = list(network.stages)
        stage = stages[-2] if self.upto is None else self.upto
        if stage not in stages:
            raise SettingError(
                f"no stage called {stage!r}", where=f"in {type(self.network).__name__}", hint=nearest(stage, stages)
            )
        return _Features(network.upto(stage), shape, outputs)

    def mirror(self) -> Spec:
        return decoders.Convolutional()


class _Features(nn.Module):
    """Rows as maps through a network's first stages, its features flattened, and a dense layer."""

    def __init__(self, stages: nn.Module, shape: Shape, outputs: int) -> None:
        super().__init__()
        self.stages, self.shape = stages, shape
        self.head = Perceptron((_numbers(stages, shape), outputs), "identity")

    def forward(self, x: Tensor) -> Tensor:
        features = self.stages(x.reshape(len(x), *self.shape))
        return cast("Tensor", self.head(features.flatten(1)))


def _numbers(stages: nn.Module, shape: Shape) -> int:
    """How many numbers a row's features have."""
    stages.eval()
    with torch.no_grad():
        found = stages(torch.zeros(1, *shape)).numel()
    stages.train()
    return int(found)
