"""The experiment holds, and breaks where its conditions are taken away."""

from __future__ import annotations

import numpy as np

from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.linear_pca import LINEAR_PCA, Principal, Trial, principal, rows


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
    settings = LINEAR_PCA.settings
    X = rows(settings, 3)
    found = principal(X, settings["code_size"])
    np.testing.assert_allclose(found.eigenvalues, 5 * (1 + np.arange(6)[::-1] / 2))
    np.testing.assert_allclose(found.error, np.linspace(1, 0.5, 10).sum())


def test_the_measures_on_the_closed_form_of_kunin():
    """V = U (1 − 2λ/Λ)^½ Q is measured as exact; U times a random matrix only as the same subspace."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(9, 3)))[0]
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    eigenvalues, strength = np.array([7.0, 5.0, 4.0]), 0.5
    regularised = U * np.sqrt(1 - 2 * strength / eigenvalues) @ Q
    trial = Trial(Principal(eigenvalues, U, 1.0), U @ rng.normal(size=(3, 3)), regularised, 1.0, strength)
    np.testing.assert_allclose(trial.cosine, 1)
    np.testing.assert_allclose(trial.recovered, eigenvalues)
    np.testing.assert_allclose(trial.direction_cosines(trial.l2), 1)
    assert trial.direction_cosines(trial.plain).min() < 0.9
    assert trial.column_cosine > 0.01
