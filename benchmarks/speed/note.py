"""The dated note: what was measured, how, on what, and which goals were met."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed.contenders import CONTENDERS
from speed.figures import Figure, Results, per_second, per_step, ratio
from speed.goals import Goal
from speed.rounds import SLOW, Measured

Run = dict[str, Any]  # date, machine, versions, settings, cases
REMARKS = Path(__file__).with_name("remarks.md")

TITLES = {
    "step": "Training, one net",
    "convolution": "Training, a convolutional net given as modules",
    "population": "Populations",
    "contraction": "The contraction penalty",
    "penalty": "Other penalties and codes",
    "transform": "Encoding",
    "start": "Time to start",
}


def write(run: Run, goals: tuple[Goal, ...], picture: str | None) -> str:
    results: Results = run["cases"]
    parts = [
        _head(run),
        f"![Samples a second of each contender]({picture})" if picture else "",
        "## Goals\n\n" + goal_table(results, goals),
        remarks(results, goals),
        "## How it was measured\n\n" + _method(run),
        "## What is not comparable\n\n" + _caveats(run),
        *tables(results),
        "## Who takes part, and how each is set up\n\n" + _set_up(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(run: Run) -> str:
    machine, versions = run["machine"], run["versions"]
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    gpu = f"; {machine['gpu']}" if machine["gpu"] else ""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    kind = "on a GPU" if gpu else "on a CPU"
    return f"""# How fast training is, {kind}

{run["date"]}; {machine["processor"]}, {machine["cores"]} cores{memory}{gpu}; {machine["system"]}.
{listed}.

Written by `benchmarks/training.py`; the numbers behind it lie in the JSON file beside it. Every figure below is a median
over {run["settings"]["rounds"]} rounds, with the least and the greatest in brackets, and all are of one run."""


def goal_table(results: Results, goals: tuple[Goal, ...]) -> str:
    lines = ["| goal | asked | measured | |", "|---|---|---|---|"]
    for goal in goals:
        figure = goal.measured(results)
        unit = " ×" if goal.under else " s"
        if figure is None:
            lines.append(f"| {goal.work} | {goal.asked} | - | not measured: {_reason(results, goal)} |")
        else:
            verdict = "met" if goal.met(figure) else "**missed**"
            lines.append(f"| {goal.work} | {goal.asked} | {spread(figure, unit)} | {verdict} |")
    return "\n".join(lines)


def _reason(results: Results, goal: Goal) -> str:
    case = results.get(goal.case)
    if case is None:
        return "the case was left out"
    reasons = [case["absent"][name] for name in (goal.over, goal.under, goal.less) if name in case["absent"]]
    return "; ".join(dict.fromkeys(reasons)) or "a contender was left out"


def remarks(results: Results, goals: tuple[Goal, ...]) -> str:
    """What bounds the goals that were missed: the paragraphs of remarks.md whose title begins a missed goal's words."""
    missed = [goal.work for goal in goals if (figure := goal.measured(results)) and not goal.met(figure)]
    sections = REMARKS.read_text(encoding="utf-8").split("\n## ")[1:] if REMARKS.exists() else []
    kept = [section.strip() for section in sections if any(work.startswith(section.partition("\n")[0]) for work in missed)]
    paragraphs = ["**{}.** {}".format(*map(str.strip, section.partition("\n")[::2])) for section in kept]
    return "### What bounds the goals that were missed\n\n" + "\n\n".join(paragraphs) if kept else ""


def _method(run: Run) -> str:
    settings = run["settings"]
    threads = f"{settings['threads']} thread(s), to which the whole process tree is pinned" if settings["threads"] else "no limit on threads"
    return f"""Each contender lives in a process of its own; one parent asks them in turn, through pipes, for one measurement
after another. A round asks each contender of a case once; the order rotates from round to round and every second round
runs backwards. All have {threads}.

One measurement trains for as many epochs as last about {settings["seconds"]} s, and one more first: the first epoch, which
compiles and warms up, is dropped. The clock is read at the ends of epochs, through each library's own callback; the
median of a measurement's epochs is that round's figure. A step is an epoch over its number of batches, so what a library
does between epochs is in it. Ratios are taken within a round, then their median. A contender whose epoch lasts more than
{SLOW:g} s takes part in every third round only.

The nets are perceptrons, every layer but the last bent by one activation, squared error, Adam at 10⁻³, float32 unless the
case says otherwise; batches divide the rows, which are shuffled every epoch. The rows are random (16 factors and noise).
No validation, no checkpoints, no log, wherever that can be switched off by a setting.

The load average when the run began was {run["machine"]["load"]}."""


def _caveats(run: Run) -> str:
    own_threads = (
        "\n- Isthmus takes one thread where a second would cost more than it gives; the others take what they are given. "
        "Run with `--threads 1` to see all with one."
        if run["settings"]["threads"] != 1
        else ""
    )
    return f"""- The floor knows no gather, no bias, no activation, no loss and no optimiser: nothing can train in that time. It is
  a measured rate, not a bound: a kernel that is fused differently may beat a part of it.
- Losses are sums in some libraries and means in others, and initial weights differ. Neither changes what a step costs,
  and no figure here says which net is better after training.{own_threads}
- Isthmus computes the gradient's norm and keeps a copy of the last good weights every epoch; PyOD and pythae read the
  loss every step; pythae copies the model every better epoch. These are what the libraries do and are left in.
- PyOD's and pythae's rows pass through a `DataLoader` row by row: that is their price, and it weighs most where rows are
  narrow and batches large.
- "One by one" and the plain loop train one net of a population; their times are multiplied by the members.
- Time to start is of whole processes from a warm disk cache."""


def tables(results: Results) -> list[str]:
    parts = []
    for group, title in TITLES.items():
        cases = {name: case for name, case in results.items() if case["group"] == group}
        if cases:
            parts.append(f"## {title}")
            parts += [f"### {name}\n\n{table(case)}" for name, case in cases.items()]
    return parts


def table(case: Measured) -> str:
    """A case's contenders, the quickest first, and those that are absent."""
    columns = COLUMNS.get(case["group"], COLUMNS["step"])
    order = sorted(case["seconds"], key=lambda name: Figure.of(case["seconds"][name]).middle)
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in order:
        cells = [column(case, name) for column in columns.values()]
        label = label_of(name)
        lines.append(f"| {f'**{label}**' if is_own(name) else label} | " + " | ".join(cells) + " |")
    how = [f"{label_of(name)}: {words}" for name, words in case["how"].items()]
    absent = [f"{label_of(name)} ({reason})" for name, reason in case["absent"].items()]
    engines = f"\n\nHow steps were run. {'; '.join(how)}." if how else ""
    return "\n".join(lines) + engines + (f"\n\nAbsent: {'; '.join(absent)}." if absent else "")


def label_of(name: str) -> str:
    return CONTENDERS[name].label if name in CONTENDERS else f"`{name}`"


def is_own(name: str) -> bool:
    return name in CONTENDERS and CONTENDERS[name].kind == "own"


def _against(name: str) -> Callable[[Measured, str], str]:
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


_TRAINING = {"samples a second": _samples, "µs a step": _microseconds}
COLUMNS: dict[str, dict[str, Callable[[Measured, str], str]]] = {
    "step": _TRAINING | {"time against the floor": _against("floor"), "against Isthmus": _against("isthmus")},
    "population": {
        "samples a second, all members": _samples,
        "µs a step of all": _microseconds,
        "time against the population": _against("population"),
    },
    "contraction": _TRAINING | {"time against the plain step": _against("plain")},
    "penalty": _TRAINING | {"time against the plain step": _against("plain")},
    "transform": {"rows a second": _samples, "seconds": _seconds, "time against the floor": _against("floor")},
    "start": {"seconds": _seconds, "against torch and scikit-learn": _against("import torch, sklearn.base")},
}


def spread(figure: Figure, unit: str, form: str = "") -> str:
    """A median with the least and the greatest: "1.43 × (1.40-1.51)"."""

    def text(value: float) -> str:
        if math.isinf(value):
            return "∞"
        return form.format(value) if form else f"{value:.{2 if value < 10 else 1}f}"

    return f"{text(figure.middle)}{unit} ({text(figure.low)}–{text(figure.high)})"


def _set_up(results: Results) -> str:
    used = {name for case in results.values() for name in case["seconds"]}
    return "\n".join(
        f"- **{contender.label}**: {contender.how}." for name, contender in CONTENDERS.items() if name in used
    )
