"""Numbers as text."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.report.numbers import exact, flat, number, spread


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91234, "0.912"),
        (0, "0"),
        (1.0, "1"),
        (1797, "1,797"),
        (1234.5, "1,234"),
        (-0.5, "−0.500"),
        (0.0000312, "3.1 × 10⁻⁵"),
        (2e9, "2.0 × 10⁹"),
        (np.float32(0.25), "0.250"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (None, "–"),
        (True, "yes"),
        ("PCA", "PCA"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.9123, 0.0041, "0.912 ± 0.004"),
        (21.34, 1.2, "21 ± 1"),
        (12345.6, 234, "12,346 ± 234"),
        (0.5, 0.0, "0.500"),
        (0.5, None, "0.500"),
        (-0.512, 0.021, "−0.51 ± 0.02"),
    ],
)
def test_spread(mean, sd, text):
    assert spread(mean, sd) == text


def test_exact_keeps_what_a_bound_needs():
    assert exact(0.999999) == "0.999999"
    assert exact(64) == "64"
    assert exact(1e-6) == "1.0 × 10⁻⁶"


def test_flat_writes_an_interval_beside_its_number():
    tree = {"code": {"dead": 3, "shift": 0.5, "shift_interval": [0.4, 0.6], "few": [1, 2], "none": []}, "n": 4}
    assert flat(tree) == [
        ("code › dead", "3"),
        ("code › shift", "0.500 (0.400 to 0.600)"),
        ("code › few", "1, 2"),
        ("code › none", "none"),
        ("n", "4"),
    ]
