"""Activations with their slopes, so that Jacobians can be written in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Activation:
    """A function of one number: z = function(a), dz/da = slope(a, z), and whether He's initialisation suits it."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    rectified: bool = False


class Bend(nn.Module):
    """An activation, by its name in `ACTIVATIONS`, as a layer."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, a: Tensor) -> Tensor:
        return ACTIVATIONS[self.name].function(a)

    def extra_repr(self) -> str:
        return repr(self.name)


def _leaky(a: Tensor) -> Tensor:
    return F.leaky_relu(a, 0.01)


def _silu_slope(a: Tensor, z: Tensor) -> Tensor:
    s = torch.sigmoid(a)
    return s + z * (1 - s)


def _gelu_slope(a: Tensor, z: Tensor) -> Tensor:
    """Φ(a) + a φ(a)."""
    area = 0.5 * (1 + torch.erf(a * math.sqrt(0.5)))
    return area + a * torch.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)


# Klambauer and others 2017: with LeCun's normal weights the activations keep mean 0 and variance 1
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu_slope(a: Tensor, z: Tensor) -> Tensor:
    return torch.where(a > 0, torch.full_like(a, _SELU_SCALE), z + _SELU_SCALE * _SELU_ALPHA)


# LeCun 1998: f(±1) = ±1, where its curvature is greatest
_AMPLITUDE, _STRETCH = 1.7159, 2 / 3


def _scaled_tanh(a: Tensor) -> Tensor:
    return _AMPLITUDE * torch.tanh(_STRETCH * a)


def _scaled_tanh_slope(a: Tensor, z: Tensor) -> Tensor:
    return _STRETCH * (_AMPLITUDE - z * z / _AMPLITUDE)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda a: a, lambda a, z: torch.ones_like(a)),
    "sigmoid": Activation(torch.sigmoid, lambda a, z: z * (1 - z)),
    "tanh": Activation(torch.tanh, lambda a, z: 1 - z * z),
    "scaled_tanh": Activation(_scaled_tanh, _scaled_tanh_slope),
    "hard_tanh": Activation(F.hardtanh, lambda a, z: (a.abs() < 1).to(a.dtype)),
    "softsign": Activation(F.softsign, lambda a, z: (1 - z.abs()).square()),
    "relu": Activation(F.relu, lambda a, z: (a > 0).to(a.dtype), rectified=True),
    "leaky_relu": Activation(_leaky, lambda a, z: torch.where(a > 0, torch.ones_like(a), 0.01), rectified=True),
    "elu": Activation(F.elu, lambda a, z: torch.where(a > 0, torch.ones_like(a), z + 1), rectified=True),
    "selu": Activation(F.selu, _selu_slope),
    "softplus": Activation(F.softplus, lambda a, z: torch.sigmoid(a), rectified=True),
    "silu": Activation(F.silu, _silu_slope, rectified=True),
    "gelu": Activation(F.gelu, _gelu_slope, rectified=True),
}
