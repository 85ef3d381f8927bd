"""Frames show a cart and a pole where the state says they are."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data.cartpole import REACH, frames, pairs


def state(place=0.0, angle=0.0):
    return np.array([[place, 3.0, angle, -2.0]])


def middle(image, rows):
    """The brightness's middle along the width, in m."""
    pixel = 2 * REACH / image.shape[1]
    across = (np.arange(image.shape[1]) + 0.5) * pixel - REACH
    band = image[rows].sum(axis=0)
    return float((band * across).sum() / band.sum())


@pytest.mark.parametrize("place", [-1.2, -0.013, 0.0, 0.4])
def test_the_cart_is_at_its_place(place):
    image = frames(state(place), (24, 80))[0]
    assert middle(image, slice(-4, None)) == pytest.approx(place, abs=0.01)


@pytest.mark.parametrize("angle", [-0.2, 0.0, 0.01, 0.15])
def test_the_pole_leans_by_its_angle(angle):
    """At a height of h above the axle it is h · tan(angle) to the right."""
    image = frames(state(0.1, angle), (24, 80))[0]
    height = (24 - 2 - 10 - 0.5) * 2 * REACH / 80 - 0.06  # of the eleventh row's middle
    assert middle(image, [10]) == pytest.approx(0.1 + height * np.tan(angle), abs=0.02)


def test_a_hundredth_of_a_pixel_is_seen():
    pixel = 2 * REACH / 40
    near = frames(np.concatenate([state(0.0), state(0.01 * pixel)]))
    assert 1e-3 < np.abs(near[1] - near[0]).max() < 0.02


def test_speeds_are_not_drawn_and_mirrored_states_are_mirrored():
    still = np.array([[0.3, 0.0, 0.1, 0.0]])
    np.testing.assert_array_equal(frames(still), frames(state(0.3, 0.1)))
    np.testing.assert_allclose(frames(state(-0.3, -0.1))[:, :, ::-1], frames(still), atol=1e-5)


def test_pixels_are_shares_and_pairs_are_two_channels():
    now, before = state(0.5), state(-0.5, 0.1)
    seen = pairs(now, before, (10, 30))
    assert seen.shape == (1, 600)
    assert seen.dtype == np.float32
    assert seen.min() == 0
    assert 0.5 < seen.max() <= 1
    np.testing.assert_array_equal(seen.reshape(2, 10, 30)[1], frames(before, (10, 30))[0])
