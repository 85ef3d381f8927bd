"""What the Jacobian holds of true tangents, small; broken on purpose it holds less; the pictures tell no more."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, run
from isthmus.lab.tangents import TANGENTS, measure

QUICK = dict(TANGENTS.settings) | {"epochs": 20, "units": 40, "test": 20, "neighbours": (30,)}


@pytest.fixture(scope="module")
def measured():
    return measure(QUICK, [0])


def test_shares_are_shares_that_grow_with_the_directions(measured):
    for found in measured.series["caught"].values():
        assert found["median"][0] > 0
        assert np.all(np.diff(found["median"]) > 0)
        assert found["median"][-1] < 1
    assert measured.numbers["caught_local"] > measured.numbers["caught_pca"]
    place = measured.series["directions"].index(QUICK["directions"])
    np.testing.assert_allclose(
        measured.numbers["caught_local"], measured.series["caught"]["local PCA"]["median"][place], rtol=1e-3
    )


def test_its_pictures_are_told_and_readable(measured):
    assert_told(measured, TANGENTS.expected, QUICK)
    assert_readable(measured)


def test_without_training_it_does_not_hold(tmp_path):
    small = {"epochs": 1, "units": 40, "test": 20, "neighbours": (30,)}
    result = run(find("tangents"), Protocol(seeds=1, settings=small), tmp_path)
    assert result["holds"] is False
    assert set(result["missed"]) == {"caught", "caught_code", "least_lead"}


def test_the_full_protocol_measures_errors():
    few = {"classify": True, "labels": 300, "tuned": 10, "tuned_few": 20, "tangents": 5}
    few |= {"tuning_rate": 1e-2, "tuning_rate_few": 1e-2}
    found = measure(QUICK | few, [0])
    assert set(TANGENTS.expected_full) <= set(found.numbers)
    for key in ("error", "error_plain", "error_few", "error_few_plain"):
        assert 0 < found.numbers[key] < 50
        assert found.samples[key] == [found.numbers[key]]
    assert found.numbers["error"] < found.numbers["error_few"]
