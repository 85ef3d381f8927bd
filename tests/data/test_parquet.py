"""Parquet tables written by pandas and polars, read back; columns that are not numbers are named."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from isthmus.data import load_data
from isthmus.errors import DataError

pa = pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float32", "f4"), ("float64", "f8"), ("int16", "f4"), ("int64", "f8")]
)
def test_reads_what_pandas_wrote(dtype, expected):
    frame = pd.DataFrame(np.arange(6).reshape(3, 2).astype(dtype), columns=["a", "b"], index=["p", "q", "r"])
    frame.to_parquet("t.parquet")
    dataset = load_data("t.parquet")
    assert dataset.feature_names == ("a", "b")  # pandas' index is no column
    assert dataset.X.dtype == np.dtype(expected)
    np.testing.assert_array_equal(dataset.X, frame.to_numpy())


def test_reads_what_polars_wrote_mixed_types_and_labels():
    frame = pl.DataFrame({"a": [True, False], "Label": ["no", "yes"], "b": [0.5, 2.0], "c": [3, 4]})
    frame.write_parquet("t.parquet")
    dataset = load_data("t.parquet")
    assert dataset.feature_names == ("a", "b", "c")
    assert dataset.y.tolist() == [0, 1]
    np.testing.assert_array_equal(dataset.X, [[1, 0.5, 3], [0, 2, 4]])


def test_decimals_are_numbers():
    from decimal import Decimal

    pl.DataFrame({"a": [Decimal("1.25"), Decimal("2.50")]}).write_parquet("t.parquet")
    assert load_data("t.parquet").X.tolist() == [[1.25], [2.5]]


CURE = (
    "expected numbers; remove the column or turn it into numbers; only a column named label, target or y may hold text"
)
DAMAGED = "truncated, damaged or of another kind; in t.parquet; expected a Parquet file; make or fetch the file again"

BAD = {
    "text": (
        pl.DataFrame({"a": [1, 2], "job": [None, "smith"]}),
        f"'smith' (type large_string) among numbers; in t.parquet, column 'job'; {CURE}",
    ),
    "lists": (
        pl.DataFrame({"v": [[1, 2], [3, 4]]}),
        f"[1, 2] (type large_list<element: int64>) among numbers; in t.parquet, column 'v'; {CURE}",
    ),
    "missing": (
        pl.DataFrame({"a": [1, 2, 3], "b": [1, None, 3]}),
        (
            "1 missing (NaN) among 6 values; in t.parquet, first at row 1 (counted from 0), column 'b'; "
            "expected finite numbers; fill them (scikit-learn's SimpleImputer does) or drop those rows or columns"
        ),
    ),
    "no rows": (
        pl.DataFrame({"a": pl.Series([], dtype=pl.Float64)}),
        "no rows; in t.parquet; expected at least one row of numbers; check how the file was made",
    ),
    "labels only": (
        pl.DataFrame({"y": [1, 2]}),
        "no columns of inputs; in t.parquet; expected columns of numbers; add some",
    ),
    "label missing": (
        pl.DataFrame({"a": [1, 2], "y": [1, None]}),
        (
            "1 of 2 labels are missing; in t.parquet, column 'y'; expected a label in every row; "
            "fill them, remove the rows or rename the column"
        ),
    ),
}


@pytest.mark.parametrize(("frame", "message"), BAD.values(), ids=BAD)
def test_bad_tables_are_told_in_one_line(frame, message):
    frame.write_parquet("t.parquet")
    with pytest.raises(DataError) as caught:
        load_data("t.parquet")
    assert str(caught.value) == message


@pytest.mark.parametrize("keep", [slice(0, 40), slice(0, -20), slice(10, None)], ids=["head", "no foot", "no head"])
def test_a_truncated_file(tmp_path, keep):
    pl.DataFrame({"a": list(range(100))}).write_parquet("t.parquet")
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[keep])
    with pytest.raises(DataError) as caught:
        load_data("t.parquet")
    assert str(caught.value) == DAMAGED


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as caught:
        load_data("t.parquet")
    assert str(caught.value) == (
        "pyarrow is not installed; to read Parquet; expected the package pyarrow; pip install 'isthmus[data]'"
    )
