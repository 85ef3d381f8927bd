"""Pictures for a lecture hall: large type, colours that everybody can tell apart, and only numbers that are told.

Every colour comes with a marker and a line style of its own, so that nothing is said by colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.seeing import tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

Array = NDArray[np.floating]
Field = Mapping[str, Any]
Json = Any

# Okabe & Ito (2008): told apart by all three kinds of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
CLASSES = (COLOURS[0], COLOURS[1])  # of the points of two classes, drawn with the first two markers
STYLE: dict[RcKeyType, Any] = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "figure.titlesize": 13,
    "lines.linewidth": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
DIGITS = 4  # that a picture shows of a number, at most
SIDE = 61  # points a side of a field
WORDS = 10  # letters of a title an inch


def rounded(value: Json, digits: int = DIGITS) -> Json:
    """Numbers with so many digits, in plain lists and mappings: what is drawn is then what is told."""
    if isinstance(value, Mapping):
        return {str(key): rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [rounded(inner, digits) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def field(predict: Callable[[Array], ArrayLike], low: float = -1.25, high: float = 1.25, side: int = SIDE) -> Field:
    """What a function of points (N, 2), such as a probability, gives on a square of the plane, as told in JSON."""
    across = np.linspace(low, high, side)
    points = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    values = np.asarray(predict(points), dtype=float).reshape(side, side)
    return {"low": low, "high": high, "values": np.round(values, 2).tolist()}


def regions(axes: Axes, found: Field, points: ArrayLike = (), classes: ArrayLike = ()) -> None:
    """The probability of the second class as shades, its boundary at one half, and points (N, 2) of two classes."""
    extent = (found["low"], found["high"])
    across = np.linspace(*extent, len(found["values"]))
    values: Array = np.asarray(found["values"], dtype=float)
    axes.contourf(across, across, values, np.linspace(0, 1, 11), cmap=_shades(), alpha=0.7, extend="both")
    if values.min() < 0.5 < values.max():
        axes.contour(across, across, values, [0.5], colors="black", linewidths=1.5)
    at, of = np.asarray(points, dtype=float).reshape(-1, 2), np.asarray(classes)
    for which, colour in enumerate(CLASSES):
        x, y = at[of == which].T if len(at) else ((), ())
        axes.plot(x, y, MARKERS[which], color=colour, markersize=4, markeredgecolor="white", markeredgewidth=0.4)
    axes.set(xlim=extent, ylim=extent, xticks=[], yticks=[], aspect="equal")


def bands(axes: Axes, x: Sequence[float], found: Mapping[str, Sequence[float]], label: str, place: int) -> None:
    """A median with its quartiles over seeds, as `quartiles` told them: a line with markers, and a band around it."""
    colour = COLOURS[place]
    axes.plot(x, found["median"], color=colour, marker=MARKERS[place], linestyle=LINES[place], label=label)
    axes.fill_between(x, found["lower"], found["upper"], color=colour, alpha=0.2, linewidth=0)


Panel = tuple[Sequence[float], Mapping[str, Any], Mapping[str, Any]]  # x, bands by their names, how its axes are set


def banded(figure: Figure, panels: Mapping[str, Panel], title: str, **how: Any) -> None:
    """A panel of bands for each head, and one legend below; `how` goes to `figure.subplots`."""
    figure.set_size_inches(12, 4.6)
    row = figure.subplots(1, len(panels), squeeze=False, **how)[0]
    for axes, (head, (x, found, settings)) in zip(row, panels.items(), strict=True):
        for place, (name, one) in enumerate(found.items()):
            bands(axes, x, one, name, place)
        axes.set(title=head, **settings)
        if how.get("sharey"):
            axes.label_outer()
    figure.suptitle(title)
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def deny(figure: Figure, words: str) -> None:
    """A line in red under the title of the whole, or above all where it has none."""
    title, lines = figure.get_suptitle(), textwrap.fill(words, round(WORDS * figure.get_size_inches()[0]))
    figure.suptitle(f"{title}\n{lines}" if title else lines, color="#b00020", fontsize="medium")


def shares(axes: Axes, at: ArrayLike, found: Mapping[str, Sequence[float]], label: str, place: int) -> None:
    """Shares with their intervals, given as "share", "low" and "high"; colour and marker by place."""
    middle, ends = np.asarray(found["share"], dtype=float), np.asarray([found["low"], found["high"]], dtype=float)
    how: dict[str, Any] = {"fmt": MARKERS[place], "color": COLOURS[place], "elinewidth": 3, "markersize": 9}
    axes.errorbar(np.asarray(at, dtype=float), middle, np.abs(ends - middle), label=label, **how)
    axes.set(ylim=(-0.05, 1.07))


def quartiles(values: ArrayLike) -> dict[str, list[float]]:
    """Over the first axis, the seeds, of (seeds, points): median and quartiles, rounded for a picture."""
    lower, median, upper = np.nanquantile(np.asarray(values, dtype=float), (0.25, 0.5, 0.75), axis=0)
    return {"median": rounded(median), "lower": rounded(lower), "upper": rounded(upper)}


def table(
    axes: Axes, values: ArrayLike, rows: Sequence[str], columns: Sequence[str], form: str = "{:.2g}", **how: Any
) -> ScalarMappable:
    """A matrix as shades with each number written in its place; `how` goes to `imshow`."""
    numbers = np.asarray(values, dtype=float)
    image = axes.imshow(numbers, **({"cmap": "cividis", "aspect": "auto"} | how))
    for (i, j), number in np.ndenumerate(numbers):
        shade = float(np.asarray(image.norm(number)))
        axes.text(j, i, form.format(number), ha="center", va="center", color="white" if shade < 0.55 else "black")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return image


def _shades() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("classes", (CLASSES[0], "#FFFFFF", CLASSES[1]))


def over_seeds(values: ArrayLike) -> dict[str, Any]:
    """Numbers of one thing, one a seed, and their mean, rounded for a picture."""
    found = np.asarray(values, dtype=float)
    return {"seeds": rounded(found), "mean": rounded(found.mean())}


def dots(axes: Axes, found: Mapping[str, Mapping[str, Any]], joined: bool = False, zero: bool = False) -> None:
    """A place for each name: a marker a seed, as `over_seeds` told them, and a dash at their mean.

    `joined` draws a grey line through what belongs to one seed; `zero` lets the axis begin at 0.
    """
    if joined:
        axes.plot(range(len(found)), [one["seeds"] for one in found.values()], color="#BBBBBB", linewidth=1, zorder=0)
    for place, one in enumerate(found.values()):
        at = np.full(len(one["seeds"]), place)
        axes.plot(at, one["seeds"], MARKERS[place], color=COLOURS[place], alpha=0.7, markersize=8)
        axes.plot(place, one["mean"], "_", color="black", markersize=28, markeredgewidth=2)
    if zero:
        axes.set_ylim(0, 1.1 * max(max(one["seeds"]) for one in found.values()))
    axes.set(xticks=range(len(found)), xlim=(-0.5, len(found) - 0.5))
    axes.set_xticklabels([name.replace(" ", "\n") for name in found], fontsize=10)


def clouds(axes: Axes, below: ArrayLike, above: ArrayLike, place: int, title: str = "") -> None:
    """Points of a plane, (N, 2), over others in grey."""
    axes.plot(*np.transpose(below), "o", color="#999999", markersize=2)
    axes.plot(*np.transpose(above), MARKERS[place], color=COLOURS[place], markersize=2, alpha=0.6)
    axes.set(title=title, xticks=[], yticks=[], aspect="equal", adjustable="datalim", box_aspect=1)


def curves(axes: Axes, found: Mapping[str, Sequence[Sequence[float]]], x: Sequence[float] | None = None) -> None:
    """For each name a line a seed, over x, or over 1, 2, 3 …: epochs, say."""
    for place, (name, seeds) in enumerate(found.items()):
        look: dict[str, Any] = {
            "color": COLOURS[place],
            "marker": MARKERS[place],
            "linestyle": LINES[place],
            "markersize": 5,
        }
        for seed, values in enumerate(seeds):
            axes.plot(x or range(1, len(values) + 1), values, label=None if seed else name, **look)


def picture(axes: Axes, image: ArrayLike, title: str = "", span: tuple[float, float] | None = None, **how: Any) -> None:
    """Pixels as 256 levels between the numbers `span`, or the least and the most; `how` goes to `imshow`."""
    pixels = np.asarray(image, dtype=float)
    low, high = span or (pixels.min(), pixels.max())
    levels = np.round(255 * np.clip((pixels - low) / ((high - low) or 1.0), 0, 1)).astype(np.uint8)
    look: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest", "vmin": 0, "vmax": 255} | how
    axes.imshow(levels, **look)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def lines_of(figure: Figure, lines: Mapping[str, ArrayLike], title: str) -> None:
    """Under each other named lines of images, (n, h, w) each, all on the scale of the first."""
    first = np.asarray(next(iter(lines.values())), dtype=float)
    span = (float(first.min()), float(first.max()))
    for row, (name, images) in zip(figure.subplots(len(lines), len(first), squeeze=False), lines.items(), strict=True):
        for axes, image in zip(row, np.asarray(images), strict=True):
            picture(axes, image, span=span)
        row[0].set_ylabel(name)
    figure.suptitle(title)


def changes(axes: Axes, values: ArrayLike, title: str = "") -> None:
    """Numbers about 0 on pixels (h, w): red below, blue above, white at 0."""
    peak = max(float(np.abs(np.asarray(values, dtype=float)).max()), 1e-6)
    axes.imshow(values, cmap="RdBu", vmin=-peak, vmax=peak, interpolation="nearest")
    axes.axis("off")
    axes.set_title(title)


def maps(axes: Axes, found: ArrayLike, across: int, title: str = "", **how: Any) -> None:
    """Maps (n, h, w) beside each other, each from its own least to its own most."""
    lit = [tiles.lit(one[None], one.min(), one.max()) for one in np.asarray(found, dtype=float)]
    picture(axes, tiles.laid(lit, across, gap=1)[0], title, (0, 1), **how)


def words(axes: Axes, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A table of texts that fills the axes."""
    from matplotlib.transforms import Bbox

    axes.axis("off")
    table = axes.table([list(line) for line in lines], colLabels=list(heads), cellLoc="center", bbox=Bbox.unit())
    table.auto_set_font_size(False)
    table.set_fontsize(STYLE["font.size"])
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#CCCCCC")
        cell.get_text().set_fontweight("bold" if row == 0 else "normal")
