"""Digits are set upright, and are not where no turn was ever learned."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, run
from isthmus.lab.alignment import ALIGNMENT
from isthmus.lab.experiment import missed

SMALL = {"epochs": 40, "angles": 13, "hidden": (128, 64), "reader_epochs": 12}


@pytest.fixture(scope="module")
def small():
    return ALIGNMENT.measure({**ALIGNMENT.settings, **SMALL}, [0, 1])


def test_what_little_can_show_holds(small):
    assert set(ALIGNMENT.expected) <= set(small.numbers)
    assert set(ALIGNMENT.expected_full) <= set(small.numbers)
    held = ("aligned_over_untouched", "aligned_over_mean", "worst_angle")
    assert not missed(small.numbers, {key: ALIGNMENT.expected[key] for key in held})
    assert small.numbers["upright_read"] > 0.9 > small.numbers["aligned_read"] > small.numbers["untouched_read"]
    np.testing.assert_allclose(np.mean(small.samples["aligned_error"]), small.numbers["aligned_error"])


def test_the_mean_digit_errs_by_the_variance(small):
    from isthmus.data import load_data
    from isthmus.trials import split

    rows = split(load_data("digits"))
    error = np.square((rows.test - rows.train.mean(axis=0)) / 16).mean()
    np.testing.assert_allclose(small.numbers["mean_error"], error, rtol=1e-4)


def test_broken_on_purpose_it_does_not_hold(tmp_path):
    result = run(find("alignment"), Protocol(seeds=1, settings={**SMALL, "degrees": 0.0}), tmp_path)
    assert result["holds"] is False
    assert {"aligned_over_untouched", "aligned_over_mean", "worst_angle", "aligned_read"} <= set(result["missed"])


def test_the_convolutional_net_of_the_full_protocol_runs():
    settings = {**ALIGNMENT.settings, **ALIGNMENT.full, **SMALL, "data": "digits", "rows": 200, "epochs": 1}
    assert 0 < ALIGNMENT.measure(settings, [0]).numbers["aligned_error"] < 1


def test_its_pictures_are_told_and_readable(small):
    assert_told(small, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(small)
