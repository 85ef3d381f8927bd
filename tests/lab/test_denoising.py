"""The experiment holds, breaks for nets that were shown no noise, and its full protocol runs in small."""

from __future__ import annotations

import numpy as np
from lab.pictured import assert_readable, assert_told

from isthmus.data import load_data
from isthmus.data.dataset import Dataset
from isthmus.lab import Protocol, find, run, stacked_denoising
from isthmus.lab.denoising import DENOISING, NOISES
from isthmus.lab.experiment import missed
from isthmus.trials import split

SMALL = {"epochs": 30}


def test_what_little_can_show_holds():
    measured = DENOISING.measure({**DENOISING.settings, **SMALL}, range(2))
    assert set(DENOISING.expected) <= set(measured.numbers)
    late = {"found_gain_gaussian", "found_gain_salt"}  # what comes last
    assert set(missed(measured.numbers, DENOISING.expected)) <= late
    for noise in NOISES:
        assert measured.numbers[f"gain_{noise}"] > 3
        assert 0.5 < measured.numbers[f"found_code_{noise}"] < 1
        level = measured.series[noise]
        gains = np.subtract(level["autoencoder"]["seeds"], level["noisy"]["seeds"])
        np.testing.assert_allclose(gains.min(), measured.numbers[f"gain_{noise}"], atol=0.01)
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)


def test_it_breaks_where_no_noise_is_shown(tmp_path):
    result = run(find("denoising"), Protocol(seeds=1, settings={**SMALL, "shown": 0.0}), tmp_path)
    assert result["holds"] is False
    assert {f"over_pca_{noise}" for noise in NOISES} <= set(result["missed"])
    assert [path.rpartition("/")[2] for path in result["figures"]] == ["denoising-levels.png", "denoising-digits.png"]


def test_the_full_protocol_in_small(monkeypatch):
    """Two sets of small digits in place of MNIST's: stacked, fine-tuned, and read by linear layers."""
    digits = load_data("digits")
    X, y = digits.X[:, ::-1] / 16, digits.y

    def some(name):
        return split(Dataset(name, X[:900], y[:900], input_shape=(1, 8, 8), X_test=X[900:], y_test=y[900:])).unit()

    monkeypatch.setattr(stacked_denoising, "pictures", some)
    little = {"learning_rate": 0.01, "epochs": 20, "device": "cpu", "n_jobs": 1}
    for kind, sizes in {"narrow": (60, 60), "wide": (90, 90)}.items():
        little |= {f"{kind}_sizes": sizes, f"{kind}_epochs": (10, 10), f"{kind}_rates": (0.01, 0.01)}
        little |= {f"{kind}_masking": 0.1}
    measured = DENOISING.measure({**DENOISING.settings, **DENOISING.full, **little}, range(1))
    keys = {f"{name}_{key}" for name in ("rot", "bg-rand") for key in stacked_denoising.KEYS}
    assert set(measured.numbers) == set(measured.samples) == keys
    assert {one.key for one in DENOISING.published} | set(DENOISING.expected_full) <= keys
    assert measured.samples["rot_error"] == measured.samples["bg-rand_error"]
    assert measured.numbers["rot_error"] == np.mean(measured.samples["rot_error"])
    assert all(0 < error < 20 for error in measured.samples["rot_error"]), measured.samples
