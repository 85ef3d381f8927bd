"""`isthmus features`: sheets, a page, and one line where it cannot."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

KEYS = {"name", "type", "shape", "units", "sheet", "shown", "told", "sees", "columns"}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A finished run of a convolutional network on the digits."""
    from isthmus.cli import main

    out = tmp_path_factory.mktemp("runs") / "conv"
    words = ("--set", "encoder=convolutional", "--set", "encoder.channels=4,6", "--set", "max_epochs=2")
    assert main(["train", "digits", "--kind", "undercomplete", "--code-size", "4", "--out", str(out), *words]) == 0
    return out


@pytest.fixture
def run(pictures, tmp_path):
    return shutil.copytree(pictures, tmp_path / "run")


def sources(page):
    return re.findall(r'<img src="(data:image/png;base64,[^"]+)"', page)


def test_help_has_an_example(cli):
    answer = cli("features", "--help")
    assert answer.code == 0
    assert "Example: isthmus features runs/a digits" in " ".join(answer.out.split())


def test_pictures_from_the_rows_that_the_run_keeps(cli, run):
    answer = cli("features", run, "--units", 3, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert (told["run"], told["rows"]) == (str(run), "1,618 training rows that the run keeps")
    assert all(set(one) == KEYS for one in told["layers"])
    assert [(one["name"], one["type"], one["shape"], one["units"], one["sees"]) for one in told["layers"]] == [
        ("encoder.levels.0.convolution", "Conv2d", [4, 4, 4], 4, [3, 3]),
        ("encoder.levels.1.convolution", "Conv2d", [6, 2, 2], 6, [7, 7]),
        ("encoder.head.layers.0", "Dense", [4], 4, None),
        ("decoder.head.layers.0", "Dense", [24], 24, None),
        ("decoder.levels.0.conv_transpose2d", "conv_transpose2d", [4, 4, 4], 4, None),
        ("decoder.levels.1.conv_transpose2d", "conv_transpose2d", [1, 8, 8], 4, None),
    ]
    names = [Path(one["sheet"]).name for one in (*told["layers"], *told["views"])]
    assert (names[0], names[-2:]) == ("01-encoder.levels.0.convolution.png", ["occlusion.png", "maps.png"])
    for one in (*told["layers"], *told["views"]):
        with Image.open(one["sheet"]) as image:
            assert image.mode == "L"
            assert np.ptp(np.asarray(image)) > 100
    assert all(len(one["shown"]) == 3 for one in told["layers"])
    assert told["page"] == str(run / "features" / "features.html")
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert len(sources(page)) == 8
    assert "a unit sees 7 × 7 of the picture" in page
    assert "<title>What undercomplete of digits learned to see</title>" in page


def test_other_rows_one_layer_and_another_folder(cli, run):
    answer = cli("features", run, "digits", "-o", "here", "--layer", "encoder.levels.0.silu", "--units", 2, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert told["rows"] == "digits: the rows held out from training"
    assert [(one["name"], one["type"], one["sheet"]) for one in told["layers"]] == [
        ("encoder.levels.0.silu", "silu", "here/01-encoder.levels.0.silu.png")
    ]
    assert {path.name for path in Path("here").iterdir()} == {
        "01-encoder.levels.0.silu.png", "occlusion.png", "maps.png", "features.html"
    }  # fmt: skip
    assert not (run / "features").exists()


def test_the_same_run_gives_the_same_bytes(cli, run):
    cli("features", run, "--layer", "encoder.head.layers.0", "-o", "a")
    cli("features", run, "--layer", "encoder.head.layers.0", "-o", "b")
    for path in Path("a").glob("*.png"):
        assert path.read_bytes() == (Path("b") / path.name).read_bytes()


def test_a_table_s_units_name_their_columns(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    told = cli("features", run, "--units", 4, "--json").json
    assert told["rows"] == "135 training rows that the run keeps"
    assert told["views"] == []
    from isthmus import load

    weight = load(run).module_.encoder.dense[0].weight.detach().numpy()
    first = told["layers"][0]
    for one in first["columns"]:
        row = weight[one["unit"]]
        order = np.argsort(-np.abs(row))[:3]
        assert [name for name, _ in one["columns"]] == ["abcde"[i] for i in order]
        np.testing.assert_allclose([share for _, share in one["columns"]], row[order] / np.abs(row).max(), rtol=1e-5)
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert page.count("The columns that count most") == len(told["layers"])


def test_a_form_for_people(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    answer = cli("features", run)
    assert answer.code == 0
    assert "encoder.layers.0" in answer.out
    assert not answer.out.startswith("{")


def test_a_run_that_is_replaced_leaves_no_features_of_the_old_one(cli, trained, table, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    cli("features", run, "--units", 1)
    assert (run / "features").is_dir()
    words = ("--kind", "linear", "--code-size", 1, "--out", run, "--overwrite", "--set", "max_epochs=1")
    assert cli("train", table, *words).code == 0
    assert not (run / "features").exists()


def test_without_rows_it_says_so(cli, trained, table, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "reference.safetensors").unlink()
    answer = cli("features", run)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"isthmus: the run keeps no rows; at {run}; its reference.safetensors; name rows: DATA\n"
    assert cli("features", run, table, "--units", 1).code == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--layer", "encoder.layer.0"),
            "no layer called 'encoder.layer.0'; in the network; did you mean 'encoder.layers.0'?",
        ),
        (("--units", 0), "units must be a whole number >= 1; got 0; in features"),
        (
            ("--units", "x"),
            "Invalid value for '--units': 'x' is not a whole number; in isthmus features; see isthmus features --help",
        ),
        (
            ("-o", "file"),
            "cannot write to the folder (File exists); at file; a folder you may write to; choose another --out",
        ),
    ],
)
def test_bad_input_is_one_line(cli, trained, words, line):
    Path("file").write_text("")
    answer = cli("features", trained, *words, "--json")
    assert (answer.code, answer.err) == (2, f"isthmus: {line}\n")
    assert set(json.loads(answer.out)["error"]) == {"what", "where", "expected", "hint"}
