"""Drawn characters: ink against areas counted by sampling, styles that do what they say, looks, bad input."""

import numpy as np
import pytest

from isthmus.data import characters, load_data
from isthmus.data.characters import LETTERS, LOOKS, SIDE, STYLES, draw, generate
from isthmus.errors import DataError

MIDDLE = np.array([sum(bounds) / 2 for bounds in STYLES.values()])
MIDDLE[list(STYLES).index("brightness")] = 1.0
L = list(LETTERS).index("L")


def styled(**changes):
    style = MIDDLE.copy()
    for name, value in changes.items():
        style[list(STYLES).index(name)] = value
    return style[None]


def test_the_ink_is_the_area_of_the_strokes():
    """The share of finely spaced points within half a thickness of the two strokes of an L, found directly."""
    size, thickness = 9.0, 2.0
    picture = draw([L], styled(size=size, thickness=thickness))[0]
    fine = (np.arange(SIDE * 20) + 0.5) / 20 - SIDE / 2
    x, y = np.meshgrid(fine, fine)
    corner, top, right = np.array([-0.4, 0.5]) * size, -size / 2, 0.4 * size  # y downwards
    upright = np.hypot(x - corner[0], y - np.clip(y, top, corner[1]))
    foot = np.hypot(x - np.clip(x, corner[0], right), y - corner[1])
    covered = (np.minimum(upright, foot) <= thickness / 2).reshape(SIDE, 20, SIDE, 20).mean(axis=(1, 3))
    assert abs(picture.sum() / covered.sum() - 1) < 0.01
    assert np.abs(picture.reshape(SIDE, SIDE) - covered).max() < 0.3  # rounded ends are covered by distance


def test_styles_do_what_they_say():
    plain = draw([L], styled())[0]
    moved = draw([L], styled(right=1.0, down=-1.0))[0].reshape(SIDE, SIDE)
    np.testing.assert_allclose(moved[:-1, 1:], plain.reshape(SIDE, SIDE)[1:, :-1], atol=1e-6)
    np.testing.assert_allclose(draw([L], styled(brightness=0.5))[0], plain / 2, atol=1e-6)
    assert draw([L], styled(thickness=2.6))[0].sum() > 1.2 * draw([L], styled(thickness=1.9))[0].sum()
    assert draw([L], styled(size=11.0))[0].sum() > 1.1 * plain.sum()
    leaning = draw([L], styled(slant=0.4))[0].reshape(SIDE, SIDE)
    assert leaning[:6].sum(axis=0).argmax() > plain.reshape(SIDE, SIDE)[:6].sum(axis=0).argmax()


def test_letters_and_styles_are_uniform_and_independent():
    made = generate(4000, 3)
    counts = np.bincount(made.content, minlength=len(LETTERS))
    assert counts.min() > 320
    for values, (low, high) in zip(made.style.T, STYLES.values(), strict=True):
        assert low <= values.min() < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.02 * (high - low)
        means = [values[made.content == letter].mean() for letter in range(len(LETTERS))]
        assert np.ptp(means) < 0.1 * (high - low)
    assert np.abs(np.corrcoef(made.style.T) - np.eye(len(STYLES))).max() < 0.06


def test_a_seed_is_the_same_every_time_and_in_either_look():
    solid, again, outlined = generate(50, 7), generate(50, 7), generate(50, 7, "outlined")
    np.testing.assert_array_equal(solid.X, again.X)
    np.testing.assert_array_equal(solid.style, outlined.style)
    np.testing.assert_array_equal(solid.content, outlined.content)
    assert not np.array_equal(generate(50, 8).content, solid.content)
    np.testing.assert_array_equal(draw(solid.content, solid.style), solid.X)
    np.testing.assert_array_equal(draw(solid.content[9:11], solid.style[9:11], "outlined"), outlined.X[9:11])
    assert solid.X.shape == (50, SIDE * SIDE)
    for X in (solid.X, outlined.X):
        assert X.dtype == np.float32
        assert X.min() >= 0
        assert X.max() <= 1
        assert X[:, 0].max() == 0


def test_an_outline_is_along_the_edge_of_the_ink():
    """Where the solid look has a pixel full of ink the middle of a thick stroke is empty; ink is on either side."""
    solid, outlined = (draw([L], styled(thickness=2.6, right=0.5), look)[0].reshape(SIDE, SIDE) for look in LOOKS)
    row = slice(6, 9)  # across the upright stroke
    assert solid[row].max(axis=1).min() == 1
    middle = int(solid[7].argmax())
    assert outlined[7, middle] < 0.5
    assert min(outlined[7, :middle].max(), outlined[7, middle + 1 :].max()) > 0.5


def test_letters_stay_in_the_picture():
    """In the most displaced, largest and thickest styles no more than a tenth of the ink is cut off."""
    low, high = np.array(list(STYLES.values())).T
    largest = np.array(np.meshgrid(*np.stack([low, high], axis=1))).reshape(len(STYLES), -1).T
    middle = largest.copy()
    middle[:, 3:5] = 0
    for letter in range(len(LETTERS)):
        letters = np.full(len(largest), letter)
        assert (draw(letters, largest).sum(axis=1) > 0.85 * draw(letters, middle).sum(axis=1)).all()


def test_the_named_set_is_generated():
    dataset = load_data("characters")
    made = generate(5000, 20260101)
    np.testing.assert_array_equal(dataset.X, made.X)
    np.testing.assert_array_equal(dataset.y, made.content)


BAD = {
    "no characters": (lambda: generate(0, 0), "0 characters; in characters.generate; expected a whole number >= 1"),
    "a look": (
        lambda: generate(2, 0, "dotted"),
        "the look 'dotted'; in characters.draw; expected one of solid, outlined",
    ),
    "a letter": (
        lambda: draw([10], styled()),
        "letters from 10 to 10; in characters.draw; expected (N,) whole numbers from 0 to 9",
    ),
    "half a letter": (
        lambda: draw([0.5], styled()),
        "letters of shape (1,) and type float64; in characters.draw; expected (N,) whole numbers from 0 to 9",
    ),
    "styles": (
        lambda: draw([1, 2], styled()),
        "styles of shape (1, 6); in characters.draw; expected (2, 6), one row a letter",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error(name):
    call, message = BAD[name]
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == message


def test_looks_are_those_named():
    assert LOOKS == ("solid", "outlined")
    assert characters.SIDE == 16
