"""What a trained run does with rows: encode, decode, reconstruct, flag anomalies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data import load_data, write_image, write_table
from isthmus.errors import DataError, RunError, SettingError
from isthmus.loading import restore_detector
from isthmus.runs.folder import Run
from isthmus.runs.source import Load, left_out, rows_for

TOP = 3  # columns named for each row's score
TABLES = (".npy", ".parquet", ".csv")


def encode(run: Run, data: str, out: Path, load: Load = load_data) -> dict[str, Any]:
    """The code of each row, written with columns code0, code1, …"""
    check_suffix(out, TABLES)
    dataset = rows_for(run, data, load)
    Z = run.ae.transform(dataset.X)
    write_table(out, Z, run.code_columns)
    return _written(run, out, Z) | left_out(dataset)


def decode(run: Run, codes: str, out: Path) -> dict[str, Any]:
    """Rows in input units from codes.

    Raises
    ------
    DataError
        Where the codes are not as wide as the run's.
    """
    write = written_rows(run, out)
    Z = load_data(codes, constant_ok=True).X
    size = run.ae.module_.code.size
    if Z.shape[1] != size:
        raise DataError(
            f"{Z.shape[1]} columns", f"in {codes}", f"the {size} numbers of this run's code", "give what encode wrote"
        )
    return write(run.ae.inverse_transform(Z))


def reconstruct(run: Run, data: str, out: Path, load: Load = load_data) -> dict[str, Any]:
    """Each row encoded and decoded, in input units."""
    write = written_rows(run, out)
    dataset = rows_for(run, data, load)
    X_hat = run.ae.reconstruct(dataset.X)
    mse = float(np.mean(np.square(dataset.X.astype(np.float64) - X_hat)))
    return write(X_hat) | {"mse": mse} | left_out(dataset)


def anomalies(run: Run, data: str, out: Path, load: Load = load_data) -> dict[str, Any]:
    """A score a row (the lower the stranger), whether it is flagged, and the columns that contributed most."""
    check_suffix(out, TABLES)
    saved = run.about.get("detector")
    if saved is None:
        raise RunError(
            "no calibration of scores", f"at {run.folder}", "a run that isthmus train wrote", "train it again"
        )
    detector, dataset = restore_detector(run.folder, run.ae, saved), rows_for(run, data, load)
    contributions = detector.contributions(dataset.X)  # (N, D)
    scores = -contributions.sum(axis=1)
    flagged = scores < detector.offset_
    _write_scores(run, out, scores, flagged, contributions)
    found = {"anomalies": int(flagged.sum()), "offset": float(detector.offset_)}
    return {"run": str(run.folder), "n": len(scores), **found, "output": str(out)} | left_out(dataset)


def _write_scores(run: Run, out: Path, scores: np.ndarray, flagged: np.ndarray, contributions: np.ndarray) -> None:
    """In a .npy, which holds numbers alone, columns go by their number."""
    top = np.argsort(-contributions, axis=1, kind="stable")[:, :TOP]  # (N, 3)
    names = ["score", "anomaly", *(f"top{i + 1}" for i in range(top.shape[1]))]
    if out.suffix.lower() == ".npy":
        write_table(out, np.column_stack([scores, flagged, top]), names)
        return
    table = np.empty((len(scores), len(names)), dtype=object)
    table[:, 0], table[:, 1] = scores.tolist(), flagged.astype(int).tolist()
    table[:, 2:] = np.array(run.columns, dtype=object)[top]
    write_table(out, table, names)


def written_rows(run: Run, out: Path) -> Callable[[np.ndarray], dict[str, Any]]:
    """What writes rows in input units as the suffix says; refused here where it could not.

    Raises
    ------
    SettingError
        Where the suffix is not known, or is a picture's and rows are no images.
    """
    check_rows_suffix(run, out)
    return partial(_write_rows, run, out)


def _write_rows(run: Run, out: Path, X: np.ndarray) -> dict[str, Any]:
    if out.suffix.lower() == ".png":
        write_image(out, X, run.ae.input_shape, limits(run))
    else:
        write_table(out, X, run.columns)
    return _written(run, out, X)


def limits(run: Run) -> tuple[float, float]:
    """From where to where the training rows reach, in input units: what a picture draws black and white."""
    known, scaler = run.ae.blueprint_, run.ae.scaler_
    low, high = (np.asarray(end) * scaler.scale + scaler.shift for end in (known.low, known.high))
    return float(low.min()), float(high.max())


def _written(run: Run, out: Path, table: np.ndarray) -> dict[str, Any]:
    return {"run": str(run.folder), "n": len(table), "columns": table.shape[1], "output": str(out)}


def check_rows_suffix(run: Run, out: Path, pictures: tuple[str, ...] = (".png",)) -> None:
    """Refuse what could not be written before anything is computed.

    Raises
    ------
    SettingError
        Where the suffix is not known, or is a picture's and rows are no images.
    """
    suffix = out.suffix.lower()
    if suffix in pictures and (run.ae.input_shape is None or len(run.ae.input_shape) < 2):
        raise SettingError(
            f"a {suffix} needs rows that are images",
            f"to write {out}",
            "a run trained on images, or with --set input_shape=1,28,28",
            f"write a table instead: {', '.join(TABLES)}",
        )
    check_suffix(out, (*TABLES, *pictures))


def check_suffix(out: Path, known: tuple[str, ...]) -> None:
    """Refuse what could not be written before anything is computed.

    Raises
    ------
    SettingError
        Where the suffix is not known.
    """
    if out.suffix.lower() not in known:
        raise SettingError(
            f"the suffix {out.suffix!r} is not known",
            f"to write {out}",
            ", ".join(known),
            "the suffix chooses the format",
        )
