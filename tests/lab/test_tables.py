"""A paper's table beside what the full protocol gave."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from isthmus import lab
from isthmus.cli import main
from isthmus.errors import RunError, SettingError
from isthmus.lab import EXPERIMENTS, Experiment, Measured, Protocol, Published, compared, registry, run, tables

ERRORS = {"one": [1.0, 1.2, 1.4], "two": [2.0, 2.0, 2.6]}


def measure(settings, seeds):
    found = {key: values[: len(seeds)] for key, values in ERRORS.items()}
    return Measured({key: float(np.mean(values)) for key, values in found.items()}, samples=found)


RACE = Experiment(
    name="race",
    part="II",
    claim="One is before two.",
    lecture="",
    reference="Somebody 2011",
    measure=measure,
    expected={"one": ("<", 2)},
    seeds=3,
    published=(Published("ONE", "one", 1.14), Published("TWO", "two", 1.78)),
    unit="test error, %",
    budget="3 hours on 2 cores",
)


@pytest.fixture(autouse=True)
def race(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for place in (registry, lab, tables):
        monkeypatch.setattr(place, "EXPERIMENTS", (*EXPERIMENTS[:1], RACE))
    return tmp_path


def test_intervals_are_students():
    for values in ERRORS.values():
        known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert tables.interval(values) == pytest.approx([known.low, known.high])
    assert tables.interval([1.0]) is None


def test_before_it_is_run_there_is_what_was_published(race):
    run(RACE, Protocol(), race)  # the quick protocol is no answer to it
    told = compared("race", race)
    assert (told["ran"], told["seeds"], told["command"]) == (False, 3, "isthmus lab run race --full")
    assert told["rows"] == [
        {"row": "ONE", "key": "one", "published": 1.14, "ours": None, "interval": None},
        {"row": "TWO", "key": "two", "published": 1.78, "ours": None, "interval": None},
    ]


def test_ours_stands_beside_it(race):
    run(RACE, Protocol(full=True, seeds=2), race)
    told = compared("race", race)
    assert (told["ran"], told["seeds"], told["command"]) == (True, 2, "isthmus lab run race --full --seeds 2")
    assert [row["ours"] for row in told["rows"]] == [1.1, 2.0]
    assert told["rows"][0]["interval"] == pytest.approx(tables.interval([1.0, 1.2]))
    assert told["rows"][1]["interval"] == [2.0, 2.0]


def test_the_command(race, capsys):
    assert main(["lab", "table", "race"]) == 0
    out = capsys.readouterr().out
    assert "not run: isthmus lab run race --full takes 3 hours on 2 cores\n" in out
    assert "test error, %" in out
    assert main(["lab", "run", "race", "--full", "--json"]) == 0
    capsys.readouterr()
    assert main(["lab", "table", "race"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("race: Somebody 2011\n")
    assert out.endswith("3 seeds: isthmus lab run race --full\n")
    assert "0.703 to 1.7" in out
    assert main(["lab", "table", "race", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["published"] == 1.14


def test_what_has_no_table_is_one_line(race):
    with pytest.raises(SettingError) as caught:
        compared(EXPERIMENTS[0].name, race)
    assert str(caught.value) == f"{EXPERIMENTS[0].name} repeats no published table; in the lab; one of race"
    (race / "race-full.json").write_text("[]")
    with pytest.raises(RunError, match="not the result of an experiment"):
        compared("race", race)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_published_numbers_have_a_unit_and_a_full_protocol(experiment):
    assert not experiment.published or (experiment.unit and experiment.full)
    assert len({one.row for one in experiment.published}) == len(experiment.published)
