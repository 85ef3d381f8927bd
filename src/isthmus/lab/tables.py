"""A paper's table, with what the full protocol gave here beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from isthmus.errors import SettingError
from isthmus.lab.experiment import Experiment
from isthmus.lab.gallery import read_result
from isthmus.lab.registry import EXPERIMENTS, find
from isthmus.lab.running import Protocol, command, stem

SHARE = 0.95  # of the intervals


def compared(name: str, out: Path) -> dict[str, Any]:
    """The table of an experiment: the published numbers, and ours where a folder holds the full protocol's result.

    Returns
    -------
    dict
        What `isthmus lab table --json` prints: of each row its name, `published`, `ours` and the ends of the 95 %
        `interval` of the mean over seeds; None where it was not run, or with one seed. `command` is what runs it.

    Raises
    ------
    SettingError
        Where there is no such experiment, or no table that it repeats.
    RunError
        Where the result is damaged.
    """
    experiment = find(name)
    if not experiment.published:
        known = ", ".join(one.name for one in EXPERIMENTS if one.published)
        raise SettingError(f"{name} repeats no published table", "in the lab", f"one of {known}")
    path = out / f"{stem(name, full=True)}.json"
    told = read_result(path) if path.is_file() else None
    return {
        "name": name,
        "claim": experiment.claim,
        "reference": experiment.reference,
        "unit": experiment.unit,
        "ran": told is not None,
        "seeds": told["seeds"] if told else experiment.seeds,
        "command": told["command"] if told else command(experiment, Protocol(full=True)),
        "budget": experiment.budget,
        "rows": _rows(experiment, told or {}),
    }


def _rows(experiment: Experiment, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    measured, samples = told.get("measured", {}), told.get("samples", {})
    return [
        {
            "row": one.row,
            "key": one.key,
            "published": one.number,
            "ours": measured.get(one.key),
            "interval": interval(samples.get(one.key, ())),
        }
        for one in experiment.published
    ]


def interval(values: Sequence[float]) -> list[float] | None:
    """The ends of the mean's 95 % interval (Student 1908); None of fewer than two values."""
    if len(values) < 2:
        return None
    reach = t.ppf((1 + SHARE) / 2, len(values) - 1) * np.std(values, ddof=1) / sqrt(len(values))
    return [float(np.mean(values) - reach), float(np.mean(values) + reach)]
