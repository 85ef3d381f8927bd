"""The experiment holds, breaks without bends and without time, and its deep net is the paper's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lab.pictured import assert_readable, assert_told
from sklearn.decomposition import PCA

from isthmus.data import load_data
from isthmus.lab import Protocol, find, run
from isthmus.lab.undercomplete import UNDERCOMPLETE, deep, error
from isthmus.trials import split

SMALL = {"sizes": (2, 8), "epochs": 15}


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("undercomplete"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert set(result["expected"]) == {f"ratio_{size}" for size in (1, 2, 4, 8, 16)}
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "undercomplete-errors.png",
        "undercomplete-digits.png",
    ]


@pytest.mark.parametrize("broken", [{"activation": "identity", "epochs": 20}, {"epochs": 1}], ids=["flat", "hurried"])
def test_it_breaks_without_bends_and_without_time(broken, tmp_path):
    result = run(UNDERCOMPLETE, Protocol(seeds=2, settings=broken), tmp_path)
    assert result["holds"] is False
    assert {"ratio_8", "ratio_16"} <= set(result["missed"])


def test_its_pictures_are_told_and_readable():
    measured = UNDERCOMPLETE.measure({**UNDERCOMPLETE.settings, **SMALL}, range(2))
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)


def test_errors_are_sums_over_a_digit_s_pixels():
    rows = split(load_data("digits"))
    train, test = (part / np.float32(16) for part in (rows.train, rows.test))
    found = UNDERCOMPLETE.measure({**UNDERCOMPLETE.settings, **SMALL}, range(2))
    pca = PCA(8, svd_solver="full").fit(train)
    expected = np.square(test - pca.inverse_transform(pca.transform(test))).sum() / len(test)
    assert found.numbers["pca_8"] == pytest.approx(expected, rel=1e-4)
    assert error(test, np.zeros_like(test)) == pytest.approx(np.square(test, dtype=float).sum(axis=1).mean())
    for size in SMALL["sizes"]:
        assert found.numbers[f"error_{size}"] == pytest.approx(np.mean(found.samples[f"error_{size}"]))
        assert found.numbers[f"ratio_{size}"] < 1


def test_the_full_protocol_in_small():
    """The paper's widths, on 300 digits for an epoch each: stacked, unrolled, and better than before it was tuned."""
    settings = {**UNDERCOMPLETE.settings, **UNDERCOMPLETE.full}
    little = {"data": "digits", "layer_epochs": 1, "epochs": 1, "device": "cpu", "rows": 300, "learning_rate": 1e-4}
    measured = UNDERCOMPLETE.measure(settings | little, range(1))
    assert set(UNDERCOMPLETE.expected_full) | {"pca_30"} <= set(measured.numbers)
    assert_readable(measured)
    ae = deep(settings | little, 30, 0).fit(split(load_data("digits")).train[:300] / 16)
    shapes = [tuple(p.shape) for p in ae.module_.parameters() if p.ndim == 2]
    there = [(1000, 64), (500, 1000), (250, 500), (30, 250)]
    assert shapes == [*there, *[shape[::-1] for shape in reversed(there)]]
    codes = torch.as_tensor(ae.transform(split(load_data("digits")).test / 16))
    assert codes.min() < 0, "the code is linear"
