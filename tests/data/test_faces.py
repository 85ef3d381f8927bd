"""Talking faces: what is told of each is what is seen."""

import numpy as np
import pytest

from isthmus.data import faces
from isthmus.errors import DataError, SettingError

NAMES = tuple(faces.EXPRESSIONS)
PEOPLE = tuple(faces.IDENTITIES)
STILL = dict.fromkeys(NAMES, 0.0) | {"light": 1.0, "mouth": 0.5}


def pictures(identity, side=48, **changed):
    """(N, 3, side, side) of somebody at rest but for what changes, each a number or N of them."""
    named = {name: np.atleast_1d(value) for name, value in (STILL | changed).items()}
    n = max(map(len, named.values()))
    table = np.stack([np.broadcast_to(named[name], n) for name in NAMES], axis=1)
    return faces.draw(identity, table, side).reshape(n, 3, side, side)


def coloured(found, colour, near=0.02):
    """The share of pixels of that colour in each picture."""
    return (np.abs(found - np.array(colour)[:, None, None]).max(axis=1) < near).mean(axis=(1, 2))


def middle(found, identity):
    """Of what is not the background: right and down, as shares of the side."""
    behind = np.array(faces.IDENTITIES[identity].behind)[:, None, None]
    seen = np.abs(found - behind).max(axis=1) > 0.05
    grid = (np.arange(found.shape[-1]) + 0.5) / found.shape[-1] - 0.5
    total = seen.sum(axis=(1, 2))
    return (seen * grid).sum(axis=(1, 2)) / total, (seen * grid[:, None]).sum(axis=(1, 2)) / total


@pytest.mark.parametrize("make", [faces.generate, faces.talk])
@pytest.mark.parametrize("identity", PEOPLE)
def test_rows_and_expressions(make, identity):
    X, expressions = make(300, identity, 16, 5)
    assert (X.shape, X.dtype, expressions.shape) == ((300, 3 * 16 * 16), np.float32, (300, len(NAMES)))
    assert X.min() >= 0
    assert X.max() <= 1
    low, high = np.array(list(faces.EXPRESSIONS.values())).T
    assert ((expressions >= low) & (expressions <= high)).all()
    np.testing.assert_array_equal(X, make(300, identity, 16, 5)[0])
    assert not np.array_equal(expressions, make(300, identity, 16, 6)[1])
    np.testing.assert_array_equal(X, faces.draw(identity, expressions, 16))


def test_two_people_with_one_seed_do_the_same():
    (a, one), (b, other) = (faces.generate(5, who, 16) for who in PEOPLE)
    assert np.array_equal(one, other)
    assert np.abs(a - b).mean() > 0.05


def test_expressions_are_uniform_and_independent():
    _, expressions = faces.generate(4000, side=8)
    low, high = np.array(list(faces.EXPRESSIONS.values())).T
    np.testing.assert_allclose(expressions.mean(axis=0), (low + high) / 2, atol=0.03 * (high - low).max())
    np.testing.assert_allclose(expressions.std(axis=0), (high - low) / 12**0.5, rtol=0.05)
    assert np.abs(np.corrcoef(expressions.T) - np.eye(len(NAMES))).max() < 0.06


@pytest.mark.parametrize("make", [faces.generate, faces.talk])
def test_heads_that_are_held_hardly_move_and_do_all_else_the_same(make):
    free, held = (make(200, side=8, random_state=2, held=share)[1] for share in (1.0, 0.25))
    scale = [0.25 if name in ("right", "down") else 1.0 for name in NAMES]
    np.testing.assert_allclose(held, free * scale, atol=1e-12)


@pytest.mark.parametrize("identity", PEOPLE)
def test_a_head_lies_where_it_is_told(identity):
    place = np.linspace(-0.08, 0.08, 5)
    for name, axis in (("right", 0), ("down", 1)):
        found = middle(pictures(identity, **{name: place}), identity)[axis]
        np.testing.assert_allclose(np.diff(found), np.diff(place), atol=0.012)


@pytest.mark.parametrize("identity", PEOPLE)
def test_the_mouth_opens(identity):
    dark = coloured(pictures(identity, mouth=np.linspace(0, 1, 6)), (0.18, 0.05, 0.06))
    assert (np.diff(dark) > 0).all()


@pytest.mark.parametrize("identity", PEOPLE)
def test_a_turned_head_shows_its_eyes_on_that_side(identity):
    def gaze(turn):
        found = pictures(identity, 128, turn=turn)
        eyes = np.array(faces.IDENTITIES[identity].eyes)[:, None, None]
        seen = (np.abs(found - eyes).max(axis=1) < 0.05)[0, 32:64]  # above the mouth
        return float((seen * np.linspace(-1, 1, 128)).sum() / seen.sum())

    np.testing.assert_allclose([gaze(-1.0), gaze(0.0), gaze(1.0)], [-0.16, 0.0, 0.16], atol=0.025)


def test_a_mirrored_face_has_mirrored_turn_tilt_and_place():
    left = pictures("B", turn=-0.7, tilt=-12.0, right=-0.1, smile=0.6)
    right = pictures("B", turn=0.7, tilt=12.0, right=0.1, smile=0.6)
    np.testing.assert_allclose(left[..., ::-1], right, atol=1e-6)


def test_light_multiplies_colours():
    plain, dim = pictures("A"), pictures("A", light=0.8)
    np.testing.assert_allclose(dim, 0.8 * plain, atol=1e-6)


def test_a_video_moves_the_mouth_fast_and_the_head_slowly():
    low, high = np.array(list(faces.EXPRESSIONS.values())).T
    steps = np.abs(np.diff(faces.talk(200, side=8)[1], axis=0)).mean(axis=0) / (high - low)
    quick = [NAMES.index(name) for name in faces.TALKING]
    assert steps[quick].min() > 3 * np.delete(steps, quick).max()
    assert steps.max() < 0.25


def test_bad_input():
    with pytest.raises(DataError) as caught:
        faces.generate(3, "C")
    assert str(caught.value) == "nobody called 'C'; in faces; A or B"
    with pytest.raises(DataError) as caught:
        faces.draw("A", np.zeros((2, 3)))
    assert str(caught.value) == "expressions of shape (2, 3); in faces; (N, 7)"
    with pytest.raises(SettingError) as caught:
        faces.talk(0, side=2, held=3)
    assert str(caught.value) == (
        "n must be a whole number >= 1; got 0 and side must be a whole number >= 8; got 2 and "
        "held must be a number >= 0 and <= 1; got 3; in faces.talk"
    )
