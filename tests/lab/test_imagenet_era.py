"""The experiment holds, breaks where nothing is learned or one count is wrong, and tells what it draws."""

from __future__ import annotations

from lab.pictured import assert_readable, assert_told

from isthmus import networks
from isthmus.lab import Protocol, holds, run
from isthmus.lab.imagenet_era import IMAGENET_ERA, NETWORKS, SLIDE


def test_it_holds(tmp_path):
    """For all three seeds, `isthmus lab run all` asks it in CI."""
    assert IMAGENET_ERA.seeds == 3
    result = run(IMAGENET_ERA, Protocol(seeds=1), tmp_path)
    assert result["holds"], result["measured"]
    assert result["measured"]["residual_minus_plain_training_error"] < -0.2
    assert result["measured"]["googlenet"] == 6_998_552
    names = [path.rpartition("/")[2] for path in result["figures"]]
    assert names == ["imagenet-era-slide.png", "imagenet-era-twins.png"]


def test_nets_that_do_not_learn_are_alike():
    """What sets the twins apart is training: at a rate of next to nothing both guess."""
    settings = dict(IMAGENET_ERA.settings) | {"rows": 200, "epochs": 1, "learning_rate": 1e-9}
    measured = IMAGENET_ERA.measure(settings, range(2))
    numbers = measured.numbers
    assert min(numbers[f"{name}_training_error"] for name in ("residual", "plain", "shallow_plain")) > 0.7
    assert abs(numbers["residual_minus_plain_training_error"]) < 0.2
    assert measured.series["slide"][2] == ["VGG-16", 2014, 7.3, 16, 138_357_544]
    assert_told(measured)
    assert_readable(measured)


def test_one_wrong_count_breaks_it():
    numbers = {key: bound for key, (op, bound) in IMAGENET_ERA.expected.items()}
    numbers["residual_minus_plain_training_error"] = -0.1
    assert holds(numbers, IMAGENET_ERA.expected)
    assert not holds(numbers | {"vgg16": 138_357_545}, IMAGENET_ERA.expected)
    assert not holds(numbers | {"residual_minus_plain_training_error": 0.0}, IMAGENET_ERA.expected)


def test_every_network_of_the_slide_is_counted():
    assert {key for *_, key in SLIDE} <= set(NETWORKS)
    assert {type(network) for network, *_ in NETWORKS.values()} == {
        networks.AlexNet,
        networks.OverFeat,
        networks.VGG,
        networks.GoogLeNet,
        networks.ResNet,
    }
