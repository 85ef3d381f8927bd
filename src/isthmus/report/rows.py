"""Rows beside their reconstructions: as images where they are images, as fields of colour and errors where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from isthmus.report.dots import bars
from isthmus.report.draw import clean
from isthmus.report.images import field, image_shape, strip
from isthmus.report.view import Array, array

_BESIDE = 8  # images in a strip, two strips beside each other on a desk
_FULL = 12  # images in the one strip of a page that compares many
_COLUMNS = 20  # columns whose errors are drawn


@dataclass(frozen=True)
class Line:
    """One row of pictures: what it shows, the picture, its text alternative, a number beside it."""

    name: str
    source: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """What the section on reconstructions holds: blocks of lines, and for tables whose errors, by column."""

    blocks: list[list[Line]]
    images: bool
    errors: Markup | None = None
    whose: str = ""


def shown(
    pictures: Mapping[str, Any], made: Mapping[str, Array], notes: Mapping[str, str] | None = None
) -> Shown | None:
    """The originals and each of `made` (name to reconstructions (n, D)), or None where there are no originals."""
    originals = array(pictures, "originals")
    fitting = {k: v for k, v in made.items() if originals is not None and v.shape == originals.shape}
    if originals is None or not fitting:
        return None
    beside = _BESIDE if len(fitting) <= 2 else _FULL
    most = 2 * _BESIDE if len(fitting) <= 2 else _FULL
    rows = {"original": originals[:most], **{name: values[:most] for name, values in fitting.items()}}
    shape = image_shape(pictures.get("input_shape"), originals.shape[1])
    if shape is not None:
        return Shown(_strips(rows, shape, notes or {}, beside), images=True)
    whose, first = next(iter(fitting.items()))
    errors = _errors(originals, first, pictures.get("feature_names"))
    return Shown([_fields(rows, notes or {})], images=False, errors=errors, whose=whose)


def walks(pictures: Mapping[str, Any]) -> list[Line]:
    """A line of images a unit, walked along from one end to the other; none where there are none."""
    found, units = array(pictures, "walks"), pictures.get("walked") or ()
    shape, ends = _drawable(pictures, found)
    if found is None or shape is None or len(units) != len(found):
        return []
    told = "decoded rows while unit {} goes from its low to its high end"
    return [
        Line(f"unit {unit}", strip(rows, shape, *ends, 48), told.format(unit))
        for unit, rows in zip(units, found, strict=True)
    ]


def samples(pictures: Mapping[str, Any]) -> list[Line]:
    """Images drawn from the prior, in lines of eight; none where there are none."""
    found = array(pictures, "samples")
    shape, ends = _drawable(pictures, found)
    if found is None or shape is None:
        return []
    parts = [found[start : start + _BESIDE] for start in range(0, len(found), _BESIDE)]
    return [Line("", strip(rows, shape, *ends), f"samples {i * _BESIDE + 1} and on") for i, rows in enumerate(parts)]


def _drawable(pictures: Mapping[str, Any], rows: Array | None) -> tuple[tuple[int, ...] | None, tuple[float, float]]:
    """The shape of rows that are images, and what is black and white, as of the originals."""
    originals = array(pictures, "originals")
    if rows is None or originals is None:
        return None, (0.0, 1.0)
    ends = float(originals.min()), float(originals.max())
    return image_shape(pictures.get("input_shape"), rows.shape[-1]), ends


def _strips(
    rows: Mapping[str, Array], shape: tuple[int, ...], notes: Mapping[str, str], beside: int
) -> list[list[Line]]:
    """Blocks of `beside` images, each the originals with the reconstructions beneath."""
    low, high = float(rows["original"].min()), float(rows["original"].max())
    tile = 64 if len(rows) <= 3 else 48
    count = len(rows["original"])
    return [
        [
            Line(
                name,
                strip(values[start : start + beside], shape, low, high, tile),
                f"{name}: images {start + 1} to {min(start + beside, count)}",
                notes.get(name, ""),
            )
            for name, values in rows.items()
        ]
        for start in range(0, count, beside)
    ]


def _fields(rows: Mapping[str, Array], notes: Mapping[str, str]) -> list[Line]:
    centre, spread = rows["original"].mean(0), rows["original"].std(0)
    told = f"{len(rows['original'])} rows by {len(centre)} columns"
    drawn = {name: field(values, centre, spread) for name, values in rows.items()}
    return [Line(name, source, f"{name}: {told}", notes.get(name, "")) for name, source in drawn.items()]


def _errors(originals: Array, made: Array, names: Sequence[str] | None) -> Markup:
    """The columns told worst: their error in units of their own spread."""
    spread = originals.std(0)
    error = np.sqrt(((made - originals) ** 2).mean(0)) / np.where(spread > 0, spread, 1.0)
    worst = np.argsort(-error, kind="stable")[:_COLUMNS]
    known = names if names is not None and len(names) == len(error) else [f"column {i + 1}" for i in range(len(error))]
    return bars([clean(known[i]) for i in worst], error[worst].tolist(), "errors", "error, in spreads of the column")
