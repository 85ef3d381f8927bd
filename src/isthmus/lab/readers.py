"""Perceptrons that read a named set of pictures: alike from many seeds, and what they get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.lab import grids
from isthmus.lab.experiment import Settings
from isthmus.populations import fit_together
from isthmus.trials import Split, split

HOW = ("batch_size", "learning_rate", "label_smoothing", "weight_decay", "schedule", "optimizer", "momentum", "engine")
Fits = Sequence[Classifier]


def rows(settings: Settings) -> Split:
    """The set that `data` names: its own test rows, or 30 % of its rows, the same ones every time."""
    return split(load_data(settings["data"]))


def trained(
    network: networks.MLP, found: Split, seeds: Sequence[int], settings: Settings, watch: str | None = None
) -> list[Classifier]:
    """A net for each seed, trained for `epochs` on all rows, with those of the settings that a classifier has.

    `watch`: "gradients" looks at them before training.
    """
    own = {name: settings[name] for name in HOW if name in settings}
    own |= {"scaling": "global", "max_epochs": settings["epochs"], "validation_fraction": 0.0, "device": "cpu"}
    fits = [Classifier(network, early_stopping=False, random_state=seed, **own) for seed in seeds]
    for fit in fits:
        for fault in fit_together([fit], found.train, y=np.asarray(found.train_labels), watch=watch, when=(0,)):
            if fault is not None:
                raise fault
    return fits


def errors(fits: Fits, found: Split) -> list[float]:
    """Percent of the test rows that each net names wrongly."""
    return [100 * (1 - float(fit.score(found.test, np.asarray(found.test_labels)))) for fit in fits]


def told(key: str, percent: Sequence[float], found: Split) -> Mapping[str, float]:
    """Mean and worst error, and half the 95 % interval that so many test rows leave a single net's error."""
    share = float(np.mean(percent)) / 100
    half = 196 * float(np.sqrt(share * (1 - share) / len(found.test)))
    return {key: 100 * share, f"{key}_worst": max(percent), f"{key}_half_width": half}


def compared(nets: Mapping[str, networks.MLP], settings: Settings, seeds: Sequence[int]) -> dict[str, float]:
    """Of two kinds of nets the errors, what comes back before training, and how much better the second is."""
    found = rows(settings)
    numbers: dict[str, float] = {}
    for name, net in nets.items():
        fits = trained(net, found, seeds, settings, "gradients")
        numbers |= told(f"error_percent_{name}", errors(fits, found), found)
        numbers[f"signal_ratio_{name}"] = grids.ratio([grids.Net(fit) for fit in fits])
    first, last = (numbers[f"error_percent_{name}"] for name in nets)
    return {**numbers, "better_by": first - last}
