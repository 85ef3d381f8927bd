"""The experiment holds for 200 sets, breaks where XOR is none and where no line is, and tells what it draws."""

from __future__ import annotations

import numpy as np
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, holds, run
from isthmus.lab.perceptron import PERCEPTRON


def test_it_holds_for_200_sets(tmp_path):
    result = run(PERCEPTRON, Protocol(), tmp_path)
    assert result["seeds"] == 200
    assert result["holds"], result["measured"]
    np.testing.assert_allclose(result["measured"]["attained"], 1)
    assert 0.1 < result["measured"]["largest_share"] <= 1


def test_it_breaks_where_a_line_is_or_is_not():
    settings = dict(PERCEPTRON.settings)
    conjunction = PERCEPTRON.measure(settings | {"table": (0, 0, 0, 1)}, range(3)).numbers
    assert (conjunction["xor_converged"], conjunction["xor_returned"]) == (24, 0)
    assert not holds(conjunction, PERCEPTRON.expected)
    between = PERCEPTRON.measure(settings | {"species": "versicolor"}, range(3)).numbers
    assert not between["iris_separates"]
    assert not holds(between, PERCEPTRON.expected)


def test_its_pictures_are_told():
    measured = PERCEPTRON.measure(PERCEPTRON.settings, range(5))
    assert_told(measured)
    assert_readable(measured)


def test_the_drawn_line_has_setosa_on_one_side():
    iris = PERCEPTRON.measure(PERCEPTRON.settings, range(2)).series["iris"]
    (left, right), (low, high) = iris["line"]
    petals, classes = np.array(iris["petals"]), np.array(iris["classes"])
    above = petals[:, 1] > low + (high - low) * (petals[:, 0] - left) / (right - left)
    assert classes.sum() == 50
    assert np.array_equal(above, classes == 0)
