"""The experiment holds, breaks without products of attributes, and expands as it says."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.data import planes
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.expansion import EXPANSION, expanded


def test_it_holds_and_its_pictures_are_told():
    settings = dict(EXPANSION.settings) | {"degrees": (1, 2)}
    measured = EXPANSION.measure(settings, range(4))
    assert holds(measured.numbers, EXPANSION.expected), measured.numbers
    assert measured.numbers["circle_product_percent"] < 80  # the product alone is of no use to the disc
    assert_told(measured, EXPANSION.expected, settings)
    assert_readable(measured)


@pytest.mark.parametrize("key", ["xor_polynomial_percent", "circle_polynomial_percent"])
def test_it_breaks_without_products(tmp_path, key):
    result = run(find("expansion"), Protocol(seeds=2, settings={"degree": 1, "degrees": 1}), tmp_path)
    assert not result["holds"]
    assert result["measured"][key] <= 80
    assert result["measured"]["xor_product_percent"] >= 99


def test_the_terms_are_those_named():
    X, y = planes.generate("xor", 40)
    wanted = {"linear": [], "product": [X[:, 0] * X[:, 1]], "polynomial": None}
    for terms, more in wanted.items():
        made = expanded(terms, 3, 1.0).fit(X, y)[0].transform(X)
        if more is None:  # 2 + 3 + 4 monomials of degrees 1, 2 and 3
            assert made.shape == (40, 9)
            np.testing.assert_allclose(made[:, -2], X[:, 0] * X[:, 1] ** 2)
        else:
            np.testing.assert_allclose(made, np.column_stack([X, *more]))


def test_the_share_of_a_straight_line_is_that_of_the_best_it_can_do():
    """Of a disc in a ring a line names at most three quarters rightly, whatever its slope: found by trying."""
    X, y = planes.generate("circle", 2000, 0.02, 5)
    best = 0
    for angle in np.linspace(0, 2 * np.pi, 73):
        along = X @ [np.cos(angle), np.sin(angle)]
        cuts = np.quantile(along, np.linspace(0, 1, 41))
        best = max(best, *(np.mean((along > cut) == y) for cut in cuts))
    assert 0.6 < best < 0.8
    measured = EXPANSION.measure(dict(EXPANSION.settings) | {"degrees": (1,)}, range(3)).numbers
    assert measured["circle_linear_percent"] <= 100 * best
