"""Labelled rows, as many of every class: nested draws, and what two readers make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isthmus import corruptions
from isthmus.errors import DataError
from isthmus.evidence.few_labels import accuracy
from isthmus.evidence.labels_a_class import augmented, nearest, of_each_class, read
from isthmus.trials import Split


def test_every_class_is_drawn_as_often_and_no_row_twice():
    y = np.random.default_rng(0).permutation(np.repeat([3, 5, 9], [20, 30, 40]))
    rows = of_each_class(y, 6, seed=1)
    assert rows.shape == (3, 6)
    np.testing.assert_array_equal(y[rows], np.repeat([[3], [5], [9]], 6, axis=1))
    assert len(np.unique(rows)) == 18
    np.testing.assert_array_equal(rows[:, :2], of_each_class(y, 2, seed=1))  # fewer are the beginning of more
    assert not np.array_equal(rows, of_each_class(y, 6, seed=2))


@pytest.mark.parametrize(("labels", "most", "fewest"), [([0, 0, 1], 2, 1), ([0, 1], 0, 1), ([], 1, 0)])
def test_classes_with_too_few_rows_are_refused(labels, most, fewest):
    with pytest.raises(DataError) as fault:
        of_each_class(labels, most, seed=0)
    told = f"{most} labelled rows a class; in of_each_class; from 1 to {fewest}, all of the rarest class"
    assert str(fault.value) == told


def test_the_nearest_row_names_the_class():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(30, 4)), rng.integers(3, size=30)
    T, t = rng.normal(size=(50, 4)), rng.integers(3, size=50)
    by_hand = y[np.square(T[:, None] - Z).sum(axis=2).argmin(axis=1)] == t
    assert nearest(Z, y, T, t) == pytest.approx(by_hand.mean())


def planted(rng):
    """Rows near two places far apart, each a class."""
    y = rng.permutation(np.repeat([0, 1], 40))
    X = (10 * y[:, None] + rng.normal(size=(80, 4))).astype(np.float32)
    return Split(X[:50], X[50:], y[50:], y[:50])


def test_reading_is_the_mean_over_draws():
    rows = planted(np.random.default_rng(0))
    draws = [of_each_class(rows.train_labels, 5, seed) for seed in range(3)]
    found = read(rows, draws, (1, 5))
    assert found.shape == (2, 2)
    assert (found == 1).all()
    shuffled = replace(rows, train_labels=np.random.default_rng(1).permutation(rows.train_labels))
    few, test = [one.ravel() for one in draws], (rows.test, rows.test_labels)
    own = [nearest(rows.train[one], shuffled.train_labels[one], *test) for one in few]
    assert read(shuffled, draws, (5,))[1, 0] == pytest.approx(np.mean(own))


def test_copies_without_change_add_nothing():
    rng = np.random.default_rng(0)
    rows, few = planted(rng), np.arange(12)
    rows = replace(rows, train_labels=rng.integers(2, size=50))
    plain = [accuracy(rows.train[few], rows.train_labels[few], rows.test, rows.test_labels)]
    plain += [nearest(rows.train[few], rows.train_labels[few], rows.test, rows.test_labels)]
    assert augmented(rows, few, corruptions.Gaussian(0.0), (4,), 3, 0).tolist() == pytest.approx(plain)
    assert augmented(rows, few, corruptions.Gaussian(50.0), (4,), 3, 0).tolist() != pytest.approx(plain)
