"""The linear autoencoder spans the subspace of the first principal components (Baldi & Hornik 1989)."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from isthmus import zoo

K = 3


def planted(n=400, d=10, seed=0):
    """Rows of variance 9 in K directions and 1 in the others: an eigengap of 8."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return rng.normal(size=(n, d)) * np.r_[np.full(K, 3.0), np.ones(d - K)] @ basis.T


def smallest_cosine(A, B):
    """Of the principal angles between the spans of two sets of columns; the sines keep it exact near 1."""
    return float(np.cos(subspace_angles(A, B).max()))


@pytest.mark.parametrize("seed", [0, 1])
def test_from_random_weights_it_finds_the_principal_subspace(seed):
    X = planted()
    settings = {"scaling": "global", "batch_size": None, "validation_fraction": 0, "early_stopping": False}
    ae = zoo.linear(K, max_epochs=1000, learning_rate=0.02, random_state=seed, **settings).fit(X)
    pca = PCA(K).fit(ae.scale(X))
    decoder = ae.module_.decoder.reader.weight.detach().numpy()  # (D, K)
    first = ae.untrained().module_.decoder.reader.weight.detach().numpy()
    assert decoder.dtype == np.float64
    assert smallest_cosine(first, pca.components_.T) < 0.9
    assert smallest_cosine(decoder, pca.components_.T) >= 1 - 1e-6
    scaled = ae.scale(X)
    error = np.square(scaled - ae.scale(ae.reconstruct(X))).sum()
    assert error == pytest.approx(np.square(scaled - pca.inverse_transform(pca.transform(scaled))).sum(), rel=1e-6)
