"""Networks as users write them: what the recorder and populations must hold, or leave alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

IMAGE = {"input_shape": (1, 4, 4)}


class Filters(nn.Module):
    """(1, 4, 4) images, by default without anything that normalises."""

    def __init__(self, inputs, outputs, norm=nn.Identity, pooled=False):
        super().__init__()
        self.one = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = norm()
        self.two = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.pooled = pooled
        self.out = nn.Linear(4 if pooled else 16, outputs)

    def forward(self, x):
        h = self.two(F.relu(self.norm(self.one(x)), inplace=True))
        return self.out(h.mean((2, 3)) if self.pooled else h.flatten(1))


class Upwards(nn.Module):
    """A decoder of (1, 4, 4) images."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, 16)
        self.up = nn.ConvTranspose2d(4, 1, 2, stride=2)

    def forward(self, z):
        return self.up(self.first(z).view(-1, 4, 2, 2)).flatten(1)


class MaxPooled(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.filters = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Linear(16, outputs)

    def forward(self, x):
        return self.out(F.max_pool2d(F.gelu(self.filters(x)), 2).flatten(1))


class Recurrent(nn.Module):
    def __init__(self, inputs, outputs, kind=nn.GRU):
        super().__init__()
        self.cells = kind(4, 5, batch_first=True)
        self.out = nn.Linear(5, outputs)

    def forward(self, x):
        return self.out(self.cells(x.view(len(x), 4, 4))[0][:, -1])


class Attending(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.out = nn.Linear(16, outputs)

    def forward(self, x):
        tokens = x.view(len(x), 4, 4)
        return self.out((tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]).flatten(1))


class Twice(nn.Module):
    """One layer under two names, and frozen and idle ones beside it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.one = nn.Linear(inputs, inputs)
        self.two = self.one
        self.frozen = nn.Linear(inputs, 8).requires_grad_(False)
        self.idle = nn.Linear(3, 3)
        self.out = nn.Linear(8, outputs)

    def forward(self, x):
        return self.out(torch.tanh(self.frozen(self.two(torch.tanh(self.one(x))))))


class Looked(nn.Module):
    """Rows as words of a dictionary."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.out = nn.Linear(4 * inputs, outputs)

    def forward(self, x):
        return self.out(self.words((x.abs() * 2).long().clamp(0, 9)).flatten(1))


class Between(nn.Module):
    """Two layers, and whatever a subclass does between them."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, 8)
        self.middle = nn.Linear(8, 8)
        self.out = nn.Linear(8, outputs)
        self.register_buffer("kept", torch.zeros(8))
        self.count = 0

    def forward(self, x):
        return self.out(self.between(torch.tanh(self.first(x))))

    def between(self, h):
        return h


def between(function):
    """A `Between` that does this: its class, as a slot takes it."""
    return type("Own", (Between,), {"between": function})


def layers(*middle):
    return lambda inputs, outputs: nn.Sequential(
        nn.Linear(inputs, 8), *(make() for make in middle), nn.Linear(8, outputs)
    )


def parametrised(how):
    return lambda inputs, outputs: nn.Sequential(how(nn.Linear(inputs, 8)), nn.Tanh(), nn.Linear(8, outputs))


def bends():
    every = (nn.PReLU, nn.Mish, nn.Hardswish, nn.SELU, nn.Softplus, nn.LogSigmoid, nn.Hardtanh, nn.LeakyReLU, nn.GELU)
    return layers(*(make for bend in every for make in (bend, lambda: nn.Linear(8, 8))))


def running_mean(self, h):
    """As batch normalisation keeps one: in place."""
    if self.training:
        self.kept.mul_(0.9).add_(h.detach().mean(0), alpha=0.1)
    return h - self.kept


# name -> (settings, whether its step is recorded)
RECORDED = {
    "layer norm": {"encoder": layers(lambda: nn.LayerNorm(8), nn.GELU)},
    "layer norm first": {"encoder": lambda i, o: nn.Sequential(nn.LayerNorm(i), nn.Linear(i, o))},
    "batch norm": {"encoder": layers(lambda: nn.BatchNorm1d(8), nn.Tanh)},
    "batch norm, no scale": {"encoder": layers(lambda: nn.BatchNorm1d(8, affine=False), nn.Tanh)},
    "batch norm, no history": {"encoder": layers(lambda: nn.BatchNorm1d(8, track_running_stats=False), nn.Tanh)},
    "in place": {
        "encoder": layers(lambda: nn.ReLU(inplace=True), lambda: nn.Linear(8, 8), lambda: nn.ELU(inplace=True))
    },
    "bends": {"encoder": bends()},
    "dropout": {"encoder": layers(nn.Tanh, lambda: nn.Dropout(0.3))},
    "batch norm and dropout": {"encoder": layers(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.3))},
    "convolution": IMAGE | {"encoder": Filters},
    "convolution and back": IMAGE | {"encoder": Filters, "decoder": Upwards},
    "convolution, normalised": IMAGE | {"encoder": lambda i, o: Filters(i, o, lambda: nn.BatchNorm2d(4))},
    "convolution, group norm": IMAGE | {"encoder": lambda i, o: Filters(i, o, lambda: nn.GroupNorm(2, 4))},
    "convolution, pooled": IMAGE | {"encoder": lambda i, o: Filters(i, o, pooled=True)},
    "largest of neighbours": IMAGE | {"encoder": MaxPooled},
    "attention": {"encoder": Attending},
    "weight norm": {"encoder": parametrised(parametrizations.weight_norm)},
    "shared, frozen, idle": {"encoder": Twice},
    "dictionary": {"encoder": Looked},
    "running mean": {"encoder": between(running_mean)},
    "whitened": {"encoder": between(lambda self, h: (h - h.mean(0)) / (h.std(0) + 1e-3))},
    "low rank": {
        "encoder": between(lambda self, h: F.linear(h, self.middle.weight + 2 * self.out.weight.T @ self.out.weight))
    },
    "more bias": {"encoder": between(lambda self, h: self.middle(h) + self.first.bias)},
    "hook": {
        "encoder": between(lambda self, h: (h.requires_grad and h.register_hook(lambda g: g.clamp(-0.1, 0.1)), h)[1])
    },
    "rounded": {"encoder": between(lambda self, h: h + (h.round() - h).detach())},
    "truth as numbers": {
        "encoder": between(lambda self, h: h * ((h > 0) * torch.ones((), dtype=h.dtype)).square().sum())
    },
    "noise": {"encoder": between(lambda self, h: h + torch.rand_like(h) if self.training else h)},
}
# these may be recorded one day; until then they run as they stand
EITHER = {
    "gru": {"encoder": Recurrent},
    "lstm": {"encoder": lambda i, o: Recurrent(i, o, nn.LSTM)},
    "spectral norm": {"encoder": parametrised(parametrizations.spectral_norm)},
    "orthogonal": {"encoder": parametrised(parametrizations.orthogonal)},
    "sparse": {"encoder": between(lambda self, h: torch.sparse.mm(torch.eye(8).to(h).to_sparse(), h.T).T)},
    "spectrum": {"encoder": between(lambda self, h: torch.fft.rfft(h).abs().repeat(1, 2)[:, :8])},
    "running mean of all": {"encoder": layers(lambda: nn.BatchNorm1d(8, momentum=None), nn.Tanh)},
}
