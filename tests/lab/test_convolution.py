"""The experiment holds, breaks without convolutions, and shows its nets the digits that it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from isthmus import networks
from isthmus.data import Dataset, load_data
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.convolution import CONVOLUTION, dense, framed, split


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("convolution"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert result["expected"]["accuracy_percent"] == [">=", 98]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "convolution-features.png",
        "convolution-accuracy.png",
    ]


def test_it_breaks_where_dense_layers_stand_for_the_convolutions(tmp_path):
    result = run(CONVOLUTION, Protocol(seeds=2, settings={"convolve": False, "epochs": 8}), tmp_path)
    assert not result["holds"]
    assert result["measured"]["accuracy_percent"] > 95  # it learned, and yet
    assert result["measured"]["above_dense"] <= 0
    assert result["measured"]["shifted_above_dense"] <= 0


def test_it_breaks_without_time():
    numbers = CONVOLUTION.measure(dict(CONVOLUTION.settings) | {"epochs": 1}, [0]).numbers
    assert not holds(numbers, CONVOLUTION.expected)
    assert "error_percent_distorted" not in numbers


def test_the_full_protocol_measures_what_it_expects():
    """Its settings on a few rows: the numbers are there, and LeNet-5 is trained with distortions too."""
    small = {"data": "digits", "frame": 4, "enlarged": 2, "epochs": 1, "distorted_epochs": 1}
    measured = CONVOLUTION.measure(dict(CONVOLUTION.settings) | dict(CONVOLUTION.full) | small, [0])
    assert set(CONVOLUTION.bounds(full=True)) <= set(measured.numbers)
    assert measured.numbers["error_percent"] == 100 - measured.numbers["accuracy_percent"]
    assert measured.numbers["error_percent_distorted"] != measured.numbers["error_percent"]


def test_digits_are_framed_moved_and_enlarged():
    pictures = np.random.default_rng(0).uniform(1, 2, size=(2, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(framed(pictures, 0, 1), pictures.reshape(2, -1))
    framed_only = framed(pictures, 1, 1).reshape(2, 7, 6)
    np.testing.assert_array_equal(framed_only[:, 1:-1, 1:-1], pictures)
    assert framed_only.sum() == pytest.approx(pictures.sum())
    for move in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        moved = framed(pictures, 1, 1, move).reshape(2, 7, 6)
        np.testing.assert_array_equal(moved, np.roll(framed_only, move, axis=(1, 2)))
    cut = framed(pictures, 0, 1, (2, -1)).reshape(2, 5, 4)
    np.testing.assert_array_equal(cut[:, 2:, :-1], pictures[:, :-2, 1:])
    assert not cut[:, :2].any()
    assert not cut[:, :, -1].any()
    wanted = F.interpolate(torch.from_numpy(framed_only)[:, None], scale_factor=3, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(framed(pictures, 1, 3).reshape(2, 21, 18), wanted[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", [10, 28, 30])
def test_the_perceptron_is_the_narrowest_with_no_fewer_parameters(side):
    (hidden,) = dense(side).hidden
    sizes = [width * (side * side + 1) + 10 * (width + 1) for width in (hidden - 1, hidden)]
    lenet = sum(weight.numel() for weight in networks.LeNet5().build((1, side, side), 10).parameters())
    assert sizes[0] < lenet == 61_706 <= sizes[1]


def test_each_seed_holds_out_other_digits_as_many_of_each_class():
    data = load_data("digits")
    first, again, other = split(data, 0), split(data, 0), split(data, 1)
    assert (first.train.shape, first.test.shape) == ((1257, 8, 8), (540, 8, 8))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    np.testing.assert_allclose(np.bincount(first.y_test), 0.3 * np.bincount(data.y), atol=1)
    assert np.concatenate([first.train, first.test]).sum() == data.X.sum()


def test_a_set_with_test_digits_of_its_own_is_judged_on_these():
    X, y = np.arange(24.0).reshape(4, 6), np.arange(4)
    own = split(Dataset("own", X, y, input_shape=(1, 2, 3), X_test=X[:1] + 1, y_test=y[:1]), 5)
    np.testing.assert_array_equal(own.test, X[:1].reshape(1, 2, 3) + 1)
    np.testing.assert_array_equal(own.train, X.reshape(4, 2, 3))
    assert own.y_test.tolist() == [0]
