"""The experiment in small, the table in small, what breaks it, and pictures that tell what the series does."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told
from scipy.stats import rankdata

from isthmus.evidence.contraction import jacobian_norms
from isthmus.lab import Protocol, planted, rivals, run
from isthmus.lab.contractive import CONTRACTIVE
from isthmus.lab.experiment import missed
from isthmus.trials import pictures

SMALL = {"epochs": 12, "planted_epochs": 20, "sizes": (50, 200), "components": (16,), "draws": 1, "batch_size": 32}
TABLE = {
    "finetune": True,
    "code_size": 40,
    "epochs": 3,
    "tuning_epochs": 3,
    "tuning_rate": 5e-3,
    "rbm_learning_rate": 5e-3,
    "kinds": ("cae", "rbm", "plain"),
}


@pytest.fixture(scope="module")
def small():
    return CONTRACTIVE.measure({**CONTRACTIVE.settings, **SMALL}, [0, 1])


def test_what_little_can_show_holds(small):
    assert set(CONTRACTIVE.expected) <= set(small.numbers)
    lasting = set(CONTRACTIVE.expected) - {"least_gain", "directions_difference"}
    assert not missed(small.numbers, {key: CONTRACTIVE.expected[key] for key in lasting})


def test_pictures_tell_what_the_series_does(small):
    assert set(small.figures) == {"spectra", "norms", "accuracy", "planted"}
    assert_told(small, CONTRACTIVE.settings)
    assert_readable(small)


def test_without_the_penalty_it_does_not_hold(tmp_path):
    changed = {**SMALL, "epochs": 4, "planted_epochs": 4, "strength": 0.0, "strengths": (0.0, 0.0), "planted": 0.0}
    result = run(CONTRACTIVE, Protocol(seeds=1, settings=changed), tmp_path)
    assert result["holds"] is False
    wrong = {"spectrum_over_rivals", "shift_over_rivals", "norm_ratio", "directions_difference"}
    assert wrong <= set(result["missed"])


def test_unpenalised_nets_keep_every_direction():
    settings = {**CONTRACTIVE.settings, "planted": 0.0, "planted_epochs": 5}
    numbers, series = planted.measured(settings, [3])
    assert series["planted"]["contraction"] == series["planted"]["no penalty"]
    assert numbers["directions_difference"] > 8


@pytest.fixture(scope="module")
def table():
    full = {**CONTRACTIVE.settings, **CONTRACTIVE.full, **TABLE, "data": "digits", "batch_size": 32, "decay": 1e-3}
    return pictures("digits"), full, CONTRACTIVE.measure(full, [0, 1])


def test_the_table_is_of_means_over_seeds(table):
    rows, settings, measured = table
    assert set(measured.samples) == {"cae_error", "rbm_error", "plain_error"}
    for key, errors in measured.samples.items():
        assert measured.numbers[key] == pytest.approx(np.mean(errors))
        assert all(2 < error < 60 for error in errors)
    gap = np.mean(measured.samples["plain_error"]) - np.mean(measured.samples["cae_error"])
    assert measured.numbers["gap"] == pytest.approx(gap)
    kinds = ("cae", "rbm", "plain")
    ranks = [rankdata([measured.numbers[f"{kind}_{what}"] for kind in kinds]) for what in ("error", "jacobian")]
    assert measured.numbers["rank_correlation"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    nets = [rivals.untrained("cae", settings, seed).fit(rows.train) for seed in (0, 1)]
    norms = [jacobian_norms(ae, rows.test).mean() for ae in nets]
    assert measured.numbers["cae_jacobian"] == pytest.approx(np.mean(norms))


def test_its_picture_is_told_and_readable(table):
    assert_told(table[2])
    assert_readable(table[2])


def test_every_row_of_the_paper_is_measured():
    assert {one.key for one in rivals.TABLE} == {f"{kind}_error" for kind in CONTRACTIVE.settings["kinds"]}
    assert [one.number for one in CONTRACTIVE.published] == [1.14, 1.18, 1.30, 1.57, 1.68, 1.78]
    assert set(CONTRACTIVE.expected_full) == {"cae_error", "gap", "rank_correlation"}
