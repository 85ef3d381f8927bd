"""The record of one pass: rows in, everything the loss looks at out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Generator, Tensor


@dataclass
class Pass:
    """N rows of D numbers, codes of K numbers; weights have mean 1 over the training rows."""

    x: Float[Tensor, "N D"]
    x_tilde: Float[Tensor, "N D"]
    mask: Float[Tensor, "N D"] | None  # which entries are scored; None: all
    z: Float[Tensor, "N K"]
    stats: dict[str, Tensor]  # what the code reports
    theta: Float[Tensor, "N D*width"]
    weight: Float[Tensor, " N"] | None = None  # None: all 1
    rng: Generator | None = None  # None: everything is deterministic
    trail: Sequence[Float[Tensor, "N H"]] = ()  # what the encoder's layers gave before they bend; the last: its output
    epoch: Float[Tensor, ""] | None = None  # epochs trained before this one; None: not in training

    def mean(self, rows: Tensor) -> Tensor:
        """The weighted mean over rows, (N, …) → (…)."""
        if self.weight is None:
            return rows.mean(dim=0)
        return (rows * self.weight.view(-1, *[1] * (rows.ndim - 1))).mean(dim=0)

    def ramp(self, epochs: int) -> Tensor | float:
        """What grows from 0 to 1 over so many epochs of training, linearly; 1 elsewhere."""
        return 1.0 if self.epoch is None or not epochs else (self.epoch / epochs).clamp(max=1.0)
