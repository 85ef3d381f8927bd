"""What every built code offers: z and what it reports of it, its slope, its posterior and its prior."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from isthmus.nn.along import Along, in_forward_mode

Coded = tuple[Tensor, dict[str, Tensor]]


class Code(nn.Module):
    """Base of built codes.

    Attributes
    ----------
    size : int
        K, the numbers in z.
    width : int
        How many numbers a row the encoder must emit.
    gives : frozenset of str
        What penalties and bounds can count on: "unit interval" (z in (0, 1), stats has `logits`), "gaussian" (stats
        has `mean` and `log_variance`, entry by entry), "density" (`log_posterior` and `log_prior`), "divergence",
        "indices" (stats has `indices`, (N, positions), numbers of entries below the code's `entries`), "codebook"
        (stats has what was `before` and the `chosen` entries, (N, K) each).
    company : int
        How many rows of one context a batch should hold together; 1: it does not matter.
    restarts : int
        Epochs of training after which `restart` is called, once; 0: never.
    """

    gives: frozenset[str] = frozenset()
    company = 1
    restarts = 0

    def __init__(self, size: int, width: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.width = size if width is None else width

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        """Code rows a, (N, width), as z, (N, K). Without `rng` the code is deterministic."""
        return a, {}

    def along(self, a: Tensor, u: Tensor) -> Along:
        """z, (N, K), and ∂z/∂a · u for directions u, (N, r, width): (N, r, K)."""
        known = type(self).slope is not Code.slope or type(self).forward is Code.forward
        slope = self.slope(a) if known else None
        if slope is None:
            return in_forward_mode(lambda a: self(a)[0], a, u)
        return self(a)[0], u * slope[:, None]

    def settle(self, encoder: nn.Module, low: Tensor, high: Tensor) -> None:
        """Hear of the built encoder and of the columns' range in scaled units, (D,) each, once all is built."""

    def restart(self, a: Tensor) -> None:
        """Hear of what the encoder gives to training rows, (N, width), after `restarts` epochs."""

    def slope(self, a: Tensor) -> Tensor | None:
        """dz/da, (N, K), where z is a function of a entry by entry; None where it is not."""
        return torch.ones_like(a)

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """KL(q(z|x) ‖ p(z)) in nats, as (N, J) parts to be summed; estimated from z where there is no closed form."""
        return (self.log_posterior(z, stats) - self.log_prior(z))[:, None]

    def log_posterior(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """log q(z|x) of each row's z, (N,)."""
        raise TypeError(f"{type(self).__name__} has no posterior")

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) of each code, (N,)."""
        raise TypeError(f"{type(self).__name__} has no prior")

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        """n codes drawn from the prior, (n, K); None where there is no prior."""
        return None
