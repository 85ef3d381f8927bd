"""npy and npz files: what is read, as what shape and type, and what is refused."""

import io
import pickle

import numpy as np
import pytest
from scipy import sparse

from isthmus.data import load_data
from isthmus.errors import DataError

TABLE = np.arange(12.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f8", "f8"),
        ("f4", "f4"),
        ("f2", "f4"),
        ("i1", "f4"),
        ("u1", "f4"),
        ("i2", "f4"),
        ("i4", "f8"),
        ("i8", "f8"),
        ("?", "f4"),
        (">f8", "f8"),
        (">f4", "f4"),
    ],
)
def test_a_table_keeps_its_numbers(dtype, expected):
    np.save("t.npy", TABLE.astype(dtype))
    dataset = load_data("t.npy")
    assert dataset.X.dtype == np.dtype(expected)
    assert dataset.input_shape is None
    assert (dataset.name, dataset.source) == ("t", "t.npy")
    np.testing.assert_array_equal(dataset.X, TABLE.astype(dtype))


def test_column_major_files_are_read_row_by_row():
    np.save("t.npy", np.asfortranarray(TABLE))
    X = load_data("t.npy").X
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, TABLE)


@pytest.mark.parametrize(
    ("shape", "input_shape"),
    [
        ((5, 6, 7), (1, 6, 7)),
        ((5, 6, 7, 1), (1, 6, 7)),
        ((5, 6, 7, 3), (3, 6, 7)),
        ((5, 6, 7, 4), (4, 6, 7)),
        ((5, 3, 6, 7), (3, 6, 7)),
    ],
)
def test_images_become_rows_channels_first(shape, input_shape):
    images = np.random.default_rng(0).normal(size=shape)
    np.save("t.npy", images)
    dataset = load_data("t.npy")
    assert dataset.input_shape == input_shape
    assert dataset.X.shape == (5, np.prod(input_shape))
    last = shape[-1] if len(shape) == 4 and shape[-1] in (1, 3, 4) else None
    pixel = images[2, 4, 5, input_shape[0] - 1] if last else images[(2, *([] if len(shape) == 3 else [2]), 4, 5)]
    assert dataset.X[2].reshape(input_shape)[-1, 4, 5] == pixel


@pytest.mark.parametrize(("dtype", "full"), [(np.uint8, 255), (np.uint16, 65535)])
def test_whole_number_images_lie_between_zero_and_one(dtype, full):
    images = np.array([[[0, full]], [[full // 5, 0]]], dtype=dtype)
    np.save("t.npy", images)
    X = load_data("t.npy").X
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, [[0, 1], [0.2, 0]], rtol=1e-7)


def test_npz_by_its_keys():
    np.savez(
        "t.npz", X=TABLE, y=np.array([[1], [0], [1], [0]]), X_test=TABLE[:1], y_test=np.array([3]), more=np.zeros(2)
    )
    dataset = load_data("t.npz")
    np.testing.assert_array_equal(dataset.X, TABLE)
    assert dataset.y.tolist() == [1, 0, 1, 0]
    assert dataset.X_test.tolist() == TABLE[:1].tolist()
    assert dataset.y_test.tolist() == [3]


@pytest.mark.parametrize("key", ["x", "data", "X_train", "x_train", "whatever"])
def test_npz_by_another_key_or_a_single_one(key):
    np.savez_compressed("t.npz", **{key: TABLE})
    np.testing.assert_array_equal(load_data("t.npz").X, TABLE)


def test_npz_labels_of_text_are_numbered_in_sorted_order():
    np.savez("t.npz", X=TABLE, y=np.array(["b", "c", "a", "b"]))
    assert load_data("t.npz").y.tolist() == [1, 2, 0, 1]


def test_a_sparse_matrix_is_made_dense():
    sparse.save_npz("t.npz", sparse.csr_matrix(TABLE))
    np.testing.assert_array_equal(load_data("t.npz").X, TABLE)


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


DAMAGED = "truncated, damaged or of another kind; in {}; expected a NumPy file; make or fetch the file again"
OBJECTS = (
    "Python objects; in {}; expected numbers; objects are never unpickled; "
    "convert the array with .astype(float) and save it again"
)
TYPES = "expected real numbers; convert them to numbers (float32 or float64) and save again"
RESHAPE = (
    "expected a 2-D table, one row per example; "
    "reshape it: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row, windows for a signal"
)
IMAGES = (
    "expected (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels; flatten each example to one row"
)
FILL = "expected finite numbers; fill them (scikit-learn's SimpleImputer does) or drop those rows or columns"
HOLED = TABLE.copy()
HOLED[2, 1], HOLED[3, 0] = np.nan, np.inf

BAD = {
    "truncated header": ("t.npy", npy(TABLE)[:40], DAMAGED.format("t.npy")),
    "truncated values": ("t.npy", npy(TABLE)[:-3], DAMAGED.format("t.npy")),
    "foreign": ("t.npy", b"hello, world", DAMAGED.format("t.npy")),
    "a pickle": ("t.npy", pickle.dumps([1, 2]), DAMAGED.format("t.npy")),
    "empty": ("t.npy", b"", "an empty file; at t.npy; expected data; make or fetch the file again"),
    "objects": ("t.npy", npy(np.array([1, None])), OBJECTS.format("t.npy")),
    "text": ("t.npy", npy(np.array([["a"]])), f"values of type text; in t.npy; {TYPES}"),
    "complex": ("t.npy", npy(TABLE * 1j), f"values of type complex number; in t.npy; {TYPES}"),
    "a signal": ("t.npy", npy(np.arange(9)), f"a 1-D array of shape (9,); in t.npy; {RESHAPE}"),
    "a number": ("t.npy", npy(np.float64(3)), f"a 0-D array of shape (); in t.npy; {RESHAPE}"),
    "five axes": ("t.npy", npy(np.ones((2,) * 5)), f"an array of shape (2, 2, 2, 2, 2); in t.npy; {IMAGES}"),
    "channels": ("t.npy", npy(np.ones((2, 5, 5, 2))), f"an array of shape (2, 5, 5, 2); in t.npy; {IMAGES}"),
    "no rows": (
        "t.npy",
        npy(np.ones((0, 3))),
        "no rows; in t.npy; expected at least one row of numbers; check how the file was made",
    ),
    "no columns": (
        "t.npy",
        npy(np.ones((3, 0))),
        "no columns; in t.npy; expected at least one column of numbers; check how the file was made",
    ),
    "no images": (
        "t.npy",
        npy(np.ones((0, 3, 3))),
        "no rows; in t.npy; expected at least one row of numbers; check how the file was made",
    ),
    "not finite": (
        "t.npy",
        npy(HOLED),
        (
            "1 missing (NaN) and 1 infinite among 12 values; in t.npy, "
            f"first at row 2 (counted from 0), column 1 (counted from 0); {FILL}"
        ),
    ),
    "constant": (
        "t.npy",
        npy(np.ones((4, 2))),
        (
            "every column is constant; in t.npy; expected at least one column that varies; "
            "check that this is the right file and the right columns"
        ),
    ),
    "truncated npz": ("t.npz", npz(X=TABLE)[:-30], DAMAGED.format("t.npz")),
    "damaged npz": ("t.npz", npz(X=TABLE).replace(b"NUMPY", b"NUMPI"), DAMAGED.format("t.npz")),
    "objects in a npz": ("t.npz", npz(X=np.array([[None]])), OBJECTS.format("t.npz")),
    "two unknown arrays": (
        "t.npz",
        npz(a=TABLE, b=TABLE),
        (
            "arrays named 'a', 'b'; in t.npz; expected the rows under 'X' (labels, if any, under 'y'); "
            "save again with numpy.savez(path, X=…, y=…)"
        ),
    ),
    "no arrays": (
        "t.npz",
        npz(),
        (
            "no arrays; in t.npz; expected the rows under 'X' (labels, if any, under 'y'); "
            "save again with numpy.savez(path, X=…, y=…)"
        ),
    ),
    "1-D in a npz": ("t.npz", npz(X=np.ones(3)), f"a 1-D array of shape (3,); in t.npz, array 'X'; {RESHAPE}"),
    "labels of another length": (
        "t.npz",
        npz(X=TABLE, y=np.ones(3)),
        (
            "labels of shape (3,) beside 4 rows; in t.npz, array 'y'; expected one label per row, shape (4,); "
            "save rows and labels of the same examples together"
        ),
    ),
    "labels that are measurements": (
        "t.npz",
        npz(X=TABLE, y=np.array([1, 2, 2.5, 3])),
        (
            "the label 2.5; in t.npz, array 'y', row 2 (counted from 0); expected whole numbers or text as labels; "
            "number the classes, or give what is no label another name"
        ),
    ),
    "NaN in the test rows": (
        "t.npz",
        npz(X=TABLE, X_test=HOLED[:3]),
        (
            "1 missing (NaN) among 9 values; in t.npz, test rows, "
            f"first at row 2 (counted from 0), column 1 (counted from 0); {FILL}"
        ),
    ),
    "test rows of another width": (
        "t.npz",
        npz(X=TABLE, X_test=TABLE[:, :2]),
        "test rows of 2 columns; in t.npz; expected 3, as the other rows have; save both from one table",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_told_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data(name)
    assert str(caught.value) == message


def test_a_damaged_member_of_a_compressed_npz(tmp_path):
    np.savez_compressed("t.npz", X=np.random.default_rng(0).normal(size=(100, 10)))
    content = bytearray((tmp_path / "t.npz").read_bytes())
    content[1000] ^= 0xFF
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data("t.npz")
    assert str(caught.value) == DAMAGED.format("t.npz")
