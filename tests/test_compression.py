"""Rates and distortions against closed forms and against Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from isthmus import Autoencoder, codes, encoders, penalties
from isthmus.compression import Curve, Learned, Point, Principal, jpeg_curve, point, psnr, quantised
from isthmus.data.photos import bundled, cropped, in_bytes


def normal(n=4000, seed=0):
    """Rows in [0, 255] around 128 with variances 400, 100, 25, 4 along turned axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))[0]
    return (128 + rng.normal(size=(n, 4)) * (20, 10, 5, 2) @ axes).astype(np.float32)


def test_psnr_is_the_textbook_s():
    X = np.full((2, 8), 100.0)
    assert psnr(X, X + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(np.full((1, 4), 255.0), np.full((1, 4), 300.0)) == np.inf  # beyond the range nothing is drawn


def test_a_dead_zone_is_about_zero_alone():
    z = np.array([-1.7, -1.55, -0.59, 0.4, 0.59, 0.61, 1.4, 1.61])
    np.testing.assert_array_equal(quantised(z, 1.0), np.rint(z))
    np.testing.assert_array_equal(quantised(z, 1.0, 0.6), [-2, -1, 0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(quantised(10 * z, 10.0, 0.6), quantised(z, 1.0, 0.6))


def test_fine_steps_cost_what_theory_says():
    """At small steps D = Δ²/12, and the rate is the differential entropy less log₂ Δ (Gish & Pierce 1968)."""
    train, test = normal(), normal(seed=1)
    found = point(Principal.of(PCA().fit(train), 1.5, 0.5, train), train, test)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 / (1.5**2 / 12)), abs=0.1)
    entropy = np.mean(0.5 * np.log2(2 * np.pi * np.e * np.array([20, 10, 5, 2]) ** 2.0)) - np.log2(1.5)
    assert found.rate == pytest.approx(entropy, abs=0.06)


def test_a_dead_zone_pays_at_large_steps():
    """Peaked numbers, mostly near 0: less error at the same rate, as with the quantisers of video coders."""
    rng = np.random.default_rng(0)
    train, test = (128 + rng.laplace(size=(8000, 4)) * (14, 11, 8, 6) for _ in range(2))
    pca, steps = PCA().fit(train), (25.0, 35.0, 50.0, 70.0)
    rounded, dead = (
        Curve.through([point(Principal.of(pca, step, threshold, train), train, test) for step in steps])
        for threshold in (0.5, 0.65)
    )
    rates = np.linspace(0.5, 0.8, 4)
    assert np.all(dead.at(rates) > rounded.at(rates) + 0.01)


def test_a_curve_is_straight_between_its_points_and_nothing_beyond():
    curve = Curve.through([Point(1.0, 34.0), Point(0.5, 30.0)])
    np.testing.assert_array_equal(curve.at([0.4, 0.5, 0.75, 1.0, 1.1]), [np.nan, 30, 32, 34, np.nan])


def test_an_untrained_net_beside_the_identity_is_pca():
    """`Residual` begins as the identity, so its code of principal coordinates is that of PCA."""
    train, test = normal(), normal(seed=1)
    turned = PCA().fit(train)
    ae = Autoencoder(
        4,
        encoders.Residual((8,)),
        code=codes.Rounded(0.5, 0.6),
        penalty=penalties.Divergence(1e-9),
        scaling="global",
        learning_rate=1e-12,
        max_epochs=1,
        random_state=0,
        validation_fraction=0.0,
    ).fit(turned.transform(train))
    scale = np.sqrt(turned.explained_variance_.mean() * (1 - 1 / len(train)))
    pca = Principal(turned, 0.5 * float(scale), 0.6, np.zeros(4))
    ours = Learned(ae, turned)
    assert np.mean(ours.steps(test) != pca.steps(test)) < 1e-3  # at the edges of steps
    np.testing.assert_allclose(ours.rows(pca.steps(test)), pca.rows(pca.steps(test)), atol=1e-2)
    assert point(ours, train, test).psnr == pytest.approx(point(pca, train, test).psnr, abs=0.01)


def test_jpeg_is_pillow_s():
    photo = cropped(in_bytes(bundled("skimage")["camera"]), 8)[:64, :64]
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=50, optimize=True)
    curve = jpeg_curve([photo, photo], [50, 90])
    assert curve.rates[0] == 8 * len(file.getvalue()) / photo.size
    assert curve.psnr[0] == pytest.approx(psnr(photo, np.asarray(Image.open(file))))
    assert curve.rates[1] > curve.rates[0]
    assert curve.psnr[1] > curve.psnr[0]
