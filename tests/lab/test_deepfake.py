"""A face is swapped through a shared encoder, and its expression lost without one."""

from __future__ import annotations

import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, run
from isthmus.lab.deepfake import DEEPFAKE

SMALL = {"side": 12, "rows": 300, "frames": 60, "hidden": (48,), "epochs": 15, "witnessed": 600, "witness_epochs": 8}


@pytest.fixture(scope="module")
def small():
    return DEEPFAKE.measure({**DEEPFAKE.settings, **SMALL}, [0])


def test_who_it_is_is_learned_first(small):
    assert set(DEEPFAKE.expected) <= set(small.numbers)
    assert small.numbers["identity"] >= 0.95
    assert small.numbers["true_error"] == 0
    assert small.numbers["error"] > 0


def test_without_sharing_it_does_not_hold(tmp_path):
    result = run(find("deepfake"), Protocol(seeds=1, settings={**SMALL, "share": False}), tmp_path)
    assert result["holds"] is False
    assert result["measured"]["sharing_gain"] == 0


def test_its_pictures_are_told_and_readable(small):
    assert_told(small, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(small)
