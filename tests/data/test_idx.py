"""idx files written by hand, byte for byte."""

import gzip
import struct

import numpy as np
import pytest

from isthmus.data import load_data
from isthmus.data.idx import is_idx_name, read_idx
from isthmus.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def idx(code, shape, payload):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + payload


IMAGES = idx(8, (2, 2, 3), bytes([0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6]))


@pytest.mark.parametrize(
    "name", ["t10k-images-idx3-ubyte", "a.idx", "a.idx3-ubyte", "train-images-idx3-ubyte.gz", "a.idx.gz"]
)
def test_images_plain_and_gzipped(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(IMAGES) if name.endswith(".gz") else IMAGES)
    dataset = load_data(name)
    assert dataset.input_shape == (1, 2, 3)
    assert dataset.X.dtype == np.float32
    np.testing.assert_allclose(dataset.X[0], [0, 0.2, 0.4, 0.6, 0.8, 1], rtol=1e-6)


@pytest.mark.parametrize("name", ["a.gz", "a.csv", "ubyte", "a.idx.txt", "index"])
def test_other_names_are_not_idx(name):
    assert not is_idx_name(name)


@pytest.mark.parametrize(
    ("code", "form", "values"),
    [
        (0x08, "B", [0, 255]),
        (0x09, "b", [-128, 127]),
        (0x0B, "h", [-300, 300]),
        (0x0C, "i", [-70000, 70000]),
        (0x0D, "f", [0.5, -2.0]),
        (0x0E, "d", [0.1, 1e300]),
    ],
)
def test_every_type_is_read_big_endian(tmp_path, code, form, values):
    (tmp_path / "a.idx").write_bytes(idx(code, (2,), struct.pack(f">2{form}", *values)))
    array = read_idx(tmp_path / "a.idx")
    assert array.dtype.isnative
    assert array.tolist() == values


FOREIGN = (
    "the file begins with {}; in a.idx; expected an idx file: 00 00, a type from 08 to 0e, the number of axes; "
    "give the file another name if it is not idx"
)
LENGTH = "{} bytes; in a.idx; expected {} bytes, as the idx header says; fetch the file again"
DAMAGED = "truncated, damaged or of another kind; in a.idx; expected an idx file; make or fetch the file again"

BAD = {
    "foreign": (b"\x89PNG....", FOREIGN.format("89 50 4e 47")),
    "short": (b"\0\0", FOREIGN.format("00 00")),
    "unknown type": (idx(7, (1,), b"a"), FOREIGN.format("00 00 07 01")),
    "no axes": (idx(8, (), b"a"), FOREIGN.format("00 00 08 00")),
    "an HTML page, gzipped": (gzip.compress(b"<html>"), FOREIGN.format("3c 68 74 6d")),
    "gzip of nothing": (gzip.compress(b""), FOREIGN.format("nothing")),
    "truncated header": (IMAGES[:10], LENGTH.format(10, 16)),
    "truncated values": (IMAGES[:-1], LENGTH.format(27, 28)),
    "too long": (IMAGES + b"x", LENGTH.format(29, 28)),
    "truncated gzip": (gzip.compress(IMAGES)[:-9], DAMAGED),
    "damaged gzip": (gzip.compress(IMAGES)[:12] + b"\xff" * 20, DAMAGED),
    "empty": (b"", "an empty file; at a.idx; expected data; make or fetch the file again"),
    "labels": (
        idx(8, (3,), b"abc"),
        (
            "a 1-D array of shape (3,); in a.idx; expected a 2-D table, one row per example; "
            "reshape it: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row, windows for a signal"
        ),
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_told_in_one_line(tmp_path, content, message):
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data("a.idx")
    assert str(caught.value) == message
