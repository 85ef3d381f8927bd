"""Verbs that write pictures from pictures: denoise, and what reconstruct does with a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import DONE
from isthmus.cli.looking import RunArgument
from isthmus.cli.opening import StrictFlag
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, remark
from isthmus.cli.training import ticking

if TYPE_CHECKING:
    from rich.console import RenderableType

Inputs = Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Pictures of any size, and folders of them.")]
Folder = Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.", show_default=False)]
Clean = Annotated[
    Path | None,
    typer.Option(help="Clean pictures of the same names, to measure the PSNR against.", show_default=False),
]


def denoise(
    run: RunArgument,
    images: Inputs,
    output: Folder,
    clean: Clean = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Remove noise from pictures.

    Each picture, of any size, is cut into overlapping tiles, which the run reconstructs; they are blended without
    seams and written under the picture's name, as PNG where its own format is lossy. The run is one of images, such as
    isthmus train photos/ --images tile:32 --kind denoising --set corruption.amount=0.1 --set scaling=none makes.

    Example: isthmus denoise runs/photos holiday/ scan.png -o clean/
    """
    return restore(run, images, output, clean, strict, as_json, taught=True)


def restore(
    run: Path, images: Sequence[Path], output: Path, clean: Path | None, strict: bool, as_json: bool, taught: bool
) -> int:
    """Pictures through a run; `taught` where it ought to have learned to remove noise."""
    from isthmus import runs

    pictures = runs.Pictures(images, output, clean, strict)
    act = runs.denoise if taught else runs.restore
    with ticking(len(pictures.named()), "restoring") as tick:
        result = act(runs.open_run(run), pictures, remark, tick)
    emit(result, as_json, _restored)
    return DONE


def _restored(result: Result) -> RenderableType:
    from rich.console import Group

    with_psnr = "psnr" in result
    names = ["picture", "written to", "size", "tiles", *(["PSNR given", "PSNR restored"] if with_psnr else [])]
    rows = [_row(one, with_psnr) for one in result["pictures"]]
    head = grid([("run", result["run"]), ("pictures", result["n"]), ("left out", len(result["skipped"]) or None)])
    mean = [("mean PSNR", f"{result['psnr']['given']:.2f} → {result['psnr']['restored']:.2f} dB")] if with_psnr else []
    return Group(head, columns(names, rows, left=3), grid(mean))


def _row(one: Result, with_psnr: bool) -> list[object]:
    row = [Path(one["file"]).name, one["output"], f"{one['width']} × {one['height']}", one["tiles"]]
    found = one.get("psnr") or {"given": None, "restored": None}
    return [*row, *(found.values() if with_psnr else ())]
