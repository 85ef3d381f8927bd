"""An encoder that sees rows as the likelihood shows them: counts as logarithms, categories as bits."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from isthmus.likelihoods.base import Likelihood


class Viewed(nn.Module):
    """x ↦ network(view(x)).

    The likelihood is held outside the module tree, so that what it learns is saved once.
    """

    def __init__(self, likelihood: Likelihood, network: nn.Module) -> None:
        super().__init__()
        self._shown = (likelihood,)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.network(self._shown[0].view(x)))
