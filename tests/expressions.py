"""Random small computations as lists of numbers, which hypothesis can draw and make smaller."""

from __future__ import annotations

import torch
import torch.nn.functional as F

D = torch.float64
SCALARS = (2.0, -0.5, 1.0, 0.0, 3, 1e-3)
# Shapes that meet in many ways. Those of the second row make products narrow, long, and so large that they are looped.
SMALL = ((4, 6), (4, 6), (6, 3), (6,), (4, 1), (), (2, 4, 6), (2, 6, 3), (4, 4))
LARGE = ((128, 64), (64, 8), (128, 8), (8,), (32, 64, 32), (32, 32, 32), (32,), (64, 32), (128, 1))


def scalar(k):
    return SCALARS[k % len(SCALARS)]


def meet(a, b):
    """Whether shapes can be broadcast together."""
    return all(m == n or 1 in (m, n) for m, n in zip(a.shape[::-1], b.shape[::-1], strict=False))


def broadcast(f):
    return lambda a, b, k: f(a, b, k) if meet(a, b) else None


def product(a, b, k):
    if a.ndim == b.ndim == 1:
        return torch.dot(a, b) if a.shape == b.shape else None
    if b.ndim == 1:
        return a @ b if a.ndim == 2 and a.shape[1] == len(b) else None
    if a.ndim < 2 or b.ndim < 2:
        return None
    for x, y in ((a, b), (a, b.mT), (a.mT, b), (a.mT, b.mT)):
        if x.shape[-1] == y.shape[-2] and (2 in (x.ndim, y.ndim) or x.shape[:-2] == y.shape[:-2]):
            return scalar(k) * (x @ y) if k % 2 else x @ y
    return None


def linear(a, b, k):
    if b.ndim != 2 or a.ndim < 1 or a.shape[-1] != b.shape[1]:
        return None
    return F.linear(a, b, torch.linspace(-1, 1, len(b), dtype=D) if k % 2 else None)


def chosen(a, b, k):
    if not meet(a, b):
        return None
    zero = torch.zeros_like(a)
    return (
        torch.where(a > 0, b, 0.0),
        torch.where(a > 0, a, b),
        torch.where(b > 0, zero, a),
        a.masked_fill(a > 0, 0.5),
    )[k % 4]


def joined(a, b, k):
    if a.ndim == 0 or a.shape != b.shape:
        return None
    ways = (
        lambda: torch.cat([a, b]),
        lambda: torch.stack([a, b]),
        lambda: torch.cat([a, 2 * b], -1),
        lambda: torch.stack([2 * a, 2 * b], -1),
        lambda: torch.cat([a * 3, b * 3, a * 3]),
    )
    return ways[k % 5]()


def part(a, b, k):
    if a.ndim == 0 or len(a) < 2:
        return None
    half = len(a) // 2
    ways = (
        lambda: a.split(half)[0],
        lambda: a.chunk(2, 0)[-1],
        lambda: a[half],
        lambda: a[1:],
        lambda: a.unbind(0)[0],
        lambda: a.index_select(0, torch.tensor([0, 1, 1])),
        lambda: a[..., :1],
    )
    return ways[k % 7]()


def turned(a, b, k):
    if a.ndim < 2:
        return a.unsqueeze(k % (a.ndim + 1))
    ways = (
        lambda: a.mT,
        lambda: a.transpose(0, -1),
        lambda: a.reshape(-1),
        a.mT.contiguous,
        a.flatten,
        lambda: a.permute(*range(a.ndim)[::-1]),
        lambda: a.unsqueeze(0).squeeze(0),
        lambda: a.mT.reshape(a.shape),
    )
    return ways[k % 8]()


def reduced(a, b, k):
    ways = (
        a.sum,
        a.mean,
        lambda: a.square().sum(),
        a.norm,
        lambda: a.sum(tuple(range(a.ndim))),
    )
    more = (
        lambda: a.sum(-1),
        lambda: a.mean(0, keepdim=True),
        lambda: a.sum(0).sum(),
        lambda: a.amax(-1),
        lambda: a.logsumexp(0),
        lambda: a.var(0, unbiased=False),
        lambda: F.softmax(a, -1),
        lambda: a.cumsum(-1),
    )
    ways += more if a.ndim else ()
    return ways[k % len(ways)]()


BENT = (
    torch.tanh,
    torch.sigmoid,
    F.relu,
    F.silu,
    F.softplus,
    F.elu,
    F.gelu,
    torch.abs,
    F.leaky_relu,
    F.logsigmoid,
    F.hardtanh,
    torch.sign,
    lambda a: a.clamp(-0.5, 0.5),
    lambda a: (a.square() + 1).sqrt(),
    lambda a: torch.log1p(a.square()),
    lambda a: a.tanh().exp(),
    lambda a: a**3,
    lambda a: a**1,
)


def bent(a, b, k):
    return BENT[k % len(BENT)](a)


def filled(a, b, k):
    one = torch.ones((), dtype=D)
    ways = (
        lambda: torch.ones_like(a) * 2,
        lambda: torch.zeros_like(a) + 1,
        lambda: torch.full_like(a, 0.5) - a,
        lambda: a.new_zeros(3) + 1,
        lambda: (a > 0).to(D),
        lambda: (a > 0) * one,
        lambda: (a * 4).long() * one,
        lambda: a * torch.ones(a.shape, dtype=D),
        a.clone,
        lambda: a.detach() * 2,
        lambda: a.clone().mul_(2).add_(1),
        (a * 1).relu_,
        lambda: a.expand(2, *a.shape),
        lambda: a.expand(2, *a.shape) * 2,
    )
    return ways[k % len(ways)]()


def scaled(a, b, k):
    ways = (
        lambda: a * scalar(k // 7),
        lambda: a + scalar(k // 7),
        lambda: scalar(k // 7) - a,
        lambda: a / 3,
        lambda: -a,
        lambda: a - 1,
        lambda: 2 / (a.square() + 1),
        a.square,
        lambda: a * a,
    )
    return ways[k % len(ways)]()


OPERATIONS = (
    broadcast(lambda a, b, k: a + b),
    broadcast(lambda a, b, k: a - b),
    broadcast(lambda a, b, k: a * b),
    broadcast(lambda a, b, k: a / (b.square() + 1)),
    broadcast(lambda a, b, k: torch.add(a, b, alpha=scalar(k))),
    broadcast(lambda a, b, k: a * scalar(k) + b * scalar(k + 1)),
    scaled,
    scaled,
    product,
    product,
    linear,
    chosen,
    joined,
    part,
    turned,
    reduced,
    bent,
    filled,
)


def grown(inputs, graph):
    """The inputs, then what each step (operation, two places, a choice) makes of two values before it."""
    pool = list(inputs)
    for operation, i, j, k in graph:
        out = OPERATIONS[operation % len(OPERATIONS)](pool[i % len(pool)], pool[j % len(pool)], k)
        if out is not None and 0 < out.numel() <= 1 << 17:
            pool.append(out)
    return pool


def answers(inputs, graph, picks, differentiate):
    """Some of the last values, some of them scaled; then gradients with respect to the inputs."""
    pool = grown(inputs, graph)
    picked = [pool[-1 - pick % len(pool)] * (1, 2.0, -1.0)[pick % 3] for pick in picks]
    smooth = [one for one in picked if one.requires_grad]
    if not differentiate or not smooth:
        return [one.detach() for one in picked]
    loss = sum(torch.tanh(one / 10).mean() for one in smooth)
    return [*(one.detach() for one in picked), *torch.autograd.grad(loss, inputs, allow_unused=True)]
