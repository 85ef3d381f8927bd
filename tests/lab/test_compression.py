"""The experiment's numbers are what its points and curves say, it breaks as a net of lines, and tells what it draws."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.compression import Curve, Point
from isthmus.lab import Protocol, run
from isthmus.lab.compression import COMPRESSION, numbers

SHORT = {"steps": (18.0, 260.0), "patches": 200, "epochs": 2, "betas": (0.5, 0.06), "test": ("chelsea",)}


def test_gains_are_taken_at_equal_rates_up_to_one_bit():
    pca = [Curve(np.array([0.0, 2.0]), np.array([20.0, 30.0])), Curve(np.array([0.0, 2.0]), np.array([21.0, 29.0]))]
    jpeg = Curve(np.array([0.5, 2.0]), np.array([20.0, 35.0]))
    found = [[Point(0.5, 24.0), Point(1.0, 27.0)], [Point(0.75, 24.5), Point(1.5, 0.0)]]
    told = numbers(found, pca, jpeg)
    assert told["gain_plain"] == pytest.approx(min(24 - 22.5, 27 - 25, 24.5 - 23.75))
    assert told["gain_least"] == pytest.approx(0.5)
    assert told["gain_mean"] == pytest.approx(np.mean([1, 2, 0.5]))
    assert told["over_jpeg_least"] == pytest.approx(min(24 - 20, 27 - 25, 24.5 - 22.5))
    assert (told["rate_least"], told["rate_most"]) == (0.5, 1.0)


def test_jpeg_is_compared_at_rates_that_it_reaches():
    line = Curve(np.array([0.0, 2.0]), np.array([20.0, 30.0]))
    found = [[Point(0.1, 24.0), Point(0.5, 24.0), Point(1.0, 27.0)]]
    for jpeg, least, mean in (
        (Curve(np.array([0.5, 2.0]), np.array([20.0, 35.0])), 2.0, 3.0),
        (Curve(np.array([1.5, 2.0]), np.array([20.0, 35.0])), np.nan, np.nan),
    ):
        told = numbers(found, [line] * 2, jpeg)
        assert told["over_jpeg_least"] == pytest.approx(least, nan_ok=True)
        assert told["over_jpeg_mean"] == pytest.approx(mean, nan_ok=True)


def test_rates_that_no_curve_reaches_do_not_pass():
    pca = [Curve(np.array([0.2, 2.0]), np.array([20.0, 30.0]))] * 2
    told = numbers([[Point(0.1, 40.0)]], pca, pca[0])
    assert not told["gain_least"] > 0


def test_a_net_of_lines_from_random_weights_does_not_hold(tmp_path):
    result = run(COMPRESSION, Protocol(seeds=1, settings=SHORT | {"linear": True}), tmp_path)
    assert result["holds"] is False
    assert "gain_least" in result["missed"]
    assert [path.rpartition("/")[2] for path in result["figures"]] == ["compression-rates.png", "compression-photo.png"]


def test_its_pictures_are_told_and_readable():
    measured = COMPRESSION.measure(dict(COMPRESSION.settings) | SHORT, [0])
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)
    assert 0 < measured.numbers["rate_least"] < measured.numbers["rate_most"] < 1
