"""Lines: losses over the epochs, spectra, the spread of the code's units."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from isthmus.report.draw import FAIL, OURS, PCA, SERIES, SOFT, chart, clean, name_axes
from isthmus.report.numbers import number
from isthmus.report.view import Array, History

_NOT_TERMS = {"epoch", "loss", "validation_loss", "learning_rate", "gradient_norm", "seconds"}
_WIDE = 20.0  # a ratio of largest to smallest above which a scale is logarithmic


def losses(history: History) -> Markup:
    """Loss on training and on held-out rows, an epoch a point."""
    with chart("losses") as drawn:
        lines = {"training": column(history, "loss"), "held out": column(history, "validation_loss")}
        for (name, values), colour in zip(lines.items(), (OURS, PCA), strict=True):
            if len(values):
                drawn.ax.plot(np.arange(1, len(values) + 1), values, color=colour, label=name)
        scale_values(drawn.ax, np.concatenate(list(lines.values())))
        name_axes(drawn.ax, "epoch", "loss")
        drawn.ax.legend()
    last = {name: number(values[-1]) for name, values in lines.items() if len(values)}
    told = ", ".join(f"{name} {value}" for name, value in last.items())
    return drawn.svg(f"Loss over {len(history)} epochs. At the end: {told}.")


def terms(history: History) -> Markup | None:
    """Each term of the loss by itself, where there is more than one."""
    names = sorted({key for entry in history for key in entry if key not in _NOT_TERMS and "validation" not in key})
    curves = {name: column(history, name) for name in names[: len(SERIES)]}
    curves = {name: values for name, values in curves.items() if len(values)}
    if len(curves) < 2:
        return None
    with chart("terms") as drawn:
        for (name, values), colour in zip(curves.items(), SERIES, strict=False):
            drawn.ax.plot(np.arange(1, len(values) + 1), values, color=colour, label=clean(name))
        scale_values(drawn.ax, np.concatenate(list(curves.values())))
        name_axes(drawn.ax, "epoch", "each term of the loss")
        drawn.ax.legend()
    told = ", ".join(f"{name} {number(values[-1])}" for name, values in curves.items())
    return drawn.svg(f"Terms of the loss. At the end: {told}.")


def spectrum(values: Array, name: str, label: str, alt: str) -> Markup:
    """Sorted values, the first ones the largest."""
    with chart(name) as drawn:
        place = np.arange(1, len(values) + 1)
        drawn.ax.plot(place, values, color=OURS, marker="o" if len(values) <= 40 else "", markersize=4)
        scale_values(drawn.ax, values, zero=True)
        _whole(drawn.ax, len(values))
        name_axes(drawn.ax, "direction, the strongest first", label)
    told = ", ".join(number(value) for value in values[:3])
    return drawn.svg(f"{alt} The first: {told}. The last of {len(values)}: {number(values[-1])}.")


def units(std: Array, mean: Array | None, dead: Array) -> Markup:
    """Each unit's mean and the spread of its values; dead ones (a boolean for each) are crossed out."""
    with chart("units") as drawn:
        place = np.arange(1, len(std) + 1)
        centre = np.zeros(len(std)) if mean is None else mean
        width = max(min(180 / len(std), 12.0), 0.8)
        drawn.ax.vlines(place, centre - std, centre + std, color=OURS, linewidth=width, alpha=0.55)
        drawn.ax.plot(place, centre, linestyle="", marker="_", markersize=width, color=OURS, markeredgewidth=1.6)
        gone = dead.astype(bool)
        drawn.ax.plot(place[gone], centre[gone], linestyle="", marker="x", color=FAIL, markersize=6, markeredgewidth=2)
        drawn.ax.axhline(0, color=SOFT, linewidth=0.6)
        _whole(drawn.ax, len(std))
        name_axes(drawn.ax, "unit of the code", "mean, and one standard deviation to each side")
    return drawn.svg(f"Mean and spread of {len(std)} units of the code, {int(gone.sum())} of them dead.")


def falls(curves: dict[str, list[Array]]) -> Markup:
    """How each kind's loss fell, as a share of its first epoch's: a line a kind, the mean over its seeds."""
    lines = {kind: _middle([run / run[0] for run in runs if len(run) and run[0] > 0]) for kind, runs in curves.items()}
    with chart("falls", 3.0) as drawn:
        for (kind, line), colour in zip(lines.items(), SERIES, strict=False):
            drawn.ax.plot(np.arange(1, len(line) + 1), line, color=colour, label=clean(kind))
        scale_values(drawn.ax, np.concatenate(list(lines.values())))
        name_axes(drawn.ax, "epoch", "loss, as a share of the first epoch's")
        drawn.ax.legend(fontsize=8.5, loc="center left", bbox_to_anchor=(1, 0.5))
    ends = ", ".join(f"{kind} {number(line[-1])}" for kind, line in lines.items() if len(line))
    return drawn.svg(f"How the loss of each kind fell, as a share of the first epoch's. At the end: {ends}.")


def column(history: History, key: str) -> Array:
    """One column of a history, without the epochs that do not have it."""
    values = np.array([entry[key] for entry in history if entry.get(key) is not None], dtype=np.float64)
    return values[np.isfinite(values)]


def _middle(runs: list[Array]) -> Array:
    """The mean over runs of different length, epoch by epoch, over those still running."""
    longest = max((len(run) for run in runs), default=0)
    return np.array([np.mean([run[i] for run in runs if len(run) > i]) for i in range(longest)])


def scale_values(ax: Axes, values: Array, *, zero: bool = False) -> None:
    """A logarithmic axis where all is positive and the range is wide; else, if asked, one that starts at zero."""
    if len(values) and values.min() > 0 and values.max() / values.min() > _WIDE:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: _power(value))
        ax.yaxis.set_minor_formatter(NullFormatter())
    elif zero and len(values) and values.min() >= 0:
        ax.set_ylim(bottom=0)


def _power(value: float) -> str:
    """A tick of a logarithmic axis: 0.01, 10, and 10⁻⁶ where zeros would fill the margin."""
    return f"{value:g}" if 1e-4 < value < 1e4 else number(value).removeprefix("1.0 × ")


def _whole(ax: Axes, count: int) -> None:
    """Whole numbers beneath an axis of `count` places."""
    step = max(1, round(count / 8))
    ax.set_xticks(sorted({1, *range(step, count + 1, step)}))
    ax.set_xlim(0.4, count + 0.6)
