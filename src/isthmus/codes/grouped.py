"""A code in two parts: a content that the rows of a group share, and a style of each row's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus._constraints import Constraint, count
from isthmus._spec import Spec
from isthmus.codes.base import Code, Coded
from isthmus.codes.gaussian import LOG_2PI, log_normal, split
from isthmus.errors import SettingError


@dataclass
class Grouped(Spec):
    """z = (c, s): the content c is shared by a group's rows, the style s is each row's own (Bouchacourt 2018).

    Every row gives a Gaussian of both, a = (μ, log σ²). A group's content has the product of its rows' Gaussians,
    1/v = Σ 1/vᵢ and m = v Σ mᵢ/vᵢ over those of its rows at hand: in training the rows of the batch, afterwards all
    that are passed with their groups. It is drawn once for all of them, and its divergence from N(0, I) counts once a
    group, so that the loss times N/G is the paper's bound averaged over G groups. A row without a group is a group
    of one, and a code of groups of one is `codes.Gaussian`.

    Parameters
    ----------
    content : int
        How many of the code's numbers are content, the first ones.
    company : int
        How many rows of a group a batch holds together where the group has them.
    """

    content: int = 4
    company: int = 8
    needs_groups: ClassVar[bool] = True
    constraints: ClassVar[Mapping[str, Constraint]] = {"content": count(), "company": count()}

    def build(self, size: int) -> Code:
        if self.content >= size:
            raise SettingError(
                f"codes.Grouped has content={self.content} of {size} numbers",
                where="code",
                expected="content below code_size, so that a style is left",
            )
        return _Grouped(size, self.content, self.company)


class _Grouped(Code):
    gives = frozenset({"gaussian", "density", "divergence"})

    def __init__(self, size: int, content: int, company: int) -> None:
        super().__init__(size, 2 * size)
        self.content, self.company = content, company

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        mean, log_variance = split(a)
        group = torch.arange(len(a), device=a.device) if context is None else numbered(context)
        mean, log_variance = self._pooled(mean, log_variance, group)
        stats = {"mean": mean, "log_variance": log_variance, "share": 1 / _sums(torch.ones_like(mean[:, :1]), group)}
        if rng is None:
            return mean, stats
        noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
        noise = torch.cat([noise[:, : self.content].index_select(0, group), noise[:, self.content :]], dim=1)
        return mean + noise * torch.exp(log_variance / 2), stats

    def _pooled(self, mean: Tensor, log_variance: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance with those of the group in the content's place, (N, K) each."""
        (content, style), (log_v, style_log_v) = self._parts(mean), self._parts(log_variance)
        precision = torch.exp(-log_v)
        total = _sums(precision, group)
        pooled = _sums(precision * content, group) / total
        return torch.cat([pooled, style], dim=1), torch.cat([-torch.log(total), style_log_v], dim=1)

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z[:, : self.content], z[:, self.content :]

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def divergence(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        """In closed form, number by number, (N, K); each of a group's n rows has 1/n of the content's."""
        mean, log_variance = stats["mean"], stats["log_variance"]
        content, style = self._parts(0.5 * (mean.square() + log_variance.exp() - 1 - log_variance))
        return torch.cat([content * stats["share"], style], dim=1)

    def log_posterior(self, z: Tensor, stats: dict[str, Tensor]) -> Tensor:
        return log_normal(z, stats["mean"], stats["log_variance"]).sum(dim=-1)

    def log_prior(self, z: Tensor) -> Tensor:
        return -0.5 * (LOG_2PI + z.square()).sum(dim=-1)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        return torch.randn(n, self.size, generator=rng, device=rng.device)


def numbered(groups: Tensor) -> Tensor:
    """Any whole numbers (N,), as 0, 1, … in their order: equal ones alike, none above N − 1."""
    ordered, places = torch.sort(groups, stable=True)
    changes = (ordered[1:] != ordered[:-1]).to(places.dtype)
    ranks = torch.cat([torch.zeros_like(places[:1]), changes.cumsum(0)])
    return torch.zeros_like(places).scatter(0, places, ranks)


def _sums(rows: Tensor, group: Tensor) -> Tensor:
    """For each row (N, J) the sum over its group, group (N,) within 0 … N − 1."""
    return torch.zeros_like(rows).index_add(0, group, rows).index_select(0, group)
