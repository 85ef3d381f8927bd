"""The multi-layer perceptron as a network of stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from isthmus.nn.activations import ACTIVATIONS, Bend
from isthmus.nn.classic.network import Network
from isthmus.nn.classic.shapes import check_outputs
from isthmus.nn.dense import Dense


def mlp(
    shape: Sequence[int],
    outputs: int,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    initialisation: str = "auto",
) -> Network:
    """Dense layers of the named widths, each bent, and a linear one: stages hidden1, hidden2, …, output.

    Rows of any shape are read flat. Weights as in `nn.Perceptron`.
    """
    check_outputs("MLP", outputs)
    widths = (prod(shape), *hidden)
    rectified = ACTIVATIONS[activation].rectified
    stages: dict[str, nn.Module] = {"flat": nn.Flatten()}
    for i, (m, n) in enumerate(pairwise(widths), 1):
        stages[f"hidden{i}"] = nn.Sequential(Dense(m, n, rectified, initialisation), Bend(activation))
    return Network(stages | {"output": Dense(widths[-1], outputs, initialisation=initialisation)})
