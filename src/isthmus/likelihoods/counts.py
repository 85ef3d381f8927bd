"""Likelihoods of counts, which know of a row's total what a decoder need not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, OneOf, optional
from isthmus.errors import SettingError
from isthmus.likelihoods.base import Distribution, Likelihood, parameters
from isthmus.likelihoods.support import COUNTS, Demand, Demands

LEAST_SIZE = 1e-6  # of a row without any count
HIGHEST = 30.0  # log rates above would leave float32 soon
STIRLING = 50.0  # from here on the series below is exact to rounding
SIZE = optional(OneOf(("row",)))
PER = ("entry", "column", "row")


@dataclass
class Poisson(Distribution):
    """p = Poisson(ρ) of counts 0, 1, 2, ..., which are not scaled; the encoder sees log(1 + x).

    Parameters
    ----------
    size : {"row", None}
        "row": ρ = ℓ softmax(θ), with ℓ the row's own total, which is how often it was looked at and no property of it
        (in single-cell data the library size; Lopez 2018, scVI). p(x) is then conditional on ℓ. Reconstructions of
        rows have their rows' totals; what is decoded from codes alone, or drawn, has the mean total of the training
        rows. None: ρ = e^θ, where columns count different things.
    """

    size: str | None = "row"
    constraints: ClassVar[Mapping[str, Constraint]] = {"size": SIZE}

    def build(self, columns: int = 1) -> Likelihood:
        return _Poisson(_checked(self, columns))

    def demands(self, columns: int) -> Demands:
        return (Demand(COUNTS),)


@dataclass
class NegativeBinomial(Distribution):
    """p = Poisson(ρ g), g ~ Gamma of mean 1 and variance 1/r: counts of mean ρ and variance ρ + ρ²/r (Lopez 2018).

    Counts of cells vary more than a Poisson distribution has it; as r grows, p becomes that. Rows, ρ and what the
    encoder sees are as in `Poisson`.

    Parameters
    ----------
    per : {"entry", "column", "row"}
        Whose the learned log r is: "column", a free parameter of each (a gene's, as by default in scVI); "row", one of
        all; "entry", said by the decoder too, θ = (·, log r). It starts at 0 and stays between −10 and 15.
    size : {"row", None}
    """

    per: str = "column"
    size: str | None = "row"
    constraints: ClassVar[Mapping[str, Constraint]] = {"per": OneOf(PER), "size": SIZE}

    def build(self, columns: int = 1) -> Likelihood:
        sized = _checked(self, columns)
        if self.per == "entry":
            return _PerEntry(sized)
        return _Free(sized, columns if self.per == "column" else 1)

    def demands(self, columns: int) -> Demands:
        return (Demand(COUNTS),)


def _checked(part: Poisson | NegativeBinomial, columns: int) -> bool:
    """Whether rates share a row's total, of which one column would be all."""
    if part.size == "row" and columns == 1:
        raise SettingError(
            "the total of a row of one count is the count itself",
            where=f"in {type(part).__name__}",
            expected="several columns, or size=None",
        )
    return part.size == "row"


class _Counts(Likelihood):
    """What the two have in common: rates, and the size of rows.

    `typical` is the mean total of the training rows, ().
    """

    views = True
    typical: Tensor

    def __init__(self, sized: bool) -> None:
        super().__init__()
        self.sized = sized
        self.register_buffer("typical", torch.ones(()))

    def log_rate(self, theta: Tensor, size: Tensor) -> Tensor:
        """log ρ of each entry, (N, D), of rows of that size, (N, 1)."""
        return theta.log_softmax(dim=-1) + size.log() if self.sized else theta.clamp(max=HIGHEST)

    def mean(self, theta: Tensor) -> Tensor:
        return self.log_rate(parameters(theta, self.width)[0], self.typical).exp()

    def view(self, x: Tensor) -> Tensor:
        return torch.log1p(x.clamp_min(0))  # noise may bring counts below 0

    def settle(self, x: Tensor, weight: Tensor | None = None) -> None:
        total = x.sum(dim=-1)
        self.typical.copy_((total if weight is None else total * weight).mean().clamp_min(LEAST_SIZE))

    def resized(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return x_hat * (_total(x) / self.typical) if self.sized else x_hat


class _Poisson(_Counts):
    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        log_rate = self.log_rate(theta.to(x.dtype), _total(x))
        return log_rate.exp() - x * log_rate + torch.lgamma(x + 1)

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return torch.poisson(self.mean(theta), generator=rng)


class _NegativeBinomial(_Counts):
    """A subclass says what of θ is the rate's and what log r is."""

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The rate's own numbers, (N, D), and log r, which may be broadcast to these."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        own, log_r = self.split(theta.to(x.dtype))
        log_rate = self.log_rate(own, _total(x))
        log_p = _log_rising(x, log_r) - torch.lgamma(x + 1)
        return log_r.exp() * F.softplus(log_rate - log_r) + x * F.softplus(log_r - log_rate) - log_p

    def mean(self, theta: Tensor) -> Tensor:
        return self.log_rate(self.split(theta)[0], self.typical).exp()

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        rate = self.mean(theta)
        r = self.split(theta)[1].exp().expand_as(rate).contiguous()
        mixed = torch._standard_gamma(r, generator=rng) / r  # as torch.distributions draws it, which takes no generator
        return torch.poisson(rate * mixed, generator=rng)


class _PerEntry(_NegativeBinomial):
    width = 2

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        own, log_r = parameters(theta, 2)
        return own, log_r.clamp(-10, 15)


class _Free(_NegativeBinomial):
    def __init__(self, sized: bool, numbers: int) -> None:
        super().__init__(sized)
        self.log_r = nn.Parameter(torch.zeros(numbers))

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta, self.log_r.clamp(-10, 15)


def _total(x: Tensor) -> Tensor:
    """The total of each row, (N, 1)."""
    return x.sum(dim=-1, keepdim=True).clamp_min(LEAST_SIZE)


def _log_rising(x: Tensor, log_r: Tensor) -> Tensor:
    """log Γ(x + r) − log Γ(r): for large r by Stirling's series, as the difference would leave no digits."""
    r = log_r.exp()
    small, large = r.clamp(max=STIRLING), r.clamp(min=STIRLING)
    direct = torch.lgamma(x + small) - torch.lgamma(small)
    top = x + large
    series = (large - 0.5) * torch.log1p(x / large) + x * top.log() - x + _correction(top) - _correction(large)
    return torch.where(r < STIRLING, direct, series)


def _correction(z: Tensor) -> Tensor:
    """log Γ(z) beyond (z − ½) log z − z + ½ log 2π (Abramowitz & Stegun 6.1.41)."""
    inverse = 1 / z
    return inverse * (1 / 12 - inverse.square() / 360)
