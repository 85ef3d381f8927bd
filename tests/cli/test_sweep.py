"""The verb sweep end to end: what it prints, what it writes, what it leaves where it is stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from isthmus import load
from isthmus.cli import main
from isthmus.runs import examining, sweeps

QUICK = ("--seeds", "2", "--set", "max_epochs=3", "--set", "batch_size=64")


@pytest.fixture(scope="session")
def swept(tmp_path_factory, table):
    """A finished sweep of two settings; tests copy it before they change it."""
    out = tmp_path_factory.mktemp("sweeps") / "c"
    words = (
        "sweep",
        str(table),
        "--kind",
        "undercomplete",
        "--set",
        "hidden=8,4;6",
        "--set",
        "learning_rate=1e-3,1e-2",
    )
    assert main([*words, "--code-size", "2", "--out", str(out), *QUICK]) == 0
    return out


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_json_on_standard_output_and_in_the_folder(cli, table, tmp_path):
    words = ("sweep", table, "--kind", "contractive", "--set", "penalty.strength=0.01,1", "--out", "c")
    answer = cli(*words, "--code-size", 2, *QUICK, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert {key: told[key] for key in ("data", "kind", "code_size", "n_train", "n_test", "report")} == {
        "data": str(table),
        "kind": "contractive",
        "code_size": 2,
        "n_train": 105,
        "n_test": 45,
        "report": "c/report.html",
    }
    assert [row["settings"]["penalty.strength"] for row in told["rows"]] == [0.01, 1]
    for row in told["rows"]:
        assert (row["seeds"], row["diverged"]) == (2, 0)
        assert all(set(row[name]) == {"mean", "sd"} for name in ("mse", "r2", "epochs", "seconds"))
    best = min(told["rows"], key=lambda row: row["mse"]["mean"])
    assert {key: told["best"][key] for key in best} == best
    assert set(told["best"]) - set(best) == {"member", "run"}
    assert told["best"]["run"] == "c/best"
    assert json.loads((tmp_path / "c/sweep.json").read_text()) == told
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"sweep.json", "report.html", "best"}
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_commas_inside_a_value(swept):
    rows = json.loads((swept / "sweep.json").read_text())["rows"]
    assert [(row["settings"]["hidden"], row["settings"]["learning_rate"]) for row in rows] == [
        ([8, 4], 1e-3),
        ([8, 4], 1e-2),
        (6, 1e-3),
        (6, 1e-2),
    ]


def test_the_best_member_is_a_run_that_every_verb_takes(cli, swept, table):
    told = json.loads((swept / "sweep.json").read_text())["best"]
    best = swept / "best"
    about = cli("info", best, "--json").json
    assert (about["kind"], about["seed"], about["epochs"]) == ("undercomplete", told["member"]["seed"], 3)
    assert about["settings"]["learning_rate"] == told["settings"]["learning_rate"]
    assert len((best / "metrics.jsonl").read_text().splitlines()) == 3
    evaluated = cli("evaluate", best, table, "--json").json
    assert (evaluated["n"], evaluated["rows"]) == (45, f"{table}: the rows held out from the sweep")
    assert evaluated["reconstruction"]["mse"] == pytest.approx(told["member"]["mse"])
    assert evaluated["reconstruction"]["r2"] == pytest.approx(told["member"]["r2"])
    assert json.loads((best / "evidence.json").read_text())["n"] == 45
    assert cli("encode", best, table, "-o", "z.npy", "--json").json["n"] == 150
    assert cli("reconstruct", best, table, "-o", "x.npy").code == 0
    assert cli("anomalies", best, table, "-o", "s.csv").code == 0
    assert load(best).code_size == 2


def test_evaluating_the_best_on_other_rows_takes_them_all(cli, swept, table, tmp_path):
    (tmp_path / "new.csv").write_text("\n".join(table.read_text().splitlines()[:51]) + "\n")
    told = cli("evaluate", swept / "best", "new.csv", "--json").json
    assert (told["n"], told["rows"]) == (50, "new.csv: all rows")


def test_the_table_for_people(cli, table):
    shutil.copy(table, "[plane].csv")
    answer = cli("sweep", "[plane].csv", "--kind", "linear", "--set", "penalty=none,weights", "--out", "c", *QUICK)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "linear on [plane].csv: 45 test rows, mean ± sd over 2 seeds, the best first"
    assert [word for word in lines[2].split() if word != "┃"] == ["penalty", "R²", "mse", "epochs", "seconds"]
    assert sorted(line.split()[1] for line in lines[4:6]) == ["none", "weights"]
    assert lines[-2:] == ["best run: c/best", "report: c/report.html"]


def test_one_value_is_a_sweep_of_seeds(cli, table):
    told = cli("sweep", table, "--kind", "linear", *QUICK, "--out", "c", "--json").json
    assert [row["settings"] for row in told["rows"]] == [{"max_epochs": 3, "batch_size": 64}]


def test_code_sizes_can_be_swept(cli, table):
    told = cli("sweep", table, "--kind", "linear", "--set", "code_size=1,2", *QUICK, "--out", "c", "--json").json
    assert told["code_size"] is None
    assert load("c/best").code_size == told["best"]["settings"]["code_size"]


def test_own_test_rows_are_taken(cli, tmp_path):
    import numpy as np

    X = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(tmp_path / "own.npz", X=X, X_test=X[:7] + 1)
    told = cli("sweep", "own.npz", "--kind", "linear", *QUICK, "--set", "learning_rate=1e-3,1e-2", "--json").json
    assert (told["n_train"], told["n_test"]) == (60, 7)
    assert told["best"]["run"] == "runs/sweep-own-linear/best"
    evaluated = cli("evaluate", told["best"]["run"], "own.npz", "--json").json
    assert (evaluated["n"], evaluated["rows"]) == (7, "own.npz: the set's own test rows")


def test_all_diverged_is_an_answer_that_is_no(cli, table, tmp_path):
    answer = cli("sweep", table, "--kind", "linear", "--set", "learning_rate=1e200", *QUICK, "--out", "c", "--json")
    assert answer.code == 1
    assert answer.err.startswith(
        "every training diverged, there is no best: the term 'reconstruction' of the loss is not finite; in epoch "
    )
    assert (answer.json["best"], answer.json["rows"][0]["mse"]["mean"]) == ({}, None)
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"sweep.json", "report.html"}
    assert "2 of 2 trainings diverged" in (tmp_path / "c/report.html").read_text()
    shown = cli("sweep", table, "--kind", "linear", "--set", "learning_rate=1e200", *QUICK, "--out", "c", "--overwrite")
    assert (shown.code, "diverged" in shown.out, "best run" in shown.out) == (1, True, False)


def test_a_sweep_is_not_replaced_unasked(cli, swept, table, tmp_path):
    shutil.copytree(swept, "c")
    Path("c/notes.txt").write_text("mine")
    before = files(tmp_path)
    words = ("sweep", table, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "c", *QUICK)
    assert cli(*words).err == (
        "isthmus: already a sweep; at c; a new or an empty folder; "
        "replace it with --overwrite, or choose another --out\n"
    )
    assert files(tmp_path) == before
    assert cli(*words, "--overwrite").code == 0
    assert json.loads(Path("c/sweep.json").read_text())["kind"] == "linear"
    assert cli("info", "c/best", "--json").json["kind"] == "linear"
    assert Path("c/notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def stop(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["train_points", "_write_best", "write_json"])
def test_ctrl_c_leaves_nothing(cli, table, tmp_path, monkeypatch, where):
    monkeypatch.setattr(sweeps, where, stop)
    answer = cli("sweep", table, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "c", *QUICK)
    assert (answer.code, answer.out, answer.err) == (130, "", "isthmus: interrupted; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_what_was_to_be_replaced(cli, swept, table, tmp_path, monkeypatch):
    shutil.copytree(swept, "c")
    before = files(tmp_path)
    monkeypatch.setattr(sweeps, "write_json", stop)
    words = ("sweep", table, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "c", *QUICK)
    assert cli(*words, "--overwrite").code == 130
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_made(cli, table, tmp_path):
    (tmp_path / "file").write_text("x")
    answer = cli("sweep", table, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "file/c", *QUICK)
    assert answer.err == (
        "isthmus: cannot write to the folder (Not a directory); at file/c; a folder you may write to; "
        "choose another --out\n"
    )
    assert answer.code == 2


def test_without_the_packages_of_the_report(cli, table, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "can_draw", lambda: False)
    monkeypatch.setattr(examining, "can_draw", lambda: False)
    words = ("sweep", table, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "c", *QUICK)
    answer = cli(*words)
    assert answer.code == 0
    assert answer.out.endswith("report: none: pip install 'isthmus[report]'\n")
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"sweep.json", "best"}
    assert not (tmp_path / "c/best/report.html").exists()
