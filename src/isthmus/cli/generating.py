"""Verbs that make new rows by way of the code: sample, interpolate, traverse, swap-codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import OptionInfo

from isthmus.cli.faults import DONE
from isthmus.cli.looking import DataArgument, RunArgument
from isthmus.cli.opening import ImagesOption, StrictFlag, loader
from isthmus.cli.output import JsonFlag, Result, emit, grid, number
from isthmus.errors import SettingError

if TYPE_CHECKING:
    from rich.console import RenderableType


def _output(suffixes: str) -> OptionInfo:
    return typer.Option("-o", "--output", help=f"The file to write: {suffixes}.", show_default=False)


Still = Annotated[Path, _output(".npy .parquet .csv, or .png for images")]
Moving = Annotated[Path, _output(".npy .parquet .csv, or .png or .gif for images")]
Group = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="The group they are to be of, where the decoder hears groups."),
]
Optional = Annotated[
    str | None,
    typer.Argument(metavar="[DATA]", help="A named set or a path; without it the median code.", show_default=False),
]


def sample(
    run: RunArgument,
    output: Still,
    n: Annotated[int, number("-n", text="How many rows.")] = 64,
    seed: Annotated[int, number(text="Decides the codes that are drawn.")] = 0,
    sampler: Annotated[
        str,
        typer.Option(help="What codes are drawn from: prior, or mixture or flow, fitted to those of training rows."),
    ] = "prior",
    group: Group = None,
    as_json: JsonFlag = False,
) -> int:
    """Write rows generated from codes that are drawn.

    The prior needs a code that has one, as the kind variational does. A mixture of Gaussians or a normalising flow is
    fitted to the codes of the rows that the run keeps, and does for every kind.

    Example: isthmus sample runs/v -n 64 -o samples.png
    """
    from isthmus import runs

    emit(runs.sample(runs.open_run(run), n, seed, output, sampler, group), as_json, _written)
    return DONE


def interpolate(
    run: RunArgument,
    data: DataArgument,
    output: Moving,
    pairs: Annotated[int, number(text="How many pairs of rows.")] = 8,
    steps: Annotated[int, number(text="Rows of each, from one end to the other.")] = 9,
    how: Annotated[
        str | None,
        typer.Option(help="linear or spherical; by default as suits the code's prior.", show_default=False),
    ] = None,
    seed: Annotated[int, number(text="Decides the pairs that are drawn.")] = 0,
    group: Group = None,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write what lies between pairs of rows, by way of the code.

    A picture has a line a pair; a table begins with the columns pair and step; a .npy has the axes pair, step, column.

    Example: isthmus interpolate runs/v digits -o between.gif
    """
    from isthmus import runs

    between = runs.Between(pairs, steps, how, seed)
    made = runs.interpolate(runs.open_run(run), data, output, between, group, loader(images, strict))
    emit(made, as_json, _written)
    return DONE


def traverse(
    run: RunArgument,
    output: Moving,
    data: Optional = None,
    units: Annotated[
        str | None,
        typer.Option(metavar="0,3,…", help="Which units; by default the ten that matter most.", show_default=False),
    ] = None,
    steps: Annotated[int, number(text="Rows a unit.")] = 9,
    reach: Annotated[
        float, typer.Option(help="How far to go, in standard deviations of a Gaussian unit; quantiles of others.")
    ] = 3.0,
    row: Annotated[int, number(text="The row of DATA to start from, counted from 0.")] = 0,
    group: Group = None,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write what each unit of the code does.

    One unit changes, the others stay. A picture has a line a unit; a table begins with the columns unit and value; a
    .npy has the axes unit, step, column.

    Example: isthmus traverse runs/v -o units.png
    """
    from isthmus import runs

    along = runs.Along(None if units is None else _numbers(units), steps, reach, row)
    made = runs.traverse(runs.open_run(run), data, output, along, group, loader(images, strict))
    emit(made, as_json, _written)
    return DONE


def swap_codes(
    run: RunArgument,
    content: Annotated[str, typer.Argument(metavar="CONTENT", help="Rows that give their content: DATA.")],
    style: Annotated[str, typer.Argument(metavar="STYLE", help="Rows that give their style: DATA.")],
    output: Still,
    n: Annotated[int, number("-n", text="How many rows of each, the first ones.")] = 8,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write the content of some rows with the style of others.

    The code must tell content from style, as the kind multilevel does. Each row of CONTENT is put together with each
    of STYLE; a picture has those above and these to the left, a .npy the axes style, content, column.

    Example: isthmus swap-codes runs/m digits digits -o swapped.png
    """
    from isthmus import runs

    made = runs.swap_codes(runs.open_run(run), content, style, output, n, loader(images, strict))
    emit(made, as_json, _written)
    return DONE


def _numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as fault:
        raise SettingError(
            f"{text!r} names no units", "in --units", "whole numbers between commas, such as 0,3"
        ) from fault


def _written(result: Result) -> RenderableType:
    return grid([(name, value) for name, value in result.items() if name != "skipped"])
