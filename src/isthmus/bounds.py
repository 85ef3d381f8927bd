"""Bounds on log p(x) of a built composition: the evidence bound, and the importance-weighted estimate of log p(x)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from isthmus._constraints import check, count
from isthmus.autoencoder import Composition
from isthmus.errors import DataError, SettingError
from isthmus.inference import batch_rows, batched

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = NDArray[np.floating]
Draw = tuple[Tensor, Tensor, dict[str, Tensor]]  # log p(x | z), (n,), z, (n, K), and what the code reports

AT_ONCE = 50  # codes of a row drawn together, at most
LEAST = -1e300  # stands for the logarithm of 0, which has no differences


@dataclass(frozen=True)
class Bound:
    """An estimate for each row in nats, in the units the network sees.

    Attributes
    ----------
    value : array of shape (N,)
    error : array of shape (N,)
        Its standard error over draws of `samples` codes; NaN for one sample. It says nothing of codes that no draw
        met: where `effective` is a handful, the error is too small and the value too low.
    effective : array of shape (N,)
        How many equally weighted samples the weighted ones are worth, (Σw)² / Σw² (Kong 1992); of the evidence bound,
        whose samples all weigh alike, all of them.
    samples : int
        Codes drawn for each row.
    """

    value: Array
    error: Array
    effective: Array
    samples: int

    @property
    def mean(self) -> float:
        """The mean over rows."""
        return float(self.value.mean(dtype=np.float64))


def log_likelihood(
    module: Composition, X: Array, samples: int = 100, seed: int = 0, context: NDArray[np.integer] | None = None
) -> Bound:
    """log 1/S Σₛ p(x | zₛ) p(zₛ) / q(zₛ | x), zₛ ~ q(z | x): an estimate of log p(x) from S codes.

    It is a bound: in expectation it lies below log p(x), the less the larger S (L_S of Burda, Grosse & Salakhutdinov
    2016, eq. 8), by about half the squared standard error. No corruption is applied. Memory does not grow with S.
    The first S codes are the same for every S, of one seed and the same rows.

    Parameters
    ----------
    module : Composition
        Built, its code one that gives "density".
    X : array of shape (N, D)
        Rows in scaled units.
    samples : int
        S.
    seed : int
    context : array of shape (N,), optional
        Each row's group, where code or decoder hear it.

    Raises
    ------
    SettingError
        Where the code has no density.
    """
    _require(module, "density", "log_likelihood")
    return _estimated(module, X, samples, seed, context, (log_weights, _LogMean))


def elbo(
    module: Composition, X: Array, samples: int = 1, seed: int = 0, context: NDArray[np.integer] | None = None
) -> Bound:
    """E_q log p(x | z) − KL(q(z | x) ‖ p(z)) of each row from S codes (Kingma & Welling 2014, eq. 3).

    The divergence is in closed form where the code has one, else estimated from the same codes. Arguments, reproduction
    and memory are as in `log_likelihood`.

    Raises
    ------
    SettingError
        Where the code has no divergence from a prior.
    """
    _require(module, "divergence", "elbo")
    return _estimated(module, X, samples, seed, context, (_evidence, _Mean))


def log_weights(module: Composition, drawn: Draw) -> Tensor:
    """log p(x | z) + log p(z) − log q(z | x) of each draw, (n,)."""
    surprise, z, stats = drawn
    return surprise + module.code.log_prior(z) - module.code.log_posterior(z, stats)


def _evidence(module: Composition, drawn: Draw) -> Tensor:
    return drawn[0] - module.code.divergence(drawn[1], drawn[2]).sum(dim=-1)


def _require(module: Composition, given: str, where: str) -> None:
    if given not in module.code.gives:
        has = ", ".join(sorted(module.code.gives)) or "no statistics"
        raise SettingError(
            f"{where} needs a code that gives '{given}'",
            where=f"this code gives {has}",
            hint="use code=codes.Gaussian(), as the variational kind does",
        )


def _estimated(
    module: Composition,
    X: Array,
    samples: int,
    seed: int,
    context: NDArray[np.integer] | None,
    how: tuple[Callable[[Composition, Draw], Tensor], type[_Mean]],
) -> Bound:
    check("a bound", {"samples": samples}, {"samples": count()})
    if context is not None and len(context) != len(X):
        raise DataError(f"{len(context)} groups for {len(X)} rows", "in groups", "one group a row")
    rows = _Rows(module, samples, seed, context, *how)
    with _looking(module):
        found = batched(module, rows, X)  # (N, 3)
    return Bound(found[:, 0], found[:, 1], found[:, 2], samples)


@contextmanager
def _looking(module: Composition) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


class _Rows:
    """A batch of rows after the other: value, standard error and effective samples of each, (n, 3)."""

    def __init__(
        self,
        module: Composition,
        samples: int,
        seed: int,
        context: NDArray[np.integer] | None,
        term: Callable[[Composition, Draw], Tensor],
        totals: type[_Mean],
    ) -> None:
        self.module, self.samples, self.seed, self.term, self.totals = module, samples, seed, term, totals
        self.context = None if context is None else torch.as_tensor(np.asarray(context))
        self.start = 0

    def __call__(self, x: Tensor) -> Tensor:
        rng = Generator(device=x.device)
        rng.manual_seed(int(np.random.SeedSequence([self.seed, self.start]).generate_state(1, np.uint64)[0] >> 1))
        context = None if self.context is None else self.context[self.start : self.start + len(x)].to(x.device)
        self.start += len(x)
        a, total = self.module.encoder(x), self.totals(len(x), x.device)
        at_once = self._at_once(x)
        for done in range(0, self.samples, at_once):
            drawn = self._draw(x, a, context, rng, at_once, min(at_once, self.samples - done))
            total.add(self.term(self.module, drawn).double().view(-1, len(x)))
        return total.answer(self.samples)

    def _at_once(self, x: Tensor) -> int:
        """How many codes of each row are drawn together: what the rows leave of a batch, for codes of one row each."""
        if self.module.code.company > 1:
            return 1
        return max(1, min(AT_ONCE, batch_rows(list(self.module.parameters()), x.shape[1]) // len(x)))

    def _draw(self, x: Tensor, a: Tensor, context: Tensor | None, rng: Generator, times: int, kept: int) -> Draw:
        """As many codes of each row as ever, so that the stream stays one, of which the first `kept` are decoded."""
        module = self.module
        context = None if context is None else context.repeat(times)
        z, stats = module.code(a.repeat(times, 1), context, rng)
        if kept < times:
            rows = kept * len(x)
            z, stats = z[:rows], {name: t[:rows] for name, t in stats.items()}
            context = None if context is None else context[:rows]
        surprise = module.likelihood.nll(module.decoder(z, context), x.repeat(kept, 1)).sum(dim=-1)
        return -surprise, z, stats


class _Mean:
    """The running mean of terms and of their squares about the first, (n,) each."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.first: Tensor | None = None
        self.sum, self.squares = (torch.zeros(n, dtype=torch.float64, device=device) for _ in range(2))

    def add(self, terms: Tensor) -> None:
        """Take in terms, (samples, n)."""
        self.first = terms[0] if self.first is None else self.first
        terms = terms - self.first
        self.sum += terms.sum(dim=0)
        self.squares += terms.square().sum(dim=0)

    def answer(self, samples: int) -> Tensor:
        """Mean, its standard error and the number of samples, (n, 3)."""
        mean = self.sum / samples
        spread = (self.squares / samples - mean.square()).clamp_min(0)
        error = torch.sqrt(spread / (samples - 1)) if samples > 1 else torch.full_like(mean, torch.nan)
        shift = 0 if self.first is None else self.first
        return torch.stack([mean + shift, error, torch.full_like(mean, samples)], dim=-1)


class _LogMean(_Mean):
    """The running log of a mean of exponentials: Σ and Σ² are kept relative to the largest term so far."""

    def add(self, terms: Tensor) -> None:
        terms = terms.clamp_min(LEAST)
        top = terms.amax(dim=0)
        if self.first is not None:
            top = torch.maximum(top, self.first)
            shrink = torch.exp(self.first - top)
            self.sum, self.squares = self.sum * shrink, self.squares * shrink.square()
        self.first = top
        weights = torch.exp(terms - top)
        self.sum = self.sum + weights.sum(dim=0)
        self.squares = self.squares + weights.square().sum(dim=0)

    def answer(self, samples: int) -> Tensor:
        effective = self.sum.square() / self.squares
        spread = (samples / effective - 1).clamp_min(0)
        error = torch.sqrt(spread / (samples - 1)) if samples > 1 else torch.full_like(effective, torch.nan)
        top = torch.zeros_like(self.sum) if self.first is None else self.first
        return torch.stack([top + torch.log(self.sum / samples), error, effective], dim=-1)
