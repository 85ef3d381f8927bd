"""How many directions a code keeps where the dimension of the rows is known: products of circles, with noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from isthmus import zoo
from isthmus.data.manifolds import circles
from isthmus.evidence.contraction import directions, spectra
from isthmus.lab import drawing
from isthmus.lab.experiment import Settings
from isthmus.trials import TO_THE_END, fit_all

DIMENSIONS = (1, 2, 3, 4)
COLUMNS, NOISE, TRAIN, TEST = 16, 0.05, 1000, 200


def measured(settings: Settings, seeds: Sequence[int]) -> tuple[dict[str, float], dict[str, Any]]:
    """Numbers and series of nets of two layers, with a contraction of strength `planted` and without.

    `directions_rank`, `directions_difference`: rank correlation of the directions kept and the dimension, and their
    largest difference, means over seeds.
    """
    places = [(seed, dimension) for seed in seeds for dimension in DIMENSIONS]
    draws = [circles(TRAIN + TEST, d, COLUMNS, NOISE, np.random.default_rng([seed, d])) for seed, d in places]
    how: dict[str, Any] = {"scaling": "global", "input_shape": (1, 4, 4), "learning_rate": 5e-3, "batch_size": 64}
    how |= {"max_epochs": settings["planted_epochs"], **TO_THE_END}
    strengths = {"contraction": settings["planted"], "no penalty": 0.0}
    nets = [zoo.contractive(16, by, (64,), random_state=seed, **how) for by in strengths.values() for seed, _ in places]
    fit_all(nets, [X[:TRAIN] for _ in strengths for X in draws])
    tests = [X[TRAIN:] for _ in strengths for X in draws]
    found = np.reshape(
        [directions(spectra(ae, X)).mean() for ae, X in zip(nets, tests, strict=True)], (2, len(seeds), -1)
    )
    kept = found[0].mean(axis=0)  # of (strengths, seeds, dimensions)
    numbers = {
        "directions_rank": float(spearmanr(DIMENSIONS, kept).statistic),
        "directions_difference": float(np.abs(kept - DIMENSIONS).max()),
    }
    drawn = dict(zip(strengths, found, strict=True)) | {"the rows' own": [DIMENSIONS]}
    return numbers, {"planted": {name: drawing.quartiles(one) for name, one in drawn.items()}}
