"""The verb that shows what a run learned to see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE
from isthmus.cli.looking import RunArgument
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, number

if TYPE_CHECKING:
    from rich.console import RenderableType

DataArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]", help="A named set or a path; without it rows that the run keeps.", show_default=False
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="A folder; RUN/features without it.", show_default=False),
]
LayerOption = Annotated[str | None, typer.Option("--layer", help="One layer, by its name.", show_default=False)]


def features(
    run: RunArgument,
    data: DataArgument = None,
    output: Folder = None,
    layer: LayerOption = None,
    units: Annotated[int, number(text="Units of a layer that are shown at the most.")] = 16,
    as_json: JsonFlag = False,
) -> int:
    """What each layer learned to see.

    Writes a sheet a layer as PNG and features.html: of each unit its filter or an input that drives it, the nine rows
    that drive it most, and what in them does.

    Example: isthmus features runs/a digits
    """
    from isthmus import runs

    emit(runs.features(runs.open_run(run), data, output, layer, units), as_json, _shown)
    return DONE


def _shown(result: Result) -> RenderableType:
    from rich.console import Group

    names = ["layer", "type", "shape", "units", "sheet"]
    rows = [
        (one["name"], one["type"], " × ".join(map(str, one["shape"])), one["units"], Path(one["sheet"]).name)
        for one in result["layers"]
    ]
    head = [(name, result[name]) for name in ("run", "rows", "page")]
    return Group(grid(head), columns(names, rows, left=2))
