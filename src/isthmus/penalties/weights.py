"""Small weights, in the loss itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus._constraints import Constraint, non_negative
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class Weights(Penalty):
    """λ Σ W² over every matrix of encoder and decoder: L2 in the loss itself, not decoupled as `weight_decay` is."""

    strength: float = 0.01
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative()}

    def build(self, parts: Parts) -> Term:
        return _Weights((parts.encoder, parts.decoder), self.strength)


class _Weights:
    def __init__(self, networks: Sequence[nn.Module], strength: float) -> None:
        self.networks, self.strength = networks, strength

    def __call__(self, p: Pass) -> Tensor:
        matrices = [matrix for network in self.networks for matrix in network.parameters() if matrix.ndim > 1]
        return self.strength * torch.stack([matrix.square().sum() for matrix in matrices]).sum()
