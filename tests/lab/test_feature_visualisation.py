"""The experiment holds, and breaks where nothing was learned."""

from __future__ import annotations

import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, holds, run
from isthmus.lab.feature_visualisation import FEATURE_VISUALISATION

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
    measured = FEATURE_VISUALISATION.measure(settings, [0, 1])
    numbers = measured.numbers
    assert not holds(numbers, FEATURE_VISUALISATION.expected)
    assert numbers["entropy_fall"] == pytest.approx(numbers["entropy_fall_untrained"], abs=0.15)
    assert numbers["fed_back"] > 0.9  # a projection tells the truth of a random unit too
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)
