"""The experiment holds, breaks without a divergence, and tells what it draws."""

from __future__ import annotations

from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.variational import VARIATIONAL


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("variational"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert result["expected"]["iwae_error"] == ["<=", 0.02]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "variational-bounds.png",
        "variational-codes.png",
        "variational-samples.png",
    ]


def test_it_breaks_without_the_divergence():
    """Its codes then follow no prior."""
    few = {"strength": 0.0, "epochs": 20, "rows": 300, "linear_epochs": 2}
    measured = VARIATIONAL.measure(dict(VARIATIONAL.settings) | few, [0])
    assert measured.numbers["energy_standard"] > VARIATIONAL.expected["energy_standard"][1]
    assert not holds(measured.numbers, VARIATIONAL.expected)
    assert_told(measured)
    assert_readable(measured)
