"""The page on what a network learned to see: a section a layer, and views of single pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.report.numbers import number
from isthmus.report.page import render


@dataclass(frozen=True)
class Section:
    """One picture with its heading, what it shows in a sentence or two, and, of a table, each unit's columns."""

    name: str
    facts: str
    told: str
    source: str | None
    alt: str
    columns: list[tuple[str, str]]


def page(result: Mapping[str, Any], title: str) -> str:
    """The layers in the order they run, then the views."""
    layers = [_layer(told) for told in result.get("layers", ())]
    views = [Section(v["name"], "", v["told"], _png(v["sheet"]), v["name"], []) for v in result.get("views", ())]
    return render("features.html", title=title, rows=result.get("rows"), layers=layers, views=views)


def _layer(told: Mapping[str, Any]) -> Section:
    shown = told.get("shown") or []
    facts = [str(told["type"]), f"gives {' × '.join(map(number, told['shape']))}"]
    if told.get("sees"):
        facts.append(f"a unit sees {' × '.join(map(number, told['sees']))} of the picture")
    facts.append(f"{number(len(shown))} of {number(told['units'])} units: {', '.join(map(str, shown))}")
    columns = [(f"unit {one['unit']}", _named(one["columns"])) for one in told.get("columns") or ()]
    return Section(
        told["name"], "; ".join(facts), told["told"], _png(told["sheet"]), f"units of {told['name']}", columns
    )


def _named(columns: list[tuple[str, float]]) -> str:
    """Columns with their share of the strongest: alcohol +1, hue −0.52."""
    return ", ".join(f"{name} {'+' if share > 0 else ''}{number(round(share, 2))}" for name, share in columns)


def _png(path: str | Path) -> str | None:
    """The picture inside the page, as it lies on the disk; None where it does not."""
    try:
        return f"data:image/png;base64,{b64encode(Path(path).read_bytes()).decode()}"
    except OSError:
        return None
