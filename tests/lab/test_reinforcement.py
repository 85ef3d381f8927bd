"""Its returns are those of policies found, it breaks where one frame shows no speed, and tells what it draws."""

from __future__ import annotations

import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, holds, run
from isthmus.lab.reinforcement import REINFORCEMENT

SHORT = {"rows": 800, "epochs": 3, "members": 25, "generations": 3}


@pytest.fixture(scope="module")
def short():
    return REINFORCEMENT.measure(dict(REINFORCEMENT.settings) | SHORT, [0, 1])


def test_returns_are_told_as_multiples_of_random_ones(short):
    numbers = short.numbers
    assert set(REINFORCEMENT.expected) <= set(numbers)
    assert set(REINFORCEMENT.bounds(full=True)) <= set(numbers)
    assert numbers["return_random"] == pytest.approx(22, abs=4)
    assert numbers["times_random"] == pytest.approx(numbers["return_code"] / numbers["return_random"])
    assert sum(short.samples["return_code"]) == pytest.approx(2 * numbers["return_code"])
    assert numbers["worst_times_random"] == pytest.approx(min(short.samples["return_code"]) / numbers["return_random"])
    assert numbers["return_state"] > 40  # three generations on the true state are already above random


def test_its_pictures_are_told_and_readable(short):
    assert_told(short, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(short)


def test_it_does_not_hold_where_no_speed_is_seen(tmp_path):
    """Both frames of the same moment: no linear policy on that balances."""
    result = run(REINFORCEMENT, Protocol(seeds=1, settings=SHORT | {"ago": 0, "generations": 6}), tmp_path)
    assert result["holds"] is False
    assert result["missed"] == ["times_random"]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "reinforcement-returns.png",
        "reinforcement-frames.png",
    ]


def test_what_is_asked_in_full_is_more():
    assert not holds({"return_code": 474.0}, REINFORCEMENT.bounds(full=True))
    assert REINFORCEMENT.bounds(full=False) == {"times_random": (">=", 5)}
