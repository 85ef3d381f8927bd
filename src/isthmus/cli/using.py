"""Verbs that use a run: encode, decode, reconstruct, anomalies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import OptionInfo

from isthmus.cli.faults import DONE
from isthmus.cli.looking import DataArgument, RunArgument
from isthmus.cli.opening import ImagesOption, StrictFlag, loader
from isthmus.cli.output import JsonFlag, Result, emit, grid

if TYPE_CHECKING:
    from rich.console import RenderableType

CODES = "Codes, as encode wrote them."


def _output(suffixes: str) -> OptionInfo:
    return typer.Option("-o", "--output", help=f"The file to write: {suffixes}.", show_default=False)


Table = Annotated[Path, _output(".npy .parquet .csv")]
Rows = Annotated[Path, _output(".npy .parquet .csv, or .png for images")]
RowsOrFolder = Annotated[Path, _output(".npy .parquet .csv, or .png for images; or a folder for pictures of any size")]


def encode(
    run: RunArgument,
    data: DataArgument,
    output: Table,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write the code of each row.

    The columns are code0, code1, …

    Example: isthmus encode runs/a digits -o codes.parquet
    """
    from isthmus import runs

    emit(runs.encode(runs.open_run(run), data, output, loader(images, strict)), as_json, _written)
    return DONE


def decode(
    run: RunArgument,
    codes: Annotated[str, typer.Argument(metavar="CODES", help=CODES)],
    output: Rows,
    as_json: JsonFlag = False,
) -> int:
    """Write rows in input units from codes.

    Example: isthmus decode runs/a codes.parquet -o x.npy
    """
    from isthmus import runs

    emit(runs.decode(runs.open_run(run), codes, output), as_json, _written)
    return DONE


def reconstruct(
    run: RunArgument,
    data: DataArgument,
    output: RowsOrFolder,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write each row encoded and decoded, in input units.

    Where a folder is to be written to, DATA is a picture or a folder of pictures of any size: each is tiled, blended
    without seams and written under its name.

    Example: isthmus reconstruct runs/a digits -o digits.png
    """
    from isthmus import runs

    if Path(data).exists() and (output.is_dir() or not output.suffix):
        from isthmus.cli import pictures

        return pictures.restore(run, [Path(data)], output, None, strict, as_json, taught=False)
    emit(runs.reconstruct(runs.open_run(run), data, output, loader(images, strict)), as_json, _written)
    return DONE


def anomalies(
    run: RunArgument,
    data: DataArgument,
    output: Table,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Write how strange each row is.

    A score a row (the lower the stranger), whether it is flagged, and the columns that weigh most.

    Example: isthmus anomalies runs/a new.csv -o scores.parquet
    """
    from isthmus import runs

    emit(runs.anomalies(runs.open_run(run), data, output, loader(images, strict)), as_json, _written)
    return DONE


def _written(result: Result) -> RenderableType:
    return grid([(name, value) for name, value in result.items() if name != "skipped"])
