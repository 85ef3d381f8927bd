"""The experiment holds, breaks without convolutions or time, and tells what it draws."""

from __future__ import annotations

import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.convolution import CONVOLUTION

LEVELS = [*range(256)]  # of pixels, which are not told


def test_it_holds(tmp_path):
    """For all five seeds, `isthmus lab run all` asks it in CI."""
    assert CONVOLUTION.seeds == 5
    result = run(find("convolution"), Protocol(seeds=1), tmp_path)
    assert result["holds"], result["measured"]
    assert result["expected"]["accuracy_percent"] == [">=", 98]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "convolution-features.png",
        "convolution-accuracy.png",
    ]


def test_it_breaks_where_dense_layers_stand_for_the_convolutions(tmp_path):
    result = run(CONVOLUTION, Protocol(seeds=2, settings={"convolve": False, "epochs": 8}), tmp_path)
    assert not result["holds"]
    assert result["measured"]["accuracy_percent"] > 95  # it learned, and yet
    assert result["measured"]["above_dense"] <= 0
    assert result["measured"]["shifted_above_dense"] <= 0


def test_it_breaks_without_time():
    numbers = CONVOLUTION.measure(dict(CONVOLUTION.settings) | {"epochs": 1}, [0]).numbers
    assert not holds(numbers, CONVOLUTION.expected)
    assert "error_percent_distorted" not in numbers


@pytest.fixture(scope="module")
def brief():
    """The full protocol's settings on a few rows."""
    small = {"data": "digits", "frame": 4, "enlarged": 2, "epochs": 1, "distorted_epochs": 1}
    return CONVOLUTION.measure(dict(CONVOLUTION.settings) | dict(CONVOLUTION.full) | small, [0])


def test_the_full_protocol_measures_what_it_expects(brief):
    """LeNet-5 is trained with distortions too."""
    assert set(CONVOLUTION.bounds(full=True)) <= set(brief.numbers)
    assert brief.numbers["error_percent"] == 100 - brief.numbers["accuracy_percent"]
    assert brief.numbers["error_percent_distorted"] != brief.numbers["error_percent"]


def test_its_pictures_are_told_and_readable(brief):
    assert list(brief.series) == ["centred", "moved by 3"]
    assert_told(brief, LEVELS)
    assert_readable(brief)
