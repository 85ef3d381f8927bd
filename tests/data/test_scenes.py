"""Generated scenes: their light, means and noise are those asked for, their truth is where the objects are."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data import scenes
from isthmus.data.scenes import DIM, LIT, LOOKS, PLAIN, generate
from isthmus.errors import SettingError


@pytest.mark.parametrize("look", LOOKS)
def test_a_seed_is_the_same_every_time(look):
    first, again, other = (generate(3, look=look, random_state=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    assert (first[0].shape, first[0].dtype, first[1].dtype) == ((3, 48, 48), np.float32, bool)
    assert 0 <= first[0].min() < first[0].max() <= 1


def test_every_look_has_the_same_objects_under_the_same_light():
    found = [generate(4, look=look, noise=0, random_state=1) for look in LOOKS]
    for _, masks in found[1:]:
        np.testing.assert_array_equal(masks, found[0][1])
    (bright, masks), (dark, _) = found[:2]
    np.testing.assert_allclose(bright / dark, np.where(masks, LIT / DIM, DIM / LIT), rtol=1e-5)


def test_without_light_and_noise_the_reflectance_is_seen():
    bright, masks = generate(2, light=0, noise=0)
    assert {round(float(value), 6) for value in np.unique(bright)} == {DIM, LIT}
    np.testing.assert_array_equal(masks, bright > PLAIN)


def test_stripes_lean_one_way_on_objects_and_the_other_way_on_the_ground():
    """Constant along x − y where an object is, along x + y elsewhere; of one mean."""
    striped, masks = generate(8, look="striped", light=0, noise=0, random_state=2)
    here, up, down = striped[:, 1:-1, 1:-1], striped[:, :-2, 2:], striped[:, 2:, 2:]
    own = masks[:, 1:-1, 1:-1]
    along_rising = np.abs(here - up)[own & masks[:, :-2, 2:]]  # the pixel to the upper right
    along_falling = np.abs(here - down)[~own & ~masks[:, 2:, 2:]]
    assert along_rising.max() < 1e-6
    assert along_falling.max() < 1e-6
    assert np.abs(here - down)[own & masks[:, 2:, 2:]].mean() > 0.05
    means = [striped[masks].mean(), striped[~masks].mean()]
    np.testing.assert_allclose(means, PLAIN, atol=0.01)
    assert striped[masks].std() == pytest.approx(striped[~masks].std(), rel=0.05)


def test_light_falls_off_evenly_along_a_line():
    """The ground over its reflectance is a plane within 1 − light and 1."""
    pictures, masks = generate(6, light=0.6, noise=0, random_state=3)
    down, across = np.mgrid[:48, :48]
    for picture, mask in zip(pictures, masks, strict=True):
        design = np.column_stack([np.ones((~mask).sum()), down[~mask], across[~mask]])
        light = picture[~mask] / DIM
        fit, *_ = np.linalg.lstsq(design, light, rcond=None)
        np.testing.assert_allclose(design @ fit, light, atol=1e-5)
        assert 0.4 - 1e-6 <= light.min() < light.max() <= 1
        assert np.hypot(*fit[1:]) * 48 * np.sqrt(2) == pytest.approx(0.6, rel=1e-4)  # over the diagonal


def test_noise_has_the_asked_spread():
    (noisy, masks), (still, _) = (generate(10, noise=noise, random_state=4) for noise in (0.05, 0.0))
    assert (noisy - still)[(still > 0.2) & (still < 0.8)].std() == pytest.approx(0.05, rel=0.02)
    assert 0.1 < masks.mean() < 0.4


def test_masks_are_unions_of_whole_ellipses_of_the_asked_size():
    masks = generate(200, random_state=5)[1]
    low, high = scenes.AXES
    fewest, most = scenes.OBJECTS
    shares = masks.mean(axis=(1, 2))
    assert shares.max() <= (most - 1) * np.pi * high**2
    assert shares.min() >= np.pi * low**2 / 4 * 0.8  # one alone, three quarters of it outside
    assert shares.mean() == pytest.approx(0.23, abs=0.03)
    assert fewest == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n must be a whole number >= 1; got 0; in scenes.generate"),
        ({"look": "brigth"}, "look must be one of 'bright', 'dark', 'striped'; got 'brigth'; in scenes.generate"),
        ({"light": 1.0}, "light must be a number >= 0 and < 1; got 1.0; in scenes.generate"),
        ({"noise": -1.0}, "noise must be a number >= 0; got -1.0; in scenes.generate"),
    ],
)
def test_bad_input_is_one_clear_error(settings, message):
    with pytest.raises(SettingError) as caught:
        generate(**{"n": 1} | settings)
    assert str(caught.value) == message
