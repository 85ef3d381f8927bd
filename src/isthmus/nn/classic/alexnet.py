"""AlexNet: the two towers of 2012 (Krizhevsky, Sutskever & Hinton), and the one of 2014 (Krizhevsky)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from torch import nn

from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin, begin_as_he, dense, flat, rectified, response_norm
from isthmus.nn.classic.shapes import check_image, enlarged, thin
from isthmus.nn.initialisation import normal


def alexnet(shape: Sequence[int], outputs: int, towers: int = 2, width: float = 1.0) -> Network:
    """Stages conv1 … conv5 with pool1, pool2, pool5 (and norm1, norm2), flat, fc6, fc7, output.

    Two towers: convolutions 2, 4 and 5 see half the maps each, maps are normalised by their neighbours, weights
    N(0, 0.01²) and biases of 1 in convolutions 2, 4, 5 and in the hidden dense layers, as the paper has them;
    60,965,224 parameters on (3, 227, 227) with 1000 classes. A thin copy's weights are as much larger as its units
    have fewer inputs. One tower: the form of "One weird trick", other widths and no normalisation, He's weights;
    61,100,840 parameters on (3, 224, 224), the form torchvision has weights for.
    Images below 67 (63) pixels are enlarged; the dense layers read averages of 6 × 6 pixels.
    """
    image = check_image("AlexNet", shape, outputs)
    return _two(image, outputs, width) if towers == 2 else _one(image, outputs, width)


def _two(image: tuple[int, int, int], outputs: int, width: float) -> Network:
    first, (channels, *_) = enlarged(image, 67)
    a, b, c, d, e = (thin(n, width, groups=2) for n in (96, 256, 384, 384, 256))
    hidden = thin(4096, width)
    stages: dict[str, nn.Module] = first | {
        "conv1": rectified(nn.Conv2d(channels, a, 11, stride=4)),
        "norm1": response_norm(),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": rectified(nn.Conv2d(a, b, 5, padding=2, groups=2)),
        "norm2": response_norm(),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": rectified(nn.Conv2d(b, c, 3, padding=1)),
        "conv4": rectified(nn.Conv2d(c, d, 3, padding=1, groups=2)),
        "conv5": rectified(nn.Conv2d(d, e, 3, padding=1, groups=2)),
        "pool5": nn.MaxPool2d(3, 2),
        "flat": flat(6),
        "fc6": dense(36 * e, hidden),
        "fc7": dense(hidden, hidden),
        "output": nn.Linear(hidden, outputs),
    }
    network = Network(stages)
    begin(network, normal(0.01 / sqrt(width)))
    for stage in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        nn.init.ones_(stages[stage].get_submodule("conv" if "conv" in stage else "0").bias)  # type: ignore[arg-type]
    return network


def _one(image: tuple[int, int, int], outputs: int, width: float) -> Network:
    first, (channels, *_) = enlarged(image, 63)
    a, b, c, d = (thin(n, width) for n in (64, 192, 384, 256))
    hidden = thin(4096, width)
    stages: dict[str, nn.Module] = first | {
        "conv1": rectified(nn.Conv2d(channels, a, 11, stride=4, padding=2)),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": rectified(nn.Conv2d(a, b, 5, padding=2)),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": rectified(nn.Conv2d(b, c, 3, padding=1)),
        "conv4": rectified(nn.Conv2d(c, d, 3, padding=1)),
        "conv5": rectified(nn.Conv2d(d, d, 3, padding=1)),
        "pool5": nn.MaxPool2d(3, 2),
        "flat": nn.Sequential(flat(6), nn.Dropout(0.5)),
        "fc6": dense(36 * d, hidden),
        "fc7": nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU()),
        "output": nn.Linear(hidden, outputs),
    }
    return begin_as_he(Network(stages, family="alexnet"))
