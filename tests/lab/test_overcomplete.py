"""The experiment in small, what breaks it, and pictures that tell what the series does."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, run
from isthmus.lab.experiment import missed
from isthmus.lab.overcomplete import OVERCOMPLETE

SMALL = {"epochs": 20, "sizes": (50, 100)}


@pytest.fixture(scope="module")
def small():
    return OVERCOMPLETE.measure({**OVERCOMPLETE.settings, **SMALL}, [0, 1])


def test_what_little_can_show_holds(small):
    assert set(OVERCOMPLETE.expected) <= set(small.numbers)
    lasting = {"error", "plain_gain_high", "topk_gain_low"}
    assert not missed(small.numbers, {key: OVERCOMPLETE.expected[key] for key in lasting})
    assert small.numbers["identity"] > 0.95
    assert all(small.numbers[f"{kind}_identity"] < 0.9 for kind in ("contraction", "kl", "l1", "topk", "denoising"))


def test_gains_are_paired_and_their_lower_ends_are_told(small):
    for kind, name in (("plain", "no penalty"), ("topk", "top-k")):
        gains = small.series["gains"][name]["seeds"]
        reach = 1.5 * np.std(gains, ddof=1) / np.sqrt(2)
        assert small.numbers[f"{kind}_gain"] == pytest.approx(np.mean(gains), abs=1e-4)
        assert small.numbers[f"{kind}_gain_low"] == pytest.approx(np.mean(gains) - reach, abs=1e-4)
        assert small.numbers[f"{kind}_gain_high"] == pytest.approx(np.mean(gains) + reach, abs=1e-4)


def test_pictures_tell_what_the_series_does(small):
    assert_told(small, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(small)


def test_a_bottleneck_is_no_copier(tmp_path):
    changed = {**SMALL, "code_size": 16, "epochs": 5, "sizes": (50,)}
    result = run(OVERCOMPLETE, Protocol(seeds=1, settings=changed), tmp_path)
    assert result["holds"] is False
    assert {"identity", "error"} <= set(result["missed"])
