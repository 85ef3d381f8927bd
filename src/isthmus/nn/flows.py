"""Normalising flows: a chain of invertible layers between rows and a Gaussian, with exact densities.

A layer bends half of a row's numbers, each by a monotone spline whose knots are a network's answer to the other half
(coupling: Dinh 2017; rational-quadratic splines: Durkan 2019, equations 4 to 8). Beyond `REACH` a spline is the
identity, and so is the whole flow before training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus.nn.perceptron import Perceptron

REACH = 5.0  # splines bend between −REACH and REACH, in standard deviations where rows are whitened
LEAST = 5e-3  # share of the whole that a bin's width and height have at least, and least slope at a knot
LOG_2PI = math.log(2 * math.pi)


@dataclass
class Knots:
    """Of each number its bin: where it begins, (N, M) each, how wide and high it is, and the slopes at its ends."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    before: Tensor
    after: Tensor

    @property
    def rise(self) -> Tensor:
        return self.height / self.width

    @property
    def bend(self) -> Tensor:
        return self.before + self.after - 2 * self.rise


def spline(theta: Tensor, x: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
    """Numbers x, (N, M), bent by splines of parameters θ, (N, M, 3B − 1), or unbent; and log|∂result/∂x|, (N, M)."""
    inside = x.clamp(-REACH, REACH)
    k = _bin_of(theta, inside, backwards)
    share = _inverse(k, inside) if backwards else (inside - k.x) / k.width
    share = share.clamp(0, 1)
    between = share * (1 - share)
    below = k.rise + k.bend * between
    y = k.x + share * k.width if backwards else k.y + k.height * (k.rise * share**2 + k.before * between) / below
    rising = k.after * share**2 + 2 * k.rise * between + k.before * (1 - share) ** 2
    log_slope = 2 * k.rise.log() + rising.log() - 2 * below.log()
    kept = x.abs() < REACH
    return torch.where(kept, y, x), torch.where(kept, -log_slope if backwards else log_slope, 0.0)


def _inverse(k: Knots, y: Tensor) -> Tensor:
    """The share of a bin's width at which its height above the bin's start is reached: the root of a parabola."""
    up = y - k.y
    a = k.height * (k.rise - k.before) + up * k.bend
    b = k.height * k.before - up * k.bend
    c = -k.rise * up
    return 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())


def _bin_of(theta: Tensor, at: Tensor, backwards: bool) -> Knots:
    bins = (theta.shape[-1] + 1) // 3
    widths, heights = (_shares(part) for part in (theta[..., :bins], theta[..., bins : 2 * bins]))  # N M B
    slopes = LEAST + F.softplus(theta[..., 2 * bins :] + math.log(math.expm1(1 - LEAST)))  # 1 where θ is 0
    slopes = F.pad(slopes, (1, 1), value=1.0)  # N M B+1
    lefts, bottoms = (F.pad(part.cumsum(-1)[..., :-1], (1, 0)) - REACH for part in (widths, heights))
    starts = bottoms if backwards else lefts
    place = (at[..., None] >= starts[..., 1:]).sum(-1, keepdim=True)  # N M 1
    parts = (lefts, bottoms, widths, heights, slopes[..., :-1], slopes[..., 1:])
    return Knots(*(part.gather(-1, place)[..., 0] for part in parts))


def _shares(theta: Tensor) -> Tensor:
    """Parts of the range, (N, M, B), none of them empty."""
    return 2 * REACH * (LEAST + (1 - LEAST * theta.shape[-1]) * torch.softmax(theta, dim=-1))


class Coupling(nn.Module):
    """Bends the numbers `moved` of a row of `size` by what the others are."""

    moved: Tensor
    held: Tensor

    def __init__(self, size: int, moved: Tensor, hidden: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("moved", moved)
        self.register_buffer("held", torch.ones(size).index_fill(0, moved, 0.0))
        self.network = Perceptron((size, hidden, hidden, len(moved) * (3 * bins - 1)), "silu")
        nn.init.zeros_(self.network.dense[-1].matrix)

    def forward(self, z: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """Rows (N, K) → rows (N, K) and the log-determinant of the change, (N,)."""
        theta = self.network(z * self.held).view(len(z), len(self.moved), -1)
        bent, log_slope = spline(theta, z.index_select(1, self.moved), backwards)
        return z.index_copy(1, self.moved, bent), log_slope.sum(dim=1)


@dataclass
class Judged:
    """The record of one pass: the log density of each row, (N,)."""

    log_prob: Tensor
    weight: Tensor | None


class Flow(nn.Module):
    """p(x) = N(f(x); 0, I) |det ∂f/∂x| with f a chain of `layers` couplings of rows of K numbers."""

    def __init__(self, size: int, layers: int, hidden: int, bins: int, rng: Generator) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(Coupling(size, moved, hidden, bins) for moved in _halves(size, layers, rng))

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Judged:
        return Judged(self.log_prob(x), weight)

    def objective(self, judged: Judged) -> dict[str, Tensor]:
        """The mean over rows of −log p, which is minimised."""
        rows = -judged.log_prob
        return {"surprise": rows.mean() if judged.weight is None else (rows * judged.weight).mean()}

    def spread(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x), (N, K), and log|det ∂f/∂x|, (N,)."""
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, log_determinant = layer(x)
            total = total + log_determinant
        return x, total

    def gather(self, z: Tensor) -> Tensor:
        """The inverse of f, (N, K)."""
        for layer in reversed(self.layers):
            z = layer(z, backwards=True)[0]
        return z

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of each row, (N,)."""
        z, log_determinant = self.spread(x)
        return log_determinant - 0.5 * (z.square() + LOG_2PI).sum(dim=1)


def _halves(size: int, layers: int, rng: Generator) -> list[Tensor]:
    """Which numbers each layer moves: a random half, then the other half, and so on; all of them where K is 1."""
    found: list[Tensor] = []
    while len(found) < layers:
        order = torch.randperm(size, generator=rng)
        half = (size + 1) // 2
        found += [order[:half].sort().values, order[half:].sort().values] if size > 1 else [order]
    return found[:layers]
