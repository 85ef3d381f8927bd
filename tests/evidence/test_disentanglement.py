"""Measures of disentanglement on constructed codes, whose scores are known."""

import itertools

import numpy as np
import pytest
from members import rows
from sklearn.metrics import mutual_info_score

from isthmus import Autoencoder, evidence
from isthmus.errors import DataError
from isthmus.evidence.disentanglement import Table, beta_score, dci, disentanglement, factor_score, mig, sap

GRID = np.array(list(itertools.product(range(3), range(6), range(8), range(5))))  # the first has no order
SHAPELESS = GRID[:, 1:]


def scores(codes, factors, unordered=()):
    told = {"factor": factor_score(codes, factors), "beta": beta_score(codes, factors)}
    return told | {"mig": mig(codes, factors), "sap": sap(codes, factors, unordered)} | dci(codes, factors, unordered)


def test_a_perfect_code():
    """One number a factor, each stretched and bent in its own way, in another order, beside two collapsed ones."""
    bent = (GRID * [3.0, -0.5, 1.0, 2.0] + [1, 0, 5, 0])[:, [2, 0, 3, 1]]
    silent = 1e-6 * np.random.default_rng(0).normal(size=(len(GRID), 2))
    found = scores(np.hstack([bent, silent]), GRID, (0,))
    assert found.pop("sap") == pytest.approx((1 - 1 / 3 + 3) / 4)
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-6)


def test_a_random_code_is_chance():
    found = scores(np.random.default_rng(0).normal(size=(len(GRID), 6)), GRID, (0,))
    assert found["factor"] == pytest.approx(1 / 4, abs=0.06)
    assert found["beta"] == pytest.approx(1 / 4, abs=0.06)
    assert found["mig"] < 0.02
    assert found["sap"] < 0.02
    assert found["disentanglement"] < 0.1
    assert found["completeness"] < 0.1
    assert found["informativeness"] < 0.02


def test_pairs_of_factors_turned_by_45_degrees():
    """Two numbers say as much of either factor: no gap, and votes that know only the pair."""
    factors = np.array(list(itertools.product(range(6), repeat=4)))
    pairs = (factors - 2.5).reshape(-1, 2, 2)
    turned = np.concatenate([pairs.sum(axis=2), pairs[..., 0] - pairs[..., 1]], axis=1) / np.sqrt(2)
    found = scores(turned, factors)
    assert found["mig"] == pytest.approx(0, abs=0.02)
    assert found["sap"] == pytest.approx(0, abs=1e-6)
    assert found["factor"] == pytest.approx(1 / 2, abs=0.06)
    assert found["beta"] == pytest.approx(1 / 2, abs=0.06)
    assert found["disentanglement"] == pytest.approx(1 / 2, abs=0.05)
    assert found["completeness"] == pytest.approx(1 / 2, abs=0.05)
    assert found["informativeness"] > 0.95


def test_a_factor_in_two_numbers_is_disentangled_and_incomplete():
    """K = 4 numbers for F = 3 factors, the first of them split in two: between 1 − log 2 / log 4 and 1 there."""
    first = SHAPELESS[:, 0]
    codes = np.column_stack([np.minimum(first, 2.5), np.maximum(first, 2.5), SHAPELESS[:, 1:]])
    found = dci(codes, SHAPELESS)
    assert found["disentanglement"] == pytest.approx(1, abs=0.01)
    assert 5 / 6 <= found["completeness"] < 0.99
    assert found["informativeness"] > 0.99


def test_two_factors_in_one_number_are_complete_and_entangled():
    both = SHAPELESS[:, 0] * 8.0 + SHAPELESS[:, 1]
    found = dci(np.column_stack([both, SHAPELESS[:, 2]]), SHAPELESS)
    assert found["completeness"] == pytest.approx(1, abs=0.01)
    assert found["disentanglement"] < 0.9


def test_mig_is_the_gap_of_informations():
    """A second number that says the first factor's parity takes its information, log 2 of log 6, off the gap."""
    codes = np.column_stack([SHAPELESS, SHAPELESS[:, 0] % 2])
    gaps = [1 - np.log(2) / np.log(6), 1, 1]
    assert mig(codes, SHAPELESS) == pytest.approx(np.mean(gaps))
    noisy = SHAPELESS[:, :1] + np.random.default_rng(0).normal(size=(len(GRID), 1))
    binned = np.digitize(noisy[:, 0], np.linspace(noisy.min(), noisy.max(), 21)[1:-1])
    assert mig(noisy, SHAPELESS[:, :1]) == pytest.approx(mutual_info_score(SHAPELESS[:, 0], binned) / np.log(6))


def test_sap_is_the_gap_of_squared_correlations():
    rng = np.random.default_rng(0)
    codes = SHAPELESS @ rng.normal(size=(3, 4)) + rng.normal(size=(len(GRID), 4))
    squares = np.square(np.corrcoef(codes.T, SHAPELESS.T)[4:, :4])
    ordered = np.sort(squares, axis=1)
    assert sap(codes, SHAPELESS) == pytest.approx(np.mean(ordered[:, -1] - ordered[:, -2]))


def test_a_shape_is_read_by_thresholds_whatever_the_order_of_its_names():
    renamed = np.array([1, 2, 0])[GRID[:, :1]]
    assert sap(GRID[:, :1].astype(float), renamed, (0,)) == pytest.approx(1.0)  # nothing else: the best less 0
    assert sap(GRID[:, :1].astype(float), renamed) < 0.3


def test_a_code_that_says_nothing():
    found = scores(np.zeros((len(GRID), 3)), GRID, (0,))
    assert found == pytest.approx(dict.fromkeys(found, 0.0) | {"factor": 1 / 4, "beta": found["beta"]})
    assert found["beta"] == pytest.approx(1 / 4, abs=0.06)


def test_rows_drawn_share_the_value():
    table, rng = Table.of(GRID, GRID), np.random.default_rng(0)
    for factor in range(4):
        drawn = table.sharing(factor, 500, rng)
        assert len(np.unique(GRID[drawn, factor])) == 1
        assert all(len(np.unique(GRID[drawn, other])) > 2 for other in range(4) if other != factor)
        first = rng.integers(len(GRID), size=300)
        np.testing.assert_array_equal(GRID[table.like(factor, first, rng), factor], GRID[first, factor])


def test_of_an_autoencoder():
    X = rows(240)
    ae = Autoencoder(3, max_epochs=2, random_state=0).fit(X)
    factors = np.column_stack([X[:, 0] > 0, np.digitize(X[:, 3], np.quantile(X[:, 3], [0.2, 0.4, 0.7]))])
    found = evidence.disentanglement(ae, X, factors, unordered=(0,), random_state=1)
    Z = ae.transform(X)
    expected = {"factor_vae": factor_score(Z, factors, 1), "beta_vae": beta_score(Z, factors, 1)}
    expected |= {"mig": mig(Z, factors), "sap": sap(Z, factors, (0,))} | dci(Z, factors, (0,), 1)
    assert evidence.disentanglement is disentanglement
    assert found == expected


COMING_BACK = (
    "in disentanglement; at least two values, which come back in several rows; "
    "leave out what does not vary, and put continuous factors into bins"
)
WRONG = [
    (
        (np.ones(5), np.ones((5, 1))),
        "codes of shape (5,) and factors of shape (5, 1); in disentanglement; (N, K), (N, F)",
    ),
    (
        (np.ones((5, 2)), np.ones((4, 1))),
        "codes of shape (5, 2) and factors of shape (4, 1); in disentanglement; (N, K), (N, F)",
    ),
    (
        (np.full((4, 1), np.nan), np.array([[0], [1], [0], [1]])),
        "a number that is not finite; in disentanglement; finite codes and factors",
    ),
    (
        (np.ones((4, 1)), np.array([[0, 2], [1, 2], [0, 2], [1, 2]])),
        f"factor 1 has 1 value in 4 rows; {COMING_BACK}",
    ),
    (
        (np.ones((4, 1)), np.arange(4)[:, None]),
        f"factor 0 has 4 values in 4 rows; {COMING_BACK}",
    ),
    (
        (np.ones((4, 1)), np.array([[0], [1], [0], [1]]), (1,)),
        "no factor 1; in unordered; columns 0 to 0",
    ),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit(given, message):
    with pytest.raises(DataError) as caught:
        sap(*given)
    assert str(caught.value) == message
