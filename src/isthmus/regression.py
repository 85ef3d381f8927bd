"""What a regressor minimises: −log p(y | network(x)) of a network that says the parameters of a likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Generator, Tensor, nn

from isthmus.classification import OnMaps
from isthmus.corruptions import Corruption
from isthmus.likelihoods import Likelihood


@dataclass
class Guess:
    """The record of one pass: θ of the network and of its auxiliary heads, (N, width·T) each."""

    theta: Tensor
    auxiliary: tuple[Tensor, ...]
    target: Tensor | None  # (N, T) in scaled units; None where only the answer is asked for
    weight: Tensor | None


class Regression(nn.Module):
    """θ = network(x̃), x̃ an augmented row x; the loss is the mean over rows of −log p(y | θ), summed over y's numbers.

    Rows are augmented in training only. Auxiliary heads count with the network's `auxiliary_weight` (Szegedy 2015).
    """

    def __init__(self, augmentation: Corruption, network: OnMaps, answer: Likelihood) -> None:
        super().__init__()
        self.augmentation, self.network, self.answer = augmentation, network, answer

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Guess:
        if rng is not None and self.training:
            x = self.augmentation(x, rng)[0]
        found = self.network(x)
        theta, *auxiliary = found if isinstance(found, tuple) else (found,)
        return Guess(theta.flatten(1), tuple(head.flatten(1) for head in auxiliary), context, weight)

    def objective(self, a: Guess) -> dict[str, Tensor]:
        """The loss as named terms, each a mean over rows; their sum is minimised."""
        terms = {"surprise": self._surprise(a.theta, a)}
        if a.auxiliary:
            total = sum((self._surprise(theta, a) for theta in a.auxiliary), a.theta.new_zeros(()))
            terms["auxiliary"] = self.network.auxiliary_weight * total
        return terms

    def _surprise(self, theta: Tensor, a: Guess) -> Tensor:
        rows = self.answer.nll(theta, cast("Tensor", a.target)).sum(dim=-1)
        return rows.mean() if a.weight is None else (rows * a.weight).mean()
