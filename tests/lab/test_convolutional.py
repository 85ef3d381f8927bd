"""The experiment holds, breaks without convolutions, and a decoder of another size is seen."""

from __future__ import annotations

import pytest
import torch
from lab.pictured import assert_readable, assert_told

from isthmus import decoders
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.convolutional import CONVOLUTIONAL, SIZES, shape_difference


def test_it_holds_for_five_seeds(tmp_path):
    result = run(find("convolutional"), Protocol(), tmp_path)
    assert result["seeds"] == 5
    assert result["holds"], result["measured"]
    assert result["measured"]["shape_difference"] == 0
    assert result["measured"]["convolutional_error"] < result["measured"]["dense_error"]
    assert [path.rpartition("/")[2] for path in result["figures"]] == [
        "convolutional-reconstructions.png",
        "convolutional-errors.png",
    ]


def test_it_breaks_where_dense_layers_stand_for_the_convolutions():
    measured = CONVOLUTIONAL.measure(dict(CONVOLUTIONAL.settings) | {"convolve": False, "epochs": 2}, [0])
    assert not holds(measured.numbers, CONVOLUTIONAL.expected)
    assert measured.numbers["convolutional_over_dense"] == pytest.approx(1, abs=1e-3)
    assert_told(measured, [*range(256)])  # the levels of pixels, which are not told
    assert_readable(measured)


def test_it_breaks_where_the_dense_one_has_fewer_parameters(tmp_path):
    result = run(CONVOLUTIONAL, Protocol(seeds=1, settings={"hidden": 32, "epochs": 1}), tmp_path)
    assert not result["holds"]
    assert result["measured"]["parameters_over_dense"] > 1


def test_odd_sizes_are_among_those_restored():
    assert {(1, 7, 9), (1, 5, 1), (1, 13)} <= set(SIZES)


@pytest.mark.parametrize("shape", [(1, 7, 9), (1, 13)])
def test_a_map_of_another_size_is_seen(monkeypatch, shape):
    """Restored to even extents, as where halvings are not remembered: an odd size comes back too large."""
    build = decoders.Convolutional.build

    def forgetful(self, inputs, shape, encoder):
        return build(self, inputs, (shape[0], *(side + side % 2 for side in shape[1:])), encoder)

    assert shape_difference([shape]) == 0
    monkeypatch.setattr(decoders.Convolutional, "build", forgetful)
    with torch.no_grad():
        assert shape_difference([shape]) == 1
