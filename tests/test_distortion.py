"""Decibels against the textbook's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.distortion import decibels, psnr
from isthmus.errors import DataError


def test_psnr_is_its_formula():
    X = np.random.default_rng(0).normal(size=(5, 4))
    assert psnr(X, X + 0.1) == pytest.approx(20)
    assert psnr(X, X + 5.1, peak=255) == pytest.approx(20 * math.log10(255 / 5.1))
    assert psnr(X, X) == math.inf
    with pytest.raises(DataError) as fault:
        psnr(X, X[:2])
    assert str(fault.value) == "rows of shape (5, 4) and (2, 4); in psnr; the same shape"


def test_decibels_of_an_error():
    assert decibels(0.01) == pytest.approx(20)
    assert decibels(4, peak=200) == pytest.approx(40)
    assert decibels(0) == math.inf
