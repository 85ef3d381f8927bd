"""Independence of the code's numbers: its total correlation, or the covariance of its aggregate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from isthmus._constraints import Constraint, count, non_negative
from isthmus.passes import Pass
from isthmus.penalties.base import Parts, Penalty, Term


@dataclass
class TotalCorrelation(Penalty):
    """λ KL(q(z) ‖ Πₖ q(zₖ)), q(z) the aggregate of the rows' posteriors; beside Divergence(1) it is β-TC, λ = β − 1.

    Each row's log q(z) − Σₖ log q(zₖ) is estimated at the z drawn for it, with the posteriors of a block of rows of
    the batch, its own among them, standing for all rows' (minibatch weighting, Chen 2018, eq. 5): no more than
    (references / N) of the pairs of a batch are looked at. Blocks are `references` rows that follow each other, the
    last rows belonging to the last whole block; a batch of fewer rows is one block. The estimate lies below the true
    value where that is much beyond log(references), and above it where the code is independent, as a row is always
    nearest to itself; the paper's value is larger by (K − 1)·log(rows in training), which no gradient sees.

    Parameters
    ----------
    strength : float
        λ.
    references : int
        Rows whose posteriors each row is held against.
    warm_up : int
        Epochs over which λ grows from 0 to its value. Held-out rows hear the whole one.
    """

    strength: float = 5.0
    references: int = 128
    warm_up: int = 0
    needs: ClassVar[str | None] = "gaussian"
    cure: ClassVar[str] = "codes.Gaussian()"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "strength": non_negative(),
        "references": count(2),
        "warm_up": count(0),
    }

    def build(self, parts: Parts) -> Term:
        return _TotalCorrelation(self.strength, self.references, self.warm_up)


class _TotalCorrelation:
    def __init__(self, strength: float, references: int, warm_up: int) -> None:
        self.strength, self.references, self.settles = strength, references, warm_up

    def __call__(self, p: Pass) -> Tensor:
        size = min(self.references, len(p.z))
        whole = len(p.z) // size * size
        with torch.autocast(p.z.device.type, enabled=False):  # (z − μ) / σ needs every digit
            blocks = [_block(p, slice(start, start + size), 0) for start in range(0, whole, size)]
            if rest := len(p.z) - whole:
                blocks.append(_block(p, slice(len(p.z) - size, len(p.z)), size - rest))
            return self.strength * p.ramp(self.settles) * torch.cat(blocks)


def _block(p: Pass, rows: slice, first: int) -> Tensor:
    """log q(z) − Σₖ log q(zₖ) of the rows of a block from its `first` on, q the mean of its M rows' posteriors.

    With u = (z − μ) / σ for every pair of rows, log N(z; μ, σ²) is −log σ − ½u² up to a constant that cancels. A row's
    own u keeps each sum over rows far from 0, and σ has its bounds, so that no maximum need be taken out of it.
    """
    z, mean, log_variance = (_fine(t[rows]) for t in (p.z, p.stats["mean"], p.stats["log_variance"]))
    share = _log_shares(z, p.weight if p.weight is None else p.weight[rows])  # (M,)
    precision = torch.exp(-0.5 * log_variance)  # 1 / σ, (M, K)
    drawn = torch.stack([z[first:], torch.ones_like(z[first:])], dim=-1).transpose(0, 1)  # (K, n, 2)
    held = torch.stack([precision, -mean * precision], dim=0).permute(2, 0, 1)  # (K, 2, M)
    heights = (share[:, None] - 0.5 * log_variance).T[:, None]  # (K, 1, M)
    pairs = heights - 0.5 * torch.bmm(drawn, held).square()  # (K, n, M)
    marginals = pairs.exp().sum(dim=-1).log().sum(dim=0)
    joint = torch.logsumexp(pairs.sum(dim=0) - (len(pairs) - 1) * share, dim=-1)
    return joint - marginals


def _fine(t: Tensor) -> Tensor:
    """In float32 where it is coarser."""
    return t.float() if t.element_size() < 4 else t


def _log_shares(z: Tensor, weight: Tensor | None) -> Tensor:
    """log of the share that each row has of the aggregate, (M,); that of a row that counts nothing is very small."""
    if weight is None:
        return torch.full_like(z[:, 0], -math.log(len(z)))
    floor = math.sqrt(torch.finfo(z.dtype).tiny)
    return torch.log((weight / weight.sum().clamp_min(floor)).clamp_min(floor))


@dataclass
class DIP(Penalty):
    """λ Σ_{i≠j} C²ᵢⱼ + λ_d Σᵢ (Cᵢᵢ − 1)², the code's covariance C over the batch drawn to the identity (Kumar 2018).

    Kind I takes the covariance of the posteriors' means, kind II that of the code itself, which adds their mean
    variances on the diagonal.

    Parameters
    ----------
    kind : {1, 2}
        DIP-VAE-I or DIP-VAE-II.
    strength : float
        λ, of the entries off the diagonal.
    diagonal : float
        λ_d; the paper has 10 λ for kind I and λ for kind II.
    warm_up : int
        Epochs over which both grow from 0 to their values. Held-out rows hear the whole ones.
    """

    kind: int = 2
    strength: float = 10.0
    diagonal: float = 10.0
    warm_up: int = 0
    needs: ClassVar[str | None] = "gaussian"
    cure: ClassVar[str] = "codes.Gaussian()"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "kind": count(1, 2),
        "strength": non_negative(),
        "diagonal": non_negative(),
        "warm_up": count(0),
    }

    def build(self, parts: Parts) -> Term:
        return _DIP(self.kind == 2, self.strength, self.diagonal, self.warm_up)


class _DIP:
    def __init__(self, whole: bool, strength: float, diagonal: float, warm_up: int) -> None:
        self.whole, self.strength, self.diagonal, self.settles = whole, strength, diagonal, warm_up

    def __call__(self, p: Pass) -> Tensor:
        mean = p.stats["mean"]
        centred = mean - p.mean(mean)
        weighted = centred if p.weight is None else centred * p.weight[:, None]
        covariance = weighted.T @ centred / len(mean)  # (K, K)
        variances = covariance.diagonal()
        across = covariance.square().sum() - variances.square().sum()
        if self.whole:
            variances = variances + p.mean(p.stats["log_variance"].exp())
        along = (variances - 1).square().sum()
        return p.ramp(self.settles) * (self.strength * across + self.diagonal * along)
