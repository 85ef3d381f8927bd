from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from isthmus.cli import main


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run the command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Answer:
        code = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def write_csv(path, X, names) -> None:
    lines = [",".join(names), *(",".join(map(repr, row)) for row in X.tolist())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """A table of 150 rows on a plane in 5 columns, as a CSV with names."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(size=(150, 5))
    path = tmp_path_factory.mktemp("data") / "plane.csv"
    write_csv(path, X, list("abcde"))
    return path


QUICK = ("--set", "max_epochs=3", "--set", "batch_size=64")


@pytest.fixture(scope="session")
def trained(tmp_path_factory, table):
    """A finished run on the table; tests copy it before they change it."""
    out = tmp_path_factory.mktemp("runs") / "plane"
    assert main(["train", str(table), "--kind", "undercomplete", "--code-size", "2", "--out", str(out), *QUICK]) == 0
    return out


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A finished run on images, of a kind that can be sampled."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "digits", "--kind", "variational", "--code-size", "3", "--out", str(out), *QUICK]) == 0
    return out
