"""Sets of the plane: their classes are what they are said to be, and no line parts them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from isthmus.data import planes
from isthmus.errors import SettingError

NAMES = tuple(planes.PLANES)


@pytest.mark.parametrize("name", NAMES)
def test_points_and_classes(name):
    X, y = planes.generate(name, 401, random_state=3)
    assert X.shape == (401, 2)
    assert np.abs(X).max() <= 1
    assert np.bincount(y).tolist() == [201, 200]
    again = planes.generate(name, 401, random_state=3)
    assert np.array_equal(X, again[0])
    assert np.array_equal(y, again[1])
    assert not np.array_equal(X, planes.generate(name, 401, random_state=4)[0])


@pytest.mark.parametrize("name", NAMES)
def test_no_line_parts_them_and_neighbours_do(name):
    X, y = planes.generate(name, 2000)
    assert LogisticRegression().fit(X, y).score(X, y) < 0.9
    assert KNeighborsClassifier(1).fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.98


def test_the_rules_of_the_classes():
    X, y = planes.generate("xor", 1000)
    assert np.array_equal(y, (X[:, 0] * X[:, 1] < 0).astype(int))
    assert np.abs(X).min() >= planes.GAP
    X, y = planes.generate("circle", 1000)
    radius = np.linalg.norm(X, axis=1)
    assert np.array_equal(y, (radius > planes.RADIUS).astype(int))
    assert np.abs(radius - planes.RADIUS).min() >= planes.GAP
    X, y = planes.generate("spiral", 1000)
    radius = np.linalg.norm(X, axis=1)
    turned = np.arctan2(X[:, 1], X[:, 0]) - 2 * np.pi * planes.TURNS * radius - np.pi * y
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-9)


def test_a_disc_is_filled_evenly():
    """Half of its points lie within √½ of its radius."""
    X, y = planes.generate("circle", 20_000)
    radius = np.linalg.norm(X[y == 0], axis=1)
    assert np.mean(radius < (planes.RADIUS - planes.GAP) / np.sqrt(2)) == pytest.approx(0.5, abs=0.02)


def test_noise_is_added_to_each_coordinate():
    still, moved = (planes.generate("moons", 20_000, noise)[0] for noise in (0.0, 0.05))
    np.testing.assert_allclose((moved - still).std(axis=0), 0.05, rtol=0.03)


def test_bad_settings():
    with pytest.raises(SettingError) as caught:
        planes.generate("star", 0, -1.0)
    assert str(caught.value) == (
        "name must be one of 'xor', 'circle', 'moons', 'spiral'; got 'star' and n must be a whole number >= 1; got 0 "
        "and noise must be a number >= 0; got -1.0; in planes.generate"
    )
