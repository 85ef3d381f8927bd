"""The figures as tables in Markdown: one a case, and one of the goals."""

from __future__ import annotations

import math
from collections.abc import Callable

from speed.contenders import CONTENDERS
from speed.figures import Figure, Results, per_second, per_step, ratio
from speed.goals import Goal
from speed.rounds import Measured

Cell = Callable[[Measured, str], str]

TITLES = {
    "step": "Training, one net",
    "convolution": "Training, a convolutional net given as modules",
    "population": "Populations",
    "contraction": "The contraction penalty",
    "penalty": "Other penalties and codes",
    "transform": "Encoding",
    "start": "Time to start",
}


def by_group(results: Results) -> list[str]:
    """Headings and tables, in the order of `TITLES`."""
    parts = []
    for group, title in TITLES.items():
        cases = {name: case for name, case in results.items() if case["group"] == group}
        if cases:
            parts.append(f"## {title}")
            parts += [f"### {name}\n\n{of_case(case)}" for name, case in cases.items()]
    return parts


def of_case(case: Measured) -> str:
    """A case's contenders, the quickest first; how their steps were run; who is absent, and why."""
    columns = COLUMNS.get(case["group"], COLUMNS["step"])
    order = sorted(case["seconds"], key=lambda name: Figure.of(case["seconds"][name]).middle)
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in order:
        cells = [column(case, name) for column in columns.values()]
        label = label_of(name)
        lines.append(f"| {f'**{label}**' if is_own(name) else label} | " + " | ".join(cells) + " |")
    how = "; ".join(f"{label_of(name)} ({words})" for name, words in case["how"].items())
    absent = "; ".join(f"{label_of(name)} ({reason})" for name, reason in case["absent"].items())
    return "\n".join(lines) + (f"\n\nSteps: {how}." if how else "") + (f"\n\nAbsent: {absent}." if absent else "")


def of_goals(results: Results, goals: tuple[Goal, ...]) -> str:
    lines = ["| goal | asked | measured | |", "|---|---|---|---|"]
    for goal in goals:
        figure = goal.measured(results)
        if figure is None:
            lines.append(f"| {goal.work} | {goal.asked} | - | not measured: {_reason(results, goal)} |")
        else:
            verdict = "met" if goal.met(figure) else "**missed**"
            lines.append(f"| {goal.work} | {goal.asked} | {spread(figure, ' ×' if goal.under else ' s')} | {verdict} |")
    return "\n".join(lines)


def _reason(results: Results, goal: Goal) -> str:
    case = results.get(goal.case)
    if case is None:
        return "the case was left out"
    reasons = [case["absent"][name] for name in (goal.over, goal.under, goal.less) if name in case["absent"]]
    return "; ".join(dict.fromkeys(reasons)) or "a contender was left out"


def label_of(name: str) -> str:
    return CONTENDERS[name].label if name in CONTENDERS else f"`{name}`"


def is_own(name: str) -> bool:
    return name in CONTENDERS and CONTENDERS[name].kind == "own"


def _against(name: str) -> Cell:
    def cell(case: Measured, entrant: str) -> str:
        figure = ratio(case, entrant, name)
        return "-" if figure is None else spread(figure, " ×")

    return cell


def _samples(case: Measured, name: str) -> str:
    return spread(per_second(case, name), "", "{:,.0f}")


def _microseconds(case: Measured, name: str) -> str:
    return spread(per_step(case, name), "", "{:,.0f}")


def _seconds(case: Measured, name: str) -> str:
    return spread(Figure.of(case["seconds"][name]), "")


_FLOOR: dict[str, Cell] = {"time against the floor": _against("floor")}
_TRAINING: dict[str, Cell] = {"samples a second": _samples, "µs a step": _microseconds} | _FLOOR
COLUMNS: dict[str, dict[str, Cell]] = {
    "step": _TRAINING | {"against Isthmus": _against("isthmus")},
    "population": {
        "samples a second, all members": _samples,
        "µs a step of all": _microseconds,
        **_FLOOR,
        "against the population": _against("population"),
    },
    "contraction": _TRAINING | {"against the plain step": _against("plain")},
    "penalty": _TRAINING | {"against the plain step": _against("plain")},
    "transform": {"rows a second": _samples, "seconds": _seconds, **_FLOOR},
    "start": {"seconds": _seconds, "against torch and scikit-learn": _against("import torch, sklearn.base")},
}


def spread(figure: Figure, unit: str, form: str = "") -> str:
    """A median with the least and the greatest: "1.43 × (1.40-1.51)"."""

    def text(value: float) -> str:
        if math.isinf(value):
            return "∞"
        return form.format(value) if form else f"{value:.{2 if value < 10 else 1}f}"

    return f"{text(figure.middle)}{unit} ({text(figure.low)}-{text(figure.high)})"
