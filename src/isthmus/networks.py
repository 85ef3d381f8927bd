"""Networks that tell classes apart, or serve as encoders up to a stage: rows (N, *shape) → logits (N, outputs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from isthmus._constraints import Constraint, Each, Flag, Number, OneOf, count
from isthmus._spec import Spec
from isthmus.nn import ACTIVATIONS, classic
from isthmus.nn.classic import Network, load_weights
from isthmus.nn.initialisation import INITIALISATIONS

__all__ = ["MLP", "VGG", "AlexNet", "GoogLeNet", "LeNet5", "OverFeat", "ResNet", "load_weights"]

Shape = Sequence[int]  # a row's own
WIDTH = Number(0, 16, open_low=True)


@dataclass
class MLP(Spec):
    """A multi-layer perceptron on rows of any shape.

    Parameters
    ----------
    hidden : tuple of int
        Widths, from the input on.
    activation, initialisation : str
        By name; "auto" begins with He's weights where a rectifier follows, else with Glorot's.
    """

    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    initialisation: str = "auto"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "hidden": Each(count()),
        "activation": OneOf(tuple(ACTIVATIONS)),
        "initialisation": OneOf(("auto", *INITIALISATIONS)),
    }

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.mlp(shape, outputs, self.hidden, self.activation, self.initialisation)


@dataclass
class LeNet5(Spec):
    """LeNet-5 (LeCun 1998): "modern" as it is built today, 61,706 parameters; "1998" as published, 60,000."""

    variant: str = "modern"
    constraints: ClassVar[Mapping[str, Constraint]] = {"variant": OneOf(("modern", "1998"))}

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.lenet5(shape, outputs, self.variant)


@dataclass
class AlexNet(Spec):
    """AlexNet: two towers (Krizhevsky 2012), or one (Krizhevsky 2014), which torchvision has weights for.

    `width` thins every layer, here and below.
    """

    towers: int = 2
    width: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"towers": OneOf((1, 2)), "width": WIDTH}

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.alexnet(shape, outputs, self.towers, self.width)


@dataclass
class OverFeat(Spec):
    """OverFeat (Sermanet 2013), the fast or the accurate model."""

    model: str = "fast"
    width: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"model": OneOf(("fast", "accurate")), "width": WIDTH}

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.overfeat(shape, outputs, self.model, self.width)


@dataclass
class VGG(Spec):
    """VGG (Simonyan & Zisserman 2014); `norm` adds batch normalisation."""

    depth: int = 16
    norm: bool = False
    width: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "depth": OneOf((11, 13, 16, 19)),
        "norm": Flag(),
        "width": WIDTH,
    }

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.vgg(shape, outputs, self.depth, bool(self.norm), self.width)


@dataclass
class GoogLeNet(Spec):
    """GoogLeNet (Szegedy 2014), as in the paper or batch-normalised, with its auxiliary heads or without."""

    norm: bool = False
    auxiliary: bool = True
    width: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {"norm": Flag(), "auxiliary": Flag(), "width": WIDTH}

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.googlenet(shape, outputs, bool(self.norm), bool(self.auxiliary), self.width)


@dataclass
class ResNet(Spec):
    """ResNet (He 2015); `plain` is the same without shortcuts."""

    depth: int = 18
    plain: bool = False
    width: float = 1.0
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "depth": OneOf((18, 34, 50, 101, 152)),
        "plain": Flag(),
        "width": WIDTH,
    }

    def build(self, shape: Shape, outputs: int) -> Network:
        self.validate()
        return classic.resnet(shape, outputs, self.depth, bool(self.plain), self.width)
