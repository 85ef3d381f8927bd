"""Sparse units on whitened patches, small: what a few show, what breaks them, and the measures against oracles."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.data import load_data
from isthmus.evidence.code_usage import selectivity
from isthmus.evidence.gabor import preferred
from isthmus.lab import Protocol, run
from isthmus.lab.experiment import missed
from isthmus.lab.sparse import SPARSE, stacked

SMALL = {"rows": 2000, "units": 20, "fitted": 4, "epochs": 12, "k": 2, "batch_size": 50, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def measured():
    return SPARSE.measure({**SPARSE.settings, **SMALL}, [0])


def test_zeros_are_counted_and_the_mean_is_pulled_to_rho(measured):
    bounds = {key: SPARSE.expected[key] for key in ("rho_off", "kl_zeros", "relu_zeros")}
    assert not missed(measured.numbers, bounds)
    assert measured.numbers["topk_zeros"] >= 0.9
    means = measured.series["means"]
    assert np.mean(means["kl"]) < 0.5 * np.mean(means["dense"])


def test_without_the_penalty_it_does_not_hold(tmp_path):
    result = run(SPARSE, Protocol(seeds=1, settings={**SMALL, "strength": 0.0, "epochs": 4}), tmp_path)
    assert result["holds"] is False
    assert "rho_off" in result["missed"]


def test_selectivity_of_one_row_of_all_and_of_none():
    N = 50
    found = selectivity(np.column_stack([np.eye(N)[3], np.full(N, 2.0), np.zeros(N), np.arange(N) < 10]))
    np.testing.assert_allclose(found, [1, 0, 0, (1 - 10 / N) / (1 - 1 / N)], atol=1e-12)


def test_the_images_drive_their_units_the_most():
    data = load_data("whitened-patches")
    from isthmus.lab.sparse import _untrained

    net = _untrained("kl", {**SPARSE.settings, **SMALL, "epochs": 1}, 0).fit(data.X[:500])
    best = preferred(net, data.input_shape)
    assert best.shape == (20, 10, 10)
    np.testing.assert_allclose(np.linalg.norm(best.reshape(20, -1), axis=1), 1, rtol=1e-6)
    others = np.random.default_rng(0).normal(size=(300, 100))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    driven = np.diag(net.transform(best.reshape(20, -1).astype(np.float32)))
    assert (driven > net.transform(others.astype(np.float32)).max(axis=0)).all()


def test_a_stack_of_digits_is_read_before_and_after_fine_tuning():
    settings = {**SPARSE.settings, "width": 16}
    before, after = stacked(load_data("digits"), settings, 0)
    assert 30 < before <= 100
    assert 80 < after <= 100


def test_its_pictures_are_told_and_readable(measured):
    assert_told(measured, SPARSE.settings, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)
