"""Verbs that look: evaluate, info, data list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE
from isthmus.cli.opening import ImagesOption, StrictFlag, loader
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, short, verdicts

if TYPE_CHECKING:
    from rich.console import RenderableType

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that isthmus train wrote.")]
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="A named set or a path.")]

data = typer.Typer(help="Data sets known by name.", no_args_is_help=False, rich_markup_mode=None)


def evaluate(
    run: RunArgument,
    data: DataArgument,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Is the code any good? Verdicts on new rows.

    Writes evidence.json and report.html into the run.

    A named set's own test rows are taken where it has them, and of the training data itself the rows held out.

    Example: isthmus evaluate runs/a digits
    """
    from isthmus import runs

    emit(runs.evaluate(runs.open_run(run), data, loader(images, strict)), as_json, _evaluated)
    return DONE


def info(run: RunArgument, as_json: JsonFlag = False) -> int:
    """What a run is and was judged to be.

    Settings, sizes, versions, losses, verdicts.

    Example: isthmus info runs/a
    """
    from isthmus import runs

    emit(runs.info(runs.open_run(run)), as_json, _informed)
    return DONE


@data.command("list")
def list_sets(as_json: JsonFlag = False) -> int:
    """The named sets, and which of them are on this machine.

    Example: isthmus data list
    """
    from dataclasses import asdict

    from isthmus.data import describe_sets

    emit({"sets": [asdict(one) for one in describe_sets()]}, as_json, _listed)
    return DONE


def _evaluated(result: Result) -> RenderableType:
    from rich.console import Group

    scores = result["reconstruction"]
    head = [("run", result["run"]), ("rows", f"{result['n']:,} ({result['rows']})")]
    kept = [(f"{name}", scores.get(name)) for name in ("mse", "r2", "pca_mse", "pca_r2")]
    return Group(grid([*head, *kept, ("report", result["report"])]), verdicts(result))


def _informed(result: Result) -> RenderableType:
    from rich.console import Group

    parts = ("settings", "losses", "data", "versions")
    plain = [(name.replace("_", " "), value) for name, value in result.items() if name not in (*parts, "verdicts")]
    nested = [(part, "; ".join(f"{k} {_told(v)}" for k, v in result[part].items() if v is not None)) for part in parts]
    return Group(grid([*plain, *nested]), verdicts(result))


def _told(value: object) -> str:
    if isinstance(value, dict) and "part" in value:
        return f"{value['part']}({', '.join(f'{k}={_told(v)}' for k, v in value['params'].items())})"
    return short(value)


def _listed(result: Result) -> RenderableType:
    names = ["name", "here", "licence", "rows", "test rows", "columns"]
    rows = [
        (one["name"], one["present"], one["licence"], one["rows"], one["test_rows"], one["columns"])
        for one in result["sets"]
    ]
    return columns(names, rows, left=3)
