"""Sheets of images: every tile where it belongs, still and moving."""

import numpy as np
import pytest

from isthmus.data import load_data, write_animation, write_numbers, write_sheet
from isthmus.errors import DataError

Image = pytest.importorskip("PIL.Image")
SIDE = 64
STEP = SIDE + 2


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def flat(levels):
    """Rows of one grey each, in the shape of `levels`."""
    return np.repeat(np.asarray(levels, float)[..., None], SIDE * SIDE, axis=-1)


def tile(sheet, line, column, top=0, left=0):
    y, x = top + 2 + line * STEP, left + 2 + column * STEP
    return sheet[y : y + SIDE, x : x + SIDE]


def pixels(name):
    with Image.open(name) as image:
        return np.asarray(image)


def test_lines_and_columns_are_kept():
    levels = np.arange(6).reshape(2, 3) / 5
    write_sheet("s.png", flat(levels), (1, SIDE, SIDE))
    sheet = pixels("s.png")
    assert sheet.shape == (2 + 2 * STEP, 2 + 3 * STEP)
    for i in range(2):
        for j in range(3):
            assert (tile(sheet, i, j) == round(255 * levels[i, j])).all()


def test_labels_stand_beside_their_lines():
    write_sheet("s.png", flat(np.zeros((2, 3))), (SIDE, SIDE), labels=["unit 3", "unit 12"])
    sheet = pixels("s.png")
    margin = sheet.shape[1] - (2 + 3 * STEP)
    assert margin > 40
    for i in range(2):
        assert (tile(sheet, i, 0, left=margin) == 0).all()
        beside = sheet[2 + i * STEP : 2 + i * STEP + SIDE, :margin]
        assert beside.min() < 100  # ink
        inked = np.nonzero((beside < 100).any(axis=1))[0]
        assert abs(inked.mean() - SIDE / 2) < 6  # in the middle of its line
    assert (sheet[STEP - 8 : STEP + 8, :margin] == 255).all()


def test_margins_stand_apart_and_nothing_is_in_the_corner():
    levels = np.array([[np.nan, 0.2], [0.4, 0.6]])
    write_sheet("s.png", flat(levels), (1, SIDE, SIDE), apart=True)
    sheet = pixels("s.png")
    assert sheet.shape == (2 + 2 * STEP + 6, 2 + 2 * STEP + 6)
    assert (tile(sheet, 0, 0) == 255).all()
    assert (tile(sheet, 0, 1, left=6) == 51).all()
    assert (tile(sheet, 1, 0, top=6) == 102).all()
    assert (tile(sheet, 1, 1, top=6, left=6) == 153).all()


def frames_of(name):
    with Image.open(name) as image:
        frames = []
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
        return np.stack(frames), image.info


def test_an_animation_goes_there_and_back_without_end():
    levels = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])  # 3 steps of 2 images
    write_animation("a.gif", flat(levels), (1, SIDE, SIDE))
    frames, info = frames_of("a.gif")
    assert len(frames) == 4
    assert info["loop"] == 0
    for frame, (left, right) in zip(frames, levels[[0, 1, 2, 1]], strict=True):
        assert np.abs(tile(frame, 0, 0) - 255.0 * left).max() <= 1
        assert np.abs(tile(frame, 0, 1) - 255.0 * right).max() <= 1


def test_colours_move_too():
    rows = np.zeros((2, 1, 3, SIDE * SIDE))
    rows[0, 0, 0], rows[1, 0, 2] = 1, 1  # red, then blue
    write_animation("a.gif", rows.reshape(2, 1, -1), (3, SIDE, SIDE), labels=["unit 0"])
    frames, _ = frames_of("a.gif")
    top = frames.shape[1] - (2 + STEP)  # of the label
    assert top > 10
    assert np.abs(tile(frames[0], 0, 0, top=top) - [255.0, 0, 0]).max() <= 2
    assert np.abs(tile(frames[1], 0, 0, top=top) - [0.0, 0, 255]).max() <= 2
    assert (frames[0][2:top, 2:-2] < 100).any()


def test_an_array_keeps_its_axes(tmp_path):
    array = np.random.default_rng(0).normal(size=(2, 3, 4))
    write_numbers("a.npy", array)
    np.testing.assert_array_equal(np.load("a.npy"), array)
    with pytest.raises(DataError) as caught:
        write_numbers("a.csv", array)
    assert str(caught.value) == (
        "the suffix '.csv' is not known; to write a.csv; expected .npy; the suffix chooses the format"
    )
    write_numbers("b.npy", array[0])
    np.testing.assert_array_equal(load_data("b.npy").X, array[0])


@pytest.mark.parametrize("write", [write_sheet, write_animation])
def test_without_pillow_and_without_images_nothing_is_written(tmp_path, monkeypatch, write):
    name = "s.png" if write is write_sheet else "s.gif"
    with pytest.raises(DataError) as caught:
        write(name, np.zeros((2, 2, 5)), None)
    assert str(caught.value) == (
        f"rows of shape (4, 5) with input_shape None; to draw {name}; "
        "expected images: rows of C × H × W numbers, C one of 1, 3, 4; write a table instead: .npy, .parquet or .csv"
    )
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(DataError) as caught:
        write(name, flat(np.zeros((2, 2))), (1, SIDE, SIDE))
    what = name[2:].upper()
    assert str(caught.value) == (
        f"Pillow is not installed; to write a {what}; expected the package Pillow; pip install 'isthmus[report]'"
    )
    assert list(tmp_path.iterdir()) == []
