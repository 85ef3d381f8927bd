"""The experiment holds, and breaks where nothing was learned."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.lab import Protocol, holds, run
from isthmus.lab.feature_visualisation import FEATURE_VISUALISATION, bits, convolutional, correlation, rectifiers

SMALL = {"rows": 300, "units": 6}


def test_it_holds(tmp_path):
    result = run(FEATURE_VISUALISATION, Protocol(seeds=2, settings=SMALL), tmp_path)
    assert result["holds"], result["measured"]
    assert result["expected"]["adjoint_conv"] == ["<=", 1e-6]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "feature-visualisation-projections.png",
        "feature-visualisation-occlusion.png",
    ]


def test_it_breaks_where_nothing_is_learned():
    settings = dict(FEATURE_VISUALISATION.settings) | SMALL | {"epochs": 1, "learning_rate": 1e-9}
    numbers = FEATURE_VISUALISATION.measure(settings, [0, 1]).numbers
    assert not holds(numbers, FEATURE_VISUALISATION.expected)
    assert numbers["entropy_fall"] == pytest.approx(numbers["entropy_fall_untrained"], abs=0.15)
    assert numbers["fed_back"] > 0.9  # a projection tells the truth of a random unit too


def test_its_measures():
    assert bits(np.array([3, 3, 3])) == 0
    assert bits(np.arange(8)) == pytest.approx(3)
    a, b = np.random.default_rng(0).normal(size=(2, 50))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(a, np.ones(50)) == 0


@pytest.mark.parametrize(("pooled", "inputs"), [((2,), 64 * 14 * 14), ((1, 2), 64 * 7 * 7)])
def test_the_network_fits_the_pictures(pooled, inputs):
    settings = dict(FEATURE_VISUALISATION.settings) | {"pooled": pooled}
    network = convolutional(settings, (1, 28, 28), 10, seed=0)
    assert network[-1].in_features == inputs
    assert len(rectifiers(network)) == 3
