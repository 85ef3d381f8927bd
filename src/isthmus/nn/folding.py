"""Perceptrons whose weights are set by hand, so that they bend a line as often as their layers can."""

from __future__ import annotations

import torch

from isthmus.nn.classic import Network, mlp


def folding(depth: int, activation: str = "relu") -> Network:
    """x on [0, 1] folded so often: each layer reads y and y − ½ of the fold y = 2 relu(y′) − 4 relu(y′ − ½) before."""
    net = mlp((1,), 1, (2,) * depth, activation)
    fold = torch.tensor([2.0, -4.0])
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.tensor([0.0, -0.5])[: len(p)] if p.ndim == 1 else fold[: p.shape[1]].expand_as(p))
        next(net.parameters()).fill_(1.0)
    return net


def zigzag(n: int) -> Network:
    """One layer of n ReLUs that bend at even distances: n + 1 pieces on [0, 1], level and rising in turn."""
    net = mlp((1,), 1, (n,), "relu")
    first, bends, last, _ = net.parameters()
    with torch.no_grad():
        first.fill_(1.0)
        bends.copy_(-torch.arange(1, n + 1) / (n + 1))
        last.copy_(torch.tensor([[4.0 * (-1) ** i for i in range(n)]]))
    return net
