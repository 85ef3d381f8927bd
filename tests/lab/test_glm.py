"""A neuron is the regression of its bend, until it is stopped early or its weights are held small."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import holds
from isthmus.lab.glm import FAMILIES, GLM, sets


def test_it_holds_for_a_seed_and_tells_what_it_draws():
    measured = GLM.measure(GLM.settings, [100])
    assert holds(measured.numbers, GLM.expected), measured.numbers
    assert measured.numbers["largest"] > 1
    assert_told(measured)
    assert_readable(measured)


@pytest.mark.parametrize("broken", [{"max_epochs": 20}, {"weight_decay": 0.05, "max_epochs": 300}])
def test_it_breaks(broken):
    numbers = GLM.measure(dict(GLM.settings) | broken, [100]).numbers
    assert not holds(numbers, GLM.expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_bends_and_their_inverses(name):
    net = np.linspace(-3, 3, 7)
    family = FAMILIES[name]
    np.testing.assert_allclose(family.unbend(family.bend(net)), net)


@pytest.mark.parametrize("name", FAMILIES)
def test_sets(name):
    drawn, everything, single = sets(name, GLM.settings, [3])
    assert drawn[0].shape == (300, 5)
    assert everything[0].shape[1] > single[0].shape[1] == 1
    np.testing.assert_allclose(everything[0].mean(axis=0), 0, atol=1e-9)
    for _, y in (drawn, everything, single):
        assert {"logistic": set(y) == {0, 1}, "linear": len(set(y)) > 50, "poisson": min(y) >= 0}[name]
