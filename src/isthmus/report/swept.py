"""The page on many settings of one kind, each trained with many seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from isthmus.report.dots import Dot, dots
from isthmus.report.draw import OTHER, OURS, SERIES
from isthmus.report.numbers import spread
from isthmus.report.page import render
from isthmus.report.trends import Mark, is_number, trend
from isthmus.report.view import branch

_MOST = 30  # combinations drawn as dots; the table has them all
_LOWEST = -1.0  # an R² below this would press all others into one line
_ABSENT = "–"  # of a setting that a combination leaves as it is
_LABELS = {"mse": "squared error on test rows", "r2": "R² on test rows"}
Row = Mapping[str, Any]


def page(result: Mapping[str, Any], title: str) -> str:
    """Combinations stand in the order of their squared error, the best first."""
    rows: list[Row] = sorted(result.get("rows", []), key=_rank)
    names = varied(rows)
    first = rows[0]["settings"] if rows else {}
    ringed, pictures = _pictures([row for row in rows if _drawable(row)])
    return render(
        "swept.html",
        title=title,
        result=result,
        seeds=max((row["seeds"] for row in rows), default=0),
        names=names,
        same=[f"{name} {told(value)}" for name, value in first.items() if name not in names],
        findings=_findings(rows, names),
        ringed=ringed,
        pictures=pictures,
        table=[(row, [told(_setting(row, name)) for name in names]) for row in rows],
        failed=any(row.get("diverged") for row in rows),
        best=branch(result, "best"),
    )


def varied(rows: Sequence[Row]) -> list[str]:
    """Settings that have several values among the rows, else all there are."""
    names = list(dict.fromkeys(name for row in rows for name in row["settings"]))
    return [name for name in names if len(_values(rows, name)) > 1] or names


def told(value: Any) -> str:
    """A setting's value: a part as its name and parameters, a sequence without brackets."""
    if isinstance(value, Mapping):
        name = str(value.get("part", value.get("own", ""))).rpartition(".")[2]
        inner = [f"{key}={told(one)}" for key, one in branch(value, "params").items()]
        return f"{name}({', '.join(inner)})" if inner else name
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _findings(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What the table says, in sentences."""
    able = [row for row in rows if _drawable(row)]
    failed, trained = (sum(row.get(key) or 0 for row in rows) for key in ("diverged", "seeds"))
    lost = [f"{failed:,} of {trained:,} trainings diverged; the means are over the others."] if failed else []
    if not able:
        return lost
    best, by_r2 = able[0], max(able, key=lambda row: _mean(row, "r2"))
    scores = f"squared error {_spread(best, 'mse')}, R² {_spread(best, 'r2')}"
    apart = _mean(by_r2, "r2") - _mean(best, "r2") > _sd(by_r2, "r2") + _sd(best, "r2")
    other = f"By R², in which each column counts as it is scaled: {_described(by_r2, names)}, {_spread(by_r2, 'r2')}."
    return [
        f"Best: {_described(best, names)}; {scores}.",
        *([other] if apart else []),
        *_doubts(best, able[1:], names),
        *lost,
    ]


def _doubts(best: Row, others: Sequence[Row], names: Sequence[str]) -> list[str]:
    """How sure the best is of its place; two combinations are level where their spreads meet."""
    if not others:
        return []
    chosen = "It was chosen on the rows it is measured on: expect a little more error on others."
    if best["seeds"] == 1:
        return ["One training of each does not tell how much of a difference is chance.", chosen]
    level = [row for row in others if _mean(row, "mse") - _mean(best, "mse") <= _sd(row, "mse") + _sd(best, "mse")]
    if not level:
        return [chosen]
    named = "; ".join(_described(row, names) for row in level[:5])
    more = f"; and {len(level) - 5} more" if len(level) > 5 else ""
    return [f"Level with it, as their spreads meet: {named}{more}.", chosen]


def _pictures(rows: Sequence[Row]) -> tuple[bool, list[Markup]]:
    """One setting: a line. Two: a line for each value of one of them. More: a dot a combination."""
    if not rows:
        return False, []
    names = varied(rows)
    along = max(names, key=lambda name: (_is_axis(rows, name), len(_values(rows, name))), default="")
    across = [name for name in names if name != along]
    lined = bool(along) and len(across) < 2 and len(_values(rows, *across)) <= len(SERIES)
    keys = [key for key in _LABELS if key == "mse" or min(_mean(row, key) for row in rows) >= _LOWEST]
    return lined, [_lines(rows, along, across, key) if lined else _dots(rows, names, key) for key in keys]


def _lines(rows: Sequence[Row], along: str, across: Sequence[str], key: str) -> Markup:
    lines: dict[str, list[Mark]] = {}
    for row in sorted(rows, key=lambda row: [_order(_setting(row, name)) for name in across]):
        value = _setting(row, along)
        mark = Mark(value, told(value), _mean(row, key), _sd(row, key), row is rows[0])
        lines.setdefault(_described(row, across), []).append(mark)
    return trend(lines, along, _LABELS[key], key)


def _dots(rows: Sequence[Row], names: Sequence[str], key: str) -> Markup:
    return dots([_dot(row, names, key, row is rows[0]) for row in rows[:_MOST]], key, _LABELS[key], zero=False)


def _dot(row: Row, names: Sequence[str], key: str, best: bool) -> Dot:
    mean, sd = _mean(row, key), _sd(row, key)
    name = " · ".join(told(_setting(row, name)) for name in names)
    return Dot(name, mean, mean - sd, mean + sd, OURS if best else OTHER)


def _described(row: Row, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {told(_setting(row, name))}" for name in names)


def _setting(row: Row, name: str) -> Any:
    return row["settings"].get(name, _ABSENT)


def _values(rows: Sequence[Row], *names: str) -> set[str]:
    """The distinct values of some settings, as text that can be compared."""
    return {json.dumps([_setting(row, name) for name in names]) for row in rows}


def _is_axis(rows: Sequence[Row], name: str) -> bool:
    return all(is_number(_setting(row, name)) for row in rows)


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then the others by name."""
    return (False, float(value), "") if is_number(value) else (True, 0.0, told(value))


def _drawable(row: Row) -> bool:
    return math.isfinite(_mean(row, "mse")) and math.isfinite(_mean(row, "r2"))


def _rank(row: Row) -> float:
    """The lowest squared error first, what has none last."""
    return _mean(row, "mse") if _drawable(row) else math.inf


def _spread(row: Row, key: str) -> str:
    return spread(_mean(row, key), _sd(row, key))


def _mean(row: Row, key: str) -> float:
    value = branch(row, key).get("mean")
    return math.nan if value is None else float(value)


def _sd(row: Row, key: str) -> float:
    return float(branch(row, key).get("sd") or 0.0)
