"""Images come with the factors that vary, and with which of these have no order."""

from __future__ import annotations

import numpy as np

from isthmus.data import shapes
from isthmus.data.factored import of_shapes


def test_factors_of_one_level_are_none():
    levels = (2, 1, 3, 4, 1)
    found = of_shapes(50, 8, levels)
    images, factors = shapes.generate(50, 8, levels, 1)
    np.testing.assert_array_equal(found.test, images)
    np.testing.assert_array_equal(found.factors, factors[:, [0, 2, 3]])
    np.testing.assert_array_equal(found.train, shapes.generate(50, 8, levels, 0)[0])
    assert found.side == 8
    assert {(0, 2, 3)[i] for i in found.unordered} == set(shapes.UNORDERED) & {0, 2, 3}
    assert of_shapes(50, 8, (1, *levels[1:])).unordered == ()
