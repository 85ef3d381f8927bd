"""What a classifier minimises: −log p(class | x) of a network that names classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus.corruptions import Corruption
from isthmus.nn.along import Along, along


@dataclass
class Answer:
    """The record of one pass: logits of the network and of its auxiliary heads, (N, classes) each."""

    logits: Tensor
    auxiliary: tuple[Tensor, ...]
    labels: Tensor | None  # (N,) whole numbers; None where only the answer is asked for
    weight: Tensor | None


class OnMaps(nn.Module):
    """Gives a network flat rows in their own shape."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape
        self.auxiliary_weight = float(getattr(network, "auxiliary_weight", 0.3))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return cast("Tensor | tuple[Tensor, ...]", self.network(x.reshape(len(x), *self.shape)))

    def along(self, x: Tensor, u: Tensor) -> Along:
        """What the network gives, and how its logits change along directions u, (N, r, D): (N, r, classes)."""
        return along(self.network, x.reshape(len(x), *self.shape), u.reshape(*u.shape[:2], *self.shape))


class Classification(nn.Module):
    """logits = network(x̃), x̃ an augmented row x; the loss is the mean of −log softmax(logits) at the row's class.

    Rows are augmented in training only. `smoothing` spreads that share of a label's weight over all classes (Szegedy
    2016). Auxiliary heads count with the network's `auxiliary_weight` (Szegedy 2015).
    """

    def __init__(self, augmentation: Corruption, network: OnMaps, smoothing: float) -> None:
        super().__init__()
        self.augmentation, self.network, self.smoothing = augmentation, network, smoothing

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Answer:
        if rng is not None and self.training:
            x = self.augmentation(x, rng)[0]
        answer = self.network(x)
        logits, *auxiliary = answer if isinstance(answer, tuple) else (answer,)
        return Answer(logits, tuple(auxiliary), context, weight)

    def objective(self, a: Answer) -> dict[str, Tensor]:
        """The loss as named terms, each a mean over rows; their sum is minimised."""
        terms = {"cross_entropy": self._surprise(a.logits, a)}
        if a.auxiliary:
            total = sum((self._surprise(logits, a) for logits in a.auxiliary), a.logits.new_zeros(()))
            terms["auxiliary"] = self.network.auxiliary_weight * total
        return terms

    def _surprise(self, logits: Tensor, a: Answer) -> Tensor:
        fine = torch.promote_types(logits.dtype, torch.float32)  # of products in bfloat16
        log_p = F.log_softmax(logits, dim=-1, dtype=fine)  # (N, classes)
        own = log_p.gather(-1, cast("Tensor", a.labels)[:, None])[:, 0]
        rows = -((1 - self.smoothing) * own + self.smoothing * log_p.mean(dim=-1))
        return rows.mean() if a.weight is None else (rows * a.weight).mean()
