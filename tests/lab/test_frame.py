"""The frame: what holds is computed from numbers, settings change them, exit codes tell."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from isthmus.cli import main
from isthmus.lab import EXPERIMENTS, Experiment, Measured, Protocol, holds, run, running

COIN = Experiment(
    name="coin",
    part="I",
    claim="A coin has two sides.",
    lecture="coins",
    reference="",
    measure=lambda settings, seeds: Measured({"sides": settings["sides"], "tosses": len(seeds)}),
    expected={"sides": ("==", 2)},
    settings={"sides": 2, "weight": 1.0, "sizes": (1, 2)},
    full={"sides": 3},
    seeds=7,
)


@pytest.mark.parametrize(
    ("value", "op", "bound", "answer"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (2, "==", 2, True),
        (3, ">=", 2, True),
        (2, ">", 2, False),
        (math.nan, "<=", 2, False),
        (math.nan, ">=", 2, False),
    ],
)
def test_holds(value, op, bound, answer):
    assert holds({"x": value, "unasked": 0}, {"x": (op, bound)}) is answer


def test_what_was_not_measured_is_a_fault_of_the_experiment():
    with pytest.raises(KeyError, match="y"):
        holds({"x": 1}, {"y": ("<", 2)})


def test_result_and_files(tmp_path):
    result = run(COIN, Protocol(), tmp_path)
    assert result.pop("seconds") >= 0
    assert result == {
        "name": "coin",
        "part": "I",
        "claim": "A coin has two sides.",
        "lecture": "coins",
        "reference": "",
        "protocol": "quick",
        "seeds": 7,
        "settings": {"sides": 2, "weight": 1.0, "sizes": [1, 2]},
        "measured": {"sides": 2.0, "tosses": 7.0},
        "series": {},
        "expected": {"sides": ["==", 2]},
        "holds": True,
        "figures": [],
    }
    assert json.loads((tmp_path / "coin.json").read_text())["holds"] is True


def test_settings_seeds_and_the_full_protocol_change_it(tmp_path):
    assert run(COIN, Protocol(settings={"sides": 1}), tmp_path)["holds"] is False
    assert run(COIN, Protocol(seeds=2), tmp_path)["measured"]["tosses"] == 2
    full = run(COIN, Protocol(full=True), tmp_path)
    assert (full["protocol"], full["measured"]["sides"], full["holds"]) == ("full", 3, False)
    changed = run(COIN, Protocol(settings={"weight": 3, "sizes": 5}), tmp_path)["settings"]
    assert (changed["weight"], changed["sizes"]) == (3.0, [5])


def test_the_full_protocol_may_ask_for_other_numbers(tmp_path):
    edge = replace(COIN, expected_full={"sides": (">", 2)})
    assert edge.bounds(full=False) is COIN.expected
    assert COIN.bounds(full=True) is COIN.expected
    found = [run(edge, Protocol(full=full), tmp_path) for full in (False, True)]
    assert [(one["expected"], one["holds"]) for one in found] == [
        ({"sides": ["==", 2]}, True),
        ({"sides": [">", 2]}, True),
    ]


def test_the_experiments_stand_in_the_order_of_the_lecture():
    names = [experiment.name for experiment in EXPERIMENTS]
    assert names == [
        *("convolution", "imagenet-era", "feature-visualisation", "linear-pca", "variational"),
        *("disentangling", "multilevel", "convolutional"),
    ]
    assert [experiment.part for experiment in EXPERIMENTS] == sorted(experiment.part for experiment in EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_the_full_protocol_changes_known_settings_to_their_like(experiment):
    known = {name: type(value) for name, value in experiment.settings.items()}
    assert {name: type(value) for name, value in experiment.full.items()}.items() <= known.items()


@pytest.fixture
def only_coin(monkeypatch, tmp_path):
    from isthmus import lab

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "EXPERIMENTS", (COIN,))
    monkeypatch.setattr(lab, "EXPERIMENTS", (COIN,))
    monkeypatch.setattr(lab, "find", lambda name: COIN)


@pytest.mark.usefixtures("only_coin")
def test_exit_codes(capsys):
    assert main(["lab", "run", "coin", "--json"]) == 0
    assert main(["lab", "run", "coin", "--set", "sides=1", "--json"]) == 1
    assert main(["lab", "run", "coin", "--set", "sides=1"]) == 1
    assert "does not" not in capsys.readouterr().err


@pytest.mark.usefixtures("only_coin")
def test_list(capsys):
    assert main(["lab", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "experiments": [{"name": "coin", "part": "I", "claim": "A coin has two sides."}]
    }


@pytest.mark.usefixtures("only_coin")
def test_all_makes_a_gallery(capsys, tmp_path):
    assert main(["lab", "run", "all", "--json", "--out", "g"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["gallery"]) == (True, "g/gallery.html")
    assert "coin" in (tmp_path / "g/gallery.html").read_text(encoding="utf-8")
    assert main(["lab", "run", "all", "--set", "sides=1"]) == 2
    assert capsys.readouterr().err == (
        "isthmus: --set with all; in lab run; the name of one experiment, whose settings they are\n"
    )
