"""The experiment holds, and its parts measure what they say."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from isthmus import networks
from isthmus.lab import Protocol, holds, run
from isthmus.lab.imagenet_era import IMAGENET_ERA, NETWORKS, SLIDE, digits, layers, parameters


def test_it_holds_for_three_seeds(tmp_path):
    result = run(IMAGENET_ERA, Protocol(), tmp_path)
    assert result["seeds"] == 3
    assert result["holds"], result["measured"]
    assert result["measured"]["residual_minus_plain_training_error"] < -0.2
    assert result["measured"]["googlenet"] == 6_998_552
    names = [path.rpartition("/")[2] for path in result["figures"]]
    assert names == ["imagenet-era-slide.png", "imagenet-era-twins.png"]


def test_nets_that_do_not_learn_are_alike():
    """What sets the twins apart is training: at a rate of next to nothing both guess."""
    settings = dict(IMAGENET_ERA.settings) | {"rows": 200, "epochs": 1, "learning_rate": 1e-9}
    numbers = IMAGENET_ERA.measure(settings, range(2)).numbers
    assert min(numbers[f"{name}_training_error"] for name in ("residual", "plain", "shallow_plain")) > 0.7
    assert abs(numbers["residual_minus_plain_training_error"]) < 0.2


def test_one_wrong_count_breaks_it():
    numbers = {key: bound for key, (op, bound) in IMAGENET_ERA.expected.items()}
    numbers["residual_minus_plain_training_error"] = -0.1
    assert holds(numbers, IMAGENET_ERA.expected)
    assert not holds(numbers | {"vgg16": 138_357_545}, IMAGENET_ERA.expected)
    assert not holds(numbers | {"residual_minus_plain_training_error": 0.0}, IMAGENET_ERA.expected)


def test_every_network_of_the_slide_is_counted():
    assert {key for *_, key in SLIDE} <= set(NETWORKS)
    assert {type(published.network) for published in NETWORKS.values()} == {
        networks.AlexNet,
        networks.OverFeat,
        networks.VGG,
        networks.GoogLeNet,
        networks.ResNet,
    }
    assert parameters(networks.VGG(11), 224) == 132_863_336


def test_layers_are_those_with_weights():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(1, 1)))
    assert layers(net) == 3
    with torch.device("meta"):
        assert layers(networks.GoogLeNet().build((3, 224, 224), 10)) == 22
        assert layers(networks.ResNet(50).build((3, 224, 224), 10)) == 50


def test_digits_differ_by_seed():
    (X, y), (X_again, _), (other, _) = digits(50, 0), digits(50, 0), digits(50, 1)
    assert X.shape == (50, 64)
    assert y.shape == (50,)
    np.testing.assert_array_equal(X, X_again)
    assert not np.array_equal(X, other)
