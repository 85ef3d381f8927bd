"""The experiment holds, and breaks where its conditions are taken away."""

from __future__ import annotations

import numpy as np
from lab.pictured import assert_readable, assert_told

from isthmus.evidence.principal import principal
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.linear_pca import LINEAR_PCA, rows


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("linear-pca"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert result["expected"]["cosine"] == [">=", 1 - 1e-6]
    assert [path.rpartition("/")[2] for path in result["figures"]] == ["linear-pca-directions.png"]


def test_it_breaks_without_an_eigengap_and_without_time():
    settings = dict(LINEAR_PCA.settings)
    no_gap = LINEAR_PCA.measure(settings | {"eigengap": 0.5, "epochs": 300}, [0]).numbers
    assert not holds(no_gap, LINEAR_PCA.expected)
    hurried = LINEAR_PCA.measure(settings | {"epochs": 20}, [0]).numbers
    assert not holds(hurried, LINEAR_PCA.expected)


def test_the_rows_have_the_planted_spectrum():
    X = rows(LINEAR_PCA.settings, 3)
    np.testing.assert_allclose(principal(X, 6).eigenvalues, 5 * (1 + np.arange(6)[::-1] / 2))


def test_its_picture_is_told_and_readable():
    measured = LINEAR_PCA.measure(dict(LINEAR_PCA.settings) | {"epochs": 20}, [0, 1])
    assert_told(measured)
    assert_readable(measured)
