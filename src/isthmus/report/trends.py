"""Means and spreads along a setting: a dot a value, a line for each value of another setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator

from isthmus.report.curves import scale_values
from isthmus.report.draw import INK, SERIES, chart, clean, name_axes
from isthmus.report.numbers import spread

_WIDE = 9.9  # a ratio of values above which they stand on a logarithmic axis
_TICKS = 8
_APART = 0.06  # between lines that stand on the same places


@dataclass(frozen=True)
class Mark:
    """A setting's value, that value as text, mean and standard deviation of what is drawn, and whether it is best."""

    value: Any
    name: str
    mean: float
    sd: float
    best: bool = False


def trend(lines: Mapping[str, Sequence[Mark]], axis: str, label: str, name: str) -> Markup:
    """Numbers stand where they belong, on a logarithmic axis where they span decades; other values side by side."""
    marks = [mark for line in lines.values() for mark in line]
    scale, places = _places(marks)
    with chart(name, 2.9) as drawn:
        ax = drawn.ax
        for i, ((title, line), colour) in enumerate(zip(lines.items(), SERIES, strict=False)):
            aside = _APART * (i - (len(lines) - 1) / 2) if scale == "places" else 0.0
            ax.plot([], [], color=colour, marker="o", markersize=4.5, label=clean(title, 30))
            _line(ax, sorted(line, key=lambda mark: places[mark.name]), places, aside, colour)
        _scale_axis(ax, scale, places)
        scale_values(ax, np.array([mark.mean for mark in marks]))
        name_axes(ax, clean(axis, 40), label)
        if len(lines) > 1:
            ax.legend(fontsize=8.5, loc="center left", bbox_to_anchor=(1, 0.5))
    told = "; ".join(f"{one} {_told(line)}".strip() for one, line in lines.items())
    return drawn.svg(f"{label} by {axis}: {told}.")


def _line(ax: Axes, line: Sequence[Mark], places: Mapping[str, float], aside: float, colour: str) -> None:
    x = [places[mark.name] + aside for mark in line]
    mean, sd = (np.array([getattr(mark, name) for mark in line]) for name in ("mean", "sd"))
    numbers = all(is_number(mark.value) for mark in line)
    ax.plot(x, mean, color=colour, linewidth=1.4 if numbers else 0, marker="o", markersize=4.5)
    ax.vlines(x, mean - sd, mean + sd, color=colour, linewidth=3.5, alpha=0.5)
    for place, mark in zip(x, line, strict=True):
        if mark.best:
            ax.plot([place], [mark.mean], marker="o", markersize=11, fillstyle="none", color=INK, markeredgewidth=1.2)


def _places(marks: Sequence[Mark]) -> tuple[str, dict[str, float]]:
    """The axis ("log", "linear" or "places") and where each value stands on it."""
    values = {mark.name: mark.value for mark in marks}
    if not all(map(is_number, values.values())):
        return "places", {name: float(i) for i, name in enumerate(sorted(values))}
    positive = [value for value in values.values() if value > 0]
    wide = bool(positive) and max(positive) / min(positive) > _WIDE
    if wide and len(positive) < len(values):  # zero has no place on a logarithmic axis
        return "places", {name: float(i) for i, name in enumerate(sorted(values, key=lambda name: values[name]))}
    return "log" if wide else "linear", {name: float(value) for name, value in values.items()}


def _scale_axis(ax: Axes, scale: str, places: Mapping[str, float]) -> None:
    ranked = sorted(places, key=lambda name: places[name])
    shown = ranked if scale == "places" else ranked[:: -(-len(ranked) // _TICKS)]
    if scale == "log":
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([places[name] for name in shown], [clean(name, 14) for name in shown])
    if scale == "places":
        ax.set_xlim(-0.5, len(ranked) - 0.5)
        ax.tick_params("x", rotation=0 if max(map(len, ranked)) * len(ranked) < 48 else 30)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(line: Sequence[Mark]) -> str:
    return ", ".join(f"{mark.name}: {spread(mark.mean, mark.sd)}" for mark in line)
