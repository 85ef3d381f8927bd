"""What the networks of images are made of: rectified convolutions, dense layers with dropout, first weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from torch import nn

from isthmus.nn.classic.network import Network
from isthmus.nn.initialisation import INITIALISATIONS, Initialisation, fans


def rectified(conv: nn.Conv2d, norm: nn.Module | None = None) -> nn.Sequential:
    """A convolution, what normalises it if anything does, and a rectifier."""
    layers = OrderedDict[str, nn.Module](conv=conv)
    if norm is not None:
        layers["bn"] = norm
    layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


def dense(inputs: int, outputs: int, dropout: float = 0.5) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout))


def flat(side: int) -> nn.Sequential:
    """Maps averaged to side × side pixels, as one row; of that size already, they stay as they are."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(side), nn.Flatten())


def response_norm() -> nn.LocalResponseNorm:
    """z / (2 + 1e-4 Σ z²)^¾ over five neighbouring maps (Krizhevsky 2012, section 3.3); torch divides α by the five."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)


def weighted(module: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """The layers with weights, from the input on."""
    return (layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


def begin(module: nn.Module, how: Initialisation) -> None:
    """Fill every layer's weights; the biases are 0."""
    for layer in weighted(module):
        how(layer.weight, fans(layer.weight, getattr(layer, "groups", 1)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def begin_as_he(network: Network) -> Network:
    """He's normal weights where a rectifier follows, LeCun's for the logits."""
    begin(network, INITIALISATIONS["he"])
    for chain in (network.trunk, *network.heads.values()):
        *_, last = weighted(chain)
        INITIALISATIONS["lecun"](last.weight, fans(last.weight))
    return network
