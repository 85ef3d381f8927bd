"""How an encoder contracts the rows around it: the norm of its Jacobian, and the directions that it keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import jacrev, vmap

from isthmus.codes import Code
from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.evidence.geometry import jacobian_spectra
from isthmus.evidence.intervals import Estimate
from isthmus.evidence.robustness import robustness
from isthmus.evidence.structure import participation_ratio
from isthmus.evidence.subject import Subject
from isthmus.inference import batched
from isthmus.jacobians import squared_norm
from isthmus.passes import Pass
from isthmus.pretraining import finetune

Array = NDArray[np.floating]
STEP = 1e-5  # of central differences, in scaled units: their error grows as its square, that of rounding as its inverse


def jacobian_norms(trained: Any, X: ArrayLike) -> Array:
    """‖∂z/∂x‖_F at each row of X, (N, D), with x in scaled units: (N,).

    `trained` is an autoencoder or a Boltzmann machine, whose code is the probabilities of its hidden bits.

    Raises
    ------
    SettingError
        Where the encoder is a network of your own.
    """
    level = finetune(trained).network.build(trained.encoding()[3], 1)[1]  # rows, the encoder, the classes
    x = trained.scaler_.apply(np.asarray(X))
    return np.sqrt(batched(level, lambda rows: _squares(level.encoder, level.code, rows), x))


def encoder_norm(ae: Autoencoder) -> float:
    """‖W‖_F over all matrices and kernels of the encoder."""
    weights = [weight.detach() for weight in ae.module_.encoder.parameters() if weight.ndim > 1]
    return float(torch.stack([weight.square().sum() for weight in weights]).sum().sqrt())


def spectra(ae: Autoencoder, X: ArrayLike) -> Array:
    """Singular values of ∂z/∂x at a few of the rows X, (N, D): (n, min(K, D)), largest first."""
    return jacobian_spectra(Subject.of(ae, None, X))


def directions(values: Array) -> Array:
    """How many directions move the code at each row, (n,): (Σs²)² / Σs⁴ of its singular values s, (n, R)."""
    return np.array([participation_ratio(np.square(one)) for one in values])


def shift(ae: Autoencoder, X: ArrayLike) -> float:
    """How far noise of a tenth of the rows' spread moves the code, over the code's own spread, on rows X, (N, D).

    Raises
    ------
    DataError
        For fewer than three rows, which have no spread to speak of.
    """
    found = robustness(Subject.of(ae, None, X))["code_shift"]
    if not isinstance(found, Estimate):
        raise DataError("fewer than 3 rows", "in shift", "rows that have a spread")
    return found.value


def norm_differences(ae: Autoencoder, X: ArrayLike) -> tuple[float, float]:
    """The largest relative difference, over rows X, (N, D), of ‖∂z/∂x‖² as the penalty has it from two others.

    The first is from automatic differentiation, the second from central differences of the code, which are as good as
    this only in float64.
    """
    module = ae.module_
    x = torch.as_tensor(ae.scale(X)).to(next(module.parameters()))
    with torch.no_grad():
        found = _squares(module.encoder, module.code, x)
        by_autodiff = vmap(jacrev(lambda row: module.encode(row[None])[0]))(x).square().sum(dim=(1, 2))
        units = STEP * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        by_differences = sum((_slope(module, x, step).square().sum(dim=1) for step in units), torch.zeros_like(found))
    first, second = (float((found / other - 1).abs().max()) for other in (by_autodiff, by_differences))
    return first, second


def _slope(module: Any, x: Tensor, step: Tensor) -> Tensor:
    """How the code changes along a step, by its length: (N, K)."""
    change: Tensor = (module.encode(x + step) - module.encode(x - step)) / (2 * step.norm())
    return change


def _squares(encoder: nn.Module, code: Code, x: Tensor) -> Tensor:
    z, stats = code(encoder(x))
    return squared_norm(encoder, code, Pass(x, x, None, z, stats, x))
