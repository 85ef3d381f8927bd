"""Whole numbers come back from their bytes, which are as few as their frequencies allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding import EntropyCoder
from isthmus.errors import DataError

OVERHEAD = 64  # bits: the first x, and what the last word has to spare


def skewed(n=3000, seed=0):
    """Rows of columns that are ever more often 0."""
    rng = np.random.default_rng(seed)
    return np.rint(rng.laplace(size=(n, 12)) * np.geomspace(20, 0.05, 12)).astype(np.int64)


def entropy(Q):
    """Bits of the columns' empirical entropies, all rows together."""
    shares = [np.unique(column, return_counts=True)[1] / len(Q) for column in Q.T]
    return len(Q) * sum(-(p * np.log2(p)).sum() for p in shares)


rows = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(-300, 300), min_size=k, max_size=k), min_size=1, max_size=30)
)


@settings(max_examples=60, deadline=None)
@given(known=rows, seed=st.integers(0, 1000), n=st.integers(0, 20))
def test_any_rows_come_back(known, seed, n):
    """Those that the tables were made of, and others, of which the tables lack some."""
    known = np.array(known)
    other = np.random.default_rng(seed).integers(-400, 400, size=(n, known.shape[1]))
    coder = EntropyCoder().fit(known)
    for Q in (known, other):
        np.testing.assert_array_equal(coder.decode(coder.encode(Q), len(Q)), Q)


def test_the_bytes_are_as_few_as_the_entropy_allows():
    Q = skewed()
    coder = EntropyCoder().fit(Q)
    written = 8 * len(coder.encode(Q))
    assert coder.bits(Q) <= written <= coder.bits(Q) + OVERHEAD
    assert entropy(Q) < written < 1.002 * entropy(Q) + OVERHEAD


def test_other_rows_cost_their_cross_entropy():
    Q, other = skewed(), skewed(500, seed=1)
    coder = EntropyCoder().fit(Q)
    tables = [
        {low + i: places for i, places in enumerate(column[1:].tolist())}
        for low, column in zip(coder.low_.tolist(), coder.places_, strict=True)
    ]
    found = [tables[j].get(q) for row in other.tolist() for j, q in enumerate(row)]
    bits = sum(16 + 32 if places is None else 16 - np.log2(places) for places in found)
    assert coder.bits(other) == pytest.approx(bits)
    assert bits <= 8 * len(coder.encode(other)) <= bits + OVERHEAD


def test_tables_fill_all_places_and_leave_none_out():
    coder = EntropyCoder().fit(skewed())
    for places in coder.places_:
        assert places.sum() == 1 << 16
        assert places.min() >= 1


def test_what_never_changes_costs_almost_nothing():
    Q = np.full((5000, 3), 7)
    assert len(EntropyCoder().fit(Q).encode(Q)) == 8


def test_numbers_far_from_the_tables_come_back_and_cost_their_32_bits():
    coder = EntropyCoder().fit(np.array([[0], [1]]))
    far = np.array([[2**31 - 1], [1], [-(2**31) + 1]])
    np.testing.assert_array_equal(coder.decode(coder.encode(far), 3), far)
    assert coder.bits(far) == pytest.approx(2 * (16 + 32) + 1, abs=0.01)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda c: c.fit(np.zeros((0, 2), int)), "no rows; in Q; at least one, to count numbers in"),
        (
            lambda c: c.fit(np.array([[0], [4096]])),
            "numbers 4096 apart; in a column of Q; less than 4096; round to larger steps",
        ),
        (lambda c: c.encode(np.array([[2**31, 0]])), "the number 2147483648; in Q; less than 2147483648 either way"),
        (
            lambda c: c.decode(c.encode(skewed(50)[:, :2])[:-4], 50),
            "these bytes are not 50 rows; in decode; what encode wrote, and as many rows",
        ),
        (
            lambda c: c.decode(c.encode(skewed(50)[:, :2]), 49),
            "these bytes are not 49 rows; in decode; what encode wrote, and as many rows",
        ),
    ],
)
def test_what_cannot_be_is_one_line(act, said):
    with pytest.raises(DataError) as caught:
        act(EntropyCoder().fit(skewed(50)[:, :2]))
    assert str(caught.value) == said
