"""A fully connected layer with the initialisation its activation needs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dense(nn.Module):
    """y = W x + b, with W of shape (outputs, inputs).

    Weights start as He's normal (He 2015) where a rectifier follows, else as Glorot's uniform (Glorot & Bengio 2010);
    biases at 0. With `unit_columns` the columns of W are kept at unit length, so that what reads a code cannot undo
    a penalty on it by growing.
    """

    def __init__(self, inputs: int, outputs: int, rectified: bool = False) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.unit_columns = False
        if rectified:
            nn.init.normal_(self.matrix, std=math.sqrt(2 / inputs))
        else:
            nn.init.xavier_uniform_(self.matrix)

    @property
    def weight(self) -> Tensor:
        return F.normalize(self.matrix, dim=0) if self.unit_columns else self.matrix

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)
