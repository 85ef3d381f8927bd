"""The lab's page: every experiment with its claim, its numbers and its pictures."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from isthmus.report.numbers import exact
from isthmus.report.page import label, render

_WIDE = 1200  # pixels: wider pictures are shrunk, since a gallery holds dozens of them


@dataclass(frozen=True)
class Figure:
    """A picture and its text alternative; no source where the file is missing or damaged."""

    alt: str
    source: str | None


@dataclass(frozen=True)
class Measure:
    """A measured number beside what was expected of it."""

    name: str
    value: str
    expected: str


@dataclass(frozen=True)
class Entry:
    """One experiment as the page shows it."""

    anchor: str
    told: Mapping[str, Any]
    measures: list[Measure]
    figures: list[Figure]

    @property
    def status(self) -> str:
        holds = self.told.get("holds")
        return "n/a" if holds is None else "pass" if holds else "fail"


def page(experiments: Sequence[Mapping[str, Any]]) -> str:
    """All experiments in the order given, with a table of contents that says which claims hold."""
    entries = [_entry(i, told) for i, told in enumerate(experiments, start=1)]
    held = sum(entry.status == "pass" for entry in entries)
    return render("gallery.html", title="The lab", entries=entries, held=held)


def _entry(place: int, told: Mapping[str, Any]) -> Entry:
    anchor = f"e{place}-{re.sub('[^a-z0-9]+', '-', str(told['name']).lower()).strip('-')}"
    figures = [_figure(path, str(told["name"])) for path in told.get("figures") or ()]
    return Entry(anchor, told, _measures(told), figures)


def _measures(told: Mapping[str, Any]) -> list[Measure]:
    """What was expected first, in its order; then what was only measured."""
    measured, expected = told.get("measured") or {}, told.get("expected") or {}
    keys = [*expected, *(key for key in measured if key not in expected)]
    return [Measure(label(key), exact(measured.get(key)), _wanted(expected.get(key))) for key in keys]


def _wanted(rule: Sequence[object] | None) -> str:
    signs = {">=": "at least", "<=": "at most", ">": "above", "<": "below", "==": "exactly"}
    return "" if rule is None else " ".join([signs.get(str(rule[0]), str(rule[0])), *map(exact, rule[1:])])


def _figure(path: str | Path, name: str) -> Figure:
    place = Path(path)
    alt = f"{name}: {place.stem.replace('-', ' ').replace('_', ' ')}"
    try:
        return Figure(alt, _svg(place) if place.suffix.lower() == ".svg" else _bitmap(place))
    except (OSError, UnidentifiedImageError):
        return Figure(alt, None)


def _svg(path: Path) -> str:
    """An SVG as an image: a browser runs no script and fetches nothing from inside one."""
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"


def _bitmap(path: Path) -> str:
    out = BytesIO()
    with Image.open(path) as image:
        image.thumbnail((_WIDE, 2 * _WIDE))
        image.save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
