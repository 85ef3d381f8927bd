"""Iteration ends where linear algebra, a root finder, or the net's own table says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.spatial.distance import cdist

from isthmus import Autoencoder, codes, decoders, encoders
from isthmus.errors import DataError
from isthmus.evidence.attractors import FAR, attraction, iterate, spacing, spectral_radius

PLAIN = {"scaling": None, "max_epochs": 1, "learning_rate": 1e-12, "validation_fraction": 0.0, "dtype": "float64"}


def linear(A, B, b, code="identity"):
    """x ← B s(A x) + b, with A of shape (K, D) and B of shape (D, K)."""
    K, D = A.shape
    ae = Autoencoder(K, encoders.Linear(), decoders.Linear(), codes.Activation(code), **PLAIN)
    ae.fit(np.random.default_rng(0).normal(size=(30, D)))
    with torch.no_grad():
        for layer, matrix, bias in (
            (ae.module_.encoder.dense[0], A, np.zeros(K)),
            (ae.module_.decoder.network.dense[0], B, b),
        ):
            layer.matrix.copy_(torch.as_tensor(matrix))
            layer.bias.copy_(torch.as_tensor(bias))
    return ae


def contraction(D=5, K=3, radius=0.6, seed=1):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(K, D)), rng.normal(size=(D, K))
    return A, B * radius / np.abs(np.linalg.eigvals(B @ A)).max(), rng.normal(size=D)


def test_a_linear_contraction_ends_at_its_fixed_point_from_everywhere():
    A, B, b = contraction()
    fixed = np.linalg.solve(np.eye(5) - B @ A, b)
    rng = np.random.default_rng(2)
    train = np.stack([fixed, fixed + 3, fixed - 3])
    found = attraction(linear(A, B, b), train, 10 * rng.normal(size=(40, 5)))
    np.testing.assert_allclose(found.ends, np.tile(fixed, (40, 1)), atol=1e-9)
    assert found.arrived.all()
    assert not found.nearest.any()
    elsewhere = attraction(linear(A, B, b), train[1:], rng.normal(size=(4, 5)))
    assert not elsewhere.arrived.any()
    np.testing.assert_allclose(elsewhere.distance, 0.5)  # rows 6√5 apart, the fixed point halfway


@pytest.mark.parametrize("radius", [0.6, 1.7])
def test_the_spectral_radius_is_that_of_the_whole_jacobian(radius):
    A, B, b = contraction(radius=radius)
    found = spectral_radius(linear(A, B, b), np.random.default_rng(3).normal(size=(7, 5)))
    np.testing.assert_allclose(found, np.full(7, radius), rtol=1e-9)


def test_the_spectral_radius_of_a_bent_net_is_that_of_finite_differences():
    A, B, b = contraction(seed=4)
    ae, step = linear(A, B, b, "tanh"), 1e-6
    X = np.random.default_rng(5).normal(size=(6, 5))
    moved = [(ae.reconstruct(X + step * e) - ae.reconstruct(X - step * e)) / (2 * step) for e in np.eye(5)]
    expected = np.abs(np.linalg.eigvals(np.stack(moved, axis=2))).max(axis=1)
    np.testing.assert_allclose(spectral_radius(ae, X), expected, rtol=1e-6)


def test_a_net_with_two_attractors_and_a_repeller_between_them():
    """x ← tanh(2x): ±x* with x* = tanh(2x*) attract, 0 repels."""
    ae = linear(np.array([[2.0]]), np.array([[1.0]]), np.zeros(1), "tanh")
    place = brentq(lambda x: np.tanh(2 * x) - x, 0.1, 2)
    X = np.linspace(-3, 3, 60)[:, None]
    found = attraction(ae, np.array([[-place], [place]]), X)
    np.testing.assert_allclose(found.ends, np.sign(X) * place, atol=1e-12)
    np.testing.assert_array_equal(found.nearest, (X[:, 0] > 0).astype(int))
    assert found.arrived.all()
    assert found.reached == 2
    np.testing.assert_allclose(spectral_radius(ae, [[0.0], [place]]), [2, 2 * (1 - place**2)], rtol=1e-9)


def test_an_explosion_is_far_away():
    assert np.abs(iterate(lambda x: x**3, np.full((2, 3), 10.0))).max() == FAR
    assert np.abs(iterate(lambda x: x * np.nan, np.zeros((2, 3)), 1)).max() == FAR


def test_spacing_is_the_median_distance_to_the_nearest_other_row():
    rows = np.random.default_rng(0).normal(size=(50, 4))
    distances = cdist(rows, rows) + np.diag(np.full(50, np.inf))
    assert spacing(rows) == pytest.approx(np.median(distances.min(axis=1)))
    assert spacing(rows[:1]) == 0


def test_rows_that_do_not_differ_have_no_distance():
    A, B, b = contraction()
    with pytest.raises(DataError) as caught:
        attraction(linear(A, B, b), np.zeros((3, 5)), np.ones((2, 5)))
    assert str(caught.value) == ("training rows that do not differ; in attraction; 2 different rows or more")
