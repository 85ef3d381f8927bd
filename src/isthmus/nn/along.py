"""A network at rows, and how its output changes along directions there: ∂y/∂x · u, carried forward layer by layer.

What each kind of layer does to directions stands in a table, in operations that can be recorded and stacked. What is
not in it is differentiated in forward mode.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.nn.activations import ACTIVATIONS, Bend
from isthmus.nn.dense import Dense
from isthmus.nn.perceptron import Perceptron

Along = tuple[Any, Tensor]  # what the module gives, and how the first of its outputs changes
Carry = Callable[[Any, Tensor, Tensor], Along]


def along(module: nn.Module, x: Tensor, u: Tensor) -> Along:
    """y = module(x), (N, …), and ∂y/∂x · u for each of r directions u at each row, (N, r, …).

    A module of ours that is not in the table says how in a method `along(x, u)`.
    """
    carry: Carry = getattr(type(module), "along", None) or KNOWN.get(type(module), in_forward_mode)
    return carry(module, x, u)


def _through(chain: nn.Sequential, x: Tensor, u: Tensor) -> Along:
    for part in chain:
        x, u = along(part, x, u)
    return x, u


def _flat(module: nn.Flatten, x: Tensor, u: Tensor) -> Along:
    return module(x), u.flatten(2)


def _linear(layer: nn.Linear | Dense, x: Tensor, u: Tensor) -> Along:
    return layer(x), F.linear(u, layer.weight)


def _bent(bend: Bend, a: Tensor, u: Tensor) -> Along:
    own = ACTIVATIONS[bend.name]
    z = own.function(a)
    return z, u * own.slope(a, z)[:, None]


def _perceptron(network: Perceptron, x: Tensor, u: Tensor) -> Along:
    trail = network.trail(x)
    first, *rest = network.dense
    u = F.linear(u, first.weight)
    for layer, slope in zip(rest, network.slopes(trail), strict=True):
        u = F.linear(u * slope[:, None], layer.weight)
    return trail[-1], u


def in_forward_mode(function: Callable[[Tensor], Any], x: Tensor, u: Tensor) -> Along:
    """The same of any function of rows, whose output may be a tuple; each row is taken once for each direction."""
    n, r = u.shape[:2]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script")  # of torch's own, when it is first used
        y, change = cast(
            "tuple[Any, Any]", torch.func.jvp(function, (x.repeat_interleave(r, dim=0),), (u.flatten(0, 1),))
        )
    first = change[0] if isinstance(change, tuple) else change
    y = tuple(one[::r] for one in y) if isinstance(y, tuple) else y[::r]
    return y, first.unflatten(0, (n, r))


KNOWN: dict[type[nn.Module], Carry] = {
    nn.Sequential: _through,
    nn.Flatten: _flat,
    nn.Linear: _linear,
    Dense: _linear,
    Bend: _bent,
    Perceptron: _perceptron,
}
