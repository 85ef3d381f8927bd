"""Rows held out by class, other ones for every seed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.stats import sem
from sklearn.decomposition import PCA

from isthmus.data import Dataset, load_data
from isthmus.errors import DataError, SettingError
from isthmus.trials import Split, side_by_side, split_classes, surely


def test_each_seed_holds_out_other_rows_as_many_of_each_class():
    data = load_data("digits")
    first, again, other = (split_classes(data, seed) for seed in (0, 0, 1))
    assert (first.train.shape, first.test.shape) == ((1257, 64), (540, 64))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    np.testing.assert_allclose(np.bincount(first.test_labels), 0.3 * np.bincount(data.y), atol=1)
    assert np.concatenate([first.train, first.test]).sum() == data.X.sum()
    at = [np.flatnonzero((row == data.X).all(axis=1))[0] for row in first.train[:20]]
    np.testing.assert_array_equal(data.y[at], first.train_labels[:20])


def test_a_set_with_test_rows_of_its_own_is_judged_on_these():
    X, y = np.arange(24.0).reshape(4, 6), np.arange(4)
    own = split_classes(Dataset("own", X, y, X_test=X[:1] + 1, y_test=y[:1]), 5)
    np.testing.assert_array_equal(own.test, X[:1] + 1)
    np.testing.assert_array_equal(own.train, X)
    assert own.test_labels.tolist() == [0]


def test_rows_without_classes_are_refused():
    with pytest.raises(DataError) as caught:
        split_classes(Dataset("mine", np.zeros((4, 2))), 0)
    assert str(caught.value) == "rows have no classes; in mine; a set with labels"


def test_what_is_surely_gained_is_a_mean_less_two_standard_errors():
    found = [1.0, 2.0, 4.0, 9.0]
    assert surely(found) == pytest.approx(np.mean(found) - 2 * sem(found))
    assert np.isnan(surely([1.0]))


def test_a_split_is_coded_on_both_sides_and_keeps_its_labels():
    rng = np.random.default_rng(0)
    rows = Split(rng.normal(size=(20, 4)), rng.normal(size=(9, 4)), np.arange(9), np.arange(20))
    pca = PCA(2, random_state=0).fit(rows.train)
    coded = rows.coded(pca)
    np.testing.assert_array_equal(coded.train, pca.transform(rows.train))
    np.testing.assert_array_equal(coded.test, pca.transform(rows.test))
    assert coded.test_labels is rows.test_labels
    assert coded.train_labels is rows.train_labels


def test_pixels_are_shares_of_the_brightest_one_to_train_on():
    rows = Split(np.array([[2.0, 8.0]]), np.array([[16.0, 4.0]]), np.array([1]), np.array([0])).unit()
    np.testing.assert_array_equal(rows.train, [[0.25, 1.0]])
    np.testing.assert_array_equal(rows.test, [[2.0, 0.5]])
    assert (rows.train_labels.tolist(), rows.test_labels.tolist()) == ([0], [1])


def test_the_first_rows_keep_their_labels():
    rows = Split(np.arange(6.0).reshape(3, 2), np.zeros((4, 2)), None, np.array([7, 8, 9]))
    few = rows.first(2)
    np.testing.assert_array_equal(few.train, [[0, 1], [2, 3]])
    assert few.train_labels.tolist() == [7, 8]
    assert (len(few.test), few.test_labels) == (4, None)
    assert len(rows.first(None).train) == len(rows.first(9).train) == 3
    assert Split(rows.train, rows.test).first(1).train_labels is None


def _halved(number, by):
    if not number:
        raise SettingError("nothing to halve", "in number", "a number", "give one")
    return number / by, os.getpid()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tasks_side_by_side_come_back_in_order(n_jobs):
    found = side_by_side(_halved, [(4, 2), (9, 3), (10, 4)], n_jobs)
    assert [value for value, _ in found] == [2, 3, 2.5]
    assert (os.getpid() in {where for _, where in found}) == (n_jobs == 1)


def test_a_fault_beside_others_is_told_as_here():
    with pytest.raises(SettingError, match=r"^nothing to halve; in number; a number; give one$"):
        side_by_side(_halved, [(4, 2), (0, 3)], 2)
