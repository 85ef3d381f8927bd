"""Maps of the code: every row a dot, coloured by its label, or the density where there are no labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from isthmus.report.draw import INK, OTHER, OURS, PAPER, SERIES, chart, clean
from isthmus.report.view import Array

_CROWD = 400  # rows above which dots without labels hide each other, so that their density is drawn
_LONG = 3  # times as long as high: a map as a line
_MOST = 1200  # dots drawn; a file should stay small

Labels = NDArray[np.generic]


def code_map(points: Array, labels: Labels | None, name: str, height: float = 3.6) -> Markup:
    """The first two principal directions of the code, points of shape (n, 2)."""
    with chart(name, height) as drawn:
        if labels is not None:
            _groups(drawn.ax, *_thinned(points, labels))
        elif len(points) > _CROWD:
            _density(drawn.ax, points)
        else:
            _dots(drawn.ax, points, OURS, 0.7)
        _frame(drawn.ax, points)
    told = f", coloured by {len(np.unique(labels))} labels" if labels is not None else ""
    return drawn.svg(f"Map of the code: {len(points)} rows in its first two principal directions{told}.")


def legend(labels: Labels | None) -> list[tuple[str, int]]:
    """Each label's name and the place of its colour; those that share the last, grey one have -1."""
    if labels is None:
        return []
    named, rest = _named(labels)
    return [(clean(label), i) for i, label in enumerate(named)] + ([(f"{len(rest)} more", -1)] if len(rest) else [])


def _groups(ax: Axes, points: Array, labels: Labels) -> None:
    """A colour a label, and the label itself in the middle of its dots, for those who do not see colours apart."""
    named, rest = _named(labels)
    _dots(ax, points[np.isin(labels, rest)], OTHER, 0.4)
    for label, colour in zip(named, SERIES, strict=False):
        _dots(ax, points[labels == label], colour, 0.75)
    for label in named:
        x, y = np.median(points[labels == label], axis=0)
        halo = [withStroke(linewidth=3, foreground=PAPER)]
        ax.text(x, y, clean(label, 12), ha="center", va="center", weight="bold", color=INK, path_effects=halo)


def _dots(ax: Axes, points: Array, colour: str, alpha: float) -> None:
    """All dots as one path of lines without length, whose round ends are the dots: a tenth of the bytes of markers."""
    if not len(points):
        return
    corners = np.repeat(points, 2, axis=0)
    steps = np.tile([Path.MOVETO, Path.LINETO], len(points))
    size = 4.5 if len(points) < _CROWD else 3.2
    ax.add_patch(
        PathPatch(Path(corners, steps), fill=False, edgecolor=colour, linewidth=size, alpha=alpha, capstyle="round")
    )


def _density(ax: Axes, points: Array) -> None:
    """Hexagons, the fuller the stronger."""
    cells = ax.hexbin(points[:, 0], points[:, 1], gridsize=32, mincnt=1, linewidths=0.2)
    counts = np.asarray(cells.get_array(), dtype=np.float64)
    cells.set_array(None)
    strength = 0.12 + 0.88 * np.sqrt(counts / counts.max())
    cells.set_facecolor([(*to_rgba(OURS)[:3], value) for value in strength])
    cells.set_edgecolor("none")


def _frame(ax: Axes, points: Array) -> None:
    """Equal units on both axes unless that leaves but a line; the numbers mean nothing, so there are none."""
    reach = np.sort(np.ptp(points, axis=0))
    ax.update_datalim(points)
    ax.margins(0.06)
    ax.autoscale_view()
    if reach[1] < _LONG * reach[0]:
        ax.set_aspect("equal", adjustable="datalim")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _named(labels: Labels) -> tuple[Labels, Labels]:
    """Labels that get a colour of their own (the most frequent, in their order) and those that share one."""
    values, counts = np.unique(labels, return_counts=True)
    if len(values) <= len(SERIES):
        return values, values[:0]
    common = np.sort(np.argsort(-counts, kind="stable")[: len(SERIES) - 1])
    return values[common], np.delete(values, common)


def _thinned(points: Array, labels: Labels) -> tuple[Array, Labels]:
    """At most `_MOST` rows, evenly spaced, so that the same rows are drawn every time."""
    keep: Sequence[int] = np.unique(np.linspace(0, len(points) - 1, min(len(points), _MOST)).astype(int)).tolist()
    return points[keep], labels[keep]
