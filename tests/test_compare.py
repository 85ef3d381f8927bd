"""Comparisons: one split for all, PCA in the same space, spreads over seeds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from isthmus import zoo
from isthmus.compare import choose_kinds, compare, split
from isthmus.data import Dataset, load_data
from isthmus.errors import DataError, DivergenceError
from isthmus.zoo import GROUPED, KINDS

SETTINGS = {"max_epochs": 2, "scaling": None}


def test_the_split_is_the_same_every_time_and_shares_nothing():
    dataset = load_data("iris")
    rows = split(dataset)
    assert (len(rows.train), len(rows.test)) == (105, 45)
    assert np.array_equal(split(dataset).test, rows.test)
    both = np.concatenate([rows.train, rows.test])
    assert np.array_equal(np.sort(both, axis=0), np.sort(dataset.X, axis=0))


def test_own_test_rows_are_taken():
    X = np.arange(20.0).reshape(10, 2)
    rows = split(Dataset("own", X, X_test=X[:3]))
    assert (len(rows.train), len(rows.test)) == (10, 3)


def test_one_row_cannot_be_split():
    with pytest.raises(DataError) as caught:
        split(Dataset("lone", np.ones((1, 3))))
    assert str(caught.value) == "1 row; in lone; at least 2, to train on some and test on others"


def test_pca_is_scikit_learn_s():
    dataset = load_data("iris")
    rows = split(dataset)
    row = compare(dataset, ["linear"], 2, 2, SETTINGS).result["rows"][-1]
    pca = PCA(2).fit(rows.train)
    restored = pca.inverse_transform(pca.transform(rows.test))
    assert row["kind"] == "pca"
    assert row["mse"]["mean"] == pytest.approx(np.mean((rows.test - restored) ** 2))
    assert row["mse"]["sd"] == 0


def test_means_and_spreads_over_seeds():
    ticks: list[str] = []
    comparison = compare(load_data("iris"), ["linear", "topk"], 2, 3, SETTINGS, ticks.append)
    assert ticks == ["linear"] * 3 + ["topk"] * 3
    for row in comparison.result["rows"][:2]:
        assert row["seeds"] == 3
        assert row["mse"]["sd"] > 0
    assert set(comparison.pictures["verdicts"]) == {"linear", "topk"}
    assert set(comparison.pictures["reconstructions"]) == {"linear", "topk", "pca"}


def test_trained_together_equals_trained_alone():
    dataset = load_data("iris")
    rows = split(dataset)
    row = compare(dataset, ["sparse"], 2, 3, SETTINGS).result["rows"][0]
    alone = [zoo.sparse(2, random_state=seed, **SETTINGS).fit(rows.train) for seed in range(3)]
    mse = [np.mean((rows.test - ae.reconstruct(rows.test)) ** 2) for ae in alone]
    assert row["mse"]["mean"] == pytest.approx(np.mean(mse), rel=1e-7)
    assert row["mse"]["sd"] == pytest.approx(np.std(mse, ddof=1), rel=1e-5)
    assert row["r2"]["mean"] == pytest.approx(np.mean([ae.score(rows.test) for ae in alone]), rel=1e-7)


def test_seconds_are_a_member_s_epochs():
    comparison = compare(load_data("iris"), ["linear"], 2, 2, SETTINGS)
    histories = comparison.pictures["histories"]["linear"]
    took = [sum(row["seconds"] for row in history) for history in histories]
    assert comparison.result["rows"][0]["seconds"]["mean"] == pytest.approx(np.mean(took))
    assert all(len(history) == 2 for history in histories)


def test_a_divergence_ends_a_comparison():
    with pytest.raises(DivergenceError, match=r"^the term 'reconstruction' of the loss is not finite; in epoch "):
        compare(load_data("iris"), ["linear"], 2, 2, SETTINGS | {"learning_rate": 1e200})


def test_kinds_by_name():
    assert choose_kinds("all") == [kind for kind in KINDS if kind not in GROUPED]
    assert choose_kinds("topk, sparse,topk") == ["topk", "sparse"]
