"""The law of composition: (x̃, m) = corrupt(x), (z, s) = code(f(x̃), c), θ = g(z, c), loss = −log p + Σ λΩ."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import cast

import torch
from torch import Generator, Tensor, nn

from isthmus import jacobians
from isthmus.codes import Code
from isthmus.corruptions import Corruption
from isthmus.likelihoods import Likelihood
from isthmus.nn import trail
from isthmus.passes import Pass
from isthmus.penalties import Term


class Composition(nn.Module):
    """One choice for each slot of the equation; it knows the slots and nothing of what fills them.

    Rows are in scaled units, (N, D). With a generator, rows are corrupted and codes sampled; without one everything
    is deterministic.
    """

    def __init__(
        self,
        corruption: Corruption,
        encoder: nn.Module,
        code: Code,
        decoder: nn.Module,
        likelihood: Likelihood,
        penalties: Mapping[str, Term],
    ) -> None:
        super().__init__()
        self.corruption = corruption
        self.encoder = encoder
        self.code = code
        self.decoder = decoder
        self.likelihood = likelihood
        self.penalties = dict(penalties)
        self.register_buffer("epoch", torch.zeros(()), persistent=False)  # set by the loop, for what grows as it trains

    epoch: Tensor

    @property
    def settles(self) -> int:
        """Epochs after which the loss means the same in every one: warm-ups are over, and nothing begins anew."""
        return max([self.code.restarts, *(getattr(term, "settles", 0) for term in self.penalties.values())])

    @property
    def restarts(self) -> int:
        """The epoch whose beginning means more than its number; 0: none."""
        return self.code.restarts

    def begin_epoch(self, epoch: int, x: Tensor) -> None:
        """Hear which epoch of training begins, and of rows to train on, (N, D)."""
        self.epoch.fill_(epoch)
        if 0 < epoch == self.restarts:
            training = self.training
            self.eval()
            with torch.no_grad():
                self.code.restart(self.encoder(x))
            self.train(training)

    def forward(
        self, x: Tensor, context: Tensor | None = None, rng: Generator | None = None, weight: Tensor | None = None
    ) -> Pass:
        x_tilde, mask = (x, None) if rng is None else self.corruption(x, rng)
        if torch.is_grad_enabled() and any(getattr(term, "differentiates", False) for term in self.penalties.values()):
            x_tilde = x_tilde.view_as(x_tilde).requires_grad_()  # a view: the caller's rows stay as they are
        way = trail(self.encoder, x_tilde)
        z, stats = self.code(way[-1], context, rng)
        epoch = self.epoch if self.training and rng is not None else None
        return Pass(x, x_tilde, mask, z, stats, self.decoder(z, context), weight, rng, way, epoch)

    def objective(self, p: Pass) -> dict[str, Tensor]:
        """The loss as named terms, each a mean over rows of sums over a row's numbers; their sum is minimised."""
        terms = {"reconstruction": p.mean(self.surprise(p))}
        for name, penalty in self.penalties.items():
            value = penalty(p)
            terms[name] = p.mean(value) if value.ndim else value
        return terms

    def surprise(self, p: Pass) -> Tensor:
        """−log p(x | θ, m) of each row, (N,)."""
        entries = self.likelihood.nll(p.theta, p.x)
        return (entries if p.mask is None else entries * p.mask).sum(dim=-1)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The deterministic code, (N, K)."""
        return self.code(self.encoder(x), context)[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The mean of p given the code, (N, D)."""
        return self.likelihood.mean(self.decoder(z, context))

    def decoding_as(self, group: int) -> Composition:
        """The same composition, its decoder bound to one group; the parts are shared with it."""
        twin = copy.copy(self)
        twin._modules = {**self._modules, "decoder": _Bound(self.decoder, group)}
        return twin

    def jacobian(self, x: Tensor) -> Tensor:
        """∂z/∂x of the deterministic code at each row, (N, K, D)."""
        return jacobians.jacobian(self.encoder, self.code, x)


class _Bound(nn.Module):
    """A decoder that takes every row for one of the same group."""

    def __init__(self, decoder: nn.Module, group: int) -> None:
        super().__init__()
        self.decoder, self.group = decoder, group

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return cast("Tensor", self.decoder(z, torch.full((len(z),), self.group, device=z.device)))
