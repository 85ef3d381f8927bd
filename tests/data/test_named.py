"""The named sets: shapes, types, units, where they are looked for, and what the table says of them."""

import gzip
import struct
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn import datasets

from isthmus.data import NAMES, describe_sets, load_data, named
from isthmus.errors import DataError

EMBEDDED = [info for info in describe_sets() if not info.download]


@pytest.mark.parametrize("info", EMBEDDED, ids=lambda info: info.name)
def test_embedded_sets_are_as_the_table_says(info):
    dataset = load_data(info.name)
    assert dataset.X.shape == (info.rows, info.columns)
    assert (dataset.name, dataset.source) == (info.name, info.source)
    assert np.isfinite(dataset.X).all()
    assert dataset.input_shape is None or np.prod(dataset.input_shape) == info.columns
    assert dataset.feature_names is None or len(dataset.feature_names) == info.columns
    assert dataset.y is None or (dataset.y.shape, dataset.y.dtype) == ((info.rows,), np.int64)


@pytest.mark.parametrize(
    ("name", "dtype", "input_shape"),
    [
        ("digits", np.float32, (1, 8, 8)),
        ("wine", np.float64, None),
        ("breast-cancer", np.float64, None),
        ("iris", np.float64, None),
        ("photo-patches", np.float32, (1, 10, 10)),
        ("whitened-patches", np.float32, (1, 10, 10)),
        ("characters", np.float32, (1, 16, 16)),
    ],
)
def test_types_and_shapes(name, dtype, input_shape):
    dataset = load_data(name)
    assert dataset.X.dtype == dtype
    assert dataset.input_shape == input_shape


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("digits", datasets.load_digits),
        ("wine", datasets.load_wine),
        ("breast-cancer", datasets.load_breast_cancer),
        ("iris", datasets.load_iris),
    ],
)
def test_the_numbers_are_those_of_scikit_learn(name, load):
    dataset, bunch = load_data(name), load()
    np.testing.assert_array_equal(dataset.X, bunch.data)
    np.testing.assert_array_equal(dataset.y, bunch.target)


def test_photo_patches_are_windows_of_the_photos_and_the_same_every_time():
    pytest.importorskip("PIL")
    X = load_data("photo-patches").X
    np.testing.assert_array_equal(X, load_data("photo-patches").X)
    assert X.min() >= 0
    assert X.max() <= 1
    assert len(np.unique(X, axis=0)) > 9000
    china = (datasets.load_sample_images().images[0] @ [0.299, 0.587, 0.114] / 255).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(china, (10, 10))
    tops = np.round(windows[..., 0, 0], 5)
    found = sum(
        any(
            np.allclose(windows[place].reshape(-1), row)
            for place in zip(*np.nonzero(tops == np.round(row[0], 5)), strict=True)
        )
        for row in X[:10]
    )
    assert 0 < found < 10  # some rows are cut from this photo, the others from the second


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def small_kmnist(tmp_path, monkeypatch):
    """The four files of a set, small: some plain, some gzipped."""
    folder = tmp_path / "kmnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    made = {}
    for part, n, plain in [("train", 7, True), ("t10k", 3, False)]:
        made[part] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
        for array, name in zip(made[part], ("images-idx3", "labels-idx1"), strict=True):
            path = folder / f"{part}-{name}-ubyte{'' if plain else '.gz'}"
            path.write_bytes(idx(array) if plain else gzip.compress(idx(array)))
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    return made


def test_files_in_isthmus_data_are_read_plain_or_gzipped(small_kmnist):
    dataset = load_data("kmnist")
    for X, y, (images, labels) in [
        (dataset.X, dataset.y, small_kmnist["train"]),
        (dataset.X_test, dataset.y_test, small_kmnist["t10k"]),
    ]:
        assert X.dtype == np.float32
        np.testing.assert_allclose(X, images.reshape(len(images), 784) / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, labels)
    assert dataset.input_shape == (1, 28, 28)


def test_labels_of_another_length_are_told(small_kmnist, tmp_path):
    path = tmp_path / "kmnist" / "train-labels-idx1-ubyte"
    path.write_bytes(idx(np.zeros(6, dtype=np.uint8)))
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert str(caught.value) == (
        f"labels of shape (6,) beside 7 rows; in {path}; expected one label per row, shape (7,); "
        "save rows and labels of the same examples together"
    )


def test_images_of_another_size_are_told(small_kmnist, tmp_path):
    path = tmp_path / "kmnist" / "train-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros((7, 8, 8), dtype=np.uint8)))
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert str(caught.value) == (
        f"rows of shape (1, 8, 8); in {path}; expected (1, 28, 28); fetch the files of kmnist again"
    )


def test_the_table_says_what_is_present(small_kmnist):
    assert tuple(info.name for info in describe_sets()) == NAMES
    present = {info.name: info.present for info in describe_sets() if info.download}
    assert {name for name, there in present.items() if there} == {"kmnist"}
    assert {"mnist", "mnist-rot", "fashion-mnist", "pbmc", "dsprites"} < set(present)


def test_variants_are_made_of_all_of_mnist(tmp_path, monkeypatch):
    """Every changed digit's class is that of the digit it is made of, and none is both trained on and tested."""
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    monkeypatch.setattr(named, "_VARIANT_ROWS", (120, 500))
    labels = {"train": rng.integers(10, size=500), "t10k": rng.integers(10, size=200)}
    for part, y in labels.items():
        pictures = np.zeros((len(y), 28, 28), np.uint8)
        pictures[:, 14, 14] = 200 + y  # the middle stays where it is, and is lighter than most of what lies behind
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 2051, len(y), 28, 28) + pictures.tobytes()
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 2049, len(y)) + y.astype(np.uint8).tobytes()
        )
    found = load_data("mnist-bg-img")
    assert (found.X.shape, found.X_test.shape) == ((120, 784), (500, 784))
    X, y = np.concatenate([found.X, found.X_test]), np.concatenate([found.y, found.y_test])
    seen = X.reshape(-1, 28, 28)[:, 14, 14]
    assert (seen >= (200 + y) / 255 - 1e-6).all()
    darker = seen < (200 + y) / 255 + 1e-6
    assert darker.mean() > 0.8
    assert np.array_equal(load_data("mnist-bg-img").X, found.X)
    assert {info.name for info in describe_sets() if info.present} >= {"mnist", "mnist-rot", "mnist-bg-rand"}


def test_counts_of_cells_are_read_from_a_sparse_matrix(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    path = tmp_path / "singlecell" / "10x_pbmc68k_reduced_counts.npz"
    with pytest.raises(DataError) as caught:
        load_data("pbmc")
    assert str(caught.value) == (
        f"the counts are not there; at {path}; expected a sparse matrix as scipy.sparse.save_npz writes it; "
        "save the raw counts of scanpy.datasets.pbmc68k_reduced() there"
    )
    counts = np.random.default_rng(0).poisson(0.5, (7, 5)).astype(np.int32)
    path.parent.mkdir()
    sparse.save_npz(path, sparse.csr_matrix(counts))
    dataset = load_data("pbmc")
    np.testing.assert_array_equal(dataset.X, counts)
    assert dataset.X.dtype.kind == "f"
    assert (dataset.name, dataset.y) == ("pbmc", None)
    assert {info.name: info.present for info in describe_sets()}["pbmc"]


def test_photo_patches_need_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert not {info.name: info.present for info in describe_sets()}["photo-patches"]
    with pytest.raises(DataError) as caught:
        load_data("photo-patches")
    assert str(caught.value) == (
        "Pillow is not installed; to read images; expected the package Pillow; pip install 'isthmus[report]'"
    )


def test_whitened_patches_need_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert not {info.name: info.present for info in describe_sets()}["whitened-patches"]
    with pytest.raises(DataError) as caught:
        load_data("whitened-patches")
    assert str(caught.value) == (
        "scikit-image is not installed; to read its photos; expected the package scikit-image; "
        "pip install 'isthmus[lab]'"
    )


def test_whitened_patches_are_windows_of_the_whitened_photos_and_the_same_every_time():
    from skimage import data

    from isthmus.data.whitening import whitened

    X = load_data("whitened-patches").X
    np.testing.assert_array_equal(X, load_data("whitened-patches").X)
    windows = np.lib.stride_tricks.sliding_window_view(whitened(data.camera()).astype(np.float32), (10, 10))
    firsts = {float(number) for number in windows[8:-8, 8:-8, 0, 0].ravel()}
    own = [row for row in X if float(row[0]) in firsts]
    assert len(own) >= 1600
    for row in own[:20]:
        places = np.argwhere(windows[..., 0, 0] == row[0])
        assert any(np.array_equal(windows[tuple(place)].ravel(), row) for place in places)


def test_natural_patches_are_of_the_folder_s_photos(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    assert not {info.name: info.present for info in describe_sets()}["natural-patches"]
    with pytest.raises(DataError) as caught:
        load_data("natural-patches")
    assert str(caught.value) == (
        f"there is no photo; in {tmp_path / 'natural'}; expected photos; put some there, without loss"
    )
    (tmp_path / "natural").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "natural" / "one.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "natural" / "two.png")
    found = load_data("natural-patches")
    assert (found.X.shape, found.X.dtype, found.input_shape) == ((100_000, 100), np.float32, (1, 10, 10))
    np.testing.assert_allclose(found.X.std(), 1, atol=0.05)
    assert {info.name: info.present for info in describe_sets()}["natural-patches"]
