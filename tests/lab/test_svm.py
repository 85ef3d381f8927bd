"""The experiment holds, breaks where nothing is expanded, and scores digits as scikit-learn does."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told
from sklearn.svm import SVC

from isthmus.data import Dataset, load_data
from isthmus.lab import Protocol, find, holds, run, svm
from isthmus.lab.svm import SVM


def test_it_holds_and_its_pictures_are_told():
    measured = SVM.measure(SVM.settings, range(2))
    assert holds(measured.numbers, SVM.expected), measured.numbers
    assert "error_percent" not in measured.numbers
    shares = np.array(measured.series["machines"]["xor"]["share"])
    assert 0 < np.sum(shares > 0) < 50  # few are support
    assert_told(measured, SVM.expected, SVM.settings)
    assert_readable(measured)


def test_it_breaks_where_the_kernel_is_the_plain_product(tmp_path):
    result = run(find("svm"), Protocol(seeds=1, settings={"expand": False, "rows": 60}), tmp_path)
    assert not result["holds"]
    assert result["measured"]["xor_percent"] < 80
    assert result["measured"]["kkt_violation"] <= 1e-3  # the machine is in order, its space is too small


def test_a_machine_that_is_not_at_its_optimum_is_found_out(monkeypatch):
    """The tolerance of 1e-6 swapped for a loose one: its sum stays below SLSQP's, and conditions are not true."""
    monkeypatch.setattr(svm, "SVC", lambda **settings: SVC(**settings | {"tol": 1.0}))
    numbers = SVM.measure(dict(SVM.settings) | {"rows": 60}, [0]).numbers
    assert numbers["kkt_violation"] > 0.1
    assert numbers["dual_difference"] > 1e-3
    assert not holds(numbers, SVM.expected)


def test_the_full_protocol_scores_digits(monkeypatch):
    """On scikit-learn's in MNIST's place: as many as asked for are learned, the others name the error."""
    data = load_data("digits")
    X, y = np.asarray(data.X) / 16, np.asarray(data.y)
    own = Dataset("own", X[:1000], y[:1000], input_shape=(1, 8, 8), X_test=X[1000:], y_test=y[1000:])
    monkeypatch.setattr(svm, "load_data", lambda name: {"mnist": own}[name])
    small = {"digits": 300, "rows": 40, "test_rows": 10}
    numbers = SVM.measure(dict(SVM.settings) | dict(SVM.full) | small, [0]).numbers
    assert set(SVM.bounds(full=True)) == set(numbers)
    wanted = SVC(C=10, gamma=0.03).fit(X[:300], y[:300]).score(X[1000:], y[1000:])
    assert numbers["error_percent"] == pytest.approx(100 * (1 - wanted))
    assert SVM.bounds(full=True)["error_percent"] == ("<=", 1.5)
