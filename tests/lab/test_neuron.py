"""The experiment holds, breaks for a function that needs no more than one input at once, and tells what it draws."""

from __future__ import annotations

import numpy as np
from lab.pictured import assert_readable, assert_told

from isthmus import threshold
from isthmus.lab import Protocol, holds, run
from isthmus.lab.neuron import FUNCTIONS, NEURON


def test_it_holds(tmp_path):
    result = run(NEURON, Protocol(), tmp_path)
    assert result["holds"], result["measured"]
    assert result["measured"]["three_inputs"] == 104  # OEIS A000609
    assert result["expected"]["single_unit"] == ["==", 14]


def test_it_breaks_where_no_input_need_be_seen_with_another():
    settings = dict(NEURON.settings) | {"function": "majority"}
    numbers = NEURON.measure(settings, [0]).numbers
    assert [numbers[f"order_{n}"] for n in (2, 3, 4, 5)] == [1, 1, 1, 1]
    assert not holds(numbers, NEURON.expected)


def test_what_is_drawn_separates_what_it_says():
    measured = NEURON.measure(dict(NEURON.settings) | {"largest": 2}, [0])
    assert_told(measured)
    assert_readable(measured)
    X = threshold.patterns(2)
    names = []
    for one in measured.series["functions"]:
        fires = [X @ line[:2] + line[2] > 0 for line in one["lines"]]
        assert np.array_equal(np.any(fires, axis=0), one["outputs"])
        names += [one["name"]] * (len(one["lines"]) > 1)
    assert names == ["XOR: two layers", "same: two layers"]


def test_the_functions_are_what_they_are_called():
    X = threshold.patterns(3)
    outputs = {name: "".join(map(str, function(X))) for name, function in FUNCTIONS.items()}
    assert outputs == {
        "AND": "00000001",
        "majority": "00010111",
        "exactly one": "01101000",
        "parity": "01101001",
    }
