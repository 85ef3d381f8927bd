"""Threshold units against counts known since Minsky and Papert, proofs in fractions, and scikit-learn's hard margin."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from isthmus import threshold
from isthmus.errors import DataError, SettingError
from isthmus.threshold import Separation, TwoLayers, Unit

XOR = (0, 1, 1, 0)


def extended(X, y):
    """s x̂ of rows and classes."""
    return np.where(np.asarray(y) == 1, 1, -1)[:, None] * np.column_stack([X, np.ones(len(X))])


@pytest.mark.parametrize(("n", "separable"), [(1, 4), (2, 14), (3, 104)])  # OEIS A000609
def test_how_many_functions_of_n_inputs_a_unit_computes(n, separable):
    X = threshold.patterns(n)
    found = [(threshold.separation(X, y), y) for y in threshold.patterns(2**n)]
    assert sum(answer.exists for answer, _ in found) == separable
    assert all(answer.proved(X, y) for answer, y in found)
    assert all(np.array_equal(answer.unit(X), y) for answer, y in found if answer.exists)
    assert all(answer.multipliers is None for answer, _ in found if answer.exists)


def test_why_no_unit_computes_xor():
    answer = threshold.separation(threshold.patterns(2), XOR)
    np.testing.assert_allclose(answer.multipliers, 1 / 4)  # the middle of either class is the same point
    assert answer.unit is None


def test_what_is_wrong_is_not_proved():
    X = threshold.patterns(2)
    unit = Unit(np.array([1.0, 1.0]), -1.5)
    assert Separation(unit, None).proved(X, (0, 0, 0, 1))
    assert not Separation(unit, None).proved(X, (0, 1, 1, 1))
    assert not Separation(None, np.full(4, 1 / 4)).proved(X, (0, 0, 0, 1))  # there a unit is
    assert not Separation(None, np.array([1 / 2, 0, 0, 1 / 2])).proved(X, XOR)  # rows of one class alone
    grazing = Unit(np.array([1.0, 1.0]), -1.0)  # its line runs through rows: w·x + b = 0 there
    assert not Separation(grazing, None).proved(X, (0, 0, 0, 1))


def test_answers_about_measured_rows_are_proved_too():
    found = load_iris()
    answers = [threshold.separation(found.data, found.target == species) for species in range(3)]
    assert [answer.exists for answer in answers] == [True, False, False]
    assert all(answer.proved(found.data, found.target == species) for species, answer in enumerate(answers))
    for species, answer in enumerate(answers[1:], 1):
        mixture = answer.multipliers @ extended(found.data, found.target == species)
        np.testing.assert_allclose(mixture, 0, atol=1e-9)
        assert answer.multipliers.min() >= 0


def test_what_deceives_the_solver_is_not_proved():
    X = [[1.0], [1.0 + 1e-12]]
    answer = threshold.separation(X, [0, 1])
    assert not answer.exists
    assert not answer.proved(X, [0, 1])


def test_a_solver_without_an_answer(monkeypatch):
    lost = SimpleNamespace(status=4, success=False)
    monkeypatch.setattr("isthmus.threshold.separating.linprog", lambda *given, **more: lost)
    with pytest.raises(DataError) as fault:
        threshold.separation([[0.0], [1.0]], [0, 1])
    message = "linear programming found neither a unit nor a proof that there is none; in X and y; classes less close"
    assert str(fault.value) == message


@pytest.mark.parametrize("size", [1e-200, 1e-9, 1e12, 1e300])
def test_answers_do_not_depend_on_units(size):
    X = threshold.patterns(2) * (size, 1)
    for y, exists in (((0, 0, 0, 1), True), (XOR, False)):
        answer = threshold.separation(X, y)
        assert answer.exists is exists
        assert answer.proved(X, y)


def test_proofs_are_of_the_numbers_themselves():
    """0.1 + 0.2 is not 0.3: three rows on a line to sixteen digits are not on a line."""
    X = np.array([[0.1], [0.3], [0.2]])
    middle = (0, 0, 1)
    answer = threshold.separation(X, middle)
    assert not answer.exists
    assert answer.proved(X, middle)
    assert Fraction(0.1) + Fraction(0.3) != 2 * Fraction(0.2)
    bent = np.array([[0.1, 0.3], [0.3, 0.1], [0.2, 0.2]])  # the middle row lies a little to a side
    nearly = Separation(None, np.array([1 / 4, 1 / 4, 1 / 2]))
    np.testing.assert_allclose(nearly.multipliers @ extended(bent, middle), 0, atol=1e-16)
    assert not nearly.proved(bent, middle)


@pytest.mark.parametrize("seed", range(4))
def test_the_widest_margin_is_that_of_a_support_vector_machine(seed):
    """Rows and their mirror images with the other class: a machine over x̂ then needs no bias of its own."""
    X, y = threshold.separable(40, 3, gap=0.2, random_state=seed)
    V = extended(X, y)
    machine = SVC(kernel="linear", C=1e8, tol=1e-9).fit(np.vstack([V, -V]), np.repeat([1, 0], len(V)))
    found = threshold.widest(X, y)
    np.testing.assert_allclose([*found.unit.weights, found.unit.bias], machine.coef_[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.margin, 1 / np.linalg.norm(machine.coef_), rtol=1e-6)
    np.testing.assert_allclose(found.ceiling, found.margin, rtol=1e-9)
    np.testing.assert_allclose((V @ machine.coef_[0]).min(), 1, rtol=1e-6)
    np.testing.assert_allclose(found.radius, np.linalg.norm(np.column_stack([X, np.ones(len(X))]), axis=1).max())
    np.testing.assert_allclose(found.mistakes, (found.radius / found.margin) ** 2, rtol=1e-8)
    assert np.array_equal(found.unit(X), y)


def test_the_widest_margin_in_closed_form():
    found = threshold.widest([[3.0], [-1.0]], [1, 0])  # b = −w/2 at best is not: min w² + b², 3w + b ≥ 1, w − b ≥ 1
    np.testing.assert_allclose([*found.unit.weights, found.unit.bias], [0.5, -0.5])
    np.testing.assert_allclose([found.margin, found.radius, found.mistakes], [np.sqrt(2), np.sqrt(10), 5])


def test_no_widest_margin_where_no_unit_separates():
    with pytest.raises(DataError) as fault:
        threshold.widest(threshold.patterns(2), XOR)
    assert str(fault.value) == "no unit separates the rows; in X and y; separation(X, y) tells why"


def test_the_rule_step_by_step():
    """AND by hand: the first sweeps of ŵ = 0, rows in the order of the truth table."""
    learned = threshold.rosenblatt(threshold.patterns(2), (0, 0, 0, 1))
    by_hand = [[0, 0, 0], [0, 0, -1], [1, 1, 0], [1, 1, -1], [1, 0, -2], [2, 1, -1]]
    np.testing.assert_array_equal(learned.path[:6], by_hand)
    assert learned.mistakes[:2] == (2, 3)
    assert learned.converged
    assert learned.returned is None
    assert learned.circle.shape == (0, 3)
    assert len(learned.path) == sum(learned.mistakes) + 1
    assert np.array_equal(learned.unit(threshold.patterns(2)), (0, 0, 0, 1))


def test_on_xor_the_rule_goes_round():
    learned = threshold.rosenblatt(threshold.patterns(2), XOR, sweeps=50)
    assert (learned.converged, learned.returned, learned.mistakes) == (False, 1, (4,))
    np.testing.assert_array_equal(learned.circle, [[0, 0, -1], [0, 1, 0], [1, 1, 1], [0, 0, 0]])


def test_a_circle_of_several_sweeps():
    """A function of three inputs that no unit computes: the last sweeps, done once more, come back to their end."""
    X, y = threshold.patterns(3), np.array([0, 0, 0, 1, 1, 0, 1, 0])
    learned = threshold.rosenblatt(X, y)
    assert (learned.returned, len(learned.mistakes)) == (2, 9)
    ends = learned.path[np.cumsum([0, *learned.mistakes])]
    np.testing.assert_array_equal(ends[-1], ends[-1 - learned.returned])
    assert len(np.unique(ends[:-1], axis=0)) == len(ends) - 1
    V, w = extended(X, y), ends[-1]
    for _ in range(learned.returned):
        for v in V:
            w = w + v * (v @ w <= 0)
    np.testing.assert_array_equal(w, ends[-1])


def test_the_rule_ends_where_it_is_told_to():
    X, y = threshold.separable(100, 4, gap=0.01, random_state=1)
    learned = threshold.rosenblatt(X, y, sweeps=2)
    assert (learned.converged, learned.returned, len(learned.mistakes)) == (False, None, 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_of_novikoff(seed):
    X, y = threshold.separable(60, 1 + seed, gap=0.1, random_state=seed)
    learned = threshold.rosenblatt(X, y)
    assert learned.converged
    assert 0 < sum(learned.mistakes) <= threshold.widest(X, y).mistakes
    assert np.array_equal(learned.unit(X), y)


@pytest.mark.parametrize("n", [2, 4, 16])
def test_rows_at_right_angles_attain_the_bound(n):
    X, y = threshold.right_angled(n)
    V = extended(X, y)
    np.testing.assert_array_equal(V @ V.T, n * np.eye(n))
    np.testing.assert_allclose(threshold.widest(X, y).mistakes, n)
    assert threshold.rosenblatt(X, y).mistakes == (n, 0)


def test_separable_sets_keep_their_gap():
    X, y = threshold.separable(500, 3, gap=0.25, random_state=3)
    machine = SVC(kernel="linear", C=1e8).fit(X, y)
    assert (X.shape, y.shape, set(y)) == ((500, 3), (500,), {0, 1})
    assert 0.25 <= 1 / np.linalg.norm(machine.coef_) < 0.35
    again, other = (threshold.separable(500, 3, gap=0.25, random_state=seed)[0] for seed in (3, 4))
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, other)


def test_patterns_are_truth_tables():
    np.testing.assert_array_equal(threshold.patterns(2), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert threshold.patterns(5).shape == (32, 5)


def test_masks():
    X = [[1, 1, 0], [1, 1, 1], [0, 1, 0]]
    np.testing.assert_array_equal(threshold.masks(X, 2), [[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]])
    assert threshold.masks(X, 0).shape == (3, 0)
    assert threshold.masks(X, 9).shape == (3, 7)


def test_masks_make_every_function_of_so_many_inputs():
    """Of any 2 of 4 inputs: masks up to order 2 span them, and those of order 1 do not."""
    X = threshold.patterns(4)
    functions = [y[X[:, pair] @ (2, 1)] for y in threshold.patterns(4) for pair in ([0, 1], [0, 3], [2, 3])]
    spans = [np.column_stack([np.ones(16), threshold.masks(X, order)]) for order in (1, 2)]
    residuals = [np.linalg.lstsq(span, np.array(functions).T, rcond=None)[1] for span in spans]
    assert max(residuals[1]) < 1e-12 < max(residuals[0])


def test_orders():
    for n in (1, 2, 3, 4):
        X = threshold.patterns(n)
        assert threshold.order(X, X.sum(axis=1) % 2) == n
        assert threshold.order(X, X.any(axis=1)) == 1
        assert threshold.order(X, np.ones(len(X))) == 0
    X = threshold.patterns(4)
    assert threshold.order(X, X.sum(axis=1) == 2) == 2  # (Σx − 2)² < 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_two_layers_make_every_function(n):
    X = threshold.patterns(n)
    for y in threshold.patterns(2**n):
        network = threshold.two_layers(X, y)
        assert isinstance(network, TwoLayers)
        assert len(network.hidden) == y.sum()
        assert np.array_equal(network(X), y)


FAULTS = [
    (lambda: threshold.separation([1, 2], [0, 1]), "X has the shape (2,); in X; rows, (N, D)"),
    (lambda: threshold.separation([[np.nan]], [0]), "a number is not finite; in X; finite numbers"),
    (lambda: threshold.rosenblatt([[1.0], [2.0]], [0]), "y has the shape (1,) for 2 rows; in y; one class a row"),
    (
        lambda: threshold.widest([[1.0], [2.0]], [1, 2]),
        "a class is neither 0 nor 1; in y; 0 and 1; for one class among several: y == 2",
    ),
    (lambda: threshold.masks([[0.5]], 1), "a number is neither 0 nor 1; in X; truth values"),
    (lambda: threshold.two_layers([[2.0]], [1]), "a number is neither 0 nor 1; in X; truth values"),
    (
        lambda: threshold.order([[0], [0]], [0, 1]),
        "the same row has both classes; in X and y; y that is a function of X",
    ),
]


@pytest.mark.parametrize(("ask", "message"), FAULTS)
def test_rows_and_classes_that_cannot_be_asked_of(ask, message):
    with pytest.raises(DataError) as fault:
        ask()
    assert str(fault.value) == message


SETTINGS = [
    (
        lambda: threshold.rosenblatt([[1.0]], [0], sweeps=0),
        "sweeps must be a whole number >= 1; got 0; in rosenblatt",
    ),
    (lambda: threshold.masks([[1]], -1), "order must be a whole number >= 0; got -1; in masks"),
    (lambda: threshold.patterns(0), "n must be a whole number >= 1; got 0; in patterns"),
    (
        lambda: threshold.separable(0, 0, gap=-1),
        (
            "n must be a whole number >= 1; got 0 and dimensions must be a whole number >= 1; got 0 "
            "and gap must be a number >= 0; got -1; in separable"
        ),
    ),
    (lambda: threshold.right_angled(12), "n must be a power of 2, from 2 on; got 12; in right_angled"),
]


@pytest.mark.parametrize(("ask", "message"), SETTINGS)
def test_settings_that_do_not_fit(ask, message):
    with pytest.raises(SettingError) as fault:
        ask()
    assert str(fault.value) == message
