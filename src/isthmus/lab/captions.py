"""A picture in words, read off its own titles, axes and legends: for those who cannot see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def caption(figure: Figure) -> str:
    """What the picture says of itself: its title, or those of its panels."""
    panels = (_line(axes.get_title()) for axes in figure.axes)
    return _line(figure.get_suptitle()) or "; ".join(dict.fromkeys(title for title in panels if title))


def described(figure: Figure) -> str:
    """What stands in the picture: each panel's title, what it draws against what, and the names in the legends."""
    panels = [_panel(axes) for axes in figure.axes if axes.get_label() != "<colorbar>"]
    names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    told = dict.fromkeys([*panels, f"legend: {_line(', '.join(names))}" if names else ""])
    return "; ".join(words for words in told if words)


def _panel(axes: Axes) -> str:
    x, y, legend = _line(axes.get_xlabel()), _line(axes.get_ylabel()), axes.get_legend()
    drawn = f"{y} against {x}" if x and y else x or y
    names = f"legend: {_line(', '.join(text.get_text() for text in legend.get_texts()))}" if legend else ""
    return ", ".join(words for words in (_line(axes.get_title()), drawn, names) if words)


def _line(text: str) -> str:
    """One line; where a new one begins with a capital, so does a sentence."""
    return " ".join(re.sub(r"(?<=\w)\s*\n(?=[A-Z])", ". ", text).split())
