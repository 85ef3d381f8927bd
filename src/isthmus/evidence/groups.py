"""What groups of rows share in a multi-level code: contents and divergences against the densities' own formulas.

All rows of a group have one content, the product of the Gaussians that each gives, and a style each (Bouchacourt 2018).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.estimators import Autoencoder
from isthmus.inference import batched

Array = NDArray[np.floating]
Groups = NDArray[np.integer]


def content_size(ae: Autoencoder) -> int:
    """How many numbers of the code a group shares; they come first."""
    return int(ae.code.content)


def parties(labels: Groups, rows: int) -> Groups:
    """A group's number for each row, (N,): rows of a label make a group by so many, what is left over a smaller one."""
    groups = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        groups[own] = label * len(labels) + np.arange(len(own)) // rows
    return groups


def posteriors(ae: Autoencoder, X: Array) -> tuple[Array, Array]:
    """Means and variances that single rows give of content and style, (N, K) each, as the encoder emits them."""
    emitted = batched(ae.module_, ae.module_.encoder, ae.scale(X).astype(np.float64))
    mean, log_variance = np.split(emitted, 2, axis=1)
    return mean, np.exp(log_variance)


def product(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Mean and variance, (K,), of the product of Gaussians, (n, K) each."""
    total = 1 / np.sum(1 / variance, axis=0)
    return total * np.sum(mean / variance, axis=0), total


def product_difference(ae: Autoencoder, X: Array, labels: Groups, rows: int = 7) -> float:
    """Of a pooled content from the product of its rows' Gaussians: the largest, relative to the largest content.

    Rows X, (N, D), of a label pool what they say by so many `rows`.
    """
    size, groups = content_size(ae), parties(labels, rows)
    mean, variance = (part[:, :size] for part in posteriors(ae, X))
    found = ae.transform(X, groups=groups)[:, :size]
    wanted = np.empty_like(mean)
    for group in np.unique(groups):
        own = groups == group
        wanted[own] = product(mean[own], variance[own])[0]
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def divergence_difference(ae: Autoencoder, X: Array, labels: Groups, rows: int = 7) -> float:
    """Of N/G times the loss's divergence on G groups of N rows X from the mean over groups of their own, relative."""
    size, groups = content_size(ae), parties(labels, rows)
    mean, variance = posteriors(ae, X)
    wanted = []
    for group in np.unique(groups):
        own = groups == group
        content = product(mean[own, :size], variance[own, :size])
        wanted.append(divergence(*content) + divergence(mean[own, size:], variance[own, size:]))
    like = next(ae.module_.parameters())
    x, context = torch.as_tensor(ae.scale(X)).to(like), torch.as_tensor(groups, device=like.device)
    with torch.no_grad():
        loss = float(ae.module_.objective(ae.module_(x, context))["divergence"]) / float(ae.penalty.strength)
    return abs(loss * len(groups) / len(wanted) / float(np.mean(wanted)) - 1)


def divergence(mean: Array, variance: Array) -> float:
    """Σ KL(N(mean, variance) ‖ N(0, 1)) in nats."""
    return float(0.5 * np.sum(np.square(mean) + variance - 1 - np.log(variance)))
