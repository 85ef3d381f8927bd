"""Figures as SVG that takes its colours and its letters from the page around it.

Charts draw with stand-in colours; `svg` swaps them for the page's CSS variables, so that one picture is right on
white, on black and on paper.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

INK, SOFT, LINE, PAPER, FAIL = "#010101", "#020202", "#030303", "#040404", "#050505"
SERIES = tuple(f"#0a00{i:02x}" for i in range(10))  # as many as the style sheet has --c0 … --c9
OURS, PCA, OTHER, THIRD = SERIES[0], SERIES[1], SOFT, SERIES[2]

_VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", PAPER: "card", FAIL: "fail"} | {
    colour: f"c{i}" for i, colour in enumerate(SERIES)
}
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",  # text stays text: the browser's letters, and it can be searched
    "text.parse_math": False,  # a dollar in somebody's column name is a dollar
    "path.simplify": False,
    "font.size": 10,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_WIDTH = 4.4  # inches: two beside each other on a desk, one on a phone, letters of a readable size on both


@dataclass
class Chart:
    """Axes to draw on; once the `with` that opened it ends, `svg` gives the picture."""

    ax: Axes
    text: str = ""

    def svg(self, alt: str) -> Markup:
        """The picture as an inline SVG element with its text alternative."""
        return Markup(_inline(self.text, alt))  # noqa: S704  (matplotlib escapes its texts, `_inline` the alternative)


@contextmanager
def chart(name: str, height: float = 2.6) -> Iterator[Chart]:
    """Axes in the house style, whatever the user's own settings of matplotlib; `name` is unique on its page."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        drawn = Chart(figure.add_subplot())
        yield drawn
        drawn.text = _saved(figure)


def _saved(figure: Figure) -> str:
    out = StringIO()
    blank = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # the browser has the letter
        figure.savefig(out, format="svg", metadata=blank)
    return out.getvalue()


def name_axes(ax: Axes, x: str = "", y: str = "") -> None:
    """Name both axes; the vertical one above its end, where it is read level."""
    ax.set_xlabel(x)
    ax.set_title(y, loc="left", color=SOFT, pad=7)
    ax.grid(axis="y")
    ax.spines["left"].set_visible(False)


def clean(text: object, width: int = 22) -> str:
    """Any text as a short label: printable, one line, at most `width` letters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return printable if len(printable) <= width else printable[: width - 1] + "…"


def _inline(text: str, alt: str) -> str:
    body = text[text.index("<svg") :]
    size = re.search(r'viewBox="([^"]*)"', body)
    body = re.sub(r"<svg[^>]*>", "", body, count=1)
    body = re.sub(r"<style.*?</style>|<metadata.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # nothing refers to groups, and another figure has the same names
    body = re.sub(r' d="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), body)
    body = re.sub(r'style="[^"]*"', lambda found: re.sub(r"#0[0-9a-f]{5}\b", _variable, found[0]), body)
    box = size[1] if size else "0 0 317 187"
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(alt)}">{body}'


def _variable(found: re.Match[str]) -> str:
    name = _VARIABLES.get(found[0])
    return f"var(--{name})" if name else found[0]
