"""Tangent propagation: a classifier that is punished for changing along the tangents of a row (Simard 1992)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, count, non_negative, optional
from isthmus._spec import Spec
from isthmus.classification import Answer, Classification, OnMaps
from isthmus.corruptions import Corruption


@dataclass
class Propagation(Spec):
    """β Σ_u ‖∂p/∂x · u‖² over a row's tangents u, p the classes' probabilities (Simard, Victorri, LeCun & Denker 1992).

    Of logits it would be a penalty on their size too, and so on being sure. With the tangents of a trained encoder it
    makes a manifold tangent classifier (Rifai, Dauphin, Vincent, Bengio & Muller 2011). It is exact; with `probes` it
    is estimated, without bias, from so many sums of the tangents with random signs, which costs 1 + `probes` passes in
    place of 1 + r.

    Parameters
    ----------
    strength : float
        β, for tangents in input units.
    probes : int, optional
    """

    strength: float = 0.1
    probes: int | None = None
    constraints: ClassVar[Mapping[str, Constraint]] = {"strength": non_negative(), "probes": optional(count())}

    def build(self, augmentation: Corruption, network: OnMaps, smoothing: float) -> Classification:
        return _Propagating(augmentation, network, smoothing, self)


@dataclass
class _Moved(Answer):
    """`change`: ∂logits/∂x · u for the tangents, or for sums of them, (N, R, classes)."""

    change: Tensor


class _Propagating(Classification):
    """Rows are moved along their tangents where they are after augmentation."""

    def __init__(self, augmentation: Corruption, network: OnMaps, smoothing: float, asked: Propagation) -> None:
        super().__init__(augmentation, network, smoothing)
        self.strength, self.probes = asked.strength, asked.probes

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        rng: Generator | None = None,
        weight: Tensor | None = None,
        tangents: Tensor | None = None,
    ) -> Answer:
        if tangents is None:
            return super().forward(x, context, rng, weight)
        if rng is not None and self.training:
            x = self.augmentation(x, rng)[0]
        answer, change = self.network.along(x, self._directions(tangents, rng))
        logits, *auxiliary = answer if isinstance(answer, tuple) else (answer,)
        return _Moved(logits, tuple(auxiliary), context, weight, change)

    def _directions(self, tangents: Tensor, rng: Generator | None) -> Tensor:
        """The tangents, (N, r, D), or sums of them whose squares have their mean, (N, probes, D)."""
        if self.probes is None or rng is None:
            return tangents
        n, r, _ = tangents.shape
        size = (n, self.probes, r)
        odds = torch.rand(size, generator=rng, dtype=tangents.dtype, device=tangents.device)
        signs = 2 * (odds < 0.5).to(tangents.dtype) - 1
        return signs @ tangents / self.probes**0.5

    def objective(self, a: Answer) -> dict[str, Tensor]:
        terms = super().objective(a)
        if isinstance(a, _Moved):
            p = torch.softmax(a.logits, dim=-1)[:, None]
            rows = (p * (a.change - (p * a.change).sum(dim=-1, keepdim=True))).square().sum(dim=(1, 2))
            terms["propagation"] = self.strength * (rows if a.weight is None else rows * a.weight).mean()
        return terms
