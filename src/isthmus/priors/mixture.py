"""A learned mixture of Gaussians as prior: its components are clusters of the codes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, count, positive
from isthmus._spec import Spec
from isthmus.priors.base import LOG_2PI, Prior

STARTS = 10  # of expectation maximisation, whose end depends on its start
CLOSE = 1e-3  # nats a code by which two ends differ as little as one from itself
MANY = 10  # codes for each number of a component


@dataclass
class Mixture(Spec):
    """p(z) = Σ_c π_c N(z; μ_c, diag σ_c²), all learned with the rest (Dilokthanakul 2016; Jiang 2017).

    Its divergence has the posterior's entropy in closed form and the mixture's density at the one z drawn.

    Parameters
    ----------
    components : int
        C.
    spread : float
        Standard deviation of the means before training; variances begin at 1, weights at 1/C.
    least_variance : float
        What σ_c² stays above, so that no component closes in on single rows.
    restart : int
        Epochs of training after which the mixture begins anew as the one that expectation maximisation finds in the
        codes, since gradients alone rarely take a component from one cluster to another; 0: never.
    """

    components: int = 10
    spread: float = 1.0
    least_variance: float = 1e-3
    restart: int = 10
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "components": count(),
        "spread": positive(),
        "least_variance": positive(),
        "restart": count(0),
    }

    def build(self, size: int) -> Prior:
        return MixturePrior(size, self.components, self.spread, math.log(self.least_variance), self.restart)


class MixturePrior(Prior):
    """A built mixture.

    Attributes
    ----------
    means : Parameter of shape (C, K)
    raw : Parameter of shape (C, K)
        v, log σ² = l + softplus(v − l), l the logarithm of the least variance.
    logits : Parameter of shape (C,)
        Weights are their softmax.
    """

    def __init__(self, size: int, components: int, spread: float, least: float, restarts: int = 0) -> None:
        super().__init__(size)
        self.components, self.least, self.restarts = components, least, restarts
        self.means = nn.Parameter(spread * torch.randn(components, size))
        self.raw = nn.Parameter(torch.zeros(components, size))
        self.logits = nn.Parameter(torch.zeros(components))

    @property
    def log_variances(self) -> Tensor:
        """log σ², (C, K)."""
        return self.least + F.softplus(self.raw - self.least)

    def begin(self, weights: Tensor, means: Tensor, variances: Tensor) -> None:
        """Start from a mixture that is known: π, (C,), μ and σ², (C, K) each; variances below the least are raised."""
        above = variances.log().sub(self.least).clamp_min(1e-3)
        with torch.no_grad():
            self.logits.copy_(weights.log().clamp_min(-10))
            self.means.copy_(means)
            self.raw.copy_(self.least + above.expm1().log())

    def restart(self, mean: Tensor, log_variance: Tensor) -> None:
        """Begin anew as the mixture fitted to the means, the best of several starts; what draws vary more is added.

        The fit has whole covariances, which finds clusters that lie askew; one for all where codes are few. Of them the
        variances are kept. Fewer codes than components change nothing.
        """
        if len(mean) < self.components:
            return
        z = mean.detach().double().cpu().numpy()
        fit = _best(z, self.components, "full" if len(z) >= MANY * self.components * self.size else "tied")
        spread = np.broadcast_to(np.diagonal(fit.covariances_, axis1=-2, axis2=-1), fit.means_.shape).copy()
        weights, means, variances = (torch.as_tensor(one) for one in (fit.weights_, fit.means_, spread))
        self.begin(weights, means, variances + log_variance.detach().double().exp().mean(dim=0).cpu())

    def log_joint(self, z: Tensor) -> Tensor:
        """log π_c + log N(z; μ_c, σ_c²), (N, C)."""
        log_variances = self.log_variances
        squares = ((z[:, None, :] - self.means).square() * torch.exp(-log_variances)).sum(dim=-1)  # (N, C)
        constant = self.logits.log_softmax(dim=0) - 0.5 * (LOG_2PI + log_variances).sum(dim=-1)
        return constant - 0.5 * squares

    def log_prob(self, z: Tensor) -> Tensor:
        return self.log_joint(z).logsumexp(dim=-1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """p(c | z), (N, C)."""
        return self.log_joint(z).softmax(dim=-1)

    def sample(self, n: int, rng: Generator) -> Tensor:
        with torch.no_grad():
            chosen = torch.multinomial(self.logits.softmax(dim=0), n, replacement=True, generator=rng)
            noise = torch.randn(n, self.size, generator=rng, device=rng.device, dtype=self.means.dtype)
            return self.means[chosen] + noise * torch.exp(self.log_variances[chosen] / 2)


def _best(z: NDArray[np.float64], components: int, how: str) -> GaussianMixture:
    """The first of several fits that is about as good as any: the same one where codes differ by rounding."""
    least = 1e-5 * max(float(z.var(axis=0).mean()), 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # training goes on from there
        fits = [
            GaussianMixture(components, covariance_type=how, max_iter=300, reg_covar=least, random_state=start).fit(z)
            for start in range(STARTS)
        ]
    good = max(fit.lower_bound_ for fit in fits) - CLOSE
    return next(fit for fit in fits if fit.lower_bound_ >= good)
