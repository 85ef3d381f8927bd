"""Framed pictures against NumPy's roll and torch's interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from isthmus.data.framing import MOVES, framed


@pytest.fixture
def pictures():
    return np.random.default_rng(0).uniform(1, 2, size=(2, 5, 4)).astype(np.float32)


def test_a_frame_is_empty(pictures):
    np.testing.assert_array_equal(framed(pictures), pictures.reshape(2, -1))
    found = framed(pictures, 1).reshape(2, 7, 6)
    np.testing.assert_array_equal(found[:, 1:-1, 1:-1], pictures)
    assert found.sum() == pytest.approx(pictures.sum())


@pytest.mark.parametrize("move", MOVES)
def test_moves_are_by_whole_pixels(pictures, move):
    still = framed(pictures, 1).reshape(2, 7, 6)
    np.testing.assert_array_equal(framed(pictures, 1, 1, move).reshape(2, 7, 6), np.roll(still, move, axis=(1, 2)))


def test_what_leaves_the_frame_is_cut(pictures):
    cut = framed(pictures, 0, 1, (2, -1)).reshape(2, 5, 4)
    np.testing.assert_array_equal(cut[:, 2:, :-1], pictures[:, :-2, 1:])
    assert not cut[:, :2].any()
    assert not cut[:, :, -1].any()


def test_they_are_enlarged_linearly(pictures):
    still = torch.from_numpy(framed(pictures, 1).reshape(2, 1, 7, 6))
    wanted = F.interpolate(still, scale_factor=3, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(framed(pictures, 1, 3).reshape(2, 21, 18), wanted[:, 0], rtol=1e-5, atol=1e-6)
