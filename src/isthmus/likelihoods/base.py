"""What every likelihood offers, specified and built, and the noise that draws from them are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus._spec import Spec
from isthmus.likelihoods.support import REAL, UNIT, Demand, Demands

Shape = tuple[int, ...]  # a row's own: (D,), (C, L), (C, H, W), (C, D, H, W)


class Likelihood(nn.Module):
    """Base of built likelihoods: θ has shape (N, width·D), the D numbers of one kind before those of the next.

    Attributes
    ----------
    width : int
        How many numbers θ has for each entry; the first is the one nearest to a mean.
    unit_interval : bool
        Rows must lie in [0, 1].
    views : bool
        The encoder is to see `view(x)` in place of x.
    """

    width = 1
    unit_interval = False
    views = False

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        """−log p(x | θ) of each entry, (N, D), with every constant."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def mean(self, theta: Tensor) -> Tensor:
        """The mean of p, (N, D), in scaled units: the reconstruction."""
        return theta

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        """One draw of p for each entry, (N, D)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def shape(self, row: Shape) -> Shape:
        """The shape of θ for rows of that shape: of (D,) it is (1, D)'s, of an image that of more channels."""
        return times(row if len(row) > 1 else (1, *row), self.width)

    def view(self, x: Tensor) -> Tensor:
        """What the encoder sees of rows x, (N, D); it may be wider."""
        return x

    def seen(self, row: Shape) -> Shape:
        """The shape of what `view` makes of rows of that shape."""
        return row

    def settle(self, x: Tensor, weight: Tensor | None = None) -> None:
        """Hear of the rows to train on, (N, D), in scaled units, before the first step; `weight` is (N,)."""

    def resized(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """Reconstructions x̂ with what is known of the rows x beside their code, such as their total; (N, D) each."""
        return x_hat


class Distribution(Spec):
    """Base of the specifications of likelihoods."""

    def build(self, columns: int = 1) -> Likelihood:
        """The built likelihood of rows of so many numbers."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def demands(self, columns: int) -> Demands:
        """What is demanded of the columns of rows, before they are scaled by "auto" and after any scaling."""
        return (Demand(REAL),)

    def named(self, names: Sequence[str] | None) -> Self:
        """The same for rows whose columns have these names."""
        return self


def for_columns(part: Any, names: Sequence[str] | None) -> Any:
    """What the slot holds, for rows whose columns have these names."""
    return part.named(names) if isinstance(part, Distribution) else part


def demands_of(part: object, columns: int) -> Demands:
    """What any part in the slot demands of rows: a user's own says by `unit_interval` that they must lie in [0, 1]."""
    if isinstance(part, Distribution):
        return part.demands(columns)
    return (Demand(UNIT if getattr(part, "unit_interval", False) else REAL),)


def times(shape: Shape, width: int) -> Shape:
    """A row's shape with so many times its channels; without channels, so many times as long."""
    return (shape[0] * width, *shape[1:])


def parameters(theta: Tensor, width: int) -> tuple[Tensor, ...]:
    """θ, (N, width·D), as its `width` kinds, (N, D) each."""
    return theta.chunk(width, dim=-1)


def at_least(a: Tensor, low: float | Tensor) -> Tensor:
    """a where it is far above `low`, and never below it: low + softplus(a − low)."""
    return low + F.softplus(a - low)


def normal(like: Tensor, rng: Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, device=like.device, dtype=like.dtype)


def uniform(like: Tensor, rng: Generator) -> Tensor:
    return torch.rand(like.shape, generator=rng, device=like.device, dtype=like.dtype)
