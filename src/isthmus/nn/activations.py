"""Activations with their slopes, so that Jacobians can be written in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """A function of one number: z = function(a), dz/da = slope(a, z), and whether He's initialisation suits it."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    rectified: bool = False


def _leaky(a: Tensor) -> Tensor:
    return F.leaky_relu(a, 0.01)


def _silu_slope(a: Tensor, z: Tensor) -> Tensor:
    s = torch.sigmoid(a)
    return s + z * (1 - s)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda a: a, lambda a, z: torch.ones_like(a)),
    "sigmoid": Activation(torch.sigmoid, lambda a, z: z * (1 - z)),
    "tanh": Activation(torch.tanh, lambda a, z: 1 - z * z),
    "relu": Activation(F.relu, lambda a, z: (a > 0).to(a.dtype), rectified=True),
    "leaky_relu": Activation(_leaky, lambda a, z: torch.where(a > 0, torch.ones_like(a), 0.01), rectified=True),
    "elu": Activation(F.elu, lambda a, z: torch.where(a > 0, torch.ones_like(a), z + 1), rectified=True),
    "softplus": Activation(F.softplus, lambda a, z: torch.sigmoid(a), rectified=True),
    "silu": Activation(F.silu, _silu_slope, rectified=True),
}
