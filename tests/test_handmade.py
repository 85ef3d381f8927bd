"""Features made by hand: against their definitions, written out, on pictures whose edges and parts are known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from isthmus import handmade
from isthmus.data import scenes
from isthmus.errors import DataError

RNG = np.random.default_rng(0)


def test_edges_do_not_tell_black_on_white_from_white_on_black():
    pictures = RNG.uniform(size=(3, 8, 8))
    found, other = (handmade.edges_and_histogram(one) for one in (pictures, 1 - pictures))
    np.testing.assert_allclose(found[:, :-8], other[:, :-8], atol=1e-12)
    np.testing.assert_allclose(found[:, -8:], other[:, :-9:-1], atol=1e-12)  # the histogram is turned round
    np.testing.assert_allclose(found[:, -8:].sum(axis=1), 1)


def test_gradients_are_counted_by_their_direction():
    """A ramp to the right has all its gradients in one direction, a ramp downwards in another, 4 bins of 8 on."""
    ramp = np.tile(np.linspace(0, 1, 8), (8, 1))
    right, down = handmade.edges_and_histogram(np.stack([ramp, ramp.T]))[:, :-8].reshape(2, -1, 8)
    assert (right > 1e-9).any(axis=0).tolist() == [True] + 7 * [False]
    assert (down > 1e-9).any(axis=0).tolist() == 4 * [False] + [True] + 3 * [False]
    assert right.max() <= 1


def test_the_histogram_counts_values():
    picture = np.repeat([0.05, 0.3, 0.99, 1.0], 16).reshape(1, 8, 8)
    assert handmade.edges_and_histogram(picture)[0, -8:].tolist() == [0.25, 0, 0.25, 0, 0, 0, 0, 0.5]


def test_otsus_threshold_parts_values_with_the_least_variance_within():
    """Against every cut, tried one by one."""
    picture = np.concatenate([RNG.normal(0.3, 0.05, 300), RNG.normal(0.7, 0.08, 100)]).reshape(20, 20)
    values = np.sort(picture.ravel())

    def within(cut):
        return cut * values[:cut].var() + (400 - cut) * values[cut:].var()

    best = min(range(1, 400), key=within)
    found = handmade.threshold(picture)
    assert within(400 - found.sum()) <= within(best) * 1.001  # it cuts between 256 bins
    assert found[picture > 0.6].all()
    assert not found[picture < 0.4].any()


def test_basins_are_filled_up_to_the_edge_of_what_is_bright():
    """A bright square with gray spots: the threshold has holes where the basin has none."""
    picture = np.full((24, 24), 0.2)
    picture[6:18, 6:18] = 0.8
    mask = picture > 0.5
    np.testing.assert_array_equal(handmade.basins(picture), mask)
    picture[10, 10] = picture[14, 9] = 0.48
    assert not handmade.threshold(picture)[10, 10]
    np.testing.assert_array_equal(handmade.basins(picture), mask)


def test_by_hand_scenes_with_even_light_are_segmented():
    pictures, masks = scenes.generate(4, light=0.1, noise=0.03, random_state=1)
    for picture, mask in zip(pictures, masks, strict=True):
        assert (handmade.threshold(picture) == mask).mean() > 0.99
        assert (handmade.basins(picture) == mask).mean() > 0.99


def test_the_features_of_a_pixel_are_those_named():
    picture = scenes.generate(1, 16, random_state=2)[0]
    found = dict(zip(handmade.PIXEL, np.moveaxis(handmade.pixel_features(picture)[0], -1, 0), strict=True))
    np.testing.assert_array_equal(found["value"], picture[0])
    np.testing.assert_array_equal(found["threshold"], handmade.threshold(picture[0]))
    np.testing.assert_array_equal(found["basin"], handmade.basins(picture[0]))
    flat = handmade.pixel_features(np.tile(np.linspace(0, 1, 16), (1, 16, 1)))[0]  # a ramp: one edge strength inside
    np.testing.assert_allclose(flat[5:11, 6:10, 2], flat[8, 8, 2], rtol=0.02)
    np.testing.assert_allclose(flat[8, 6:10, 1], flat[8, 6:10, 0], atol=1e-3)  # smoothing leaves a ramp as it is


def test_patches_are_the_squares_around_the_pixels():
    pictures = RNG.uniform(size=(2, 5, 7))
    found = handmade.patches(pictures, 3)
    assert found.shape == (2, 5, 7, 9)
    np.testing.assert_array_equal(found[1, 2, 3], pictures[1, 1:4, 2:5].ravel())
    np.testing.assert_array_equal(found[..., 4], pictures)
    np.testing.assert_array_equal(found[0, 0, 0].reshape(3, 3), pictures[0][[1, 0, 1]][:, [1, 0, 1]])  # mirrored


def test_without_scikit_image_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    for name in ("skimage.feature", "skimage.filters"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for call in (handmade.edges_and_histogram, handmade.pixel_features):
        with pytest.raises(DataError) as caught:
            call(np.zeros((1, 8, 8)))
        assert str(caught.value) == (
            "scikit-image is not installed; to make features by hand; expected the package scikit-image; "
            "pip install 'isthmus[lab]'"
        )
