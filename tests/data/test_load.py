"""What a word or a path leads to, and that looking costs no heavy import."""

import os
import subprocess
import sys

import numpy as np
import pytest

from isthmus.data import Dataset, load_data
from isthmus.data.checks import check_table
from isthmus.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_named_set_wins_over_a_file_of_its_name_and_a_path_over_the_set(tmp_path):
    (tmp_path / "iris").mkdir()
    assert load_data("iris").X.shape == (150, 4)
    with pytest.raises(DataError, match=r"^no images; in the folder iris; "):
        load_data("./iris")


def test_a_path_object_is_as_good_as_text(tmp_path):
    np.save("t.npy", np.eye(3))
    assert load_data(tmp_path / "t.npy").X.tolist() == np.eye(3).tolist()


KNOWN = ".npy, .npz, .csv, .tsv, .parquet, an idx file (-ubyte, .idx, also .gz) or a folder of images"
MISSING = "expected a file, a folder of images or a named set; check the path; `isthmus data list` names the sets"
SETS = (
    "breast-cancer, characters, digits, dsprites, faces, fashion-mnist, iris, kmnist, mnist, mnist-bg-img, "
    "mnist-bg-rand, mnist-rot, natural-patches, pbmc, photo-patches, shapes, whitened-patches, wine"
)

BAD = {
    "a slip": (
        "mnits",
        "no data set named 'mnits'; and no such file; expected a named set or a path; did you mean 'mnist'?",
    ),
    "capitals": (
        "Digits",
        "no data set named 'Digits'; and no such file; expected a named set or a path; did you mean 'digits'?",
    ),
    "far off": ("qqq", f"no data set named 'qqq'; and no such file; expected a named set or a path; known: {SETS}"),
    "no file": ("none.csv", f"no such file or folder; at none.csv; {MISSING}"),
    "no folder": ("none/photos", f"no such file or folder; at none/photos; {MISSING}"),
    "unknown suffix": (
        "t.xlsx",
        f"the suffix '.xlsx' is not known; at t.xlsx; expected {KNOWN}; convert the file to one of these",
    ),
    "no suffix": ("t", f"a file without a suffix; at t; expected {KNOWN}; convert the file to one of these"),
    "an image": (
        "t.png",
        f"the suffix '.png' is not known; at t.png; expected {KNOWN}; put a single image in a folder",
    ),
    "a pipe": ("t.npy", "neither a file nor a folder; at t.npy; expected a file; save the data to a file"),
    "nothing": (
        "",
        (
            "no images; in the folder .; expected files ending in .png, .jpg, .jpeg, .bmp, .gif, .tif, .tiff, "
            ".webp, .ppm, .pgm, .pbm; check the path, or name one file in it"
        ),
    ),
}


@pytest.mark.parametrize(("spec", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path, spec, message):
    for name in ("t.xlsx", "t", "t.png"):
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "t.npy")
    if spec == "":
        for name in ("t.xlsx", "t", "t.png", "t.npy"):
            (tmp_path / name).unlink()
    with pytest.raises(DataError) as caught:
        load_data(spec)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["t.npy", "t.npz", "t.csv", "t.parquet", "t.idx"])
def test_a_file_that_may_not_be_read(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("x")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError) as caught:
        load_data(name)
    form = {
        "npy": "a NumPy file",
        "npz": "a NumPy file",
        "csv": "a csv file",
        "parquet": "a Parquet file",
        "idx": "an idx file",
    }
    assert str(caught.value) == (
        f"not allowed to read; at {name}; expected {form[name[2:]]}; give yourself the right to read it"
    )


def test_constant_rows_may_be_asked_for():
    np.save("t.npy", np.ones((3, 2)))
    assert load_data("t.npy", constant_ok=True).X.tolist() == np.ones((3, 2)).tolist()


@pytest.mark.parametrize(
    "X", [np.ones((1, 3)), np.array([[1.0, 2], [1, 3]]), np.array([[True], [False]]), np.eye(2, dtype=int)]
)
def test_tables_that_pass(X):
    check_table(X, None, "t")


def test_check_table_names_the_column_and_the_counts():
    X = np.zeros((4, 2))
    X[1, 1], X[3, 0], X[3, 1] = np.inf, np.nan, -np.inf
    with pytest.raises(DataError) as caught:
        check_table(X, ["age", "pay"], "the training rows")
    assert str(caught.value) == (
        "1 missing (NaN) and 2 infinite among 8 values; in the training rows, "
        "first at row 1 (counted from 0), column 'pay'; expected finite numbers; "
        "fill them (scikit-learn's SimpleImputer does) or drop those rows or columns"
    )


def test_check_table_refuses_more_than_two_axes():
    with pytest.raises(DataError) as caught:
        check_table(np.ones((2, 3, 4)))
    assert str(caught.value) == (
        "an array of shape (2, 3, 4); in the data; expected a 2-D table; flatten each example to one row"
    )


def test_a_dataset_cannot_be_changed():
    with pytest.raises(AttributeError):
        Dataset("a", np.ones((1, 1))).name = "b"


def test_importing_the_package_imports_nothing_heavy():
    heavy = "torch pandas sklearn scipy pyarrow PIL rich http.client"
    code = f"import sys, isthmus.data; print([name for name in {heavy.split()} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
