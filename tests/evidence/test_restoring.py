"""Taking noise off rows: formulas against their definitions, rivals against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import medfilt2d
from sklearn.decomposition import PCA

from isthmus import corruptions
from isthmus.errors import DataError, SettingError
from isthmus.evidence.restoring import Projection, corrupted, median, precision

RNG = np.random.default_rng(0)
ROWS = RNG.uniform(0.2, 0.8, size=(300, 12))


def test_noise_is_that_of_the_corruption():
    loud = corrupted(corruptions.Gaussian(0.5), ROWS, ROWS, (1, 3, 4), 0) - ROWS
    assert loud.std() == pytest.approx(0.5, rel=0.05)
    masked = corrupted(corruptions.Masking(0.25), ROWS, ROWS, (1, 3, 4), 0)
    assert (masked == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(masked[masked != 0], ROWS[masked != 0])
    salted = corrupted(corruptions.SaltAndPepper(0.5), ROWS[:100], ROWS, (1, 3, 4), 0)
    changed = salted != ROWS[:100]
    ends = np.stack([ROWS.min(axis=0), ROWS.max(axis=0)])
    assert (salted[:, None] == ends).any(axis=1)[changed].all()
    assert changed.mean() == pytest.approx(0.5, abs=0.05)
    assert np.array_equal(salted, corrupted(corruptions.SaltAndPepper(0.5), ROWS[:100], ROWS, (1, 3, 4), 0))


def test_the_median_filter_is_scipy_signal_s_inside():
    filtered = median(ROWS, (1, 3, 4)).reshape(-1, 3, 4)
    for row, own in zip(ROWS.reshape(-1, 3, 4), filtered, strict=True):
        np.testing.assert_array_equal(own[1, 1:3], medfilt2d(row, 3)[1, 1:3])
    channels = median(np.concatenate([ROWS, ROWS[::-1]], axis=1), (2, 3, 4))
    np.testing.assert_array_equal(channels, np.concatenate([median(ROWS, (1, 3, 4)), median(ROWS[::-1], (1, 3, 4))], 1))


@pytest.mark.parametrize("amount", [0.001, 0.3, 5.0])
def test_the_projection_has_as_many_components_as_are_best(amount):
    X = ROWS @ RNG.normal(size=(12, 12)) * np.linspace(0.1, 1, 12)
    noisy = X + amount * RNG.normal(size=X.shape)
    errors = []
    for k in range(1, 13):
        pca = PCA(k, svd_solver="full").fit(X)
        errors.append(np.square(X - pca.inverse_transform(pca.transform(noisy))).mean())
    found = Projection.chosen(X, noisy)
    best = int(np.argmin(errors)) + 1
    assert len(found.components) == best
    assert best == 12 if amount < 0.01 else best < 12
    assert np.square(X - found.restored(noisy)).mean() == pytest.approx(min(errors))
    np.testing.assert_allclose(np.abs(found.codes(X)), np.abs(PCA(best, svd_solver="full").fit_transform(X)), atol=1e-8)


def test_precision_is_counted_by_hand():
    rows, classes = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]), np.array([0, 0, 1, 1, 1, 1])
    assert precision(np.array([[0.4]]), [0], rows, classes, k=2) == 1
    assert precision(np.array([[0.4]]), [0], rows, classes, k=3) == pytest.approx(2 / 3)
    assert precision(np.array([[0.4], [11.2]]), [1, 1], rows, classes, k=3) == pytest.approx((1 / 3 + 1) / 2)


def test_what_cannot_be_looked_up():
    with pytest.raises(DataError) as fault:
        precision(ROWS, np.zeros(300), ROWS[:4], np.zeros(4))
    assert str(fault.value) == "4 rows to look 10 up in; in precision; at least 10"
    with pytest.raises(SettingError, match=r"^k must be a whole number >= 1; got 0; in precision$"):
        precision(ROWS, np.zeros(300), ROWS, np.zeros(300), k=0)
