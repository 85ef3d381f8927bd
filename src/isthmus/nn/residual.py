"""A perceptron beside the identity, at first of no effect: what training begins from is the identity itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.nn.perceptron import Perceptron


class Beside(nn.Module):
    """y = x + f(x): x cut, or continued by zeros, to the outputs, f a perceptron whose last weights begin at 0."""

    def __init__(self, widths: Sequence[int], activation: str) -> None:
        super().__init__()
        self.network = Perceptron(widths, activation)
        self.inputs, self.outputs = widths[0], widths[-1]
        with torch.no_grad():
            self.network.dense[-1].matrix.zero_()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        kept = F.pad(x, (0, self.outputs - self.inputs)) if self.outputs > self.inputs else x[:, : self.outputs]
        return kept + self.network(x)
