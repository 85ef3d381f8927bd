"""Formulas of grouped codes are those of the densities; others are seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isthmus import zoo
from isthmus.data import characters
from isthmus.evidence.groups import divergence, divergence_difference, parties, product, product_difference
from isthmus.evidence.swaps import Drawn, exchange


def test_parties_are_of_one_label_and_of_so_many():
    labels = np.array([1, 0, 1, 1, 0, 1, 1, 0])
    groups = parties(labels, 2)
    sizes = sorted(np.unique(groups, return_counts=True)[1].tolist())
    assert sizes == [1, 1, 2, 2, 2]
    assert all(len(np.unique(labels[groups == group])) == 1 for group in groups)
    assert len(np.unique(parties(labels, 1))) == len(labels)


def test_the_formulas_are_those_of_the_densities():
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(3, 1)), rng.uniform(0.5, 2, (3, 1))
    (m,), (v,) = product(mean, variance)
    grid = np.linspace(-10, 10, 20_001)
    density = np.prod([stats.norm.pdf(grid, a, np.sqrt(b)) for (a,), (b,) in zip(mean, variance, strict=True)], axis=0)
    density /= density.sum()
    np.testing.assert_allclose([m, v], [grid @ density, np.square(grid - m) @ density], rtol=1e-6)
    ratio = stats.norm.logpdf(grid, m, np.sqrt(v)) - stats.norm.logpdf(grid)
    np.testing.assert_allclose(divergence(np.array([m]), np.array([v])), density @ ratio, rtol=1e-6)


@pytest.fixture(scope="module")
def fitted():
    drawn = characters.generate(200, 5)
    return zoo.multilevel(5, 2, input_shape=(1, 16, 16), max_epochs=1, random_state=0).fit(
        drawn.X, groups=drawn.content
    ), drawn


def test_a_content_of_other_than_the_product_is_seen(monkeypatch, fitted):
    """Means of the group instead of products: neither formula holds."""
    ae, drawn = fitted
    assert product_difference(ae, drawn.X, drawn.content) < 1e-4
    pooled = type(ae.module_.code)._pooled

    def averaged(self, mean, log_variance, group):
        flat = log_variance.clone()
        flat[:, : self.content] = 0
        return pooled(self, mean, flat, group)[0], log_variance

    monkeypatch.setattr(type(ae.module_.code), "_pooled", averaged)
    assert product_difference(ae, drawn.X, drawn.content) > 1e-3
    assert divergence_difference(ae, drawn.X, drawn.content) > 1e-3


def test_a_divergence_that_counts_the_content_once_a_row_is_seen(monkeypatch, fitted):
    ae, drawn = fitted
    assert divergence_difference(ae, drawn.X, drawn.content) < 1e-4
    whole = type(ae.module_.code).divergence
    monkeypatch.setattr(
        type(ae.module_.code),
        "divergence",
        lambda self, z, found: whole(self, z, found | {"share": found["share"] * 0 + 1}),
    )
    assert divergence_difference(ae, drawn.X, drawn.content) > 1e-3


class Reader:
    """Names every row by the truth it was told."""

    def __init__(self, said):
        self.said = said

    def predict(self, rows):
        return self.said[: len(rows)]


def test_swaps_are_read_and_drawn(fitted):
    ae, train = fitted
    test = characters.generate(60, 6)
    always = exchange(ae, Drawn(train, test, Reader(test.content)), 0)
    assert always.pooled(2)[1] == 1
    never = exchange(ae, Drawn(train, test, Reader(test.content + 1)), 0)
    assert never.pooled(2)[1] == 0
    assert 0 <= never.pooled(2)[0] <= 1
    assert sorted(always.partners) == list(range(60))
    swap, reconstruction = always.errors
    assert swap > 0.1 < reconstruction  # one epoch teaches little
    sheet = always.sheet(10)
    assert sheet.shape == (11 * 18 - 2, 11 * 18 - 2)
    first = np.flatnonzero(test.content == 0)[:2]
    np.testing.assert_array_equal(sheet[18:34, :16], test.X[first[0]].reshape(16, 16))
    np.testing.assert_array_equal(sheet[:16, 18:34], test.X[first[1]].reshape(16, 16))
