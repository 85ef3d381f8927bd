"""OverFeat (Sermanet, Eigen, Zhang, Mathieu, Fergus & LeCun 2013): the fast model and the accurate one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from torch import nn

from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin, dense, flat, rectified
from isthmus.nn.classic.shapes import check_image, enlarged, thin
from isthmus.nn.initialisation import normal


def overfeat(shape: Sequence[int], outputs: int, model: str = "fast", width: float = 1.0) -> Network:
    """Stages conv1, pool1, conv2, pool2, conv3, …, their last pool, flat, fc…, output (Tables 1 and 3 of the paper).

    Fast: 145,920,872 parameters on (3, 231, 231) with 1000 classes; accurate: 144,656,488 on (3, 221, 221). The
    paper counts whole millions, 145 and 144. Weights N(0, 0.01²), as the paper has them; a thin copy's are as much
    larger as its units have fewer inputs. Images below 71 (77) pixels are enlarged.
    """
    image = check_image("OverFeat", shape, outputs)
    stages = (_fast if model == "fast" else _accurate)(image, outputs, width)
    network = Network(stages)
    begin(network, normal(0.01 / sqrt(width)))
    return network


def _fast(image: tuple[int, int, int], outputs: int, width: float) -> dict[str, nn.Module]:
    first, (channels, *_) = enlarged(image, 71)
    a, b, c, d, e, f = (thin(n, width) for n in (96, 256, 512, 1024, 3072, 4096))
    return first | {
        "conv1": rectified(nn.Conv2d(channels, a, 11, stride=4)),
        "pool1": nn.MaxPool2d(2),
        "conv2": rectified(nn.Conv2d(a, b, 5)),
        "pool2": nn.MaxPool2d(2),
        "conv3": rectified(nn.Conv2d(b, c, 3, padding=1)),
        "conv4": rectified(nn.Conv2d(c, d, 3, padding=1)),
        "conv5": rectified(nn.Conv2d(d, d, 3, padding=1)),
        "pool5": nn.MaxPool2d(2),
        "flat": flat(6),
        "fc6": dense(36 * d, e),
        "fc7": dense(e, f),
        "output": nn.Linear(f, outputs),
    }


def _accurate(image: tuple[int, int, int], outputs: int, width: float) -> dict[str, nn.Module]:
    first, (channels, *_) = enlarged(image, 77)
    a, b, c, d, e = (thin(n, width) for n in (96, 256, 512, 1024, 4096))
    return first | {
        "conv1": rectified(nn.Conv2d(channels, a, 7, stride=2)),
        "pool1": nn.MaxPool2d(3),
        "conv2": rectified(nn.Conv2d(a, b, 7)),
        "pool2": nn.MaxPool2d(2),
        "conv3": rectified(nn.Conv2d(b, c, 3, padding=1)),
        "conv4": rectified(nn.Conv2d(c, c, 3, padding=1)),
        "conv5": rectified(nn.Conv2d(c, d, 3, padding=1)),
        "conv6": rectified(nn.Conv2d(d, d, 3, padding=1)),
        "pool6": nn.MaxPool2d(3),
        "flat": flat(5),
        "fc7": dense(25 * d, e),
        "fc8": dense(e, e),
        "output": nn.Linear(e, outputs),
    }
