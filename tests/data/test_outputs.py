"""Outputs read back to the last bit, and are whole or not there."""

import errno
import os
import resource
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus._files import atomic, atomic_write_text
from isthmus.data import load_data, write_image, write_table
from isthmus.errors import DataError

TABLE = np.random.default_rng(0).normal(size=(50, 3)) * [1e-20, 1, 1e20]
COLUMNS = ["code 0", "code,1", 'code "2"']


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def small_files():
    """A disk that is full after a few bytes, as far as this process can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["t.npy", "t.csv", "t.parquet", "T.CSV"])
def test_a_table_reads_back_to_the_last_bit(tmp_path, name, dtype):
    table = TABLE.astype(dtype)
    write_table(name, table, COLUMNS)
    dataset = load_data(name)
    np.testing.assert_array_equal(dataset.X.astype(dtype), table)
    assert dataset.feature_names == (None if name.endswith("npy") else tuple(COLUMNS))
    assert names(tmp_path) == [name]


def test_pandas_reads_the_same(tmp_path):
    write_table(tmp_path / "t.csv", TABLE, COLUMNS)
    write_table(tmp_path / "t.parquet", TABLE, COLUMNS)
    np.testing.assert_allclose(pd.read_csv("t.csv"), TABLE, rtol=1e-14)
    np.testing.assert_array_equal(pd.read_parquet("t.parquet"), TABLE)


def test_one_axis_is_one_column(tmp_path):
    write_table("t.csv", np.array([1, 2]), ["score"])
    assert (tmp_path / "t.csv").read_text() == "score\n1\n2\n"


IMAGES = "expected images: rows of C × H × W numbers, C one of 1, 3, 4; write a table instead: .npy, .parquet or .csv"
BAD = {
    "table, suffix": (
        lambda: write_table("t.xlsx", TABLE, COLUMNS),
        (
            "the suffix '.xlsx' is not known; to write t.xlsx; expected .npy, .parquet, .csv; "
            "the suffix chooses the format"
        ),
    ),
    "table, names": (
        lambda: write_table("t.csv", TABLE, ["a"]),
        (
            "1 column names for an array of shape (50, 3); to write t.csv; expected one name per column; "
            "give as many names as the table has columns"
        ),
    ),
    "image, suffix": (
        lambda: write_image("t.jpg", TABLE, (3, 1, 1)),
        "the suffix '.jpg' is not known; to write t.jpg; expected .png; the suffix chooses the format",
    ),
    "image, a table": (
        lambda: write_image("t.png", TABLE, None),
        f"rows of shape (50, 3) with input_shape None; to draw t.png; {IMAGES}",
    ),
    "image, another width": (
        lambda: write_image("t.png", TABLE, (1, 2, 2)),
        f"rows of shape (50, 3) with input_shape (1, 2, 2); to draw t.png; {IMAGES}",
    ),
    "no folder": (
        lambda: write_table("none/t.csv", TABLE, COLUMNS),
        "no such folder; to write none/t.csv; expected a folder that exists; create it first",
    ),
    "a folder": (
        lambda: write_table("folder.csv", TABLE, COLUMNS),
        "a folder or a device stands here; at folder.csv; expected a file name; name another file",
    ),
}


@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_bad_outputs_are_told_in_one_line(tmp_path, write, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError) as caught:
        write()
    assert str(caught.value) == message
    assert names(tmp_path) == ["folder.csv"]


def test_a_device_is_not_replaced():
    with pytest.raises(DataError, match=r"^a folder or a device stands here; at /dev/null; "):
        atomic_write_text("/dev/null", "x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", ["t.npy", "t.csv", "t.parquet"])
def test_a_full_disk_leaves_the_old_file(tmp_path, small_files, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(DataError) as caught:
        write_table(name, TABLE, COLUMNS)
    assert caught.value.where == f"at {name}"
    assert caught.value.expected == "nothing was written"
    assert (tmp_path / name).read_text() == "old"
    assert names(tmp_path) == [name]


def test_a_full_disk_while_a_picture_is_drawn(tmp_path, small_files):
    with pytest.raises(DataError) as caught:
        write_image("t.png", np.random.default_rng(0).normal(size=(9, 100)), (1, 10, 10))
    assert str(caught.value) == (
        "no room to write the file; at t.png; nothing was written; free some room or choose another folder"
    )
    assert names(tmp_path) == []


def write_half(path, fault):
    with atomic(path) as beside:
        beside.write_text("half")
        raise fault


FAULTS = [
    (errno.ENOSPC, "no room to write the file", "free some room or choose another folder"),
    (errno.EDQUOT, "no room to write the file", "free some room or choose another folder"),
    (errno.EACCES, "not allowed to write the file", "choose a folder you may write to"),
    (errno.EROFS, "not allowed to write the file", "choose a folder you may write to"),
    (
        errno.EIO,
        "cannot write the file (Input/output error)",
        "check the room on the disk and your rights in the folder",
    ),
]


@pytest.mark.parametrize(("number", "what", "cure"), FAULTS)
def test_what_the_disk_says_is_told(tmp_path, number, what, cure):
    with pytest.raises(DataError) as caught:
        write_half("t.txt", OSError(number, os.strerror(number)))
    assert str(caught.value) == f"{what}; at t.txt; nothing was written; {cure}"
    assert names(tmp_path) == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ZeroDivisionError])
def test_any_other_fault_passes_and_leaves_nothing(tmp_path, fault):
    (tmp_path / "t.txt").write_text("old")
    with pytest.raises(fault):
        write_half("t.txt", fault())
    assert (tmp_path / "t.txt").read_text() == "old"
    assert names(tmp_path) == ["t.txt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    atomic_write_text("link.txt", "new ∂")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text(encoding="utf-8") == "new ∂"


def test_rights_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("x")
    atomic_write_text("t.txt", "x")
    assert (tmp_path / "t.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


def test_a_sheet_holds_the_images_in_reading_order():
    pytest.importorskip("PIL")
    rows = np.repeat([[0.0], [0.2], [1.0]], 64 * 64, axis=1)
    write_image("t.png", rows, (1, 64, 64))
    sheet = pixels("t.png")
    assert sheet.shape == (2 + 2 * 66, 2 + 2 * 66)
    assert (sheet[2:66, 2:66] == 0).all()
    assert (sheet[2:66, 68:132] == 51).all()
    assert (sheet[68:132, 2:66] == 255).all()
    assert (sheet[68:, 68:] == 255).all()
    assert (sheet[:2] == 255).all()


def test_colours_stay_in_their_channels():
    pytest.importorskip("PIL")
    write_image("t.png", np.array([[1.0, 0, 0, 1, 0.2, 0.2]]), (3, 1, 2))  # red 1 0, green 0 1, blue .2 .2
    sheet = pixels("t.png")
    assert sheet[2, 2].tolist() == [255, 0, 51]
    assert sheet[2, 65].tolist() == [0, 255, 51]


@pytest.mark.parametrize(("limits", "expected"), [(None, [0, 255]), ((-8.0, 24.0), [64, 191]), ((4.0, 8.0), [0, 255])])
def test_values_are_drawn_between_their_limits(limits, expected):
    pytest.importorskip("PIL")
    write_image("t.png", np.array([[0.0, 16.0]]), (1, 2), limits)
    sheet = pixels("t.png")
    assert [sheet[2, 2], sheet[2, 65]] == expected


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError) as caught:
        write_image("t.png", np.ones((1, 4)), (2, 2))
    assert str(caught.value) == (
        "Pillow is not installed; to write a PNG; expected the package Pillow; pip install 'isthmus[report]'"
    )
