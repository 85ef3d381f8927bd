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
    references: int = 64
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
            rows = [_dependence(p, slice(0, whole), size, 0)]
            if rest := len(p.z) - whole:
                rows.append(_dependence(p, slice(len(p.z) - size, len(p.z)), size, size - rest))
            return self.strength * p.ramp(self.settles) * torch.cat(rows)


def _dependence(p: Pass, rows: slice, size: int, first: int) -> Tensor:
    """log q(z) − Σₖ log q(zₖ) of the rows of blocks of M from the `first` on, q the mean of a block's posteriors.

    With u = (z − μ) / σ for every pair of rows, log N(z; μ, σ²) is −log σ − ½u² up to a constant that cancels. A row's
    own u keeps each sum over rows far from 0, and σ has its bounds, so that no maximum need be taken out of it.
    """
    codes = (p.z, p.stats["mean"], p.stats["log_variance"])
    z, mean, log_variance = (_fine(t[rows]).reshape(-1, size, t.shape[1]) for t in codes)  # (B, M, K)
    share = _log_shares(z, None if p.weight is None else p.weight[rows].reshape(-1, size))  # (B, M)
    precision = torch.exp(-0.5 * log_variance)  # 1 / σ
    drawn = torch.stack([z[:, first:], torch.ones_like(z[:, first:])], dim=-1).transpose(1, 2)  # (B, K, n, 2)
    held = torch.stack([precision, -mean * precision], dim=1).permute(0, 3, 1, 2)  # (B, K, 2, M)
    heights = (share[:, :, None] - 0.5 * log_variance).transpose(1, 2)[:, :, None]  # (B, K, 1, M)
    pairs = heights - 0.5 * (drawn @ held).square()  # (B, K, n, M)
    marginals = pairs.exp().sum(dim=-1).log().sum(dim=1)
    joint = torch.logsumexp(pairs.sum(dim=1) - (z.shape[2] - 1) * share[:, None], dim=-1)
    return (joint - marginals).reshape(-1)


def _fine(t: Tensor) -> Tensor:
    """In float32 where it is coarser."""
    return t.float() if t.element_size() < 4 else t


def _log_shares(z: Tensor, weight: Tensor | None) -> Tensor:
    """log of the share that each row has of its block, (B, M); that of a row that counts nothing is very small."""
    if weight is None:
        return torch.full_like(z[:, :, 0], -math.log(z.shape[1]))
    floor = math.sqrt(torch.finfo(z.dtype).tiny)
    return torch.log((weight / weight.sum(dim=1, keepdim=True).clamp_min(floor)).clamp_min(floor))


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
