"""The verb that tries many settings: sweep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE, NO, Interrupted
from isthmus.cli.opening import ImagesOption, StrictFlag, loader
from isthmus.cli.output import JsonFlag, Result, columns, emit, number, remark, short, spread
from isthmus.cli.training import no_kind, ticking

if TYPE_CHECKING:
    from rich.console import RenderableType

GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE,VALUE",
        help="A setting, nested by dots, and the values to try: penalty.strength=0.01,0.1,1. Where a value has commas "
        "itself, semicolons stand between the values, in quotes: 'hidden=512,256;128'. One value is set for all.",
    ),
]


def sweep(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set or a path.")],
    kind: Annotated[str | None, typer.Option(help="Which autoencoder, such as sparse.")] = None,
    assignments: GridOption = None,
    code_size: Annotated[int | None, number(text="Numbers a row is coded as; by default the kind's own.")] = None,
    seeds: Annotated[int, number(text="Trainings of each combination.")] = 16,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; runs/sweep-DATA-KIND by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the one there once this is done.")] = False,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Try settings, each with many seeds.

    Every combination of the values is trained with every seed and measured on the same rows: the set's own test rows,
    else 30 % held out. Writes sweep.json, report.html and best/, the best member as a run that the other verbs take.

    Example: isthmus sweep digits --kind sparse --set penalty.strength=0.01,0.1,1 --seeds 16 --out runs/c
    """
    from isthmus import runs

    grid = runs.parse_grid(assignments or [])
    if kind is None:
        raise no_kind("sweep")
    plan = runs.Plan(data, kind, grid, code_size, seeds)
    load = loader(images, strict)
    out = out or Path("runs") / f"sweep-{Path(data).name.partition('.')[0]}-{kind}"
    try:
        with ticking(seeds * math.prod(map(len, grid.values()))) as tick:
            result = runs.sweep(plan, out, overwrite, tick, load)
    except KeyboardInterrupt as stop:
        raise Interrupted("nothing was written") from stop
    emit(result, as_json, _swept)
    if not result["best"]:
        remark(f"every training diverged, there is no best: {result['rows'][0]['fault']}")
    return DONE if result["best"] else NO


def _swept(result: Result) -> RenderableType:
    from rich.console import Group

    names = _varied(result)
    ranked = sorted(result["rows"], key=lambda row: math.inf if row["mse"]["mean"] is None else row["mse"]["mean"])
    counts = ["diverged"] if any(row["diverged"] for row in ranked) else []
    rows = [
        [
            *("none" if row["settings"][name] is None else row["settings"][name] for name in names),
            *(_cell(row[measure]) for measure in ("r2", "mse", "epochs")),
            row["seconds"]["mean"],
            *(row[name] for name in counts),
        ]
        for row in ranked
    ]
    title = f"{result['kind']} on {short(result['data'])}: {result['n_test']:,} test rows"
    seeds = ranked[0]["seeds"]
    spreads = f"mean ± sd over {seeds} {'seed' if seeds == 1 else 'seeds'}, the best first"
    table = columns([*names, "R²", "mse", "epochs", "seconds", *counts], rows, left=len(names))
    tail = [f"best run: {short(result['best']['run'])}"] if result["best"] else []
    report = short(result["report"] or "none: pip install 'isthmus[report]'")
    return Group(f"{title}, {spreads}", table, *tail, f"report: {report}")


def _varied(result: Result) -> list[str]:
    """Settings of which several values were tried, else all that were set."""
    first = result["rows"][0]["settings"]
    varied = [name for name in first if any(row["settings"][name] != first[name] for row in result["rows"])]
    return varied or list(first)


def _cell(value: Result) -> str:
    return "–" if value["mean"] is None else spread(value) if value["sd"] else short(value["mean"])
