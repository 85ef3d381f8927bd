"""What a command prints: one JSON object, or a table for people; progress and remarks go to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.models import OptionInfo

if TYPE_CHECKING:
    from rich.console import RenderableType

Result = Mapping[str, Any]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
WIDTH = 120  # columns of text where the output is no terminal


def whole(text: str | int) -> int:
    """A whole number from the command line; the fault names the value."""
    try:
        return int(text)
    except ValueError as fault:
        raise typer.BadParameter(f"{text!r} is not a whole number") from fault


def number(*names: str, text: str) -> OptionInfo:
    """An option that takes a whole number."""
    return typer.Option(*names, help=text, parser=whole, metavar="NUMBER")


def emit(result: Result, as_json: bool, show: Callable[[Result], RenderableType]) -> None:
    """Print a result on standard output; a reader who has gone away is no fault."""
    text = json.dumps(result, allow_nan=False) + "\n" if as_json else _drawn(show(result))
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _drawn(content: RenderableType) -> str:
    """As the terminal at hand shows it, or in plain text where there is none."""
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    with console.capture() as drawn:
        console.print(content)
    return drawn.get()


def remark(text: str, end: str = "\n") -> None:
    """A line for people, on standard error; a part of one, where it does not end."""
    sys.stderr.write(text + end)
    sys.stderr.flush()


def grid(rows: Sequence[tuple[str, object]]) -> RenderableType:
    """Names and values beneath one another; what is None is left out."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        if value is not None:
            table.add_row(name, short(value))
    return table


def columns(names: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> RenderableType:
    """A table; the first `left` columns are text, the others numbers."""
    from rich.table import Table

    table = Table()
    for i, name in enumerate(names):
        table.add_column(name, justify="left" if i < left else "right", no_wrap=i == 0)
    for row in rows:
        table.add_row(*map(short, row))
    return table


def short(value: object) -> str:
    """A value in few characters: four significant digits, commas in large counts."""
    from rich.markup import escape

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(short, value))
    return "–" if value is None else escape(str(value))


def spread(value: Mapping[str, float]) -> str:
    """A mean and its standard deviation."""
    sd = value["sd"]
    return f"{value['mean']:.4g} ± {sd:.2g}" if sd < 99 else f"{value['mean']:.4g} ± {sd:.0f}"


def verdicts(result: Result) -> RenderableType:
    """Verdicts as a table, the worst first."""
    from rich.table import Table

    colours = {"fail": "red", "warn": "yellow", "pass": "green", "n/a": "dim"}
    table = Table(show_lines=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("what was found")
    ranked = sorted(result.get("verdicts", []), key=lambda v: list(colours).index(v["status"]))
    for verdict in ranked:
        colour = colours[verdict["status"]]
        advice = f" {verdict['suggestion']}" if verdict.get("suggestion") else ""
        table.add_row(verdict["name"], f"[{colour}]{verdict['status']}[/]", short(verdict["sentence"] + advice))
    return table
