"""The cases' nets as plain torch modules."""

from __future__ import annotations

from torch import nn

from speed.cases import Case

BENDS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
CONVOLVED = 16  # numbers in the convolutional net's code


def halves(case: Case) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder; rows are flat, or 1 x 28 x 28 for the convolutional net."""
    if case.group == "convolution":
        return convolutional_encoder(), convolutional_decoder()
    layers = [[nn.Linear(n, m), BENDS[case.activation]()] for n, m in case.layers]
    depth = len(layers) // 2
    encoder = [module for layer in layers[:depth] for module in layer]
    decoder = [module for layer in layers[depth:] for module in layer][:-1]  # the last layer is linear
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def whole(case: Case) -> nn.Module:
    return nn.Sequential(*halves(case))


def convolutional_encoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(784, CONVOLVED),
    )


def convolutional_decoder() -> nn.Module:
    return nn.Sequential(
        nn.Linear(CONVOLVED, 784),
        nn.ReLU(),
        nn.Unflatten(1, (16, 7, 7)),
        nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
    )


def shape(case: Case) -> tuple[int, ...]:
    """The shape in which the case's net reads a row."""
    return (1, 28, 28) if case.group == "convolution" else (case.widths[0],)
