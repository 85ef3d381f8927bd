"""The experiment at a small size: what it says of pixels, what breaks it, and its pictures."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from isthmus.data import load_data
from isthmus.errors import SettingError
from isthmus.lab import Protocol, find, run
from isthmus.lab.clustering import CLUSTERING
from isthmus.trials import split

SMALL = {"epochs": 8, "mixture_epochs": 1, "hidden": (64,)}


@pytest.fixture(scope="module")
def small():
    return CLUSTERING.measure(dict(CLUSTERING.settings) | SMALL, range(2))


def test_pixels_are_clustered_as_told(small):
    rows = split(load_data("digits"))
    found = [KMeans(10, n_init=10, random_state=seed).fit(rows.train).predict(rows.test) for seed in range(2)]
    agreement = [adjusted_rand_score(rows.test_labels, one) for one in found]
    assert small.numbers["ari_raw"] == pytest.approx(np.mean(agreement))


def test_its_table_holds_every_test_row_once(small):
    for counts in small.series["tables"].values():
        np.testing.assert_array_equal(np.sum(counts, axis=1), np.bincount(split(load_data("digits")).test_labels))
    for laid in small.series["planes"].values():
        assert len(laid["points"]) == len(laid["classes"]) == len(laid["agrees"])


def test_its_pictures_are_told_and_readable(small):
    assert_told(small)
    assert_readable(small)


def test_it_breaks_where_nothing_but_the_bottleneck_makes_the_code(tmp_path):
    result = run(find("clustering"), Protocol(seeds=2, settings={**SMALL, "kind": "plain"}), tmp_path)
    assert result["holds"] is False
    assert result["missed"] == ["over_raw", "over_pca"]


def test_a_kind_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingError, match="kind must be one of"):
        run(CLUSTERING, Protocol(settings={"kind": "perfect"}), tmp_path)
