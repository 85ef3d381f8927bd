"""Sixteen rows known by heart attract new ones; a linear net's subspace and a net stopped early do not hold."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab.experiment import missed
from isthmus.lab.memorisation import AFTER, MEMORISATION

SMALL = {"points": 6, "new": 40, "hidden": (64, 64, 64), "epochs": 800, "sound_epochs": 6}


@pytest.fixture(scope="module")
def measured():
    return MEMORISATION.measure({**MEMORISATION.settings, **SMALL}, [0])


def test_six_rows_are_known_by_heart(measured):
    bounds = {key: MEMORISATION.expected[key] for key in ("train_error", "sound_ends_on_rows", "sound_flagged")}
    assert not missed(measured.numbers, bounds)
    assert measured.numbers["ends_on_rows"] > 0.5
    assert 1 <= measured.numbers["reached"] <= 6


def test_the_curve_passes_through_the_codes_of_the_training_rows(measured):
    rows, codes, again = (np.array(measured.series[name]) for name in ("rows", "codes", "again"))
    assert len(rows) == 6
    at_rows = np.interp(rows, codes, again)
    assert np.abs(at_rows - rows).max() < 0.2 * np.ptp(rows)
    assert np.abs(again - codes).mean() > 0


def test_a_linear_net_does_not_hold():
    broken = {**MEMORISATION.settings, **SMALL, "activation": "identity", "epochs": 60}
    numbers = MEMORISATION.measure(broken, [0]).numbers
    assert {"train_error", "ends_on_rows"} <= set(missed(numbers, MEMORISATION.expected))


def test_its_pictures_are_told_and_readable(measured):
    assert_told(measured, MEMORISATION.settings, [*range(256)], AFTER)  # the levels of pixels, which are not told
    assert_readable(measured)
