"""Features at different levels: what drives the units of a convolutional classifier, projected back to the picture.

Claim. The first level of a convolutional network answers to edges, higher ones to parts and to whole objects: what a
unit sees grows, and what drives it most comes ever more from one class (Zeiler & Fergus 2014, figure 2). Projecting an
activation back with a deconvnet, convolutions transposed and maxima put where they were taken from, shows what in the
picture drove it; covering that part lowers the activation (their figure 7).

Set-up. Three levels of 3 × 3 convolutions and rectifiers, maxima over pairs between them, one dense layer. Of each unit
the nine strongest activations over pictures that were not trained on, one a picture.

Measured. `adjoint_conv`, `adjoint_pool`: the largest |⟨L x, y⟩ − ⟨x, Lᵀ y⟩| / ‖L x‖‖y‖ of the trained layers on the
pictures, in float64; a maximum is linear once its switches are set. `field_growth`: the least growth, in pixels, of
what a unit sees from one level to the next. `entropy_level1` … `entropy_level3`: bits of the nine's classes, the mean
over units and seeds; `entropy_fall`: from the first level to the last, the mean over seeds, `entropy_fall_least` the
least; `entropy_fall_untrained`: the mean before training, where depth alone should not make classes.

The rest asks whether projections tell the truth about a unit, trained or not, each the least of a level and seed.
`likeness`: correlation of a projection with its patch less that with other patches of the same place. `fed_back`: how
often a projection, given to the network in its patch's place and at its norm, drives the unit more than another
picture's patch does at that norm. `occlusion`: correlation of the drop of the unit's activation where a patch covers
the picture with the size of the projection there, less that with another unit's projection; from the second level on,
since a projection of the first is its kernel whatever the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus import seeing
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.evidence import projections
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.stack import stack
from isthmus.seeing import Patch
from isthmus.trials import TO_THE_END, split_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
DRAWN = 5  # units a level, and pictures that are occluded


@dataclass(frozen=True)
class Trial:
    """One seed: the network, the pictures as it sees them, (M, C, H, W), and as people do, its levels, its numbers."""

    network: nn.Module
    X: Array
    shown: Array
    y: NDArray[np.integer]
    levels: Sequence[projections.Level]
    found: Mapping[str, Any]


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train a classifier for each seed and look at its levels."""
    trials = [_trial(settings, seed) for seed in seeds]
    found = {key: np.array([trial.found[key] for trial in trials]) for key in trials[0].found}
    falls, before = (found[key][:, 0] - found[key][:, -1] for key in ("bits", "bits_untrained"))
    numbers = {
        **{key: found[key].max() for key in ("adjoint_conv", "adjoint_pool")},
        "field_growth": np.diff(found["extents"], axis=1).min(),
        "entropy_fall": falls.mean(),
        "entropy_fall_least": falls.min(),
        "entropy_fall_untrained": before.mean(),
        **{key: found[key].min() for key in ("likeness", "fed_back", "occlusion", "accuracy")},
        **{f"entropy_level{level}": value for level, value in enumerate(found["bits"].mean(axis=0), 1)},
    }
    first = trials[0]
    watched = [seeing.probability(first.network, int(label)) for label in first.y[:DRAWN]]
    maps = [seeing.occlusion(one, x, Patch(settings["patch"])) for one, x in zip(watched, first.X, strict=False)]
    series = {
        "pixels_seen": [round(extent, 1) for extent in first.found["extents"]],
        "classes": first.y[:DRAWN].tolist(),
        "changes_of_probability": drawing.rounded([found.on_pixels() for found in maps]),
    }
    drawings = {"projections": draw_projections, "occlusion": draw_occlusion}
    return Measured(numbers, {name: partial(draw, trial=first, told=series) for name, draw in drawings.items()}, series)


def _trial(settings: Settings, seed: int) -> Trial:
    data = load_data(settings["data"])
    rows, shape, most = split_classes(data, seed), data.input_shape or (), settings["rows"]
    how = {"channels": settings["channels"], "pooled": settings["pooled"]}
    classifier = Classifier(
        lambda inputs, classes: stack(shape, classes, **how),
        input_shape=shape,
        max_epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    ).fit(rows.train, np.asarray(rows.train_labels))
    network, untrained = seeing.of(classifier), stack(shape, len(classifier.classes_), **how, seed=seed)
    raw, labels = rows.test[:most], np.asarray(rows.test_labels)[:most]
    X = classifier.scaler_.apply(raw).astype(np.float32).reshape(-1, *shape)
    y = np.searchsorted(classifier.classes_, labels)
    names = [layer.name for layer in seeing.layers(network, X) if layer.bends]
    levels = [projections.level(network, name, X, settings["units"]) for name in names]
    rng = np.random.default_rng(seed)
    found = projections.worth(network, levels, X, Patch(settings["patch"]), rng) | {
        "extents": [level.extent for level in levels],
        "bits": [projections.class_bits(network, name, X, y) for name in names],
        "bits_untrained": [projections.class_bits(untrained, name, X, y) for name in names],
        "accuracy": float(np.mean(classifier.predict(raw) == labels)),
    }
    return Trial(network, X, raw.reshape(X.shape), y, levels, found)


def draw_projections(figure: Figure, trial: Trial, told: Mapping[str, Any]) -> None:
    """Of each level some units: nine patches beside nine projections."""
    for i, (axes, level) in enumerate(zip(figure.subplots(1, len(trial.levels)), trial.levels, strict=True)):
        title = f"level {i + 1} sees\n{told['pixels_seen'][i]:g} pixels a side"
        drawing.picture(axes, projections.sheet(level, trial.shown, DRAWN), title, (0, 1))
    figure.suptitle("Nine patches that drive a unit most; beside them, their projections")


def draw_occlusion(figure: Figure, trial: Trial, told: Mapping[str, Any]) -> None:
    """Pictures above the change of their class's probability as a patch covers them."""
    axes = figure.subplots(2, DRAWN)
    for i, (label, change) in enumerate(zip(told["classes"], told["changes_of_probability"], strict=True)):
        drawing.picture(axes[0, i], trial.shown[i].mean(axis=0), f"class {label}")
        drawing.changes(axes[1, i], change, f"{np.min(change):+.2g} at most")
    figure.suptitle("Where covering a place lowers its class’s probability: red")


FEATURE_VISUALISATION = Experiment(
    name="feature-visualisation",
    part="I",
    claim="Higher levels of a convolutional network see more and answer ever more to one class; projections show it.",
    lecture="features at different levels (Zeiler & Fergus)",
    reference="Zeiler & Fergus 2014",
    measure=measure,
    expected={"adjoint_conv": ("<=", 1e-6), "adjoint_pool": ("<=", 1e-6), "field_growth": (">", 0)}
    | {"entropy_fall": (">=", 0.15), "entropy_fall_untrained": ("<=", 0.1)}
    | {"likeness": (">=", 0.3), "fed_back": (">=", 0.95), "occlusion": (">=", 0.1)},
    settings={"data": "digits", "rows": 1000, "channels": (16, 32, 64), "pooled": (2,), "epochs": 15}
    | {"learning_rate": 3e-3, "units": 12, "patch": 2},
    full={"data": "mnist", "rows": 10_000, "pooled": (1, 2), "epochs": 2, "patch": 5},
)
