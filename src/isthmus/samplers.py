"""Distributions fitted to codes after the fact, so that codes without a prior can be drawn too.

Codes are whitened first, and modelled on the plane they span: a unit that never changes is given back as it is, and
log densities are those on that plane.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Mixture
from sklearn.utils.validation import check_is_fitted

from isthmus import _fitting as fitting
from isthmus._constraints import AnyOf, Constraint, Has, Number, Text, check, count, optional, positive
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_rows
from isthmus.errors import DataError
from isthmus.inference import batched
from isthmus.nn.flows import Flow as Chain

Array = NDArray[np.floating]
Seed = int | np.random.RandomState | None
RANK = 1e-5  # of the widest direction's spread: a direction with less is rounding
LOG_2PI = math.log(2 * math.pi)
_SEED = optional(AnyOf((Has("randint", "a numpy.random.RandomState"), Number(0, 2**63 - 1, whole=True))))


@dataclass(frozen=True)
class Whitening:
    """u = (z − mean) · inward has unit variances and no correlations: z (N, K), u (N, R), inward (K, R)."""

    mean: Array
    inward: Array
    outward: Array  # (R, K)
    log_volume: float  # of the unit cube of u

    @classmethod
    def of(cls, Z: Array) -> Whitening:
        mean = Z.mean(axis=0)
        _, spread, axes = np.linalg.svd(Z - mean, full_matrices=False)
        kept = spread > RANK * spread[0]
        std = spread[kept] / math.sqrt(len(Z))
        return cls(mean, axes[kept].T / std, axes[kept] * std[:, None], float(np.log(std).sum()))


class Sampler(DensityMixin, BaseEstimator):
    """A distribution of codes, as a scikit-learn density estimator."""

    constraints: ClassVar[Mapping[str, Constraint]] = {}
    whitening_: Whitening
    dtype_: np.dtype[Any]

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn from codes X, (N, K).

        Raises
        ------
        SettingError, DataError
            Where a setting does not fit, or the codes are too few or all alike.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)
        Z = read_rows(self, X, reset=True)
        if len(Z) < 2 or np.all(Z.min(axis=0) == Z.max(axis=0)):
            raise DataError(
                f"{len(Z)} codes, all alike", f"in {type(self).__name__}.fit", "two different ones at least"
            )
        self.dtype_, self.whitening_ = Z.dtype, Whitening.of(Z.astype(np.float64))
        self._learn(self._inward(Z))
        return self

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Array:
        """New codes, (n_samples, K)."""
        check_is_fitted(self, "whitening_")
        check("sample", {"n_samples": n_samples}, {"n_samples": count()})
        u = self._draw(n_samples, np.random.default_rng(fitting.seed_from(random_state)))
        return (self.whitening_.mean + u @ self.whitening_.outward).astype(self.dtype_)

    def score_samples(self, X: ArrayLike) -> Array:
        """log p of each code, (N,), on the plane that the codes of `fit` span."""
        check_is_fitted(self, "whitening_")
        return self._log_prob(self._inward(read_rows(self, X, reset=False))) - self.whitening_.log_volume

    def score(self, X: ArrayLike, y: object = None) -> float:
        """The mean log density of codes X, (N, K)."""
        return float(self.score_samples(X).mean())

    def _inward(self, Z: Array) -> Array:
        whole: Array = (Z.astype(np.float64) - self.whitening_.mean) @ self.whitening_.inward
        return whole

    def _learn(self, u: Array) -> None:
        """Fit to whitened codes, (N, R)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def _draw(self, n: int, rng: np.random.Generator) -> Array:
        """n whitened codes."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def _log_prob(self, u: Array) -> Array:
        """log density of whitened codes, (N,)."""
        raise TypeError(f"{type(self).__name__} is abstract")


class GaussianMixture(Sampler):
    """A mixture of Gaussians with covariances of their own, by expectation maximisation (scikit-learn's).

    Parameters
    ----------
    components : int
        How many; 1 is a single Gaussian. Fewer are taken where there are fewer codes than that.
    regularisation : float
        Added to the variances of each, in units of the codes' own variances.
    random_state : int, numpy.random.RandomState or None
        Decides where they start.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        Of whitened codes.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "components": count(),
        "regularisation": positive(),
        "random_state": _SEED,
    }

    def __init__(self, components: int = 10, regularisation: float = 1e-3, random_state: Seed = None) -> None:
        self.components = components
        self.regularisation = regularisation
        self.random_state = random_state

    def _learn(self, u: Array) -> None:
        seed = fitting.seed_of(self) % 2**32
        mixture = Mixture(min(self.components, len(u)), reg_covar=self.regularisation, max_iter=300, random_state=seed)
        with warnings.catch_warnings():  # a fit that could still gain a little is a fit; `converged_` says so
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mixture_ = mixture.fit(u)

    def _draw(self, n: int, rng: np.random.Generator) -> Array:
        weights = self.mixture_.weights_
        chosen = rng.choice(len(weights), size=n, p=weights / weights.sum())
        roots = np.linalg.cholesky(self.mixture_.covariances_)  # C R R
        noise = rng.standard_normal((n, roots.shape[1]))
        drawn: Array = self.mixture_.means_[chosen] + np.einsum("nrs,ns->nr", roots[chosen], noise)
        return drawn

    def _log_prob(self, u: Array) -> Array:
        found: Array = self.mixture_.score_samples(u)
        return found


class Flow(Sampler):
    """A normalising flow: splines that couple the codes' numbers (Dinh 2017, Durkan 2019), with exact densities.

    It begins as the Gaussian of the codes, and is trained to make codes likely until those held out gain no more.

    Parameters
    ----------
    layers, hidden, bins : int
        Coupling layers; width of the networks in them; pieces of a spline.
    max_epochs : int
    learning_rate : float
    random_state : int, numpy.random.RandomState or None
    device : str
        As in `Autoencoder`.

    Attributes
    ----------
    module_ : isthmus.nn.flows.Flow
        Of whitened codes, in float64.
    history_ : list of dict
        One entry an epoch.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "layers": count(),
        "hidden": count(),
        "bins": count(2, 100),
        "max_epochs": count(),
        "learning_rate": positive(),
        "random_state": _SEED,
        "device": Text("'auto' or a device's name such as 'cpu'"),
    }
    # settings of the loop that are not offered
    scaling, input_shape, unit_interval, validation_fraction = None, None, False, 0.1
    weight_decay, schedule, clip_norm, early_stopping, patience = 0.0, "cosine", 5.0, True, 15
    batch_size, dtype, engine, verbose = 256, None, "auto", 0
    module_: Chain

    def __init__(
        self,
        layers: int = 4,
        hidden: int = 64,
        bins: int = 8,
        max_epochs: int = 100,
        learning_rate: float = 5e-3,
        random_state: Seed = None,
        device: str = "auto",
    ) -> None:
        self.layers = layers
        self.hidden = hidden
        self.bins = bins
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Chain:
        """The flow before training: the identity."""
        with torch.random.fork_rng(devices=[]):
            rng = torch.default_generator.manual_seed(seed)
            chain = Chain(known.rows.x.shape[1], self.layers, self.hidden, self.bins, rng)
        return chain.to(device=device, dtype=dtype)

    def _learn(self, u: Array) -> None:
        self.batch_size = int(np.clip(len(u) // 8, 16, 256))
        fitting.fit(self, Table(u.astype(np.float32)))
        self.module_.double()

    def _draw(self, n: int, rng: np.random.Generator) -> Array:
        noise = rng.standard_normal((n, self.module_.size))
        return batched(self.module_, self.module_.gather, noise)

    def _log_prob(self, u: Array) -> Array:
        return batched(self.module_, self.module_.log_prob, u)
