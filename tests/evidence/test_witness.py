"""What is read off pictures against what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data import faces
from isthmus.evidence.witness import film, witness

SIDE, HELD = 12, 0.25


@pytest.fixture(scope="module")
def seen():
    return witness(800, "B", SIDE, HELD, 12)


def test_people_are_told_apart(seen):
    for who in faces.IDENTITIES:
        X, _ = faces.generate(100, who, SIDE, 7, HELD)
        shares = {name: seen.identity(X, name) for name in faces.IDENTITIES}
        assert shares[who] >= 0.98
        assert sum(shares.values()) == pytest.approx(1)


def test_correlations_are_numpy_s_and_expressions_are_read(seen):
    X, truth = faces.generate(200, "B", SIDE, 8, HELD)
    found = seen.correlations(X, truth)
    assert list(found) == list(faces.EXPRESSIONS)
    read = seen.expressions.predict(X)
    for i, name in enumerate(found):
        assert found[name] == pytest.approx(np.corrcoef(read[:, i], truth[:, i])[0, 1])
    assert min(found[name] for name in ("mouth", "turn", "tilt")) > 0.85
    shuffled = seen.correlations(X, np.random.default_rng(0).permutation(truth))
    assert max(map(abs, shuffled.values())) < 0.3


def test_two_people_are_filmed_apart_and_matched_in_mean_and_deviation():
    one = film(200, 40, SIDE, HELD, 3)
    np.testing.assert_allclose(one.a.mean(axis=0), one.b.mean(axis=0), atol=1e-5)
    a, b = one.a.std(axis=0), one.b.std(axis=0)
    np.testing.assert_allclose(a[b > 0.1], b[b > 0.1], rtol=0.2)
    gain = np.polyfit(one.shot[:, 100], one.video[:, 100], 1)  # every number by a line of its own
    np.testing.assert_allclose(np.polyval(gain, one.shot[:, 100]), one.video[:, 100], atol=1e-4)
    np.testing.assert_array_equal(one.truth, faces.draw("B", one.expressions, SIDE))
    np.testing.assert_array_equal(one.shot, faces.draw("A", one.expressions, SIDE))
    assert np.abs(film(200, 40, SIDE, HELD, 4).expressions - one.expressions).max() > 0.1


def test_what_is_read_of_the_truth_and_of_no_swap(seen):
    one = film(50, 100, SIDE, HELD, 5)
    true, none = seen.read(one.truth, one), seen.read(one.shot, one)
    assert true["identity"] >= 0.98
    assert none["identity"] <= 0.02
    assert true["error"] == 0
    np.testing.assert_allclose(
        none["error"], np.square(one.shot - one.truth).mean() / one.truth.var(axis=0).mean(), rtol=1e-5
    )
    assert true["mouth"] > 0.85
