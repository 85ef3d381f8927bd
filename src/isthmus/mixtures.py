"""Clustering: a trained autoencoder goes on with a mixture as the prior of its codes (VaDE, Jiang 2017)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import _fitting as fitting
from isthmus import codes, penalties, priors
from isthmus._constraints import check, count, non_negative
from isthmus._fitting import Job, Table
from isthmus._inputs import read_rows
from isthmus._spec import Spec
from isthmus.autoencoder import Composition
from isthmus.codes.gaussian import split
from isthmus.errors import DataError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.inference import batched
from isthmus.priors import MixturePrior
from isthmus.training import State, train
from isthmus.training.loop import Member

Array = NDArray[np.floating]
KEPT = 10_000  # codes that the first mixture is fitted to, at most
NARROW = 0.1  # variance that posteriors begin with, of the mean variance within components


def cluster(
    ae: Autoencoder, X: ArrayLike, components: int = 10, *, strength: float = 1.0, **settings: Any
) -> Autoencoder:
    """An autoencoder trained further, until its codes are a mixture of Gaussians whose components are the clusters.

    Its encoder and decoder begin as those of `ae`, its prior as the mixture that expectation maximisation finds in
    the codes of X. Then −log p(x | g(z)) + λ KL(q(z|x) ‖ Σ_c π_c N(μ_c, diag σ_c²)) is minimised by all.

    Parameters
    ----------
    ae : Autoencoder
        Fitted, with `codes.Plain` or `codes.Gaussian`, and an encoder and a decoder of ours.
    X : array-like of shape (N, D)
        Rows to train on, best those that `ae` was trained on.
    components : int
        C, how many clusters.
    strength : float
        λ; 1 is the evidence bound.
    **settings
        Of the new `Autoencoder`; those not given are as in `ae`.

    Returns
    -------
    Autoencoder
        Fitted; `responsibilities` and `assign` tell the clusters of rows.

    Raises
    ------
    SettingError
        Where a setting does not fit, or a part of `ae` cannot be handed over.
    DataError
        Where there are fewer rows than components.
    """
    check("cluster", {"components": components, "strength": strength}, CONSTRAINTS)
    made = _like(ae, components, strength, settings)
    made.validate()
    rows, seed = read_rows(made, X, reset=True), fitting.seed_of(made)
    job = fitting.prepared(made, fitting.learned(made, Table(rows), seed), seed)
    if len(job.rows) < components:
        raise DataError(f"{len(job.rows)} rows to train on", where="in cluster", expected=f"at least {components}")
    _hand_over(ae.module_, made.module_, job.rows.x[:: -(-len(job.rows) // KEPT)])
    _train(job)
    return made


CONSTRAINTS = {"components": count(), "strength": non_negative()}


def responsibilities(ae: Autoencoder, X: ArrayLike) -> Array:
    """p(c | z) of each row's deterministic code under the mixture prior, (N, C).

    Raises
    ------
    SettingError
        Where the code has no mixture as its prior.
    """
    check_is_fitted(ae, "module_")
    module, prior = ae.module_, _mixture(ae.module_)
    return batched(module, lambda x: prior.responsibilities(module.encode(x)), ae.scale(X))


def assign(ae: Autoencoder, X: ArrayLike) -> NDArray[np.intp]:
    """The number of each row's likeliest component, (N,)."""
    return responsibilities(ae, X).argmax(axis=1)


def _mixture(module: Composition) -> MixturePrior:
    prior = getattr(module.code, "prior", None)
    if not isinstance(prior, MixturePrior):
        raise SettingError(
            "the code has no mixture as its prior",
            where="in responsibilities",
            expected="code=codes.Gaussian(priors.Mixture(10))",
            hint="make one of a trained autoencoder by mixtures.cluster(ae, X)",
        )
    return prior


def _like(ae: Autoencoder, components: int, strength: float, settings: dict[str, Any]) -> Autoencoder:
    """The estimator to be trained, not fitted yet."""
    check_is_fitted(ae, "module_")
    for slot in ("encoder", "decoder"):
        part = ae.blueprint_.slot(slot)
        if part is not None and not isinstance(part, Spec):
            raise SettingError(f"the {slot} is a network of your own", where="in cluster", expected="a specification")
    code = ae.blueprint_.slot("code")
    if not isinstance(code, codes.Plain | codes.Gaussian):
        raise SettingError(f"the code is {code!r}", where="in cluster", expected="codes.Plain() or codes.Gaussian()")
    own = {
        "code": codes.Gaussian(priors.Mixture(components, restart=0)),
        "penalty": penalties.Divergence(strength),
        "random_state": ae.seed_,
    }
    return Autoencoder().set_params(**(ae.get_params(deep=False) | own | settings))


def _hand_over(old: Composition, new: Composition, x: Tensor) -> None:
    """Put trained weights in place of the first ones, and as prior the mixture of the codes of rows x, (N, D)."""
    with torch.no_grad():
        a = old.encoder(x.to(next(old.parameters())))
        own = old.code.width > old.code.size  # posteriors of its own
        mean, log_variance = split(a) if own else (a, torch.full_like(a, -math.inf))
        prior = _mixture(new)
        prior.restart(mean, log_variance)
        narrow = float(prior.log_variances.exp().mean().log()) + math.log(NARROW)
        trained = old.state_dict()
        for name, target in new.state_dict().items():
            if name.startswith(("encoder.", "decoder.", "likelihood.")) and name in trained:
                target.copy_(_widened(trained[name], target, narrow))


def _widened(source: Tensor, target: Tensor, log_variance: float) -> Tensor:
    """An encoder's last layer with twice the outputs: μ as before, log σ² the same for all rows."""
    if source.shape == target.shape:
        return source
    return torch.cat([source, torch.full_like(source, log_variance if source.ndim == 1 else 0.0)])


def _train(job: Job) -> None:
    settings = job.member.settings
    begun = replace(job, member=Member(State.begin(job.ae.module_, settings), settings))
    try:
        train(begun.member.state, begun.rows, settings, begun.held_out)
    finally:
        begun.finish()
