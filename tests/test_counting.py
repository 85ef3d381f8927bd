"""Counts of networks against their formulas and the papers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isthmus import networks
from isthmus.nn.counting import layers, narrowest, on_meta, parameters


def test_nothing_is_held_to_count():
    network = on_meta(networks.VGG(11), (3, 224, 224), 1000)
    assert {weight.device for weight in network.parameters()} == {torch.device("meta")}
    assert parameters(network) == 132_863_336


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (networks.GoogLeNet(), 22),
        (networks.ResNet(50), 50),
        (networks.ResNet(34, plain=True), 34),
        (networks.VGG(), 16),
    ],
    ids=repr,
)
def test_layers_lie_on_the_longest_path(network, count):
    assert layers(on_meta(network, (3, 224, 224), 10)) == count


def test_layers_are_those_with_weights():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(1, 1)))
    assert layers(net) == 3


@pytest.mark.parametrize("side", [10, 28, 30])
def test_the_narrowest_perceptron_has_no_fewer_parameters(side):
    least = parameters(networks.LeNet5().build((1, side, side), 10))
    width = narrowest(least, side * side, 10)
    sizes = [parameters(on_meta(networks.MLP((n,)), (1, side, side), 10)) for n in (width - 1, width)]
    assert sizes[0] < least == 61_706 <= sizes[1]
    assert narrowest(1, 4, 2) == 1
