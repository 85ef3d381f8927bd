"""The members that the properties are tested on: every kind, every specification, and rows with structure."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from isthmus import codes, corruptions, decoders, encoders, likelihoods, networks, penalties, priors, zoo

# kind -> arguments that keep it small
SMALL = {
    "linear": {"code_size": 2},
    "undercomplete": {"code_size": 2, "hidden": (8,)},
    "convolutional": {"code_size": 2, "channels": (3,)},
    "denoising": {"code_size": 2, "hidden": (8,)},
    "contractive": {"code_size": 3, "hidden": (8,)},
    "sparse": {"code_size": 6},
    "topk": {"code_size": 6, "k": 2},
    "variational": {"code_size": 2, "hidden": (8,)},
    "mixture": {"code_size": 2, "components": 3, "hidden": (8,)},
    "vq": {"code_size": 4, "entries": 8, "vector": 2, "hidden": (8,)},
}
KINDS = sorted(SMALL)

# A specification of each class, none with its defaults
SPECS = [
    encoders.Linear(),
    encoders.MLP((5, 4), "tanh", "orthogonal"),
    encoders.Convolutional((3, 5), 4, "pooled", 1, True, (6,), activation="tanh", initialisation="lecun"),
    encoders.Network(networks.MLP((5, 4)), "hidden1"),
    encoders.Residual((5, 4), "tanh"),
    decoders.Residual((4, 5), "tanh"),
    decoders.Linear(),
    decoders.MLP((4, 5), "silu", "he"),
    decoders.Convolutional((5, 3), 2, "resize", 1, True, (6,), activation="relu", initialisation="xavier"),
    decoders.Tied(),
    codes.Plain(),
    codes.Activation("tanh"),
    codes.TopK(3),
    codes.Grouped(2, 3),
    decoders.PerGroup(decoders.MLP((4,))),
    decoders.Conditional(decoders.Linear()),
    codes.Gaussian(priors.Standard()),
    codes.Gaussian(priors.Mixture(3, 0.5, 1e-2, 2)),
    codes.Gaussian(priors.Vamp(7)),
    codes.FullGaussian(),
    codes.VonMisesFisher(),
    codes.VectorQuantised(5, 2, 0.9, 0.1),
    codes.FiniteScalar((3, 4)),
    codes.Rounded(0.5, 0.6, 2),
    corruptions.Nothing(),
    corruptions.Gaussian(0.7),
    corruptions.Masking(0.2, "hidden"),
    corruptions.SaltAndPepper(0.4),
    corruptions.Shift(1.5, False, "low"),
    corruptions.Rotation(40.0, "low"),
    corruptions.Elastic(9.0, 1.5, "low"),
    corruptions.Distortion(0.7, 20.0, 0.2, 0.3, 8.0, 2.0, "low"),
    corruptions.Chain(one=corruptions.Rotation(30.0), two=corruptions.Masking(0.2, "hidden")),
    likelihoods.Gaussian(0.5),
    likelihoods.GaussianVariance("column", 0.01),
    likelihoods.Bernoulli(True),
    likelihoods.DiscretisedLogistic(9),
    likelihoods.SigmoidGaussian(0.4),
    likelihoods.Laplace(2.0),
    likelihoods.StudentT(3.0, 0.7),
    likelihoods.Categorical(4),
    likelihoods.Poisson(None),
    likelihoods.NegativeBinomial("entry", None),
    likelihoods.Mixed(
        kind=likelihoods.Columns((0, 3), likelihoods.Categorical(3)),
        visits=likelihoods.Columns((1, 5), likelihoods.Poisson("row")),
        others=likelihoods.Columns(None, likelihoods.GaussianVariance("row", 0.1)),
    ),
    penalties.Contraction(0.3, 2),
    penalties.Curvature(0.3, 0.2, 2, 3),
    penalties.KL(0.1, 2.0),
    penalties.L1(0.4),
    penalties.Divergence(4.0, 0.1, warm_up=3),
    penalties.Weights(0.02),
    penalties.Commitment(0.5),
    penalties.TotalCorrelation(2.0, 7, 3),
    penalties.DIP(1, 3.0, 0.5, 3),
    penalties.Sum(sparsity=penalties.KL(0.1), contraction=penalties.Contraction(0.2)),
]

DISTORTIONS = (corruptions.Shift, corruptions.Rotation, corruptions.Elastic, corruptions.Distortion, corruptions.Chain)

ALONE = [spec for spec in SPECS if not spec.needs_groups]  # those that hear groups are in test_groups.py


def as_rows_need(spec):
    """The settings without which a part refuses `rows()`: distortions take them for images."""
    return {"input_shape": (1, 2, 3)} if isinstance(spec, DISTORTIONS) else {}


def as_supported(spec, X):
    """Rows X made into what a likelihood has probabilities for."""
    counts = np.abs(np.rint(X))
    if isinstance(spec, likelihoods.Mixed):
        parts, X = spec.get_params(deep=False), X.copy()
        for name, own in spec.places(X.shape[1]).items():
            X[:, own] = as_supported(parts[name].likelihood, X[:, own])
        return X
    if isinstance(spec, likelihoods.Poisson | likelihoods.NegativeBinomial):
        return counts
    if isinstance(spec, likelihoods.Categorical | likelihoods.DiscretisedLogistic):
        return counts % spec.levels
    return counts % 2 if isinstance(spec, likelihoods.Bernoulli) and spec.binary else X


def small(kind, **settings):
    """A small estimator of a kind, quick to fit and repeatable."""
    return zoo.KINDS[kind](**(SMALL[kind] | {"max_epochs": 3, "random_state": 0} | settings))


def rows(n=120, d=6, seed=0, dtype=np.float64):
    """Rows near a plane, with noise, of different means and scales."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d))
    return ((plane + 0.2 * rng.normal(size=(n, d))) * np.linspace(0.5, 3, d) + np.arange(d)).astype(dtype)


class Convolution(nn.Module):
    """A user's encoder of (1, 4, 4) images."""

    def __init__(self, inputs=16, outputs=3):
        super().__init__()
        self.filters = nn.Conv2d(1, 2, 3, padding=1)
        self.out = nn.Linear(2 * inputs, outputs)

    def forward(self, x):
        return self.out(torch.tanh(self.filters(x)).flatten(1))


class Dropping(nn.Module):
    """A user's encoder that draws from the global generator while it trains."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, outputs))

    def forward(self, x):
        return self.net(x)
