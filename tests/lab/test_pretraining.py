"""The experiment holds for a seed, breaks where the machines learn nothing, and compares like with like."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lab.pictured import assert_readable, assert_told
from sklearn.base import clone

from isthmus.data import load_data
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.pretraining import PRETRAINING, STARTS, stacked, untrained
from isthmus.trials import pictures

SMALL = dict(PRETRAINING.settings) | {"hidden": (9, 8), "rbm_epochs": 1, "epochs": 2}


def test_it_holds_and_its_pictures_are_told():
    measured = PRETRAINING.measure(PRETRAINING.settings, [0])
    assert holds(measured.numbers, PRETRAINING.expected), measured.numbers
    assert measured.numbers["small_signal"] < 1e-5
    assert measured.numbers["pretrained_signal"] > 1e-3
    assert [len(told["median"]) for told in measured.series["signals"].values()] == [5, 5, 5]
    assert_told(measured, PRETRAINING.expected, PRETRAINING.settings)
    assert_readable(measured)


def test_it_breaks_where_the_machines_learn_nothing(tmp_path):
    settings = {"rbm_learning_rate": 1e-9, "rbm_epochs": 1, "epochs": 15}  # else it names 80 % and more by then
    result = run(find("pretraining"), Protocol(seeds=1, settings=settings), tmp_path)
    assert not result["holds"]
    assert result["measured"]["pretrained_percent"] < 30  # as from any other random weights


def test_the_full_protocol_measures_what_it_expects():
    numbers = PRETRAINING.measure(SMALL | {"optimizer": "adamw", "schedule": "cosine"}, [0, 1]).numbers
    assert set(PRETRAINING.bounds(full=True)) <= set(numbers)
    assert PRETRAINING.bounds(full=True)["pretrained_error_percent"] == ("<=", 1.46)
    below = numbers["glorot_error_percent"] - numbers["pretrained_error_percent"]
    assert numbers["below_glorot"] == pytest.approx(below)
    assert numbers["pretrained_percent"] <= 100 - numbers["pretrained_error_percent"]  # the worst, and the mean


def test_digits_are_shares_of_ink_and_the_test_digits_are_others():
    data, known = pictures("digits"), load_data("digits")
    assert (data.train.min(), data.train.max(), len(data.test)) == (0, 1, 539)
    np.testing.assert_allclose(16 * (data.train.sum() + data.test.sum()), known.X.sum(), rtol=1e-5)


def test_only_the_first_weights_differ():
    data = pictures("digits")
    stack = stacked(SMALL, data.train[:200], 3)
    nets = {start: untrained(SMALL | {"epochs": 1}, start, 3, stack) for start in STARTS}
    own = [{name: value for name, value in net.get_params().items() if "network" not in name} for net in nets.values()]
    assert own[0] == own[1] == own[2]
    first = {}
    for start, net in nets.items():
        begun = clone(net).set_params(learning_rate=1e-30).fit(data.train[:200], data.train_labels[:200])
        first[start] = [p.detach() for p in begun.module_.parameters()]
    assert all([p.shape for p in one] == [p.shape for p in first["small"]] for one in first.values())
    for place, (_, machine) in enumerate(stack.steps):
        weight, bias = first["pretrained"][2 * place : 2 * place + 2]
        torch.testing.assert_close(weight, machine.module_.weight.detach(), rtol=0, atol=0)
        torch.testing.assert_close(bias, machine.module_.hidden_bias.detach(), rtol=0, atol=0)
    assert 0.009 < first["small"][0].std() < 0.011
    bound = np.sqrt(6 / (64 + 9))
    assert 0.95 * bound < first["glorot"][0].abs().max() <= bound


def test_machines_are_trained_on_the_codes_of_those_below():
    X = pictures("digits").train[:200]
    first, second = (machine for _, machine in stacked(SMALL, X, 3).steps)
    alone = clone(second).fit(first.transform(X))
    torch.testing.assert_close(second.module_.weight, alone.module_.weight, rtol=0, atol=0)
    assert len({machine.random_state for seed in (0, 1) for _, machine in stacked(SMALL, X, seed).steps}) == 4
