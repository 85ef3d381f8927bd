"""Agreement of clusters and classes, against counting every matching; k-means and its picture, on planted clusters."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from isthmus.errors import DataError
from isthmus.evidence.clusters import Agreement, kmeans, plane


@pytest.mark.parametrize("seed", range(5))
def test_the_matching_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    y, found = rng.integers(4, size=60), rng.integers(4, size=60)
    best = max(np.mean(np.array(order)[found] == y) for order in permutations(range(4)))
    agreement = Agreement(y, found)
    assert agreement.accuracy == pytest.approx(best)
    assert np.trace(agreement.table) == pytest.approx(60 * best)
    assert agreement.agrees.mean() == pytest.approx(best)
    assert agreement.ari == adjusted_rand_score(y, found)


def test_names_do_not_matter():
    y = np.array(["a", "a", "b", "b", "c", "c"])
    agreement = Agreement(y, np.array([7, 7, 2, 2, 5, 5]))
    assert (agreement.ari, agreement.accuracy) == (1, 1)
    np.testing.assert_array_equal(agreement.table, 2 * np.eye(3))
    assert agreement.agrees.all()


def test_more_clusters_than_classes_and_fewer():
    y = np.array([0, 0, 0, 1, 1, 1])
    more = Agreement(y, np.array([5, 5, 6, 4, 4, 4]))
    np.testing.assert_array_equal(more.table, [[2, 0, 1], [0, 3, 0]])  # cluster 6 has no class and comes last
    np.testing.assert_array_equal(more.agrees, [True, True, False, True, True, True])
    fewer = Agreement(np.array([0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(fewer.table, [[2, 0], [0, 1], [0, 2]])
    assert fewer.accuracy == pytest.approx(4 / 5)


def test_other_shapes_are_refused():
    with pytest.raises(DataError) as fault:
        Agreement(np.zeros(3), np.zeros(2))
    assert str(fault.value) == (
        "classes of shape (3,) and clusters of shape (2,); in Agreement; expected (N,) both, N >= 1"
    )
    with pytest.raises(DataError, match=r"N >= 1"):
        Agreement(np.zeros(0), np.zeros(0))


def test_planted_clusters_are_found_and_lie_apart():
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(6)[:4]
    y = rng.integers(4, size=400)
    X = centres[y] + rng.normal(size=(400, 6))
    found = kmeans(X[:300], X[300:], 4, seed=0)
    assert Agreement(y[300:], found).ari == 1
    np.testing.assert_array_equal(found, kmeans(X[:300], X[300:], 4, seed=0))
    laid = plane(X[300:].astype(np.float32))
    assert laid.shape == (100, 2)
    distances = np.linalg.norm(laid[:, None] - laid, axis=2) + np.diag(np.full(100, np.inf))
    np.testing.assert_array_equal(y[300:][distances.argmin(axis=1)], y[300:])
    np.testing.assert_array_equal(laid, plane(X[300:].astype(np.float32)))
