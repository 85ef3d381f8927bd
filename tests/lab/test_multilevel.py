"""The experiment holds, breaks where nothing is shared, and its measures know the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isthmus import zoo
from isthmus.data import characters
from isthmus.lab import Protocol, find, run
from isthmus.lab.multilevel import (
    MULTILEVEL,
    divergence,
    divergence_difference,
    parties,
    product,
    product_difference,
)


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("multilevel"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    measured = result["measured"]
    assert measured["swap_accuracy"] < measured["swap_accuracy_pooled"] <= measured["classifier_accuracy"] + 0.01
    assert measured["content_probe_pooled"] >= 0.99
    assert measured["style_probe"] < measured["content_probe"]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "multilevel-swaps.png",
        "multilevel-pooling.png",
    ]


SHORT = {"rows": 600, "test_rows": 300, "epochs": 3, "reader_epochs": 6}


def test_it_breaks_where_no_row_shares_its_content(tmp_path):
    result = run(MULTILEVEL, Protocol(seeds=1, settings=SHORT | {"share": False}), tmp_path)
    assert not result["holds"]
    assert result["measured"]["swap_accuracy"] < 0.5
    assert result["measured"]["product_difference"] < 1e-4  # the formulas stay what they are
    assert result["measured"]["divergence_difference"] < 1e-4


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
    assert product_difference(ae, drawn) < 1e-4
    pooled = type(ae.module_.code)._pooled

    def averaged(self, mean, log_variance, group):
        flat = log_variance.clone()
        flat[:, : self.content] = 0
        return pooled(self, mean, flat, group)[0], log_variance

    monkeypatch.setattr(type(ae.module_.code), "_pooled", averaged)
    assert product_difference(ae, drawn) > 1e-3
    assert divergence_difference(ae, drawn) > 1e-3


def test_a_divergence_that_counts_the_content_once_a_row_is_seen(monkeypatch, fitted):
    ae, drawn = fitted
    assert divergence_difference(ae, drawn) < 1e-4
    whole = type(ae.module_.code).divergence
    monkeypatch.setattr(
        type(ae.module_.code),
        "divergence",
        lambda self, z, found: whole(self, z, found | {"share": found["share"] * 0 + 1}),
    )
    assert divergence_difference(ae, drawn) > 1e-3
