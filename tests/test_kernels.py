"""The dual of a machine: against sums written out, problems solved by hand, and φ by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from isthmus import kernels
from isthmus.kernels import Dual

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (12, 3))
Y = np.where(np.arange(12) % 3 == 0, 1.0, -1.0)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 6])
def test_the_polynomial_kernel_is_a_product_of_features(degree):
    phi, other = kernels.polynomial_features(X, degree), kernels.polynomial_features(X[:4] - 1, degree)
    np.testing.assert_allclose(phi @ other.T, kernels.polynomial(degree)(X, X[:4] - 1), rtol=0, atol=1e-10)


def test_features_of_two_attributes_are_those_of_the_textbook():
    (x, y), root = X[0, :2], np.sqrt(2)
    wanted = [1, root * x, root * y, x * x, root * x * y, y * y]
    np.testing.assert_allclose(kernels.polynomial_features(X[:1, :2], 2)[0], wanted, rtol=1e-12)


def test_the_radial_kernel_falls_with_the_squared_distance():
    wanted = [[np.exp(-0.7 * np.sum((a - b) ** 2)) for b in X[:3]] for a in X]
    np.testing.assert_allclose(kernels.radial(0.7)(X, X[:3]), wanted, rtol=1e-12)


def problem(alpha, C=1.0, bias=0.0):
    return Dual(np.asarray(alpha, dtype=float), Y, kernels.radial(1.0)(X, X), C, bias)


def test_the_value_is_the_slides_sum():
    alpha = RNG.uniform(0, 1, 12)
    gram = problem(alpha).gram
    double = sum(alpha[n] * alpha[m] * Y[n] * Y[m] * gram[n, m] for n in range(12) for m in range(12))
    assert problem(alpha).value == pytest.approx(alpha.sum() - double / 2, rel=1e-12)


def test_no_value_passes_the_primal():
    """Weak duality, for whatever multipliers are allowed and whatever bias."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        alpha = rng.uniform(0, 1, 12)
        alpha[Y > 0] *= min(1, alpha[Y < 0].sum() / alpha[Y > 0].sum())
        alpha[Y < 0] *= alpha[Y > 0].sum() / alpha[Y < 0].sum()
        found = problem(alpha, bias=rng.normal())
        assert abs(alpha @ Y) < 1e-12
        assert found.value <= found.primal


def on_a_line(alpha, C=10.0):
    """x = −1, −3 of one class and 1 of the other: f(x) = x, α = ½ for the two nearest, ‖w‖²/2 = ½."""
    at = np.array([[-1.0], [-3.0], [1.0]])
    return Dual(np.asarray(alpha, dtype=float), np.array([-1.0, -1.0, 1.0]), at @ at.T, C)


def test_a_problem_that_is_solved_by_hand():
    found = on_a_line([0.5, 0, 0.5])
    assert (found.value, found.primal, found.violation) == (0.5, 0.5, 0)
    np.testing.assert_allclose(found.margins, [1, 3, 1])
    assert found.climb()[-1] == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("alpha", "C", "violation"),
    [
        ([0, 0, 0], 10.0, 1),  # a margin of 0 where α = 0
        ([0.5, 0.2, 0.7], 10.0, 4.4),  # f(x) = 1.8 x: a margin of 5.4 where α > 0
        ([0.3, 0, 0.3], 0.3, 0),  # short of the margin, and at C: allowed
        ([0.5, 0, 0.5], 0.4, 0.1),  # beyond C
        ([0.5, 0, 0.6], 10.0, 0.1),  # Σ αy
    ],
)
def test_each_condition_is_seen(alpha, C, violation):
    assert on_a_line(alpha, C).violation == pytest.approx(violation, abs=1e-12)


def test_a_machine_of_scikit_learn_stands_at_the_top():
    """Names of classes in any order of texts; more of one class than of the other."""
    rows = np.random.default_rng(3).normal(size=(60, 2))
    names = np.where(rows[:, 0] * rows[:, 1] + 0.3 * rows[:, 0] > 0.2, "above", "below")
    machine = SVC(C=3.0, gamma=0.8, tol=1e-8).fit(rows, names)
    found = Dual.of(machine, rows, names, kernels.radial(0.8))
    np.testing.assert_allclose(found.margins, found.y * machine.decision_function(rows), atol=1e-9)
    assert set(np.unique(found.y)) == {-1, 1}
    assert (found.y > 0).sum() != (found.y < 0).sum()
    climb = found.climb()
    assert climb[0] < climb[-1]
    assert found.value == pytest.approx(climb[-1], rel=1e-7)
    assert found.value == pytest.approx(found.primal, rel=1e-6)
    assert found.violation < 1e-6
    other = Dual.of(machine, rows, names, kernels.radial(0.4))  # not its kernel: not its top
    assert other.violation > 0.01
