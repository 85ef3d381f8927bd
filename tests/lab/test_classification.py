"""The experiment at a small size: what codes must be ahead of, that a plain autoencoder is not, and its pictures."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told
from sklearn.decomposition import PCA

from isthmus.data import load_data
from isthmus.errors import SettingError
from isthmus.evidence.labels_a_class import READERS, of_each_class
from isthmus.lab import Protocol, find, run
from isthmus.lab.classification import CLASSIFICATION
from isthmus.trials import split

SMALL = {"data": ("digits",), "steps": (600,), "kinds": ("undercomplete", "distorted")}
SMALL |= {"mixture_epochs": 5, "draws": 2, "sizes": (5, 20)}


@pytest.fixture(scope="module")
def small():
    return CLASSIFICATION.measure(dict(CLASSIFICATION.settings) | SMALL, range(2))


def test_pixels_and_components_are_read_as_told(small):
    """The same numbers, worked out here row by row."""
    rows, n = split(load_data("digits")), CLASSIFICATION.settings["code_size"]
    components = PCA(n, random_state=0).fit(rows.train)
    views = {"raw": (rows.train, rows.test), "pca": tuple(map(components.transform, (rows.train, rows.test)))}
    few = [of_each_class(rows.train_labels, 20, [seed, i])[:, :5].ravel() for seed in range(2) for i in range(2)]
    assert all(len(set(one)) == 50 for one in few)
    for view, (X, T) in views.items():
        for name, reader in READERS.items():
            shares = [reader(X[one], rows.train_labels[one], T, rows.test_labels) for one in few]
            assert small.numbers[f"digits_{name}_{view}"] == pytest.approx(100 * np.mean(shares))


def test_differences_are_of_one_seed_with_itself(small):
    curves = small.series["curves"]["digits, linear"]
    assert list(curves) == ["pixels", "PCA", "mixture prior"]
    assert all(one["median"][0] < one["median"][1] for one in curves.values())  # more labels, more read
    margin = small.numbers["digits_linear_mixture"] - small.numbers["digits_linear_raw"]
    assert small.numbers["linear_over_raw"] <= margin
    assert margin > 0


def test_its_pictures_are_told_and_readable(small):
    assert_told(small)
    assert_readable(small)


def test_it_breaks_where_nothing_but_the_bottleneck_teaches_the_code(tmp_path):
    changed = {**SMALL, "steps": (200,), "kinds": ("undercomplete",), "kind": "undercomplete"}
    result = run(find("classification"), Protocol(seeds=2, settings=changed), tmp_path)
    assert result["holds"] is False
    assert result["measured"]["digits_linear_undercomplete"] < result["measured"]["digits_linear_raw"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "perfect"}, r"kind must be one of 'undercomplete', 'noisy', .*'mixture'; got 'perfect'"),
        ({"kinds": "perfect"}, r"kinds must be .*one of 'undercomplete'"),
        ({"labels": 3}, r"cannot be run so \(ValueError: .*\); in the lab; near labels=5"),
    ],
)
def test_what_does_not_fit_is_told(wrong, told, tmp_path):
    with pytest.raises(SettingError, match=told):
        run(CLASSIFICATION, Protocol(settings=wrong), tmp_path)
