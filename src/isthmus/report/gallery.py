"""The lab's page: every experiment with its claim, its numbers, its pictures and its code."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from isthmus.report.numbers import exact
from isthmus.report.page import label, render

_WIDE = 1200  # pixels: wider pictures are shrunk, since a gallery holds dozens of them
_SHADES = 256  # of a picture's palette, which makes it a third as large
_SHOWN = 10  # measures that stand in the open; what is only measured beyond that is folded away


@dataclass(frozen=True)
class Figure:
    """A picture, what it says and its text alternative; no source where the file is missing or damaged."""

    caption: str
    alt: str
    source: str | None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Measure:
    """A measured number beside what was expected of it; no status where nothing was."""

    name: str
    value: str
    expected: str
    status: str | None


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

    @property
    def open(self) -> list[Measure]:
        """What is expected of, and as much of the rest as there is room for."""
        return [one for i, one in enumerate(self.measures) if one.status or i < _SHOWN]

    @property
    def folded(self) -> list[Measure]:
        shown = self.open
        return [one for one in self.measures if one not in shown]

    @property
    def fault(self) -> str:
        error = self.told.get("error") or {}
        return "; ".join(str(error[key]) for key in ("what", "where", "expected", "hint") if error.get(key))

    @property
    def protocol(self) -> str:
        """Which protocol, how many seeds, how long."""
        seeds = self.told.get("seeds")
        said = [
            f"{self.told['protocol']} protocol" if self.told.get("protocol") else "",
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}" if seeds else "",
            self.seconds,
        ]
        return ", ".join(filter(None, said))

    @property
    def seconds(self) -> str:
        taken = self.told.get("seconds")
        return "" if taken is None else f"{taken:.0f} s" if taken >= 10 else f"{max(taken, 0.1):.1f} s"


@dataclass(frozen=True)
class Part:
    """A part of the lecture and its experiments."""

    anchor: str
    heading: str
    entries: list[Entry]


def page(experiments: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> str:
    """All experiments in the order given, under their parts, with a table at the top that says which claims hold."""
    entries = [_entry(i, told) for i, told in enumerate(experiments, start=1)]
    groups = groupby(entries, key=lambda entry: str(entry.told.get("part", "")))
    parts = [_part(i, name, list(own), headings) for i, (name, own) in enumerate(groups, start=1)]
    held = sum(entry.status == "pass" for entry in entries)
    seconds = sum(entry.told.get("seconds") or 0 for entry in entries)
    return render("gallery.html", title="The lab", parts=parts, entries=entries, held=held, minutes=seconds / 60)


def _part(place: int, name: str, entries: list[Entry], headings: Mapping[str, str]) -> Part:
    heading = " ".join([f"{name}.", headings[name]]) if name in headings else name or "Experiments"
    return Part(f"part-{place}", heading, entries)


def _entry(place: int, told: Mapping[str, Any]) -> Entry:
    anchor = f"e{place}-{re.sub('[^a-z0-9]+', '-', str(told['name']).lower()).strip('-')}"
    figures = [_figure(picture, str(told["name"])) for picture in told.get("pictures") or ()]
    return Entry(anchor, told, _measures(told), figures)


def _measures(told: Mapping[str, Any]) -> list[Measure]:
    """What was expected first, in its order; then what was only measured."""
    measured, expected, missed = (told.get(name) or {} for name in ("measured", "expected", "missed"))
    keys = [*expected, *(key for key in measured if key not in expected)]
    status = {key: "fail" if key in missed else "pass" for key in expected}
    return [Measure(label(key), exact(measured.get(key)), _wanted(expected.get(key)), status.get(key)) for key in keys]


def _wanted(rule: Sequence[object] | None) -> str:
    signs = {">=": "at least", "<=": "at most", ">": "above", "<": "below", "==": "exactly"}
    return "" if rule is None else " ".join([signs.get(str(rule[0]), str(rule[0])), *map(exact, rule[1:])])


def _figure(picture: Mapping[str, str], name: str) -> Figure:
    place = Path(picture["path"])
    caption = picture.get("caption") or place.stem.replace("-", " ").replace("_", " ")
    alt = f"{name}: {picture.get('alt') or caption}"
    try:
        return Figure(caption, alt, *(_svg(place) if place.suffix.lower() == ".svg" else _bitmap(place)))
    except (OSError, UnidentifiedImageError):
        return Figure(caption, alt, None)


def _svg(path: Path) -> tuple[str, None]:
    """An SVG as an image: a browser runs no script and fetches nothing from inside one."""
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}", None


def _bitmap(path: Path) -> tuple[str, tuple[int, int]]:
    """As a PNG with a palette, and its width and height."""
    out = BytesIO()
    with Image.open(path) as image:
        image.thumbnail((_WIDE, 2 * _WIDE))
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
        flat.quantize(_SHADES, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}", image.size
