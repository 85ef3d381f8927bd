"""Restricted Boltzmann machines: free energy, Gibbs sampling, and contrastive divergence as an objective to minimise.

The energy of a row v, (D,), and hidden bits h, (K,), is E(v, h) = u(v) − c·v − b·h − hᵀWv, and p(v, h) ∝ exp(−E).
Given one side, the numbers of the other are independent, each a member of an exponential family with natural parameter
b + Wv or c + Wᵀh: bits (u = 0), or Gaussians of unit variance (u = ½‖v‖²).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

EXACT = 16  # states of so many bits are summed over rather than sampled
BLOCK = 1 << 12  # states at a time


class Binary:
    """Bits; numbers between 0 and 1 in the rows are taken as their probabilities."""

    name = "binary"

    def base(self, v: Tensor) -> Tensor:
        """u(v), (N,)."""
        return v.new_zeros(len(v))

    def mean(self, a: Tensor) -> Tensor:
        """Of a unit whose natural parameter is a."""
        return torch.sigmoid(a)

    def draw(self, a: Tensor, rng: Generator | None) -> Tensor:
        return _bits(torch.sigmoid(a), rng)

    def log_normaliser(self, a: Tensor) -> Tensor:
        """The log of Σ exp(a v − u(v)) over a unit's values."""
        return F.softplus(a)

    def natural(self, mean: Tensor) -> Tensor:
        """The natural parameter of units with these means, kept off 0 and 1."""
        return torch.logit(mean.clamp(0.01, 0.99))

    def surprise(self, machine: Boltzmann, v: Tensor, rng: Generator | None) -> Tensor:
        """Minus the log pseudo-likelihood (Besag 1975) of each row, (N,), from one column a row, drawn."""
        columns = v.shape[1]
        draw = torch.rand(len(v), 1, generator=rng, device=v.device, dtype=v.dtype)
        one = (draw * columns).floor().clamp_max(columns - 1) == torch.arange(columns, device=v.device)  # (N, D)
        off, on = v.masked_fill(one, 0), v.masked_fill(one, 1)
        logit = machine.free_energy(off) - machine.free_energy(on)
        return columns * F.binary_cross_entropy_with_logits(logit, (v * one).sum(dim=1), reduction="none")


class Gaussian:
    """Real numbers of unit variance given the hidden bits: rows are standardised."""

    name = "gaussian"

    def base(self, v: Tensor) -> Tensor:
        return v.square().sum(dim=1) / 2

    def mean(self, a: Tensor) -> Tensor:
        return a

    def draw(self, a: Tensor, rng: Generator | None) -> Tensor:
        return a + torch.randn(a.shape, generator=rng, device=a.device, dtype=a.dtype)

    def log_normaliser(self, a: Tensor) -> Tensor:
        return (a.square() + math.log(2 * math.pi)) / 2

    def natural(self, mean: Tensor) -> Tensor:
        return mean

    def surprise(self, machine: Boltzmann, v: Tensor, rng: Generator | None) -> Tensor:
        """The score matching loss (Hyvärinen 2005) of each row, (N,): ½‖s‖² + Σ ∂sᵢ/∂vᵢ with s = ∂ log p/∂v."""
        h = machine.encode(v)
        score = machine.field(h) - v
        bends = (h * (1 - h)) @ machine.weight.square().sum(dim=1)
        return score.square().sum(dim=1) / 2 + bends - v.shape[1]


VISIBLE: dict[str, type[Binary] | type[Gaussian]] = {"binary": Binary, "gaussian": Gaussian}


class Contrast(NamedTuple):
    """One pass: N rows of D numbers, and rows the machine dreamt, (N, D) or as many as it has chains."""

    x: Tensor
    dream: Tensor | None  # None outside training
    weight: Tensor | None
    rng: Generator | None


class Partition(NamedTuple):
    """log Z, and the standard error of an estimate; 0 where it is exact."""

    log: float
    error: float


class Boltzmann(nn.Module):
    """A restricted Boltzmann machine that the training loop can train.

    While it trains its objective is the mean free energy of the rows minus that of the machine's own dreams, which are
    held fixed: its gradient is that of contrastive divergence (Hinton 2002), or, with `chains`, of persistent
    contrastive divergence (Tieleman 2008), stochastic maximum likelihood. It is no measure of success and hovers about
    0. In evaluation the objective is how surprising rows are: the pseudo-likelihood or the score matching loss, each of
    which is least for the distribution the rows come from, and needs no partition function.

    Parameters
    ----------
    visible : {"binary", "gaussian"}
    mean : Tensor
        Of the training rows, (D,): the visible biases begin with it (Hinton 2010, section 8.1).
    hidden : int
        K, the hidden bits.
    steps : int
        k, the steps of Gibbs sampling before each step of training.
    chains : int, optional
        How many chains go on from step to step; None: they begin at the rows.
    """

    base: Tensor
    chains: Tensor | None

    def __init__(self, visible: str, mean: Tensor, hidden: int, steps: int = 1, chains: int | None = None) -> None:
        super().__init__()
        self.visible = VISIBLE[visible]()
        self.steps = steps
        start = self.visible.natural(mean)
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden, len(mean))))
        self.visible_bias = nn.Parameter(start.clone())
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("base", start.clone())  # (D,), of the machine without hidden bits
        dreams = None if chains is None else self.visible.draw(start.expand(chains, -1), None)
        self.register_buffer("chains", dreams)

    # --- what it says of rows ------------------------------------------------------------------------------------

    def lift(self, v: Tensor) -> Tensor:
        """Natural parameters of the hidden bits, (N, K)."""
        return F.linear(v, self.weight, self.hidden_bias)

    def field(self, h: Tensor) -> Tensor:
        """Natural parameters of the visible units, (N, D)."""
        return h @ self.weight + self.visible_bias

    def encode(self, v: Tensor) -> Tensor:
        """The probability of each hidden bit, (N, K)."""
        return torch.sigmoid(self.lift(v))

    def decode(self, h: Tensor) -> Tensor:
        """The mean of each visible unit, (N, D)."""
        return self.visible.mean(self.field(h))

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = −log Σₕ exp(−E(v, h)) of each row, (N,)."""
        return self.visible.base(v) - v @ self.visible_bias - F.softplus(self.lift(v)).sum(dim=1)

    def surprise(self, v: Tensor, rng: Generator | None = None) -> Tensor:
        """How badly the machine foresees each row, (N,): what its kind of visible unit can say without log Z."""
        return self.visible.surprise(self, v, rng)

    # --- training ------------------------------------------------------------------------------------------------

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Contrast:
        return Contrast(x, self._dream(x, rng) if self.training else None, weight, rng)

    def _dream(self, x: Tensor, rng: Generator | None) -> Tensor:
        with torch.no_grad():
            if self.chains is None:
                return self.gibbs(x, self.steps, rng)
            dream = self.gibbs(self.chains, self.steps, rng)
            self.chains.copy_(dream)
            return dream

    def objective(self, pass_: Contrast) -> dict[str, Tensor]:
        """The loss as a named term, a mean over rows."""
        x, dream, weight, rng = pass_
        if dream is None:
            return {"contrast": _mean(self.surprise(x, rng), weight)}
        below = self.free_energy(dream)
        if self.chains is None:
            return {"contrast": _mean(self.free_energy(x) - below, weight)}
        share = 1.0 if weight is None else weight.mean()
        return {"contrast": _mean(self.free_energy(x), weight) - share * below.mean()}

    # --- sampling ------------------------------------------------------------------------------------------------

    def gibbs(self, v: Tensor, steps: int, rng: Generator | None) -> Tensor:
        """Rows after so many steps from rows v, hidden bits and then visible units drawn in each, (N, D)."""
        for _ in range(steps):
            v = self.visible.draw(self.field(_bits(self.encode(v), rng)), rng)
        return v

    def sample(self, n: int, steps: int, rng: Generator | None) -> Tensor:
        """n rows from chains of so many steps that begin at the machine without hidden bits, (n, D)."""
        return self.gibbs(self.visible.draw(self.base.expand(n, -1), rng), steps, rng)

    # --- the partition function ----------------------------------------------------------------------------------

    def partition(self, rng: Generator | None = None, chains: int = 100, temperatures: int = 1000) -> Partition:
        """log Z: summed where one side has at most 16 bits, else by annealed importance sampling.

        Sampled, it is the log of an unbiased estimate of Z, and so more often too low than too high.
        """
        hidden, visible = self.weight.shape
        with torch.no_grad():
            if hidden <= EXACT:
                return Partition(self._over_hidden(hidden), 0.0)
            if isinstance(self.visible, Binary) and visible <= EXACT:
                return Partition(self._over_visible(visible), 0.0)
            return self._annealed(rng, chains, temperatures)

    def _over_hidden(self, bits: int) -> float:
        """log Σₕ exp(b·h) Πᵢ Σ_v exp(…), (): the visible units summed in closed form."""
        parts = [
            torch.logsumexp(h @ self.hidden_bias + self.visible.log_normaliser(self.field(h)).sum(dim=1), dim=0)
            for h in _states(bits, self.weight)
        ]
        return float(torch.stack(parts).logsumexp(dim=0))

    def _over_visible(self, bits: int) -> float:
        parts = [torch.logsumexp(-self.free_energy(v), dim=0) for v in _states(bits, self.weight)]
        return float(torch.stack(parts).logsumexp(dim=0))

    def _annealed(self, rng: Generator | None, chains: int, temperatures: int) -> Partition:
        """Salakhutdinov & Murray 2008: from the machine without hidden bits, whose Z is known, to this one."""
        v = self.visible.draw(self.base.expand(chains, -1), rng)
        weight = v.new_zeros(chains, dtype=torch.float64)  # the log of each chain's importance
        warmths = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64).tolist()
        for colder, warmer in pairwise(warmths):
            weight += self._warm_energy(v, colder) - self._warm_energy(v, warmer)
            h = _bits(torch.sigmoid(warmer * self.lift(v)), rng)
            v = self.visible.draw(torch.lerp(self.base, self.visible_bias, warmer) + warmer * (h @ self.weight), rng)
        known = float(self.visible.log_normaliser(self.base).sum()) + len(self.hidden_bias) * math.log(2)
        log = float(torch.logsumexp(weight, dim=0)) - math.log(chains)
        return Partition(known + log, float((weight - log).exp().std()) / math.sqrt(chains))

    def _warm_energy(self, v: Tensor, warmth: float) -> Tensor:
        """The free energy between the machine without hidden bits, at 0, and this one, at 1, (N,)."""
        bias = torch.lerp(self.base, self.visible_bias, warmth)
        return self.visible.base(v) - v @ bias - F.softplus(warmth * self.lift(v)).sum(dim=1)


def _bits(p: Tensor, rng: Generator | None) -> Tensor:
    """Bits that are 1 with probability p."""
    return (torch.rand(p.shape, generator=rng, device=p.device, dtype=p.dtype) < p).to(p.dtype)


def _mean(rows: Tensor, weight: Tensor | None) -> Tensor:
    return rows.mean() if weight is None else (rows * weight).mean()


def _states(bits: int, like: Tensor) -> Iterator[Tensor]:
    """Every state of so many bits, (2ⁿ, n), a block at a time."""
    places = torch.arange(bits, device=like.device)
    for numbers in torch.arange(1 << bits, device=like.device).split(BLOCK):
        yield ((numbers[:, None] >> places) & 1).to(like.dtype)
