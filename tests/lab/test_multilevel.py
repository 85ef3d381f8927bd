"""The experiment holds, breaks where nothing is shared, and tells what it draws."""

from __future__ import annotations

from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.multilevel import MULTILEVEL


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("multilevel"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    measured = result["measured"]
    assert measured["swap_accuracy"] < measured["swap_accuracy_pooled"] <= measured["classifier_accuracy"] + 0.01
    assert measured["content_probe_pooled"] >= 0.99
    assert measured["style_probe"] < measured["content_probe"]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "multilevel-swaps.png",
        "multilevel-pooling.png",
    ]


SHORT = {"rows": 600, "test_rows": 300, "epochs": 3, "reader_epochs": 6}


def test_it_breaks_where_no_row_shares_its_content():
    measured = MULTILEVEL.measure(dict(MULTILEVEL.settings) | SHORT | {"share": False}, [0])
    assert not holds(measured.numbers, MULTILEVEL.expected)
    assert measured.numbers["swap_accuracy"] < 0.5
    assert measured.numbers["product_difference"] < 1e-4  # the formulas stay what they are
    assert measured.numbers["divergence_difference"] < 1e-4
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)
