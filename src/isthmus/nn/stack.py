"""A plain convolutional network to look into: 3 × 3 convolutions, rectifiers and maxima in one row of layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import nn


def stack(
    shape: Sequence[int], outputs: int, channels: Sequence[int], pooled: Sequence[int] = (), seed: int | None = None
) -> nn.Sequential:
    """Rows (N, *shape) of images → numbers (N, outputs), with torch's own first weights.

    Parameters
    ----------
    channels : sequence of int
        Kernels of each level: a convolution of 3 × 3 and a rectifier.
    pooled : sequence of int
        The levels, from 1 on, behind which the maximum of each 2 × 2 pixels is kept.
    seed : int, optional
        What the first weights depend on alone; None draws them on from torch's generator.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return nn.Sequential(*_layers(shape, outputs, channels, pooled))


def _layers(shape: Sequence[int], outputs: int, channels: Sequence[int], pooled: Sequence[int]) -> list[nn.Module]:
    inputs, *extents = shape
    layers: list[nn.Module] = []
    for level, maps in enumerate(channels, 1):
        layers += [nn.Conv2d(inputs, maps, 3, padding=1), nn.ReLU()]
        inputs = maps
        if level in pooled:
            layers.append(nn.MaxPool2d(2))
            extents = [n // 2 for n in extents]
    return [*layers, nn.Flatten(), nn.Linear(inputs * prod(extents), outputs)]
