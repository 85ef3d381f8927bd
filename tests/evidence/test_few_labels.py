"""Codes read from few labels: against scikit-learn, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from isthmus.errors import DataError
from isthmus.evidence.few_labels import accuracy, best, curve, drawn
from isthmus.trials import Split


def two_clouds(n, seed):
    """Two classes far apart in the first of five columns; in the second the spread is larger."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 5)) * [0.3, 9, 0.1, 0.1, 0.1]
    X[:, 0] += 4 * y
    return X, y


@pytest.fixture(scope="module")
def rows():
    (train, y), (test, y_test) = two_clouds(400, 0), two_clouds(300, 1)
    return Split(train, test, y_test, y)


def test_each_class_is_drawn_by_its_share_and_a_seed_draws_the_same():
    y = np.repeat([3, 5, 9], [100, 60, 40])
    chosen = drawn(y, 20, 7)
    assert np.unique(y[chosen], return_counts=True)[1].tolist() == [10, 6, 4]
    assert np.array_equal(chosen, drawn(y, 20, 7))
    assert not np.array_equal(chosen, drawn(y, 20, 8))
    assert len(np.unique(drawn(y, 199, 0))) == 199
    assert drawn(y, 200, 0).tolist() == list(range(200))


@pytest.mark.parametrize("size", [2, 201])
def test_too_few_and_too_many_are_refused(size):
    with pytest.raises(DataError) as told:
        drawn(np.repeat([3, 5, 9], [100, 60, 40]), size, 0)
    assert str(told.value) == f"{size} labelled rows; in few_labels; from 3, one a class, to 200, all"


def test_it_is_scikit_learn_s_regression_on_scaled_codes(rows):
    X, y = rows.train[:40], rows.train_labels[:40]
    scale = np.sqrt(np.square(X - X.mean(axis=0)).mean())
    own = LogisticRegression(max_iter=2000).fit((X - X.mean(axis=0)) / scale, y)
    expected = own.score((rows.test - X.mean(axis=0)) / scale, rows.test_labels)
    assert accuracy(X, y, rows.test, rows.test_labels) == pytest.approx(expected, abs=0.01)
    for moved, test in ((100 * X + 7, 100 * rows.test + 7), (1e-3 * X, 1e-3 * rows.test)):  # units do not matter
        assert accuracy(moved, y, test, rows.test_labels) == accuracy(X, y, rows.test, rows.test_labels)


def test_a_code_that_never_varies_says_nothing(rows):
    found = accuracy(np.ones((40, 3)), rows.train_labels[:40], np.ones((300, 3)), rows.test_labels)
    assert found == pytest.approx(max(np.mean(rows.test_labels), 1 - np.mean(rows.test_labels)), abs=0.1)


def test_the_best_number_of_components_is_taken_for_each_size(rows):
    """The widest direction says nothing of the class, the second all."""
    alone = [curve(PCA(1).fit(rows.train), rows, (30, 60), seed) for seed in (0, 1)]
    both = [curve(PCA(2).fit(rows.train), rows, (30, 60), seed) for seed in (0, 1)]
    assert np.max(alone) < 0.7
    assert np.min(both) > 0.95
    pcas = [[PCA(n).fit(rows.train)] * 2 for n in (1, 2)]
    np.testing.assert_array_equal(best(pcas, rows, (30, 60), (0, 1), strengths=(1.0,)), both)


def test_every_code_is_read_with_the_strength_that_serves_it_best(rows):
    coder = PCA(2).fit(rows.train)
    each = np.array([[curve(coder, rows, (12, 60), seed, 1, C) for seed in (0, 1, 2)] for C in (1e-6, 1.0)])
    assert (each[1].mean(axis=0) > each[0].mean(axis=0) + 0.1).any()
    found = best([[coder] * 3], rows, (12, 60), (0, 1, 2), strengths=(1e-6, 1.0))
    np.testing.assert_array_equal(found.mean(axis=0), each.mean(axis=1).max(axis=0))
