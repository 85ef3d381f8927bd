"""Train a kind on data into a run's folder, and judge it on the rows it held out."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isthmus import __version__, saving
from isthmus._fitting import needs_groups, split
from isthmus.anomaly import AnomalyDetector
from isthmus.data import Dataset, ImageOptions, load_data
from isthmus.errors import DataError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.evidence import Reference
from isthmus.evidence.reference import subset
from isthmus.runs.examining import write_evidence, write_reference
from isthmus.runs.folder import CHECKPOINT, Mode, Run, check_plan, workplace
from isthmus.runs.record import Recorder
from isthmus.runs.settings import build
from isthmus.runs.source import Load, describe, left_out, shared_images
from isthmus.training.loop import Observer
from isthmus.trials import scores

CALIBRATION_ROWS = 2000


@dataclass(frozen=True)
class Request:
    """What to train: the kind's own arguments and the estimator's parameters are `settings`, by dotted name."""

    data: str
    kind: str
    code_size: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    images: ImageOptions | None = None


def train(
    request: Request,
    out: str | Path,
    mode: Mode = "new",
    keep_reference: bool = True,
    observers: Sequence[Observer] = (),
    load: Load = load_data,
) -> dict[str, Any]:
    """Train into the folder `out` and write evidence and a report from the validation rows.

    Parameters
    ----------
    mode : {"new", "resume", "overwrite"}
        What to do where `out` is a run already.
    keep_reference : bool
        Keep the training mean, PCA and at most 2,000 training rows, so that `evaluate` needs no training file.
    observers : sequence of callables
        Called with the training state at every epoch's end, such as a progress bar's.
    load : callable
        Reads the data, as `load_data` does.

    Returns
    -------
    dict
        What `isthmus train --json` prints.

    Raises
    ------
    IsthmusError
        Bad settings, data, or folder; `out` is then as it was.
    """
    build(request.kind, request.code_size, request.settings, request.seed)  # settings are judged before data are read
    dataset = load(request.data, images=request.images)
    ae = build(request.kind, request.code_size, request.settings, request.seed, dataset.input_shape)
    groups = groups_for(ae, dataset)
    with workplace(Path(out), mode) as folder:
        plan = _plan(request.kind, ae, dataset)
        if mode == "resume":
            check_plan(folder, plan)
        recorder = Recorder(folder, plan)
        checkpoint = folder / CHECKPOINT
        resume = checkpoint if mode == "resume" and checkpoint.exists() else None
        ae.fit(dataset.X, groups=groups, observers=[recorder, *observers], resume=resume)
        found = _finish(Run(folder, ae, {}), request, dataset, keep_reference)
        return found | {"run": str(out)} | left_out(dataset)


def groups_for(ae: Autoencoder, dataset: Dataset) -> np.ndarray | None:
    """The labels of a set, where a part needs the group of each row.

    Raises
    ------
    SettingError
        Where the set has none, or where only Python can pass them on.
    """
    if not ae.needs_groups:
        return None
    if needs_groups(ae.decoder):
        raise SettingError(
            "a decoder that hears groups cannot be examined without them",
            "in isthmus train",
            "a decoder for all groups, as the kind multilevel has",
            "fit it in Python, and examine ae.for_group(label)",
        )
    if dataset.y is None:
        raise DataError(
            f"{dataset.name} has no labels, which this kind takes for groups",
            "in isthmus train",
            "a set with labels, or a table with a column called label",
        )
    return dataset.y


def _plan(kind: str, ae: Autoencoder, dataset: Dataset) -> dict[str, Any]:
    """Everything that a resumed run must share with the run it goes on with."""
    params = {name: saving.encode(value) for name, value in ae.get_params(deep=False).items() if name != "verbose"}
    return {"kind": kind, "data": describe(dataset)["fingerprint"]} | params


def _finish(run: Run, request: Request, dataset: Dataset, keep_reference: bool) -> dict[str, Any]:
    ae, X = run.ae, dataset.X
    about = {"kind": request.kind, "settings": request.settings, "data": describe(dataset)}
    run, reference = write_run(run.folder, ae, dataset, about, keep_reference)
    held = split(len(X), ae.validation_fraction, ae.seed_)[1]
    if len(held):
        which = f"rows held out{shared_images(dataset)}"
        write_evidence(run, X[held], None if dataset.y is None else dataset.y[held], reference, which)
    return _summary(run, request.kind, X[held]) | {"evidence": bool(len(held))}


def write_run(
    folder: Path, ae: Autoencoder, trained_on: Dataset, about: Mapping[str, Any], keep_reference: bool = True
) -> tuple[Run, Reference]:
    """Write a fitted estimator with all that later verbs need of the rows it was trained on.

    Parameters
    ----------
    trained_on : Dataset
        Its `X` and `y` are what `fit` was given.
    about : mapping
        `kind`, `settings` and `data`, and whatever else is to be noted of the run.
    """
    X, y = trained_on.X, trained_on.y
    kept, held = split(len(X), ae.validation_fraction, ae.seed_)
    reference = Reference.of(ae, X[kept], None if y is None else y[kept])
    noted = {
        **about,
        "settings": {name: saving.encode(value) for name, value in about["settings"].items()},
        "seed": ae.seed_,
        "versions": versions(),
        "device": str(next(ae.module_.parameters()).device),
        "detector": _detector(ae, X, kept, held),
    }
    saving.save_autoencoder(ae, folder, {"run": noted})
    write_reference(folder, reference if keep_reference else None)
    return Run(folder, ae, {"run": noted}), reference


def _summary(run: Run, kind: str, held_out: np.ndarray) -> dict[str, Any]:
    ae = run.ae
    return {
        "run": str(run.folder),
        "kind": kind,
        "code_size": ae.module_.code.size,
        "n_train": ae.n_train_,
        "n_validation": ae.n_validation_,
        "epochs": ae.n_iter_,
        "seconds": sum(row["seconds"] for row in ae.history_),
        "stopped": ae.stopped_,
        "engine": ae.engine_,
        "validation": scores(ae, held_out) if len(held_out) else {"mse": None, "r2": None},
    }


def _detector(ae: Autoencoder, X: np.ndarray, kept: np.ndarray, held: np.ndarray) -> dict[str, Any]:
    """Anomaly detection calibrated on rows that training did not see, where there are any."""
    some = kept[subset(len(kept), CALIBRATION_ROWS)]
    unseen = held[subset(len(held), CALIBRATION_ROWS)]
    rows = X[np.concatenate([some, unseen])]
    calibrate_on = np.arange(len(some), len(rows)) if len(unseen) else None
    return AnomalyDetector.from_fitted(ae, rows, held=calibrate_on).calibration()


def versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    from importlib.metadata import version

    packages = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"isthmus": __version__, "python": platform.python_version(), **packages}
