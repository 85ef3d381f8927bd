"""Digits at every angle: errors and readings against those worked out by hand."""

from __future__ import annotations

import numpy as np

from isthmus.evidence.turning import Judged, Turned, spun


class Brightest:
    """Reads a row as the column of its largest number."""

    def predict(self, X):
        return X.argmax(axis=1)


ROWS = np.eye(16, dtype=np.float32)[[0, 6, 9]]  # one pixel lit of 4 × 4
LABELS = np.array([0, 6, 9])


def test_a_quarter_turn_is_exact_and_each_row_has_its_own_angle():
    X = np.random.default_rng(0).random((3, 25)).astype(np.float32)
    found = spun(X, np.array([0.0, 90.0, 180.0])).reshape(3, 5, 5)
    for k in range(3):
        np.testing.assert_allclose(found[k], np.rot90(X[k].reshape(5, 5), k), atol=1e-5)
    np.testing.assert_allclose(spun(X, 90.0)[1], found[1].ravel(), atol=1e-6)


def test_errors_and_readings_by_angle():
    """Half a turn of 4 × 4 pixels takes pixel i to 15 − i: 6 becomes 9, and 9 becomes 6."""
    test = Turned(ROWS, LABELS, Brightest(), (0, 180))
    found = test.judged(lambda X: X)
    np.testing.assert_allclose(found.errors, [0, 2 / 16], atol=1e-6)
    assert found.read.tolist() == [[0, 6, 9], [15, 9, 6]]
    assert found.right == 0.5
    assert found.confused == {
        "six_read": 0.5,
        "six_as_nine": 0.5,
        "nine_read": 0.5,
        "nine_as_six": 0.5,
        "others_confused": 0.0,
    }
    undone = Turned(ROWS, LABELS, Brightest(), (180,)).judged(lambda X: X[:, ::-1])
    np.testing.assert_allclose(undone.errors, 0, atol=1e-6)
    assert undone.right == 1


def test_other_digits_taken_for_a_six_or_a_nine():
    read = np.array([[1, 6, 9, 6], [9, 6, 6, 1]])
    judged = Judged(np.zeros(2), read, np.array([1, 1, 9, 6]))
    assert judged.confused["others_confused"] == 0.75
    assert judged.confused["nine_as_six"] == 0.5
    assert judged.right == 0.25
