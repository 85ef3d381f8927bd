"""The experiments of part I, small: what must hold does, what is broken on purpose does not, pictures tell no more."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.cli import main
from isthmus.lab import Protocol, find, run

SMALL = {  # seeds, settings that make it quick, and what then still has to hold
    "xor": (24, {"copies": 256}, ("share_2-1", "share_2-2-2-1_identity")),
    "universal-approximation": (3, {"widths": (2, 8, 32), "epochs": 60}, ("fourfold_ratio",)),
    "depth-oscillation": (
        3,
        {"points": (3, 4), "attempts": 6},
        ("pieces_8", "one_layer", "lines_3", "lines_4", "proved"),
    ),
    "saturation": (3, {"epochs": 8}, ("shut_sigmoid_1", "shut_sigmoid_100", "passed_tanh", "rectifier_shut_change")),
    "rectifier": (3, {"points": 1000, "epochs": 4, "rates": (0.2,)}, ("solved_sigmoid_3", "solved_sigmoid_8")),
    "vanishing-gradients": (
        3,
        {"points": 400, "epochs": 2, "depths": (1, 2), "planes": ("circle",)},
        ("ratio_sigmoid_10", "ratio_rectifier_10", "solved_sigmoid_6", "faded_by_uniform"),
    ),
    "pretraining": (1, {"rbm_epochs": 5, "epochs": 4}, ("small_percent",)),
    "why-now": (2, {"sizes": (60, 300), "steps": (20, 60), "test": 200}, ("behind",)),
}
BROKEN = {  # what breaks the claim, and which numbers then are not as expected
    "xor": ({"linear": True}, ["share_2-2-1_sigmoid", "share_2-2-2-1_sigmoid", "share_2-8-1_relu"]),
    "universal-approximation": ({"activation": "identity"}, ["fourfold_ratio", "widest_percent"]),
    "depth-oscillation": ({"activation": "identity"}, [f"pieces_{depth}" for depth in range(1, 9)]),
    "saturation": ({"rectifier": "tanh"}, ["rectifier_shut_change", "rectifier_passed_change", "zeros_off_half"]),
    "rectifier": ({"activation": "sigmoid"}, [f"solved_rectifier_{depth}" for depth in (3, 4, 8)]),
    "vanishing-gradients": (
        {"rectifier": "sigmoid"},
        ["ratio_rectifier_10", "solved_rectifier_6"],
    ),
    "pretraining": ({"epochs": 1, "rbm_epochs": 1, "learning_rate": 0.001}, ["pretrained_percent"]),
    "why-now": ({"sizes": (60, 61)}, ["ahead"]),
}


@pytest.fixture(scope="module", params=SMALL)
def small(request):
    seeds, settings, must = SMALL[request.param]
    experiment = find(request.param)
    return experiment, experiment.measure({**experiment.settings, **settings}, range(seeds)), must


def test_what_little_can_show_holds(small):
    experiment, measured, must = small
    from isthmus.lab.experiment import missed

    assert set(experiment.expected) <= set(measured.numbers)
    assert not missed(measured.numbers, {key: experiment.expected[key] for key in must})


def test_pictures_tell_what_the_series_does(small):
    experiment, measured, _ = small
    assert_told(measured, experiment.expected, experiment.settings)
    assert_readable(measured)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_on_purpose_it_does_not_hold(name, tmp_path):
    seeds, settings, _ = SMALL[name]
    changed, wrong = BROKEN[name]
    result = run(find(name), Protocol(seeds=seeds, settings={**settings, **changed}), tmp_path)
    assert result["holds"] is False
    assert set(wrong) <= set(result["missed"])


@pytest.mark.parametrize(("name", "swapped"), [("vanishing-gradients", "rectifier"), ("rectifier", "activation")])
def test_the_relu_swapped_for_a_sigmoid_exits_with_1(name, swapped, tmp_path, capsys):
    """From the command line, as a reader would break it."""
    words = [word for key, value in SMALL[name][1].items() for word in ("--set", f"{key}={_written(value)}")]
    ended = main(["lab", "run", name, "--seeds", "2", *words, "--set", f"{swapped}=sigmoid", "--out", str(tmp_path)])
    assert ended == 1
    assert "✕" in capsys.readouterr().out


def _written(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_xor_s_shares_and_intervals_are_wilson_s():
    from scipy.stats import binomtest

    experiment = find("xor")
    numbers = experiment.measure({**experiment.settings, "copies": 64, "epochs": 2}, range(8)).numbers
    for key in ("share_2-2-1_tanh", "share_2-8-1_relu"):
        times = round(8 * numbers[key])
        low, high = binomtest(times, 8).proportion_ci(method="wilson")
        np.testing.assert_allclose([numbers[f"{key}_low"], numbers[f"{key}_high"]], [low, high])
