"""A fully connected layer with the initialisation its activation needs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.nn.initialisation import INITIALISATIONS, fans


class Dense(nn.Module):
    """y = W x + b, with W of shape (outputs, inputs).

    Weights start as `INITIALISATIONS` names it; "auto" is He's normal (He 2015) where a rectifier follows, else
    Glorot's uniform (Glorot & Bengio 2010). Biases start at 0. With `unit_columns` the columns of W are kept at unit
    length, so that what reads a code cannot undo a penalty on it by growing.
    """

    def __init__(self, inputs: int, outputs: int, rectified: bool = False, initialisation: str = "auto") -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.unit_columns = False
        name = ("he" if rectified else "xavier") if initialisation == "auto" else initialisation
        INITIALISATIONS[name](self.matrix, fans(self.matrix))

    @property
    def weight(self) -> Tensor:
        return F.normalize(self.matrix, dim=0) if self.unit_columns else self.matrix

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)
