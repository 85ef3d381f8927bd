"""Every verb end to end: exit codes, JSON keys, files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from isthmus import load
from isthmus.data import load_data
from isthmus.zoo import KINDS

QUICK = ("--set", "max_epochs=3", "--set", "batch_size=64")
RUN_FILES = {
    "config.json",
    "model.safetensors",
    "reference.safetensors",
    "metrics.jsonl",
    "evidence.json",
    "report.html",
    "checkpoints",
}
VERBS = (
    *("demo", "train", "compare", "sweep", "evaluate", "encode", "decode", "reconstruct", "denoise", "sample"),
    *("interpolate", "traverse", "swap-codes", "anomalies", "features", "info", "data list", "lab list", "lab run"),
    "lab gallery",
)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom isthmus.cli import main\nassert main(['--help']) == 0\n"
        "assert not {'torch', 'numpy', 'sklearn', 'scipy', 'isthmus.estimators'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "anomalies" in done.stdout


def test_no_verb_is_help(cli):
    answer = cli()
    assert answer.code == 0
    assert answer.out.startswith("Usage: isthmus")


def test_version(cli):
    from isthmus import __version__

    assert cli("--version").out == __version__ + "\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(cli, verb):
    answer = cli(*verb.split(), "--help")
    assert answer.code == 0
    assert f"Example: isthmus {verb}" in " ".join(answer.out.split())


def test_train_writes_a_whole_run(cli, table):
    answer = cli("train", table, "--kind", "undercomplete", "--code-size", 2, "--out", "runs/a", *QUICK, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert told["validation"].pop("mse") > 0
    assert told["validation"].pop("r2") <= 1
    assert told.pop("seconds") > 0
    assert told == {
        "run": "runs/a",
        "kind": "undercomplete",
        "code_size": 2,
        "n_train": 135,
        "n_validation": 15,
        "epochs": 3,
        "stopped": "max_epochs",
        "engine": "eager",  # few steps
        "validation": {},
        "evidence": True,
    }
    from pathlib import Path

    assert {path.name for path in Path("runs/a").iterdir()} == RUN_FILES
    epochs = [json.loads(line)["epoch"] for line in Path("runs/a/metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3]
    about = json.loads(Path("runs/a/config.json").read_text())["run"]
    assert about["kind"] == "undercomplete"
    assert about["data"]["feature_names"] == list("abcde")
    assert set(about["versions"]) == {"isthmus", "python", "torch", "numpy", "scikit-learn"}
    assert load("runs/a").n_features_in_ == 5


def test_train_from_a_file_with_the_command_line_winning(cli, table, tmp_path):
    text = f'data = "{table}"\nkind = "denoising"\ncode_size = 3\nseed = 4\n'
    (tmp_path / "run.toml").write_text(
        text + "[settings]\nmax_epochs = 2\nhidden = [8]\n[settings.corruption]\namount = 0.1\n"
    )
    answer = cli(
        "train", "--config", "run.toml", "--code-size", 2, "--set", "corruption.amount=0.2", "--out", "r", "--json"
    )
    assert answer.code == 0
    assert (answer.json["kind"], answer.json["code_size"], answer.json["epochs"]) == ("denoising", 2, 2)
    ae = load("r")
    assert (ae.corruption.amount, ae.encoder.hidden, ae.random_state) == (0.2, (8,), 4)


def test_too_few_rows_to_hold_any_out(cli):
    answer = cli("train", "iris", "--kind", "linear", "--out", "r", "--set", "validation_fraction=0", *QUICK, "--json")
    assert answer.code == 0
    assert answer.json["validation"] == {"mse": None, "r2": None}
    assert answer.err == (
        "too few rows to hold any out: no evidence was written; isthmus evaluate writes it from other rows\n"
    )


def test_without_reference_the_rest_still_works(cli, table):
    answer = cli("train", table, "--kind", "linear", "--code-size", 2, "--out", "r", "--no-reference", *QUICK)
    assert answer.code == 0
    from pathlib import Path

    assert not Path("r/reference.safetensors").exists()
    told = cli("evaluate", "r", table, "--json").json
    assert {v["status"] for v in told["verdicts"] if v["name"] == "better-than-pca"} == {"n/a"}
    assert cli("anomalies", "r", table, "-o", "s.csv").code == 0


def test_evaluate(cli, trained, table):
    answer = cli("evaluate", trained, table, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    sections = {
        "reconstruction",
        "generalisation",
        "memorisation",
        "code",
        "geometry",
        "robustness",
        "probes",
        "verdicts",
    }
    assert {"run", "n", *sections} <= set(told)
    assert {"mse", "r2", "pca_mse", "pca_r2"} <= set(told["reconstruction"])
    assert (told["n"], told["rows"]) == (15, f"{table}: the rows held out from training")
    assert all({"name", "status", "sentence"} <= set(verdict) for verdict in told["verdicts"])
    assert (trained / "report.html").read_text(encoding="utf-8").startswith("<!")


def test_evaluate_on_other_rows_takes_them_all(cli, trained, table, tmp_path):
    lines = table.read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join(lines[:51]) + "\n")
    told = cli("evaluate", trained, "new.csv", "--json").json
    assert (told["n"], told["rows"]) == (50, "new.csv: all rows")


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_encode_then_decode_is_reconstruct(cli, trained, table, suffix):
    codes, rows, direct = f"codes{suffix}", f"rows{suffix}", f"direct{suffix}"
    assert cli("encode", trained, table, "-o", codes, "--json").json == {
        "run": str(trained),
        "n": 150,
        "columns": 2,
        "output": codes,
    }
    assert cli("decode", trained, codes, "-o", rows).code == 0
    assert cli("reconstruct", trained, table, "-o", direct, "--json").json["mse"] > 0
    written, expected = load_data(rows), load_data(direct)
    np.testing.assert_allclose(written.X, expected.X, rtol=1e-12, atol=1e-12)
    assert written.feature_names == (None if suffix == ".npy" else tuple("abcde"))
    np.testing.assert_array_equal(load_data(codes).X, load(trained).transform(load_data(table).X))


def test_columns_in_another_order_are_put_in_training_s(cli, trained, table, tmp_path):
    cells = [line.split(",") for line in table.read_text().splitlines()]
    (tmp_path / "turned.csv").write_text("\n".join(",".join(reversed(row)) for row in cells) + "\n")
    cli("encode", trained, table, "-o", "a.npy")
    cli("encode", trained, "turned.csv", "-o", "b.npy")
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))


def test_anomalies_names_the_columns(cli, trained, table, tmp_path):
    lines = table.read_text().splitlines()
    cells = lines[1].split(",")
    strange = ",".join([*cells[:3], "90.0", cells[4]])
    (tmp_path / "new.csv").write_text("\n".join([lines[0], strange, *lines[1:41]]) + "\n")
    answer = cli("anomalies", trained, "new.csv", "-o", "scores.csv", "--json")
    assert answer.code == 0
    assert {"run", "n", "anomalies", "offset", "output"} == set(answer.json)
    written = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()]
    assert written[0] == ["score", "anomaly", "top1", "top2", "top3"]
    scores = [float(row[0]) for row in written[1:]]
    assert scores[0] == min(scores)
    assert written[1][1:3] == ["1", "d"]
    assert cli("anomalies", trained, "new.csv", "-o", "scores.npy").code == 0
    assert np.load("scores.npy")[0, 2] == 3  # a .npy numbers the columns
    assert cli("anomalies", trained, "new.csv", "-o", "scores.parquet").code == 0


def test_images_become_pictures(cli, digits, tmp_path):
    assert cli("sample", digits, "-n", 5, "-o", "s.png", "--json").json["n"] == 5
    assert cli("reconstruct", digits, "digits", "-o", "r.png").code == 0
    assert (tmp_path / "s.png").read_bytes()[:4] == (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"


def test_samples_depend_on_the_seed_alone(cli, digits):
    for name, seed in (("a.npy", 1), ("b.npy", 1), ("c.npy", 2)):
        cli("sample", digits, "-n", 4, "--seed", seed, "-o", name)
    assert np.load("a.npy").shape == (4, 64)
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))
    assert not np.array_equal(np.load("a.npy"), np.load("c.npy"))


def test_info(cli, trained):
    told = cli("info", trained, "--json").json
    assert (told["kind"], told["code_size"], told["columns"], told["epochs"]) == ("undercomplete", 2, 5, 3)
    assert told["settings"]["max_epochs"] == 3
    assert told["verdicts"]
    assert "undercomplete" in cli("info", trained).out


def test_data_list(cli):
    told = cli("data", "list", "--json").json
    assert [one["name"] for one in told["sets"]][:2] == ["digits", "wine"]
    assert "fashion-mnist" in cli("data", "list").out


def test_compare(cli, table, tmp_path):
    words = ("compare", table, "--kinds", "linear,topk", "--code-size", 2, "--seeds", 2, "--out", "c", *QUICK)
    told = cli(*words, "--json").json
    assert (told["data"], told["code_size"], told["report"]) == (str(table), 2, "c/report.html")
    assert [row["kind"] for row in told["rows"]] == ["linear", "topk", "pca"]
    for row in told["rows"]:
        assert row["seeds"] == 2
        assert all(set(row[name]) == {"mean", "sd"} for name in ("mse", "r2", "seconds"))
    assert (tmp_path / "c/report.html").exists()
    assert cli(*words).err == (
        "isthmus: already a comparison; at c; a new or an empty folder; "
        "replace it with --overwrite, or choose another --out\n"
    )
    assert cli(*words, "--overwrite").code == 0


def test_demo(cli, tmp_path):
    answer = cli("demo", "--seeds", 1, "--max-epochs", 1, "--json")
    assert answer.code == 0
    ungrouped = {kind for kind, make in KINDS.items() if not make().needs_groups}
    assert {row["kind"] for row in answer.json["rows"]} == {*ungrouped, "pca"}
    assert answer.json["report"] == "runs/demo/report.html"
    assert (tmp_path / "runs/demo/report.html").exists()


def test_all_outputs_have_a_form_for_people(cli, trained, table):
    for words in (("evaluate", trained, table), ("encode", trained, table, "-o", "c.npy"), ("lab", "list")):
        answer = cli(*words)
        assert answer.code == 0
        assert answer.out.strip()
        assert not answer.out.startswith("{")
