"""The experiment holds, breaks where nothing is held to be independent, and its numbers are those of its pairs."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.data import sprites
from isthmus.errors import DataError
from isthmus.evidence.disentanglement import constructed
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.disentangling import DISENTANGLING, _gains, measure

BRIEF = {"rows": 300, "epochs": 1, "hidden": (8,), "levels": (2, 2, 3, 3, 3), "side": 8}


def test_it_runs_and_draws(tmp_path):
    """Whether it holds is what `isthmus lab run all` asks in CI: it takes most of a minute."""
    assert DISENTANGLING.seeds >= 5
    result = run(find("disentangling"), Protocol(seeds=2, settings=BRIEF), tmp_path)
    assert set(result["expected"]) <= set(result["measured"])
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "disentangling-scores.png",
        "disentangling-traversals.png",
    ]


def test_it_breaks_where_all_three_are_the_plain_one():
    measured = measure(dict(DISENTANGLING.settings) | BRIEF | {"beta": 1.0, "strength": 0.0}, range(2))
    assert not holds(measured.numbers, DISENTANGLING.expected)
    gains = [value for name, value in measured.numbers.items() if "_gain" in name]
    assert gains == pytest.approx([0.0] * 12, abs=1e-3)
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)


def test_gains_are_paired_over_seeds():
    found = _gains("beta", np.array([[0.1, 0.2, 0.0], [0.3, 0.2, -0.2]]))
    assert found["beta_factor_vae_gain"] == pytest.approx(0.2)
    assert found["beta_factor_vae_gain_low"] == pytest.approx(0.2 - 1.5 * 0.1)
    assert found["beta_mig_gain_low"] == pytest.approx(0.2)
    assert found["beta_sap_gain_low"] == pytest.approx(-0.1 - 1.5 * 0.1)


def test_the_measures_are_right_about_codes_made_by_hand():
    found = constructed()
    assert found["perfect"] >= 0.99
    assert found["chance"] <= 0.1
    assert found["turned"] <= 0.02


def test_the_real_images_are_used_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    settings = dict(DISENTANGLING.settings) | dict(DISENTANGLING.full) | BRIEF | {"code_size": 2}
    with pytest.raises(DataError, match=r"^no such file or folder; at "):
        measure(settings, range(1))
    path = tmp_path / "dsprites" / sprites.FILE
    path.parent.mkdir()
    factors = np.array(list(np.ndindex(1, 3, 3, 3, 4, 4)))
    images = np.random.default_rng(0).integers(0, 2, (len(factors), 8, 8), dtype=np.uint8)
    np.savez(path, imgs=images, latents_classes=factors)
    assert np.isfinite(list(measure(settings, range(1)).numbers.values())).all()
