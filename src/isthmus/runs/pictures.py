"""What a run makes of pictures of any size: each tiled, reconstructed without noise, blended, written by its name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.corruptions import Nothing
from isthmus.data import Skipped
from isthmus.data.images import find_images, read_all
from isthmus.data.pictures import LOSSLESS, SUFFIXES, Picture, full_scale, read_picture, write_picture
from isthmus.data.reading import missing
from isthmus.data.tiles import Restore, bands, tiling
from isthmus.distortion import decibels
from isthmus.enlarging import at, can_be_enlarged
from isthmus.errors import DataError, RunError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.runs.folder import Run

Tell = Callable[[str], None]
SIDE = 128  # pixels of a tile's side at least, where the network takes any size: fewer tiles, fewer borders
WIDEST = 32  # pixels that tiles overlap at most, which is as far as most networks see
ROUNDING = 0.01  # how far outside [0, 1] pixels of training may have lain


@dataclass(frozen=True)
class Pictures:
    """Files and folders of pictures, the folder their restored forms go to, and clean ones to compare them with."""

    inputs: Sequence[Path]
    out: Path
    clean: Path | None = None
    strict: bool = False

    def named(self) -> dict[Path, Path]:
        """Every picture, with its name in the output folder.

        Raises
        ------
        DataError
            Where a file or folder is not there, or a folder has no pictures.
        """
        return {source: name for given in self.inputs for source, name in _sources(given)}


@dataclass(frozen=True)
class _Task:
    source: Path
    target: Path
    clean: Path | None


def denoise(
    run: Run, pictures: Pictures, tell: Tell = lambda text: None, tick: Tell = lambda name: None
) -> dict[str, Any]:
    """`restore`, with a remark where the run was never taught to remove noise."""
    check_images(run)
    if isinstance(run.ae.corruption, Nothing | None):
        tell(f"{run.folder} was trained without a corruption: it reconstructs, it was not taught to remove noise")
    return restore(run, pictures, tell, tick)


def restore(
    run: Run, pictures: Pictures, tell: Tell = lambda text: None, tick: Tell = lambda name: None
) -> dict[str, Any]:
    """Reconstruct each picture and write it, in the same precision, with the alpha channel and the profile it had.

    A run of gray images takes each channel of a colour picture by itself; a run of colour images takes a gray picture
    as three equal channels, whose mean is written.

    Parameters
    ----------
    tell : callable
        Called with a line for people: on a picture left out, or one of which something is lost.
    tick : callable
        Called with each picture's name when it is written.

    Returns
    -------
    dict
        What `isthmus denoise --json` prints.

    Raises
    ------
    RunError
        Where the run is not of images.
    SettingError
        Where an output would be an input, or two outputs one file; nothing is then written.
    DataError
        Where no picture can be used, the first that cannot where `strict`, or an output cannot be written.
    """
    check_images(run)
    tasks = _tasks(pictures)
    skipped: list[Skipped] = []
    rows, ae = [], for_tiles(run.ae)
    for source, picture in read_all(list(tasks), pictures.strict, skipped, read_picture):
        rows.append(_restored(ae, tasks[source], picture, tell))
        tick(source.name)
    for one in skipped:
        tell(f"left out {one.file}: {one.why}")
    found = {"run": str(run.folder), "n": len(rows), "output": str(pictures.out), "pictures": rows}
    return found | _mean_psnr(rows) | {"skipped": [asdict(one) for one in skipped]}


def check_images(run: Run) -> None:
    """Refuse a run whose rows are not pixels in [0, 1].

    Raises
    ------
    RunError
        Saying what it was trained on.
    """
    shape = run.ae.blueprint_.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise RunError(
            f"rows of shape {shape}, which are no images", f"in the run {run.folder}", "a run trained on images"
        )
    ends = run.ae.scaler_.undo(np.stack([run.ae.blueprint_.low, run.ae.blueprint_.high]))
    low, high = float(ends[0].min()), float(ends[1].max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise RunError(
            f"trained on numbers from {round(low, 3) + 0.0:g} to {round(high, 3):g}",
            f"in the run {run.folder}",
            "pixels from 0 to 1, as images from files have them",
            "train on a folder of images",
        )


def for_tiles(ae: Autoencoder) -> Autoencoder:
    """The estimator at the size of the tiles it is to take: larger than in training where its network is for any."""
    channels, height, width = ae.blueprint_.input_shape
    return at(ae, (channels, max(height, SIDE), max(width, SIDE))) if can_be_enlarged(ae) else ae


def tile_shape(ae: Autoencoder) -> tuple[int, int, int]:
    """(C, h, w) of the tiles that an autoencoder of images takes."""
    channels, height, width = ae.blueprint_.input_shape
    return channels, height, width


def overlaps(tile: tuple[int, int]) -> tuple[int, int]:
    """How far tiles of (h, w) overlap: half their sides, but no further than networks see."""
    return min(tile[0] // 2, WIDEST), min(tile[1] // 2, WIDEST)


def restoring(ae: Autoencoder) -> Restore:
    """A function from tiles (n, C, h, w), of bytes or 16-bit numbers, to their reconstructions in [0, 1]."""
    own = tile_shape(ae)

    def function(tiles: np.ndarray) -> np.ndarray:
        x = tiles / np.float32(full_scale(tiles))  # n C h w
        spread = x.repeat(3, axis=1) if (x.shape[1], own[0]) == (1, 3) else x
        back = ae.reconstruct(spread.reshape(-1, math.prod(own))).reshape(spread.shape)
        return back.mean(axis=1, keepdims=True) if spread is not x else back

    return function


def restored(ae: Autoencoder, picture: Picture) -> tuple[Picture, int]:
    """A picture reconstructed tile by tile, and how many tiles that took."""
    tile = tile_shape(ae)[1:]
    pixels, top, white = np.empty_like(picture.pixels), 0, full_scale(picture.pixels)
    for band in bands(picture.pixels, tile, overlaps(tile), restoring(ae)):
        pixels[:, top : top + band.shape[1]] = np.rint(np.clip(band, 0, 1) * white)
        top += band.shape[1]
    return replace(picture, pixels=pixels), math.prod(map(len, tiling(picture.size, tile, overlaps(tile))))


def _restored(ae: Autoencoder, task: _Task, picture: Picture, tell: Tell) -> dict[str, Any]:
    """One picture restored and written, as a row of the result."""
    if picture.lost:
        tell(f"{task.source}: {picture.lost}")
    result, tiles = restored(ae, picture)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    write_picture(task.target, result)
    height, width = picture.size
    row = {"file": str(task.source), "output": str(task.target), "width": width, "height": height, "tiles": tiles}
    return row if task.clean is None else row | {"psnr": _compared(picture, result, task.clean, tell)}


def _compared(given: Picture, result: Picture, clean: Path, tell: Tell) -> dict[str, float | None] | None:
    """PSNR, in dB, of a picture as it was given and as it was restored; None where there is nothing to compare with."""
    try:
        truth = read_picture(clean)
    except DataError as fault:
        tell(f"no PSNR of {clean.name}: {fault}")
        return None
    if truth.pixels.shape != given.pixels.shape:
        tell(f"no PSNR of {clean.name}: {clean} has another size or other channels")
        return None
    return {"given": psnr(given.pixels, truth.pixels), "restored": psnr(result.pixels, truth.pixels)}


def psnr(pixels: np.ndarray, truth: np.ndarray) -> float | None:
    """10·log₁₀(1 / mean squared difference) where white is 1, in dB; None where nothing differs."""
    mse = np.mean([
        np.mean(np.square(a / full_scale(pixels) - b / full_scale(truth)))
        for a, b in zip(pixels, truth, strict=True)  # a channel at a time
    ])  # fmt: skip
    return decibels(float(mse)) if mse > 0 else None


def _mean_psnr(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    pairs = [row["psnr"] for row in rows if row.get("psnr") and None not in row["psnr"].values()]
    if not pairs:
        return {}
    return {"psnr": {name: float(np.mean([pair[name] for pair in pairs])) for name in ("given", "restored")}}


def _tasks(pictures: Pictures) -> dict[Path, _Task]:
    """What becomes of each picture, by its path."""
    named, clean = pictures.named(), pictures.clean
    targets = {source: pictures.out / target for source, target in _targets(named).items()}
    tasks = {
        source: _Task(source, targets[source], None if clean is None else _match(clean, name))
        for source, name in named.items()
    }
    _check_places(pictures, tasks)
    return tasks


def _targets(named: dict[Path, Path]) -> dict[Path, Path]:
    """Each picture's name in the output folder: its own, or with .png where its format is lossy or not written."""
    taken: dict[Path, Path] = {}
    for source, name in sorted(named.items(), key=lambda item: item[1].suffix.lower() not in LOSSLESS):
        target = name if name.suffix.lower() in LOSSLESS else name.with_suffix(".png")
        if target in taken and target != name:
            target = Path(f"{name}.png")  # a.jpg beside a.png
        if target in taken:
            raise SettingError(
                f"{taken[target]} and {source} have one name", f"to write {target}", "pictures of different names"
            )
        taken[target] = source
    return {source: target for target, source in taken.items()}


def _sources(given: Path) -> list[tuple[Path, Path]]:
    """The pictures of a folder, or the file itself, each with its name in the output folder."""
    if given.is_dir():
        return [(path, path.relative_to(given)) for path in find_images(given)[0]]
    if not given.exists():
        raise missing(given)
    return [(given, Path(given.name))]


def _match(clean: Path, name: Path) -> Path:
    """The clean picture of that name, be its suffix another."""
    same = [clean / name, *(clean / name.with_suffix(suffix) for suffix in SUFFIXES)]
    return next((path for path in same if path.exists()), clean / name)


def _check_places(pictures: Pictures, tasks: dict[Path, _Task]) -> None:
    """Refuse to write where a picture lies that is read."""
    out = pictures.out
    if out.exists() and not out.is_dir():
        raise SettingError("no folder", f"at {out}", "a new folder, or one that pictures may be written to")
    read = {_identity(path) for task in tasks.values() for path in (task.source, task.clean) if path and path.exists()}
    for task in tasks.values():
        if task.target.exists() and _identity(task.target) in read:
            raise SettingError(
                f"{task.target} would be overwritten, which is read", f"in {out}", "a folder of its own for the output"
            )


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of a file."""
    found = os.stat(path)  # noqa: PTH116  # follows links, as Path.stat does
    return found.st_dev, found.st_ino
