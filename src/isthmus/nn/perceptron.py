"""Multi-layer perceptrons, their transposes, and their Jacobians in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.nn.activations import ACTIVATIONS
from isthmus.nn.dense import Dense


class Perceptron(nn.Module):
    """Dense layers of the given widths with an activation between them; the last is linear."""

    def __init__(self, widths: Sequence[int], activation: str) -> None:
        super().__init__()
        self.activation = activation
        last = len(widths) - 2
        rectified = ACTIVATIONS[activation].rectified
        self.layers = nn.ModuleList(Dense(m, n, rectified and i < last) for i, (m, n) in enumerate(pairwise(widths)))

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The layers, from the input's end."""
        return cast("tuple[Dense, ...]", tuple(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        bend = ACTIVATIONS[self.activation].function
        *hidden, last = self.dense
        for layer in hidden:
            x = bend(layer(x))
        return last(x)

    def slopes(self, x: Tensor) -> list[Tensor]:
        """The hidden activations' slopes at each row, (N, H) a layer."""
        bend = ACTIVATIONS[self.activation]
        slopes = []
        for layer in self.dense[:-1]:
            a = layer(x)
            x = bend.function(a)
            slopes.append(bend.slope(a, x))
        return slopes

    def jacobian(self, x: Tensor) -> Tensor:
        """d output / d input at each row, (N, outputs, inputs), as a product of layers taken from the output's end."""
        *hidden, last = self.dense
        product = last.weight  # (outputs, H)
        for layer, slope in zip(reversed(hidden), reversed(self.slopes(x)), strict=True):
            product = (product * slope[:, None, :]) @ layer.weight
        return product.expand(len(x), -1, -1) if product.ndim == 2 else product


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
