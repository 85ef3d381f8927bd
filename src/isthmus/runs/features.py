"""What a run's network learned to see: a contact sheet a layer, where it looks, and one page of it all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus._constraints import check, count
from isthmus._files import atomic_write_text
from isthmus.data import write_image
from isthmus.errors import RunError
from isthmus.evidence.reference import MOST_ROWS, subset
from isthmus.runs.examining import can_draw, read_reference
from isthmus.runs.folder import FEATURES, Run, make_folder
from isthmus.runs.source import rows_for, rows_to_examine
from isthmus.seeing import (
    Layer,
    Patch,
    Sheet,
    Viewed,
    Whole,
    activations,
    distance,
    field,
    find,
    last_sheet,
    occlusion,
    sheet,
    tiles,
)
from isthmus.seeing.sheets import SIDE
from isthmus.threads import ROWS, threads_for

Array = NDArray[np.floating]
PAGE = "features.html"
PICTURES = 6  # that are occluded
MAPS = 12  # channels of a layer that are drawn for one picture
TOP = 3  # columns named of a unit


@dataclass(frozen=True)
class Looked:
    """A run and what it is looked at with: scaled rows, (N, *shape), and in words which they are."""

    run: Run
    network: Whole
    viewed: Viewed
    rows: str


def features(
    run: Run, data: str | None = None, out: Path | None = None, layer: str | None = None, units: int = 16
) -> dict[str, Any]:
    """Write a PNG for each layer and one page into `out`, which is `features` in the run unless given.

    Parameters
    ----------
    data : str, optional
        Rows to look for strong activations in, at most 2,000 of them; without it those that the run keeps.
    layer : str, optional
        One layer, of any type; without it all that multiply, and the code where it bends.
    units : int
        Units of a layer that are shown at the most.

    Raises
    ------
    DataError, RunError, SettingError
        Where the rows do not fit, the run keeps none, no layer has that name, or nothing can be written.
    """
    check("features", {"units": units}, {"units": count()})
    looked = _look(run, data)
    viewed = looked.viewed
    chosen = _chosen(viewed) if layer is None else [find(viewed.layers, layer)]
    folder = run.folder / FEATURES if out is None else out
    make_folder(folder)
    with threads_for(viewed.X.size, ROWS):
        sheets = [_sheet(viewed, one, units) for one in chosen]
        told = [_written(looked, one, folder, i) for i, one in enumerate(sheets, start=1)]
        views = _views(looked, sheets, folder)
    result = {"run": str(run.folder), "rows": looked.rows, "layers": told, "views": views}
    return result | {"page": _page(looked, result, folder)}


def _look(run: Run, data: str | None) -> Looked:
    network = Whole(run.ae)
    x, rows = _kept(run) if data is None else _given(run, data)
    viewed = Viewed(network, x.reshape(-1, *network.shape), partial(_unscaled, run))
    return Looked(run, network, viewed, rows)


def _unscaled(run: Run, x: Array) -> Array:
    return run.ae.unscale(x.reshape(len(x), -1)).reshape(x.shape)


def _kept(run: Run) -> tuple[Array, str]:
    reference = read_reference(run.folder)
    if reference is None:
        raise RunError("the run keeps no rows", f"at {run.folder}", "its reference.safetensors", "name rows: DATA")
    return reference.rows, f"{len(reference.rows):,} training rows that the run keeps"


def _given(run: Run, data: str) -> tuple[Array, str]:
    X, _, which = rows_to_examine(run, rows_for(run, data))
    some = subset(len(X), MOST_ROWS)
    share = "" if len(some) == len(X) else f"{len(some):,} of the {len(X):,} in "
    return run.ae.scale(X[some]), f"{share}{data}: {which}"


def _chosen(viewed: Viewed) -> list[Layer]:
    """The layers that multiply, and the code where it is more than what the encoder gave."""
    return [one for one in viewed.layers if one.weight is not None or (one.name == "code" and one.type != "Code")]


def _sheet(viewed: Viewed, layer: Layer, units: int) -> Sheet:
    if layer.name == viewed.weighted[-1].name:
        return last_sheet(viewed, layer, units)
    return sheet(viewed, layer, units, paints=layer.name.startswith("decoder."))


def _written(looked: Looked, one: Sheet, folder: Path, place: int) -> dict[str, Any]:
    layer = one.layer
    path = folder / f"{place:02d}-{re.sub(r'[^A-Za-z0-9.]+', '-', layer.name)}.png"
    _draw(path, one.picture)
    return {
        "name": layer.name,
        "type": layer.type.removeprefix("_"),
        "shape": list(layer.shape),
        "units": one.of,
        "sheet": str(path),
        "shown": one.units,
        "told": one.told,
        "sees": _sees(looked.viewed, layer),
        "columns": _columns(looked, one),
    }


def _draw(path: Path, picture: Array) -> None:
    write_image(path, picture.reshape(1, -1), picture.shape, (0.0, 1.0))


def _sees(viewed: Viewed, layer: Layer) -> list[int] | None:
    """The extents of what a unit in the middle of a map sees; None where it has no place, or stands behind the code."""
    if len(layer.shape) < 2 or not layer.name.startswith("encoder."):
        return None
    middle = [n // 2 for n in layer.shape[1:]]
    return [box.stop - box.start for box in field(viewed.network, layer.name, viewed.shape, middle)]


def _columns(looked: Looked, one: Sheet) -> list[dict[str, Any]]:
    """Of each unit the columns of a table that count most, with their share of the largest."""
    names = looked.run.columns
    flat = one.answers.reshape(len(one.answers), -1)
    if tiles.drawable(looked.viewed.shape) or flat.shape[1] != len(names):
        return []
    shares = flat / np.maximum(np.abs(flat).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    order = np.argsort(-np.abs(flat), axis=1, kind="stable")[:, :TOP]
    return [
        {"unit": unit, "columns": [[names[i], float(share[i])] for i in first]}
        for unit, share, first in zip(one.units, shares, order, strict=True)
    ]


def _views(looked: Looked, sheets: Sequence[Sheet], folder: Path) -> list[dict[str, str]]:
    """Of pictures: where the network looks, and what its layers make of one."""
    if not tiles.drawable(looked.viewed.shape):
        return []
    views = [_occluded(looked, folder / "occlusion.png")]
    last = looked.viewed.weighted[-1].name  # whose sheet shows what it reads
    maps = [one for one in sheets if len(one.layer.shape) == 3 and one.layer.name != last]
    return [*views, _maps(looked, maps, folder / "maps.png")] if maps else views


def _occluded(looked: Looked, path: Path) -> dict[str, str]:
    viewed, network = looked.viewed, looked.network
    rows = viewed.X[subset(len(viewed.X), PICTURES)]
    back = _reconstructed(network, rows)
    side = max(1, round(min(viewed.shape[1:]) / 5))
    patch = Patch(side, max(1, side // 2))
    pictures = [*viewed.lit(rows), *viewed.lit(back)]
    pictures += [_moved(network, row, patch) for row in rows]
    laid = tiles.laid([tiles.sized(one, 2 * SIDE) for one in pictures], len(rows), 8)
    _draw(path, laid)
    told = (
        f"Pictures; their reconstructions; and how far the code moves when a patch of {side} × {side} covers a place "
        "with the mean: the lighter, the more hangs on that place."
    )
    return {"name": "Where it looks", "told": told, "sheet": str(path)}


def _reconstructed(network: Whole, rows: Array) -> Array:
    found: Array = network.reconstructions(torch.as_tensor(rows)).cpu().numpy()
    return found


def _moved(network: Whole, row: Array, patch: Patch) -> Array:
    moved = occlusion(distance(network.codes, row), row, patch).on_pixels()
    return np.broadcast_to(tiles.lit(moved, 0.0, float(moved.max())), row.shape)


def _maps(looked: Looked, sheets: Sequence[Sheet], path: Path) -> dict[str, str]:
    viewed = looked.viewed
    row = viewed.X[:1]
    channels = viewed.shape[0]
    lines = []
    for one in sheets:
        found = activations(viewed.network, one.layer.name, row)[0][one.units[:MAPS]]  # (U, h, w)
        drawn = [np.broadcast_to(m[None], (channels, *m.shape)) for m in tiles.signed(found)]
        blank = [np.full((channels, 1, 1), tiles.BLANK)] * (MAPS - len(drawn))
        lines += [tiles.sized(one, 2 * SIDE - 24) for one in (viewed.lit(row)[0], *drawn, *blank)]
    _draw(path, tiles.laid(lines, MAPS + 1, 6))
    names = ", ".join(f"{one.layer.name}" for one in sheets)
    told = (
        f"One picture, and the first units’ maps of it in each layer shown above: {names}. Grey is 0, white the most."
    )
    return {"name": "What the layers make of one picture", "told": told, "sheet": str(path)}


def _page(looked: Looked, result: dict[str, Any], folder: Path) -> str | None:
    """The page; None where it cannot be drawn: the sheets need less."""
    from isthmus.report import features_page

    if not can_draw():
        return None
    about = looked.run.about
    title = f"What {about.get('kind', 'an autoencoder')} of {about.get('data', {}).get('name', 'data')} learned to see"
    atomic_write_text(folder / PAGE, features_page(result, title))
    return str(folder / PAGE)
