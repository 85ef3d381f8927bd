"""The picture: samples a second of every contender in the main cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speed.contenders import CONTENDERS
from speed.figures import Results, per_second
from speed.rounds import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart by the colour-blind and in grey.
COLOURS = {"own": "#0072B2", "reference": "#BBBBBB", "peer": "#E69F00"}
WORDS = {"own": "Isthmus", "peer": "other libraries", "reference": "loops of one's own, for reference"}
MOST = 6  # panels


def draw(results: Results, path: Path, headline: str) -> None:
    """Write a PNG with a panel for each case that trains one net."""
    from matplotlib.figure import Figure as Canvas

    chosen = main_cases(results)
    columns = min(2, len(chosen))
    lines = -(-len(chosen) // columns)
    canvas = Canvas(figsize=(6.2 * columns, 1.1 + 3.5 * lines), layout="constrained")
    panels = list(canvas.subplots(lines, columns, squeeze=False).flat)
    for axes, case in zip(panels, chosen.values(), strict=False):
        panel(axes, case)
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    canvas.suptitle(headline, fontsize=12)
    _legend(canvas)
    canvas.savefig(path, dpi=130)


def main_cases(results: Results) -> dict[str, Measured]:
    """Cases that train one net and have a floor; the smallest nets, which are all overhead, give way first."""
    steps = {name: case for name, case in results.items() if case["group"] == "step" and case["seconds"].get("floor")}
    ranked = sorted(steps, key=lambda name: -max(steps[name]["widths"]))
    return {name: steps[name] for name in steps if name in ranked[:MOST]}


def title(case: Measured) -> str:
    widths = case["widths"]
    return f"{'-'.join(map(str, widths + widths[-2::-1]))}, {case['batch']:,} rows a batch"


def panel(axes: Axes, case: Measured) -> None:
    figures = {entrant: per_second(case, entrant) for entrant in case["seconds"]}
    floor = figures.pop("floor").middle
    order = sorted(figures, key=lambda entrant: figures[entrant].middle)
    for height, entrant in enumerate(order):
        figure, contender = figures[entrant], CONTENDERS[entrant]
        off = [[figure.middle - figure.low], [figure.high - figure.middle]]
        strong = entrant == "isthmus"
        faint = 0.45 if contender.kind == "own" and not strong else 1.0
        axes.barh(height, figure.middle, color=COLOURS[contender.kind], alpha=faint)
        axes.errorbar(figure.middle, height, xerr=off, color="#333333", capsize=2.5, linewidth=1.2)
        axes.text(
            figure.high + 0.012 * floor,
            height,
            _short(figure.middle),
            va="center",
            fontsize=8.5,
            fontweight="bold" if strong else None,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},  # over the dashed line
        )
    axes.axvline(floor, color="black", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(order)), [CONTENDERS[entrant].label for entrant in order], fontsize=9)
    for tick, entrant in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if entrant == "isthmus" else "normal")
    axes.set_xlim(0, 1.14 * max(floor, *(figure.high for figure in figures.values())))
    axes.set_title(title(case), fontsize=10.5, loc="left")
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    axes.tick_params(axis="x", labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)


def _short(value: float) -> str:
    """12,345 as "12k", 1,234,567 as "1.2M"."""
    if value >= 999_500:
        return f"{value / 1e6:.1f}M"
    return f"{value / 1e3:.0f}k" if value >= 9_950 else f"{value / 1e3:.1f}k" if value >= 1000 else f"{value:.0f}"


def _legend(canvas: object) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [Patch(color=COLOURS[kind], label=WORDS[kind]) for kind in WORDS]
    dashed = Line2D([], [], color="black", linestyle="--", linewidth=1, label="the matrix products alone")
    canvas.legend(handles=[*handles, dashed], loc="outside lower center", ncols=4, frameon=False, fontsize=9.5)
