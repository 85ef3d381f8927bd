"""Autoencoders trained on the importance-weighted bound (Burda, Grosse & Salakhutdinov 2016)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from isthmus import codes
from isthmus._constraints import Constraint, Flag, OneOf, check_names, count
from isthmus._fitting import Learned
from isthmus._signatures import with_settings_of
from isthmus.autoencoder import Composition
from isthmus.bounds import log_weights
from isthmus.errors import SettingError
from isthmus.estimators import Autoencoder
from isthmus.nn import trail
from isthmus.passes import Pass


class Weighted(Composition):
    """−L_k = −log 1/k Σᵢ wᵢ, wᵢ = p(x | zᵢ) p(zᵢ) / q(zᵢ | x), of k codes of each row; L₁ is the evidence bound.

    A pass with a generator has k codes and θ's of each row, (kN, …), all first codes before all second ones; the
    encoder runs once. `doubly`: the encoder's gradient is the doubly reparametrised one (Tucker 2019), whose signal
    does not drown in noise as k grows; values are the same. `binarise`: see `ImportanceWeighted`.
    """

    def __init__(self, parts: Composition, samples: int, binarise: bool = False, doubly: bool = False) -> None:
        super().__init__(parts.corruption, parts.encoder, parts.code, parts.decoder, parts.likelihood, {})
        self.samples, self.binarise, self.doubly = samples, binarise, doubly

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Pass:
        if rng is None:
            return super().forward(x, context, rng, weight)
        if self.binarise:
            x = (torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype) < x).to(x.dtype)
        x_tilde, mask = self.corruption(x, rng)
        way = trail(self.encoder, x_tilde)
        context = None if context is None else context.repeat(self.samples)
        z, stats = self.code(way[-1].repeat(self.samples, 1), context, rng)
        return Pass(x, x_tilde, mask, z, stats, self.decoder(z, context), weight, rng, way)

    def objective(self, p: Pass) -> dict[str, Tensor]:
        """The negative bound, a mean over rows."""
        log_w = self._log_weights(p).view(-1, len(p.x))  # (k, N)
        if self.doubly and p.z.requires_grad:
            share = torch.softmax(log_w.detach(), dim=0).reshape(-1, 1)
            p.z.register_hook(lambda gradient: gradient * share)  # z carries w̃ ∂log w; the encoder is to hear w̃² ∂log w
        return {"bound": p.mean(math.log(len(log_w)) - torch.logsumexp(log_w, dim=0))}

    def _log_weights(self, p: Pass) -> Tensor:
        times = len(p.z) // len(p.x)
        entries = self.likelihood.nll(p.theta, p.x.repeat(times, 1))
        entries = entries if p.mask is None else entries * p.mask.repeat(times, 1)
        stats = {name: t.detach() for name, t in p.stats.items()} if self.doubly else p.stats
        return log_weights(self, (-entries.sum(dim=-1), p.z, stats))


class ImportanceWeighted(Autoencoder):
    """An autoencoder trained on L_k, the importance-weighted bound of k samples (Burda, Grosse & Salakhutdinov 2016).

    A bound on log p(x) that rises with k: it asks less of the posterior than the evidence bound, k = 1, so that codes
    carry more and samples are better. `log_likelihood` estimates log p(x) of the result.

    Parameters
    ----------
    code_size : int
    samples : int
        k, the codes drawn for each row of a batch; a step costs about k times the decoder's share.
    binarise : bool
        Numbers of a row are probabilities in [0, 1], of which bits are drawn each time that a row is trained on; rows
        held out are drawn alike every time. So are the published results on MNIST trained.
    doubly : bool
        Train the encoder by the doubly reparametrised gradient (Tucker 2019).
    **settings
        Those of `Autoencoder`. `code` None is `codes.Gaussian()`; another has to give "density". There is no penalty:
        the bound holds the divergence already.
    """

    saved_as: ClassVar[str] = "ImportanceWeighted"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        **Autoencoder.constraints,
        "penalty": OneOf((None,)),
        "samples": count(),
        "binarise": Flag(),
        "doubly": Flag(),
    }

    @with_settings_of(Autoencoder)
    def __init__(
        self, code_size: int = 8, samples: int = 5, *, binarise: bool = False, doubly: bool = False, **settings: Any
    ) -> None:
        check_names("ImportanceWeighted", settings, signature(Autoencoder).parameters)
        super().__init__(code_size, **settings)
        self.samples = samples
        self.binarise = binarise
        self.doubly = doubly

    def slots(self) -> dict[str, Any]:
        """The parts, and what the bound is made of, which tells this estimator's modules from others."""
        code = codes.Gaussian() if self.code is None else self.code
        bound = {"samples": self.samples, "binarise": self.binarise, "doubly": self.doubly}
        return super().slots() | {"code": code} | bound

    def build_module(self, learned: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Composition:
        """The composition with its first weights.

        Raises
        ------
        SettingError
            Where the code has no density of its own for each row.
        """
        return weighted(super().build_module(learned, seed, dtype, device), self.blueprint_.slots)

    @property
    def unit_interval(self) -> bool:
        """Whether rows have to lie in [0, 1]."""
        return self.binarise or super().unit_interval


def weighted(parts: Composition, slots: Mapping[str, Any]) -> Weighted:
    """A built composition under the bound that `slots` tell of.

    Raises
    ------
    SettingError
        Where its code has no density of its own for each row.
    """
    given = ", ".join(sorted(parts.code.gives)) or "no statistics"
    if "density" not in parts.code.gives or parts.code.company > 1:
        raise SettingError(
            "ImportanceWeighted needs a code that gives 'density', of each row by itself",
            where=f"this code gives {given}",
            hint="use code=codes.Gaussian()",
        )
    bound = Weighted(parts, slots["samples"], slots["binarise"], slots["doubly"])
    return bound.to(next(parts.parameters()))  # its own buffers too
