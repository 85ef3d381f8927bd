"""Which rows a run saw, and rows brought to it later: fingerprints, and columns that must agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from isthmus._fitting import split
from isthmus.data import NAMES, Dataset, ImageOptions, load_data
from isthmus.errors import DataError
from isthmus.runs.folder import Run
from isthmus.trials import hold_out

Load = Callable[..., Dataset]  # `load_data`, or what takes its arguments
SWEEP = "rows held out from the sweep"  # in a run's `held_out`: on these its settings were chosen


def fingerprint(X: np.ndarray) -> str:
    """A hash of rows X, (N, D): of their bytes, shape and type."""
    digest = hashlib.blake2b(f"{X.shape} {X.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(X).data)
    return digest.hexdigest()


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a run's configuration says of its training data."""
    return {
        "name": dataset.name,
        "source": dataset.source,
        "rows": len(dataset.X),
        "columns": dataset.X.shape[1],
        "dtype": str(dataset.X.dtype),
        "fingerprint": fingerprint(dataset.X),
        "feature_names": None if dataset.feature_names is None else list(dataset.feature_names),
        "input_shape": None if dataset.input_shape is None else list(dataset.input_shape),
        "images": None if dataset.images is None else str(dataset.images),
    }


def left_out(dataset: Dataset) -> dict[str, Any]:
    """What a verb's result says of the images it could not use; nothing where there were no images."""
    return {} if dataset.images is None else {"skipped": [asdict(one) for one in dataset.skipped]}


def rows_for(run: Run, spec: str, load: Load = load_data) -> Dataset:
    """Load rows for a trained run, their columns in the order of training; a folder's images are cut as in training.

    Raises
    ------
    DataError
        Where the rows cannot be read, or their columns are not those of training.
    """
    dataset = load(spec, constant_ok=True, images=_cut_of(run, spec))
    width = run.ae.n_features_in_
    if dataset.X.shape[1] != width:
        raise DataError(
            f"{dataset.X.shape[1]} columns",
            f"in {spec}",
            f"the {width} columns that {run.folder} was trained on",
            "give data of the same columns, or train on these",
        )
    return _in_order(dataset, run.about.get("data", {}), spec)


def _cut_of(run: Run, spec: str) -> ImageOptions | None:
    """How the images of a folder become rows of this run; None where `spec` is no folder."""
    if spec in NAMES or not Path(spec).is_dir():
        return None
    said = run.about.get("data", {}).get("images")
    if said is not None:
        return ImageOptions.parse(said)
    shape = run.ae.blueprint_.input_shape
    whole = len(shape) == 3 and shape[0] in (1, 3)
    return ImageOptions(size=(shape[1], shape[2]), channels=shape[0]) if whole else None


def _in_order(dataset: Dataset, trained: Mapping[str, Any], spec: str) -> Dataset:
    names, given = trained.get("feature_names"), dataset.feature_names
    if not names or given is None or list(given) == names:
        return dataset
    missing = [name for name in names if name not in given]
    if missing:
        raise DataError(
            f"no column {missing[0]!r}",
            f"in {spec}",
            f"the columns of training: {', '.join(names[:6])}{', …' if len(names) > 6 else ''}",
            "rename the columns as they were in training",
        )
    order = [given.index(name) for name in names]
    return replace(dataset, X=np.ascontiguousarray(dataset.X[:, order]), feature_names=tuple(names))


def rows_to_examine(run: Run, dataset: Dataset) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Rows to examine a run on, their labels, and in words which they are.

    A set's own test rows where it has them; of the training data itself the rows that were held out; else all.
    """
    if dataset.X_test is not None:
        return dataset.X_test, dataset.y_test, "the set's own test rows"
    if fingerprint(dataset.X) != run.about.get("data", {}).get("fingerprint"):
        return dataset.X, dataset.y, "all rows"
    held, which = _held_out(run, len(dataset.X))
    if not len(held):
        return dataset.X, dataset.y, "all rows, which are those it was trained on: none were held out"
    return dataset.X[held], None if dataset.y is None else dataset.y[held], which + shared_images(dataset)


def shared_images(dataset: Dataset) -> str:
    """What is to be said beside rows held out: tiles of one image lie on both sides."""
    tiled = dataset.images is not None and dataset.images.how == "tile"
    return ", tiles of images it was trained on" if tiled else ""


def _held_out(run: Run, n: int) -> tuple[np.ndarray, str]:
    """Numbers of the rows, of n, that the run was not trained on."""
    if run.about.get("held_out") == SWEEP:
        return hold_out(n, "the data")[1], f"the {SWEEP}"
    return split(n, run.ae.validation_fraction, run.ae.seed_)[1], "the rows held out from training"
