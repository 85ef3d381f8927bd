"""Dots with intervals and bars with baselines: numbers that are read by comparing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from isthmus.report.draw import INK, LINE, OTHER, OURS, SOFT, chart, clean
from isthmus.report.numbers import number


@dataclass(frozen=True)
class Dot:
    """A value with its interval, and whether it is what the page is about, PCA's, or something else."""

    name: str
    value: float
    low: float
    high: float
    colour: str = OURS


def dots(rows: Sequence[Dot], name: str, label: str, *, zero: bool = True) -> Markup:
    """One row a value, its interval as a line; the scale reaches zero, which is marked, unless that means nothing."""
    with chart(name, 0.75 + 0.28 * len(rows)) as drawn:
        ax, place = drawn.ax, np.arange(len(rows))[::-1]
        for row, y in zip(rows, place, strict=True):
            ax.plot([row.low, row.high], [y, y], color=row.colour, linewidth=3.5, alpha=0.5, solid_capstyle="butt")
            ax.plot([row.value], [y], marker="o", markersize=4.5, color=row.colour)
            ax.annotate(number(row.value), (1, y), xycoords=("axes fraction", "data"), xytext=(6, 0),
                        textcoords="offset points", va="center", color=row.colour)  # fmt: skip
        if zero:
            ax.axvline(0, color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
        ax.set_yticks(place, [clean(row.name) for row in rows], color=INK)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlabel(label)
        ax.grid(axis="x")
        ax.spines["left"].set_visible(False)
        ax.spines["bottom"].set_color(LINE)
    told = "; ".join(f"{row.name} {number(row.value)} ({number(row.low)} to {number(row.high)})" for row in rows)
    return drawn.svg(f"{label}: {told}.")


def grouped(bars: Mapping[str, Mapping[str, float]], colours: Mapping[str, str], name: str, label: str) -> Markup:
    """A group of bars for each test, a bar for each of the things compared, by the colour of their names."""
    tall = 0.2 * sum(len(group) for group in bars.values()) + 0.3 * len(bars) + 0.6
    with chart(name, tall) as drawn:
        ax, y, ticks = drawn.ax, 0.0, []
        for group in bars.values():
            ticks.append(y - (len(group) - 1) / 2)  # beside the middle of the group
            for key, value in group.items():
                ax.barh(y, value, height=0.8, color=colours.get(key, OTHER))
                ax.annotate(f"{clean(key)} {number(value)}", (max(value, 0), y), xytext=(4, 0),
                            textcoords="offset points", va="center", fontsize=8)  # fmt: skip
                y -= 1
            y -= 1
        ax.set_yticks(ticks, [clean(test) for test in bars], color=INK)
        ax.set_xlim(min(0.0, *(v for group in bars.values() for v in group.values())), 1.35)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        ax.set_xlabel(label)
        ax.grid(axis="x")
        ax.spines["left"].set_visible(False)
    told = "; ".join(
        f"{test}: " + ", ".join(f"{key} {number(value)}" for key, value in group.items())
        for test, group in bars.items()
    )
    return drawn.svg(f"{label}. {told}.")


def bars(names: Sequence[str], values: Sequence[float], name: str, label: str) -> Markup:
    """One bar a name, in the order given."""
    with chart(name, 0.6 + 0.19 * len(names)) as drawn:
        place = np.arange(len(names))[::-1]
        drawn.ax.barh(place, values, height=0.72, color=OURS)
        drawn.ax.set_yticks(place, [clean(one) for one in names], color=INK, fontsize=8)
        drawn.ax.set_ylim(-0.6, len(names) - 0.4)
        drawn.ax.set_xlabel(label)
        drawn.ax.grid(axis="x")
        drawn.ax.spines["left"].set_visible(False)
    told = ", ".join(f"{one} {number(value)}" for one, value in zip(names[:5], values, strict=False))
    return drawn.svg(f"{label}, the largest first: {told}.")
