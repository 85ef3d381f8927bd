"""The lab's documentation is what the registry says, its example runs, and its page shows every experiment."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import EXPERIMENTS, Protocol, run

DOCS = Path(__file__).parents[2] / "docs/lab"
README = (DOCS / "README.md").read_text(encoding="utf-8")
INDEX = runpy.run_path(str(DOCS / "index.py"))


def test_the_table_is_current():
    assert INDEX["renewed"](README) == README, "the registry has changed: run python docs/lab/index.py"
    assert [one.name for one in EXPERIMENTS] == re.findall(r"^\| \[([a-z-]+)\]", README, re.MULTILINE)


def test_the_table_leads_to_the_code():
    links = re.findall(r"\]\((\.\./\.\./src/[^)]*)\)", README)
    assert len(links) == len(EXPERIMENTS)
    assert all((DOCS / link).is_file() for link in links)


def test_a_bar_in_a_claim_does_not_end_its_cell():
    from dataclasses import replace

    row = INDEX["row"](replace(EXPERIMENTS[0], claim="p(x|z) is learned"))
    assert "| p(x\\|z) is learned |" in row


def test_the_example_is_an_experiment(tmp_path):
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert code.count("\n") <= 60
    path = tmp_path / "means.py"
    path.write_text(code, encoding="utf-8")
    means = runpy.run_path(str(path), run_name="means")["MEANS"]
    result = run(means, Protocol(), tmp_path)
    assert result["holds"], result["measured"]
    assert result["measured"]["slope"] == pytest.approx(-0.5, abs=0.05)
    assert result["pictures"][0]["caption"] == "Four times the numbers, half the error"
    measured = means.measure(means.settings, range(9))
    assert_told(measured)
    assert_readable(measured)


def test_the_page_shows_every_experiment():
    assert (DOCS / "gallery.html").exists(), "run make lab"
    page = (DOCS / "gallery.html").read_text(encoding="utf-8")
    shown = re.findall(r'<article class="experiment" id="[^"]*" aria-labelledby="([^"]*)-name"', page)
    assert [re.sub(r"^e\d+-", "", name) for name in shown] == [one.name for one in EXPERIMENTS], "run make lab"
    assert len(page) <= 120_000 * len(EXPERIMENTS)
