"""The rules on a net worked by hand, the experiment at full size, and units that are not logistic."""

from __future__ import annotations

import numpy as np
import torch
from lab.pictured import assert_readable, assert_told
from torch import nn

from isthmus.lab import Protocol, holds, run
from isthmus.lab.backprop import BACKPROP, Trial, rules


def test_it_holds(tmp_path):
    result = run(BACKPROP, Protocol(seeds=2), tmp_path)
    assert result["holds"], result["measured"]
    assert result["measured"]["differences"] > 0
    assert 0 < result["measured"]["fade"] < 0.1


def test_it_breaks_for_other_units():
    settings = dict(BACKPROP.settings) | {"activation": "tanh", "depth": 2, "widths": (3,)}
    assert not holds(BACKPROP.measure(settings, [0]).numbers, BACKPROP.expected)


def test_its_pictures_are_told():
    measured = BACKPROP.measure(dict(BACKPROP.settings) | {"widths": (2, 3)}, range(2))
    assert_told(measured)
    assert_readable(measured)


def test_the_rules_by_hand():
    """One input of 1, one hidden unit, one output, all weights 0 but the output's: s is ½ where nothing comes in."""
    net = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid(), nn.Linear(1, 1)).double()
    for weight, value in zip(net.parameters(), (0.0, 0.0, 2.0, -1.0), strict=True):
        nn.init.constant_(weight, value)
    one = torch.ones(1, 1, dtype=torch.float64)
    step, (hidden, output) = rules(Trial(net, one, one, eta=0.1))
    assert output.item() == 0.5 * 0.25  # (1 − ½) · ½ · ½
    assert hidden.item() == 0.125 * 2 * 0.25
    np.testing.assert_allclose(step, 0.1 * np.array([0.0625, 0.0625, 0.125 * 0.5, 0.125]))
