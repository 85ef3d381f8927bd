"""The Jacobian of the code with respect to the row, and its squared norm: in closed form where there is one.

A perceptron's is the product J = diag(c) W_L diag(s_{L−1}) W_{L−1} … diag(s₁) W₁ at each row, s the slopes of the hidden
layers and c the code's. It is never multiplied out for the norm alone; what is cheapest is a function of the shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from isthmus.codes import Code
from isthmus.nn import Perceptron
from isthmus.passes import Pass


class Chain(NamedTuple):
    """The factors of J for N rows, from the input's end."""

    matrices: Sequence[Tensor]  # W₁ … W_L
    slopes: Sequence[Tensor]  # s₁ … s_{L−1}, (N, H) each
    bend: Tensor | None  # c, (N, K); None where it is 1


def chain(encoder: nn.Module, code: Code, x: Tensor, trail: Sequence[Tensor] = ()) -> Chain | None:
    """The factors of ∂z/∂x; None where they are not known. `trail`: what the encoder's layers gave, to save a pass."""
    if not isinstance(encoder, Perceptron):
        return None
    trail = trail or encoder.trail(x)
    matrices, slopes = [layer.weight for layer in encoder.dense], encoder.slopes(trail)
    if type(code).forward is Code.forward:  # z = a
        return Chain(matrices, slopes, None)
    bend = None if type(code).slope is Code.slope else code.slope(trail[-1])
    return None if bend is None else Chain(matrices, slopes, bend)


def jacobian(encoder: nn.Module, code: Code, x: Tensor) -> Tensor:
    """∂z/∂x of the deterministic code at each row, (N, K, D)."""
    factors = chain(encoder, code, x)
    if factors is None:
        return torch.stack(list(_rows(encoder, code, Pass.of(x))), dim=1)
    (first, *_), slopes, bend = factors
    product = _from_the_code(factors) @ first if slopes else first.expand(len(x), -1, -1)
    return product if bend is None else product * bend[:, :, None]
