"""What a trained run makes of its code: samples, ways between rows, walks along units, exchanged contents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import generating, samplers
from isthmus._constraints import check, count
from isthmus._fitting import needs_groups
from isthmus.data import Dataset, load_data, write_animation, write_numbers, write_sheet, write_table
from isthmus.errors import DataError, RunError, SettingError, nearest
from isthmus.estimators import Autoencoder
from isthmus.runs.examining import read_reference
from isthmus.runs.folder import Run
from isthmus.runs.source import Load, left_out, rows_for, rows_to_examine
from isthmus.runs.using import check_rows_suffix, limits, written_rows

Array = NDArray[np.floating]
PICTURES = (".png", ".gif")
SAMPLERS: dict[str, Callable[[int], samplers.Sampler]] = {
    "mixture": lambda seed: samplers.GaussianMixture(random_state=seed),
    "flow": lambda seed: samplers.Flow(random_state=seed),
}


@dataclass(frozen=True)
class Laid:
    """Rows that belong into lines and columns, (A, B, D) in input units, and what the two axes of places are."""

    rows: Array
    axes: tuple[str, str]
    labels: tuple[str, ...] = ()  # of the A lines
    values: tuple[Array, Array] | None = None  # of both places in a table; None: they are counted from 0


def sample(run: Run, n: int, seed: int, out: Path, sampler: str = "prior", group: str | None = None) -> dict[str, Any]:
    """n rows in input units from the code's prior, or from a sampler fitted to the codes of the rows a run keeps.

    Raises
    ------
    SettingError
        Where n is not positive, the code has no prior, or there is no such sampler or group.
    RunError
        Where a sampler is to be fitted and the run keeps no rows.
    """
    check("sample", {"n": n}, {"n": count()})
    if sampler not in ("prior", *SAMPLERS):
        raise SettingError(f"no sampler called {sampler!r}", "in sample", hint=nearest(sampler, ("prior", *SAMPLERS)))
    write = written_rows(run, out)
    ae = _of_group(run.ae, group)
    if sampler == "prior" and not generating.has_prior(ae):
        raise SettingError(
            "this code has no prior to sample from",
            "in sample",
            "a run of a kind that has one, such as variational",
            "fit one to the codes of training rows: --sampler mixture",
        )
    if sampler == "prior":
        return write(ae.sample(n, random_state=seed))
    if (rows := _rows_of(run)) is None:
        raise _no_rows(run)
    fitted = SAMPLERS[sampler](seed).fit(ae.transform(rows))
    return write(generating.sample_with(ae, fitted, n, seed))


@dataclass(frozen=True)
class Between:
    """Which ways between rows: how many pairs, drawn by `seed`; `how` as in `isthmus.generating.interpolate`."""

    pairs: int = 8
    steps: int = 9
    how: str | None = None
    seed: int = 0


def interpolate(
    run: Run, data: str, out: Path, between: Between, group: str | None = None, load: Load = load_data
) -> dict[str, Any]:
    """Rows on the way between pairs of rows drawn from data, by way of the code.

    Raises
    ------
    SettingError, DataError
        Where a setting does not fit, or there are fewer than two rows.
    """
    check_rows_suffix(run, out, PICTURES)
    check("interpolate", {"pairs": between.pairs}, {"pairs": count()})
    ae, dataset = _of_group(run.ae, group), rows_for(run, data, load)
    X, _, which = rows_to_examine(run, dataset)
    if len(X) < 2:
        raise DataError(f"{len(X)} rows", f"in {data}", "two at least, to go from one to the other")
    rng = np.random.default_rng(between.seed)
    ends = np.array([rng.choice(len(X), size=2, replace=False) for _ in range(between.pairs)])
    made = generating.interpolate(ae, X[ends[:, 0]], X[ends[:, 1]], between.steps, between.how)
    how = between.how or generating.default_path(ae)
    told = {"rows": which, "pairs": between.pairs, "steps": between.steps, "how": how}
    return _write(run, out, Laid(made, ("pair", "step"))) | told | left_out(dataset)


@dataclass(frozen=True)
class Along:
    """Which walks along units, from which row of the data; as in `isthmus.generating.traverse`."""

    units: Sequence[int] | None = None
    steps: int = 9
    reach: float = 3.0
    row: int = 0


def traverse(
    run: Run, data: str | None, out: Path, along: Along, group: str | None = None, load: Load = load_data
) -> dict[str, Any]:
    """Rows whose code differs in one unit from that of a row of data, or from the median of the codes.

    Raises
    ------
    SettingError, DataError, RunError
        Where a setting does not fit, data have no such row, or nothing says how far units range.
    """
    check_rows_suffix(run, out, PICTURES)
    ae, rows = _of_group(run.ae, group), _rows_of(run)
    dataset = None if data is None else rows_for(run, data, load)
    start = None if dataset is None else _row(dataset, along.row, str(data))
    if rows is None and not generating.has_prior(ae):
        raise _no_rows(run)
    seen = generating.spread_codes(ae, rows)
    units = generating.active_units(ae, seen, along.reach) if along.units is None else list(along.units)
    made = generating.traverse(ae, start, units, along.steps, along.reach, rows=rows)[0]
    values = generating.walk(seen, units, along.steps, along.reach)
    laid = Laid(made, ("unit", "value"), tuple(f"unit {unit}" for unit in units), (np.array(units), values))
    told = {"units": units, "steps": along.steps, "reach": along.reach}
    return _write(run, out, laid) | told | ({} if dataset is None else left_out(dataset))


def swap_codes(run: Run, content: str, style: str, out: Path, n: int = 8, load: Load = load_data) -> dict[str, Any]:
    """The contents of the first n rows of one set with the styles of the first n of another, each with each.

    In a picture the originals stand in the margins: contents above, styles to the left.

    Raises
    ------
    SettingError, DataError
        Where a setting does not fit, or the code does not tell content from style.
    """
    check_rows_suffix(run, out)
    check("swap-codes", {"n": n}, {"n": count()})
    given = [rows_for(run, data, load) for data in (content, style)]
    contents, styles = (dataset.X[:n] for dataset in given)
    groups = given[0].y[:n] if needs_groups(run.ae.decoder) and given[0].y is not None else None
    across, down = len(contents), len(styles)
    made = run.ae.swap(
        np.tile(contents, (down, 1)),
        np.repeat(styles, across, axis=0),
        groups=None if groups is None else np.tile(groups, down),
    ).reshape(down, across, -1)
    if out.suffix.lower() == ".png":
        _draw(run, out, _with_margins(made, contents, styles), apart=True)
        wrote = _told(run, out, made)
    else:
        wrote = _write(run, out, Laid(made, ("style", "content")))
    return wrote | {"contents": across, "styles": down}


def _of_group(ae: Autoencoder, group: str | None) -> Autoencoder:
    """With its decoder bound to the group whose label reads so."""
    if group is None:
        return ae
    known = {str(label): label for label in getattr(ae, "groups_", ())}
    if not needs_groups(ae.decoder):
        raise SettingError("this run's decoder is the same for all groups", "in --group", hint="leave it out")
    if group not in known:
        raise SettingError(f"no group {group!r} in training", "in --group", hint=nearest(group, known))
    return ae.for_group(known[group])


def _row(dataset: Dataset, row: int, data: str) -> Array:
    if not 0 <= row < len(dataset.X):
        raise SettingError(f"row must be a whole number >= 0 and <= {len(dataset.X) - 1}; got {row}", f"in {data}")
    return dataset.X[row : row + 1]


def _rows_of(run: Run) -> Array | None:
    """The training rows that the run keeps, in input units."""
    reference = read_reference(run.folder)
    return None if reference is None else run.ae.unscale(reference.rows)


def _no_rows(run: Run) -> RunError:
    hint = "train it again without --no-reference"
    return RunError("the run keeps no rows", f"at {run.folder}", "its reference.safetensors", hint)


def _write(run: Run, out: Path, laid: Laid) -> dict[str, Any]:
    """As the suffix says: a sheet, a moving sheet, an array with its axes, or a table that begins with the places."""
    suffix = out.suffix.lower()
    if suffix == ".png":
        _draw(run, out, laid.rows, laid.labels)
    elif suffix == ".gif":
        write_animation(out, laid.rows.swapaxes(0, 1), run.ae.input_shape, limits(run), laid.labels)
    elif suffix == ".npy":
        write_numbers(out, laid.rows)
    else:
        write_table(out, _table(laid), [*laid.axes, *run.columns])
    return _told(run, out, laid.rows)


def _draw(run: Run, out: Path, rows: Array, labels: Sequence[str] = (), apart: bool = False) -> None:
    write_sheet(out, rows, run.ae.input_shape, limits(run), labels, apart)


def _told(run: Run, out: Path, rows: Array) -> dict[str, Any]:
    lines, across, columns = rows.shape
    return {"run": str(run.folder), "n": lines * across, "columns": columns, "output": str(out)}


def _table(laid: Laid) -> Array:
    lines, across, columns = laid.rows.shape
    first, second = laid.values or (np.arange(lines), np.broadcast_to(np.arange(across), (lines, across)))
    places = np.stack([np.broadcast_to(first[:, None], (lines, across)), second], axis=2)
    return np.concatenate([places, laid.rows], axis=2).reshape(lines * across, columns + 2)


def _with_margins(made: Array, contents: Array, styles: Array) -> Array:
    """The originals above and to the left, nothing in the corner."""
    above = np.concatenate([np.full_like(contents[:1], np.nan), contents])[None]
    beside = np.concatenate([styles[:, None], made], axis=1)
    return np.concatenate([above, beside], axis=0)
