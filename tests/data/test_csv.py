"""A csv file reads as pandas reads it, and every fault is told by its line and column."""

import io

import numpy as np
import pandas as pd
import pytest

from isthmus.data import load_data
from isthmus.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "t.csv").write_bytes(data)


EXPECTED = [[1.5, -2.0], [3e-4, 4.0]]

GOOD = {
    "header": "a,b\n1.5,-2\n3e-4,4\n",
    "no header": "1.5,-2\n3e-4,4\n",
    "no last line end": "a,b\n1.5,-2\n3e-4,4",
    "Windows line ends": "a,b\r\n1.5,-2\r\n3e-4,4\r\n",
    "byte order mark": "\ufeffa,b\n1.5,-2\n3e-4,4\n",
    "byte order mark, no header": "\ufeff1.5,-2\n3e-4,4\n",
    "semicolons": "a;b\n1.5;-2\n3e-4;4\n",
    "tabs": "a\tb\n1.5\t-2\n3e-4\t4\n",
    "quoted": '"a","b"\n"1.5","-2"\n"3e-4","4"\n',
    "quoted name over two lines": '"a\nlong",b\n1.5,-2\n3e-4,4\n',
    "spaces": "a, b\n 1.5, -2 \n3e-4,4\n",
    "blank lines": "\na,b\n\n1.5,-2\n   \n3e-4,4\n\n",
    "columns called by their numbers and labels": "0,1,label\n1.5,-2,3\n3e-4,4,5\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_every_dialect_gives_the_same_numbers(tmp_path, text):
    write(tmp_path, text)
    X = load_data("t.csv").X
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, EXPECTED)


def test_the_header_gives_the_feature_names_and_its_absence_none(tmp_path):
    write(tmp_path, "\ufeffage,height \n1,2\n3,4\n")
    assert load_data("t.csv").feature_names == ("age", "height")
    write(tmp_path, "1,2\n3,4\n")
    assert load_data("t.csv").feature_names is None


def test_numbers_that_count_the_columns_are_a_header(tmp_path):
    pd.DataFrame(np.arange(8.0).reshape(2, 4)).to_csv(tmp_path / "t.csv", index=False)
    dataset = load_data("t.csv")
    assert dataset.feature_names == ("0", "1", "2", "3")
    assert len(dataset.X) == 2


def test_reads_what_pandas_wrote_to_the_last_bit(tmp_path):
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(200, 7)) * 10.0 ** np.arange(-9, 12, 3), columns=list("abcdefg")
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(load_data("t.csv").X, frame.to_numpy())


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("label", ["cat", "ant", "cat"], [1, 0, 1]),
        ("Target", ["2", "0", "2.0"], [2, 0, 2]),
        ("y", ["-1", "1", "1"], [-1, 1, 1]),
    ],
)
def test_a_column_of_labels_is_set_apart(tmp_path, name, cells, expected):
    rows = "".join(f"{i},{cell},{i * i}\n" for i, cell in enumerate(cells))
    write(tmp_path, f"a,{name},b\n{rows}")
    dataset = load_data("t.csv")
    assert dataset.y.dtype == np.int64
    assert dataset.y.tolist() == expected
    assert dataset.feature_names == ("a", "b")
    np.testing.assert_array_equal(dataset.X, [[0, 0], [1, 1], [2, 4]])


def test_class_is_a_column_as_any_other(tmp_path):
    write(tmp_path, "a,class\n1,0\n2,1\n")
    dataset = load_data("t.csv")
    assert dataset.y is None
    assert dataset.feature_names == ("a", "class")


def test_a_column_without_a_name_gets_one(tmp_path):
    write(tmp_path, ",a,b\n7,1,2\n8,3,4\n")
    assert load_data("t.csv").feature_names == ("unnamed 0", "a", "b")


NUMBERS_ONLY = "remove the column or turn it into numbers; only a column named label, target or y may hold text"
FILL = "expected finite numbers; fill them (scikit-learn's SimpleImputer does) or drop those rows or columns"
NO_ROWS = "no rows; in t.csv; expected at least one row of numbers; check how the file was made"

BAD = {
    "empty": ("", "an empty file; at t.csv; expected data; make or fetch the file again"),
    "blank": ("\n\n", NO_ROWS),
    "byte order mark only": ("\ufeff", NO_ROWS),
    "header only": ("a,b\n", NO_ROWS),
    "ragged, short": (
        "a,b\n1,2\n\n3\n",
        "1 fields; in t.csv, line 4; expected 2, as in the first line; give every line the same number of fields",
    ),
    "ragged, long": (
        "1,2\n3,4,5\n",
        "3 fields; in t.csv, line 2; expected 2, as in the first line; give every line the same number of fields",
    ),
    "text": (
        "age,job\n1,2\n3,smith\n",
        f"text 'smith' among numbers; in t.csv, line 3, column 'job'; expected a number; {NUMBERS_ONLY}",
    ),
    "text after the labels": (
        "label,age\nx,1\ny,old\n",
        f"text 'old' among numbers; in t.csv, line 3, column 'age'; expected a number; {NUMBERS_ONLY}",
    ),
    "text without a header": (
        "1,2,ant\n3,4,cat\n",
        f"text 'ant' among numbers; in t.csv, line 1, column 2 (counted from 0); expected a number; {NUMBERS_ONLY}",
    ),
    "a slip in the first line is no header": (
        "1,2x,3\n1,2,3\n",
        f"text '2x' among numbers; in t.csv, line 1, column 1 (counted from 0); expected a number; {NUMBERS_ONLY}",
    ),
    "long text": (
        "a\n1\n" + "x" * 100 + "\n",
        f"text '{'x' * 39}… among numbers; in t.csv, line 3, column 'a'; expected a number; {NUMBERS_ONLY}",
    ),
    "decimal commas": (
        "a;b\n1,5;2\n",
        "text '1,5' among numbers; in t.csv, line 2, column 'a'; expected a number; write decimals with a point",
    ),
    "missing": (
        "age,pay\n1,2\n\n3,\n,4\n",
        f"2 missing (NaN) among 6 values; in t.csv, first at line 4, column 'pay'; {FILL}",
    ),
    "missing, in words": (
        "1,2\nNA,4\n",
        f"1 missing (NaN) among 4 values; in t.csv, first at line 2, column 0 (counted from 0); {FILL}",
    ),
    "infinity beside NaN": (
        "a,b\n1,2\n3,-inf\nnan,4\n",
        f"1 missing (NaN) and 1 infinite among 6 values; in t.csv, first at line 3, column 'b'; {FILL}",
    ),
    "constant": (
        "a,b\n1,2\n1,2\n",
        (
            "every column is constant; in t.csv; expected at least one column that varies; "
            "check that this is the right file and the right columns"
        ),
    ),
    "label missing": (
        "a,label\n1,x\n2,\n",
        (
            "a label is missing; in t.csv, line 3, column 'label'; expected a label in every row; "
            "fill it, remove the row or rename the column"
        ),
    ),
    "label not whole": (
        "a,y\n1,2\n2,0.5\n",
        (
            "the label 0.5; in t.csv, column 'y', line 3; expected whole numbers or text as labels; "
            "number the classes, or give what is no label another name"
        ),
    ),
    "two columns of labels": (
        "a,y,label\n1,2,3\n",
        (
            "2 columns of labels ('y', 'label'); in t.csv; expected at most one column named label, target or y; "
            "rename or remove the others"
        ),
    ),
    "labels only": (
        "label\n1\n2\n",
        "no columns but the labels; in t.csv; expected columns of numbers beside them; add some",
    ),
    "not UTF-8": (
        b"a,b\n1,\xe9\n",
        "byte 0xe9 is not UTF-8 text; in t.csv; expected a csv file; save it as csv in UTF-8",
    ),
    "quote not closed": (
        'a,b\n1,"2\n3,4\n',
        (
            "malformed csv (unexpected end of data); in t.csv, line 3; "
            "expected quotes that close, and quotes inside them doubled; mend the line"
        ),
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_told_in_one_line(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        load_data("t.csv")
    assert str(caught.value) == message
    assert "\n" not in message


def test_a_single_row_may_be_constant(tmp_path):
    write(tmp_path, "a,b\n1,1\n")
    assert load_data("t.csv").X.tolist() == [[1, 1]]


def test_a_large_table_reads_as_numpy_reads_it(tmp_path):
    text = io.StringIO()
    np.savetxt(text, np.random.default_rng(1).normal(size=(5000, 20)), delimiter=",")
    write(tmp_path, text.getvalue())
    np.testing.assert_array_equal(load_data("t.csv").X, np.loadtxt("t.csv", delimiter=","))
