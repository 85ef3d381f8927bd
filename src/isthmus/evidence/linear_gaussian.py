"""Variational autoencoders with a linear decoder and Gaussian noise: bounds and gradients against closed forms.

With x = V z + c + s ε, z ~ N(0, I), log p(x) is N(c, VVᵀ + s²I), and the gradient of the evidence bound of a normal
posterior is known too: what a bound or an estimate of the gradient is worth can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from isthmus import bounds
from isthmus.bounds import Bound
from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]
KS = (5, 50, 500, 5000)
DRAWS = 2000  # of the evidence bound


def decoder_matrix(ae: Autoencoder) -> NDArray[np.float64]:
    """V, (D, K), read off the decoder's answers to the unit codes and to 0."""
    codes = np.vstack([np.zeros(ae.code_size), np.eye(ae.code_size)])
    answers = ae.inverse_transform(codes)
    return np.asarray(answers[1:] - answers[0], dtype=np.float64).T


@dataclass(frozen=True)
class LinearGaussian:
    """p(x | z) = N(V z + c, s² I) with z ~ N(0, I): V, (D, K), c, (D,), and s. Posteriors are N(mean, variance)."""

    V: Array
    c: Array
    s: float

    def log_p(self, X: Array) -> Array:
        """Of each row of X, (N, D)."""
        D = len(self.V)
        found: Array = multivariate_normal(self.c, self.V @ self.V.T + self.s**2 * np.eye(D)).logpdf(X)
        return found

    def exact(self, x: Array, mean: Array, variance: Array) -> Array:
        """∂ELBO/∂μ = Vᵀ(x − Vμ − c)/s² − μ and ∂ELBO/∂log σ² = ½(1 − σ²(1 + ‖Vⱼ‖²/s²)), side by side, (n, 2K)."""
        by_mean = (x - mean @ self.V.T - self.c) @ self.V / self.s**2 - mean
        by_log_variance = 0.5 * (1 - variance * (1 + np.square(self.V).sum(axis=0) / self.s**2))
        return np.concatenate([by_mean, by_log_variance], axis=-1)

    def reparametrised(self, x: Array, z: Array, mean: Array, variance: Array) -> Array:
        """Of each draw z = μ + σε: g = ∂log p(x, z)/∂z for μ, ½(1 + g σε) for log σ², (draws, n, 2K)."""
        g = (x - z @ self.V.T - self.c) @ self.V / self.s**2 - z
        return np.concatenate([g, 0.5 * (1 + g * (z - mean))], axis=-1)

    def score(self, x: Array, z: Array, mean: Array, variance: Array) -> Array:
        """Of each draw (log p(x, z) − log q(z)) ∂log q(z) (Williams 1992), (draws, n, 2K)."""
        log_p = -0.5 * (np.square(x - z @ self.V.T - self.c).sum(axis=-1) / self.s**2 + np.square(z).sum(axis=-1))
        log_p = log_p - len(self.c) * np.log(self.s * np.sqrt(2 * np.pi))
        e = np.square(z - mean) / variance
        signal = (log_p + 0.5 * (e + np.log(variance)).sum(axis=-1))[..., None]  # 2π's of p(z) and q(z) cancel
        return np.concatenate([signal * (z - mean) / variance, signal * 0.5 * (e - 1)], axis=-1)


@dataclass(frozen=True)
class Judged:
    """What the bounds and the gradients of a trained model are: of rows, and of draws, (draws, rows, 2K) each."""

    log_p: Array
    elbo: Bound
    weighted: Mapping[int, Bound]  # by k
    exact: Array  # (rows, 2K)
    reparametrised: Array
    score: Array

    @property
    def error(self) -> float:
        """|L of the largest k − log p|, nats a row."""
        return abs(self.weighted[KS[-1]].mean - float(self.log_p.mean()))

    @property
    def gap(self) -> float:
        """log p less the evidence bound, nats a row."""
        return float(self.log_p.mean()) - self.elbo.mean

    @property
    def disorder(self) -> int:
        """How often a bound exceeds the next one, of more draws, by more than two standard errors."""
        chain = [self.elbo, *(self.weighted[k] for k in KS[:-1])]
        return sum(low.mean - high.mean > 2 * np.hypot(of_mean(low), of_mean(high)) for low, high in pairwise(chain))

    @property
    def bias(self) -> float:
        """Root mean square of the reparametrised gradient's distance from the exact one, in standard errors."""
        error = self.reparametrised.std(axis=0, ddof=1) / np.sqrt(len(self.reparametrised))
        return float(np.sqrt(np.mean(np.square((self.reparametrised.mean(axis=0) - self.exact) / error))))

    @property
    def variance_ratio(self) -> float:
        """Variance of the score function's gradient over the reparametrised one's."""
        return float(self.score.var(axis=0).sum() / self.reparametrised.var(axis=0).sum())

    def summary(self, bins: int = 29) -> dict[str, Any]:
        """The bounds by k with two standard errors, and how the deviations of both gradients are spread over bins."""
        means = np.array([bound.mean for bound in self.weighted.values()])
        errors = 2 * np.array([of_mean(bound) for bound in self.weighted.values()])
        spreads = [found.std(axis=0).ravel() for found in (self.reparametrised, self.score)]
        edges = np.geomspace(min(map(np.min, spreads)), max(map(np.max, spreads)), bins + 1)
        entries = [np.histogram(of, edges)[0] for of in spreads]
        weighted = {"k": [*self.weighted], "mean": means, "low": means - errors, "high": means + errors}
        gradients = {"edges": edges, "reparametrised": entries[0], "score": entries[1]}
        return {"log_p": float(self.log_p.mean()), "elbo": self.elbo.mean} | weighted | gradients


def judged(ae: Autoencoder, X: Array, s: float, draws: int, watched: int) -> Judged:
    """An estimator with a linear decoder and noise s: bounds of rows X, (N, D), gradients at the first few of them."""
    c = np.asarray(ae.inverse_transform(np.zeros((1, ae.code_size))))[0]
    model, x = LinearGaussian(decoder_matrix(ae), c, s), X[:watched]
    log_p = model.log_p(X)
    z, mean, variance = _drawn(ae, x, draws)
    return Judged(
        log_p,
        bounds.elbo(ae.module_, X, DRAWS),
        {k: bounds.log_likelihood(ae.module_, X, k) for k in KS},
        model.exact(x, mean, variance),
        model.reparametrised(x, z, mean, variance),
        model.score(x, z, mean, variance),
    )


def _drawn(ae: Autoencoder, x: Array, draws: int) -> tuple[Array, Array, Array]:
    """Codes, (draws, n, K), as the model draws them, and the posterior's mean and variance, (n, K) each."""
    module, rng = ae.module_, torch.Generator().manual_seed(0)
    with torch.no_grad():
        a = module.encoder(torch.as_tensor(x))
        z, stats = module.code(a.repeat(draws, 1), None, rng)
    mean, variance = stats["mean"][: len(x)].numpy(), stats["log_variance"][: len(x)].exp().numpy()
    return z.numpy().reshape(draws, len(x), -1), mean, variance


def of_mean(bound: Bound) -> float:
    """Standard error of a bound's mean over rows, of the draws alone."""
    return float(np.sqrt(np.square(bound.error).sum()) / len(bound.error))
