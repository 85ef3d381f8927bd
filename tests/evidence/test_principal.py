"""Linear decoders and planted rows against closed forms."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from isthmus.data.normal import caused, planted
from isthmus.evidence.principal import Decoders, Principal, principal


def test_it_is_pca_and_the_spectrum_is_the_planted_one():
    variances = np.array([9.0, 4.0, 2.0, 0.5, 0.25])
    X = planted(80, variances, np.random.default_rng(1))
    found, known = principal(X, 2), PCA(2).fit(X)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.eigenvalues, [9, 4])
    np.testing.assert_allclose(found.error, 2.75)
    np.testing.assert_allclose(np.abs(known.components_ @ found.directions), np.eye(2), atol=1e-10)


def test_caused_rows_have_few_strong_directions_and_the_noise_told():
    X = caused(4000, 2, 6, 0.3, np.random.default_rng(0))
    spread = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) / np.sqrt(len(X))
    assert spread[1] > 0.8
    np.testing.assert_allclose(spread[2:], 0.3, rtol=0.1)


def test_the_measures_on_the_closed_form_of_kunin():
    """V = U (1 − 2λ/Λ)^½ Q is measured as exact; U times a random matrix only as the same subspace."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(9, 3)))[0]
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    eigenvalues, strength = np.array([7.0, 5.0, 4.0]), 0.5
    regularised = U * np.sqrt(1 - 2 * strength / eigenvalues) @ Q
    trial = Decoders(Principal(eigenvalues, U, 1.0), U @ rng.normal(size=(3, 3)), regularised, 1.0, strength)
    np.testing.assert_allclose(trial.cosine, 1)
    np.testing.assert_allclose(trial.recovered, eigenvalues)
    np.testing.assert_allclose(trial.direction_cosines(trial.l2), 1)
    assert trial.direction_cosines(trial.plain).min() < 0.9
    assert trial.column_cosine > 0.01
