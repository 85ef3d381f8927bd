"""The lab's verbs: lab list, lab run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE, NO
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, number, remark, short
from isthmus.cli.training import SetOption

if TYPE_CHECKING:
    from rich.console import RenderableType

lab = typer.Typer(help="The lecture's claims as experiments that can fail.", rich_markup_mode=None)


@lab.command("list")
def list_experiments(as_json: JsonFlag = False) -> int:
    """The experiments, in the lecture's order.

    Example: isthmus lab list
    """
    from isthmus.lab import EXPERIMENTS

    found = [{"name": one.name, "part": one.part, "claim": one.claim} for one in EXPERIMENTS]
    emit({"experiments": found}, as_json, _listed)
    return DONE


@lab.command("run")
def run_experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment, or all.")],
    full: Annotated[bool, typer.Option("--full", help="The published protocol on the real data.")] = False,
    seeds: Annotated[int | None, number(text="How many seeds; by default the experiment's own.")] = None,
    assignments: SetOption = None,
    out: Annotated[Path, typer.Option(help="Folder for figures and results.")] = Path("runs/lab"),
    as_json: JsonFlag = False,
) -> int:
    """Measure whether a claim of the lecture holds; exit 1 where it does not.

    Example: isthmus lab run linear-pca --seeds 10 --set eigengap=1.1
    """
    from isthmus import lab as laboratory
    from isthmus.runs import parse_assignments

    protocol = laboratory.Protocol(full, seeds, parse_assignments(assignments or []))
    if name == "all":
        everything = laboratory.run_all(protocol, out, remark)
        emit(everything, as_json, _gallery)
        return DONE if everything["holds"] else NO
    result = laboratory.run(laboratory.find(name), protocol, out)
    emit(result, as_json, _ran)
    return DONE if result["holds"] else NO


def _listed(result: Result) -> RenderableType:
    rows = [(one["name"], one["part"], one["claim"]) for one in result["experiments"]]
    return columns(["name", "part", "claim"], rows, left=3)


def _ran(result: Result) -> RenderableType:
    from rich.console import Group

    expected = result["expected"]
    rows = [(key, f"{value:.9g}", _bound(*expected.get(key, ()))) for key, value in result["measured"].items()]
    head = [("experiment", result["name"]), ("claim", result["claim"]), ("reference", result["reference"])]
    tail = [("holds", result["holds"]), ("seconds", result["seconds"]), ("figures", result["figures"])]
    return Group(grid(head), columns(["measured", "value", "must be"], rows), grid(tail))


def _bound(sign: str = "", number: float = math.nan) -> str:
    return f"{sign} {number:.9g}" if sign else ""


def _gallery(result: Result) -> RenderableType:
    from rich.console import Group

    rows = [(one["name"], one["holds"], one["seconds"]) for one in result["experiments"]]
    return Group(columns(["experiment", "holds", "seconds"], rows, left=2), f"gallery: {short(result['gallery'])}")
