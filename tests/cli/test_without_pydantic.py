"""The command line runs where pydantic is not installed, as on images made for GPUs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from isthmus import runs

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
PINNED = re.search(r"^typer==(.*)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)[1]
NEEDED = any(line.startswith("pydantic") for line in requires("typer"))
HIDDEN = "import sys; sys.modules['pydantic'] = None; from isthmus.cli import main; sys.exit(main(sys.argv[1:]))"

# A newer typer brings pydantic along; the one that constraints.txt pins must not need it.
without = pytest.mark.skipif(NEEDED and version("typer") != PINNED, reason="this typer needs pydantic; the pinned not")


@pytest.fixture
def hidden(tmp_path):
    """Run the command line in a process of its own in which pydantic cannot be imported."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", HIDDEN, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@without
def test_data_list(hidden):
    done = hidden("data", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"digits", "iris", "mnist"} <= {one["name"] for one in json.loads(done.stdout)["sets"]}


@without
def test_train(hidden, table, tmp_path):
    done = hidden(
        "train", table, "--kind", "linear", "--code-size", "2", "--set", "max_epochs=2", "--out", "r", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["epochs"] == 2
    assert (tmp_path / "r/model.safetensors").exists()


@without
def test_a_wrong_option(hidden):
    done = hidden("train", "digits", "--kid", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "isthmus: no such option: --kid; in isthmus train; did you mean '--kind'?\n"


@pytest.mark.parametrize(("module", "code"), [("pydantic", 2), ("pydantic.errors", 2), ("isthmus.nowhere", 3)])
def test_a_package_that_is_not_installed_is_named(cli, monkeypatch, module, code):
    def needy(folder: object) -> object:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(runs, "open_run", needy)
    answer = cli("info", "x")
    assert (answer.code, answer.out) == (code, "")
    if code == 2:
        assert answer.err == "isthmus: pydantic is not installed; in this Python; pip check tells what needs it\n"
    else:
        assert answer.err.startswith("isthmus: a fault of isthmus itself (ModuleNotFoundError); ")
