"""The lab's verbs: lab list, lab run."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE, INTERRUPTED, NO, Outcome
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, number, remark, short
from isthmus.cli.training import SetOption
from isthmus.errors import SettingError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from isthmus.lab import Experiment, Protocol

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
def run_experiments(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Experiments, or all.")],
    full: Annotated[bool, typer.Option("--full", help="The published protocol on the real data.")] = False,
    seeds: Annotated[int | None, number(text="How many seeds; by default the experiment's own.")] = None,
    assignments: SetOption = None,
    part: Annotated[str | None, typer.Option(help="Of all experiments those of one part, I or II.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for figures and results.")] = Path("runs/lab"),
    as_json: JsonFlag = False,
) -> int:
    """Measure whether claims of the lecture hold; exit 1 where one does not. Several make a page, gallery.html.

    Example: isthmus lab run linear-pca --seeds 10 --set eigengap=1.1
    """
    from isthmus import lab as laboratory
    from isthmus.runs import parse_assignments

    protocol = laboratory.Protocol(full, seeds, parse_assignments(assignments or []))
    experiments = laboratory.chosen(names, part)
    if len(names) > 1 or "all" in names:
        return _run_several(experiments, protocol, out, as_json)
    result = laboratory.run(experiments[0], protocol, out)
    emit(result, as_json, _ran)
    return DONE if result["holds"] else NO


@lab.command("gallery")
def make_gallery(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where lab run wrote its results.")],
    as_json: JsonFlag = False,
) -> int:
    """Write the page of all experiments that were run into a folder, each as it was run last.

    Example: isthmus lab gallery runs/lab
    """
    from isthmus import lab as laboratory

    experiments, told = laboratory.gathered(folder)
    result = _together(told, laboratory.write_gallery(experiments, told, folder))
    emit(result, as_json, _gallery)
    return DONE if result["holds"] else NO


@lab.command("table")
def show_table(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment that repeats a published table.")],
    out: Annotated[Path, typer.Option(help="Where lab run --full wrote its result.")] = Path("runs/lab"),
    as_json: JsonFlag = False,
) -> int:
    """A paper's table, and beside it what lab run NAME --full gave here, with 95 % intervals.

    Example: isthmus lab table contractive
    """
    from isthmus import lab as laboratory

    emit(laboratory.compared(name, out), as_json, _table)
    return DONE


def _run_several(experiments: Sequence[Experiment], protocol: Protocol, out: Path, as_json: bool) -> int:
    """One after another, whatever becomes of each: the worst of their endings is that of the command."""
    from isthmus import lab as laboratory
    from isthmus.runs.folder import make_folder

    if protocol.settings:
        raise SettingError("--set with several experiments", "in lab run", "one experiment, whose settings they are")
    make_folder(out)
    told, codes = [], [DONE]
    for place, experiment in enumerate(experiments, start=1):
        remark(f"{place}/{len(experiments)} {experiment.name} … ", end="")
        with Outcome(as_json=False) as outcome:
            told.append(laboratory.run(experiment, protocol, out))
            remark(f"{'holds' if told[-1]['holds'] else 'does not hold'} ({told[-1]['seconds']:.0f} s)")
            outcome.code = DONE if told[-1]["holds"] else NO
        if outcome.code == INTERRUPTED:
            sys.exit(INTERRUPTED)
        if outcome.error is not None:
            told.append(laboratory.introduced(experiment, protocol) | {"error": outcome.error.to_dict()})
        codes.append(outcome.code)
    result = _together(told, laboratory.write_gallery(experiments, told, out))
    emit(result, as_json, _gallery)
    return max(codes)


def _together(told: Sequence[Result], gallery: str | None) -> Result:
    ran = [one for one in told if "error" not in one]
    faults = [{"name": one["name"], "error": one["error"]} for one in told if "error" in one]
    holds = not faults and all(one["holds"] for one in ran)
    return {"experiments": ran, "not_run": faults, "holds": holds, "gallery": gallery}


def _listed(result: Result) -> RenderableType:
    rows = [(one["name"], one["part"], one["claim"]) for one in result["experiments"]]
    return columns(["name", "part", "claim"], rows, left=3)


def _ran(result: Result) -> RenderableType:
    from rich.console import Group

    expected, missed = result["expected"], result["missed"]
    rows = [
        (key, f"{value:.9g}", _bound(*expected.get(key, ())) + " ✕" * (key in missed))
        for key, value in result["measured"].items()
    ]
    head = [("experiment", result["name"]), ("claim", result["claim"]), ("reference", result["reference"])]
    tail = [("holds", result["holds"]), ("seconds", result["seconds"]), ("figures", result["figures"])]
    return Group(grid(head), columns(["measured", "value", "must be"], rows), grid(tail))


def _table(result: Result) -> RenderableType:
    from rich.console import Group

    rows = [(one["row"], one["published"], one["ours"], _between(one["interval"])) for one in result["rows"]]
    table = columns([result["unit"] or "row", "published", "here", "95 % interval"], rows)
    budget = f" takes {result['budget']}" if result["budget"] else ""
    seeds = f"{result['seeds']} seed{'s' if result['seeds'] != 1 else ''}"
    tail = f"{seeds}: {result['command']}" if result["ran"] else f"not run: {result['command']}{budget}"
    return Group(f"{result['name']}: {result['reference']}", table, tail)


def _between(ends: Sequence[float] | None) -> str | None:
    return None if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"


def _bound(sign: str = "", number: float = math.nan) -> str:
    return f"{sign} {number:.9g}" if sign else ""


def _gallery(result: Result) -> RenderableType:
    from rich.console import Group

    rows = [(one["name"], one["holds"], one["seconds"]) for one in result["experiments"]]
    rows += [(one["name"], "not run", None) for one in result["not_run"]]
    return Group(columns(["experiment", "holds", "seconds"], rows, left=2), f"gallery: {short(result['gallery'])}")
