"""What a network counts: its parameters, and the layers with weights along its longest path."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from torch import nn

from isthmus._spec import Spec
from isthmus.nn.classic.googlenet import Inception
from isthmus.nn.classic.resnet import Residual

BRANCHED = (Inception, Residual)  # whose children read the same maps


def on_meta(network: Spec, shape: Sequence[int], outputs: int) -> nn.Module:
    """A network of `isthmus.networks`, built without memory for its weights: enough to count them.

    Raises
    ------
    SettingError
        As `network.build(shape, outputs)`.
    """
    with torch.device("meta"):
        built: nn.Module = network.build(shape, outputs)
    return built


def parameters(module: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(weight.numel() for weight in module.parameters())


def layers(module: nn.Module) -> int:
    """How many convolutions and dense layers lie on the longest path through a network, auxiliary heads aside."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return 1
    counts = [layers(child) for name, child in module.named_children() if name != "heads"]
    return max(counts) if isinstance(module, BRANCHED) else sum(counts)


def narrowest(least: int, inputs: int, outputs: int) -> int:
    """The least width at which a perceptron of one hidden layer has at least so many parameters."""
    return max(1, ceil((least - outputs) / (inputs + 1 + outputs)))
