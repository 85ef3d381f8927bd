"""Multi-layer perceptrons, which say what each layer gives and how steeply it bends; and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.nn.activations import ACTIVATIONS
from isthmus.nn.dense import Dense


class Layered(nn.Module):
    """A network that says what each of its layers gives, and carries directions of its output back to its input."""

    def trail(self, x: Tensor) -> list[Tensor]:
        """What each layer gives before its activation, (N, H) each; the last is the output."""
        raise TypeError(f"{type(self).__name__} is abstract")


class Perceptron(Layered):
    """Dense layers of the given widths with an activation between them; the last is linear.

    `initialisation` is one of `INITIALISATIONS` for every layer, or "auto": what each layer's activation needs.
    """

    def __init__(self, widths: Sequence[int], activation: str, initialisation: str = "auto") -> None:
        super().__init__()
        self.activation = activation
        last = len(widths) - 2
        rectified = ACTIVATIONS[activation].rectified
        self.layers = nn.ModuleList(
            Dense(m, n, rectified and i < last, initialisation) for i, (m, n) in enumerate(pairwise(widths))
        )

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The layers, from the input's end."""
        return cast("tuple[Dense, ...]", tuple(self.layers))

    @property
    def inputs(self) -> int:
        return self.dense[0].weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.dense[-1].weight.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.trail(x)[-1]

    def trail(self, x: Tensor) -> list[Tensor]:
        """What each layer gives before its activation; the last is the output."""
        bend = ACTIVATIONS[self.activation].function
        first, *rest = self.dense
        trail = [first(x)]
        for layer in rest:
            trail.append(layer(bend(trail[-1])))
        return trail

    def slopes(self, trail: Sequence[Tensor]) -> list[Tensor]:
        """The hidden activations' slopes at each row of a trail, (N, H) a layer."""
        bend = ACTIVATIONS[self.activation]
        return [bend.slope(a, bend.function(a)) for a in trail[:-1]]


class Transposed(nn.Module):
    """A perceptron run backwards: the same matrices transposed, with biases of its own (tied weights).

    The perceptron is held outside the module tree, so that each weight is saved once.
    """

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self._tied = (perceptron,)
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(layer.weight.shape[1])) for layer in reversed(perceptron.dense)
        )

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        perceptron = self._tied[0]
        bend = ACTIVATIONS[perceptron.activation].function
        last = len(self.biases) - 1
        for i, (layer, bias) in enumerate(zip(reversed(perceptron.dense), self.biases, strict=True)):
            z = z @ layer.weight + bias
            z = bend(z) if i < last else z
        return z


def trail(network: nn.Module, x: Tensor) -> list[Tensor]:
    """What each layer gives before its activation, the output last; of networks that do not say, the output alone."""
    return network.trail(x) if isinstance(network, Layered) else [network(x)]
