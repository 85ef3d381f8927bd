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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from isthmus import seeing
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.seeing import Patch, Strongest, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
LEVELS = 3
OTHERS = 20  # patches that a projection is held against
DRAWN = 5  # units a level, and pictures that are occluded


@dataclass(frozen=True)
class Pictures:
    """Rows to train on, (N, D), and to look at, (M, D), with their classes."""

    X: Array
    y: NDArray[Any]
    X_test: Array
    y_test: NDArray[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """One level of one network.

    Attributes
    ----------
    name : str
        The rectifier's layer.
    best : Strongest
        The nine strongest of its live units; `rows`, `units`, `places` below have them one after another, n in all.
    boxes : sequence
        What was seen from each place.
    projections : array of shape (n, C, H, W)
    """

    name: str
    best: Strongest
    rows: NDArray[np.intp]
    units: NDArray[np.intp]
    places: NDArray[np.intp]
    boxes: Sequence[tuple[slice, ...]]
    projections: Array

    @property
    def extent(self) -> float:
        """The mean side of what is seen, in pixels."""
        return float(np.mean([side.stop - side.start for box in self.boxes for side in box]))


@dataclass(frozen=True)
class Trial:
    """One seed: the trained network, the pictures as it sees them, its levels, and entropies before and after."""

    network: nn.Module
    X: Array
    shown: Array  # the pictures as people see them
    y: NDArray[Any]
    accuracy: float
    levels: list[Level]
    entropies: list[float]
    untrained: list[float]
    rng: np.random.Generator

    @property
    def growth(self) -> float:
        return min(b.extent - a.extent for a, b in zip(self.levels, self.levels[1:], strict=False))


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train a classifier for each seed and look at its levels."""
    trials = [_trial(settings, seed) for seed in seeds]
    falls = [trial.entropies[0] - trial.entropies[-1] for trial in trials]
    before = [trial.untrained[0] - trial.untrained[-1] for trial in trials]
    levels = [(trial, level) for trial in trials for level in trial.levels]
    deep = [(trial, level) for trial in trials for level in trial.levels[1:]]
    numbers = {
        "adjoint_conv": max(_adjoint(trial, nn.Conv2d) for trial in trials),
        "adjoint_pool": max(_adjoint(trial, nn.MaxPool2d) for trial in trials),
        "field_growth": min(trial.growth for trial in trials),
        "entropy_fall": float(np.mean(falls)),
        "entropy_fall_least": min(falls),
        "entropy_fall_untrained": float(np.mean(before)),
        "likeness": min(likeness(trial, level) for trial, level in levels),
        "fed_back": min(fed_back(trial, level) for trial, level in levels),
        "occlusion": min(agreement(trial, level, settings["patch"]) for trial, level in deep),
        "accuracy": min(trial.accuracy for trial in trials),
    }
    for i in range(LEVELS):
        numbers[f"entropy_level{i + 1}"] = float(np.mean([trial.entropies[i] for trial in trials]))
    figures: dict[str, Callable[[Figure], None]] = {
        "projections": lambda figure: _draw_projections(figure, trials[0]),
        "occlusion": lambda figure: _draw_occlusion(figure, trials[0], settings["patch"]),
    }
    return Measured(numbers, figures)


def _trial(settings: Settings, seed: int) -> Trial:
    pictures = read(settings, seed)
    classifier = Classifier(
        network=lambda inputs, classes: convolutional(settings, pictures.shape, classes),
        input_shape=pictures.shape,
        max_epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        early_stopping=False,
        validation_fraction=0.0,
        random_state=seed,
        device="cpu",
    ).fit(pictures.X, pictures.y)
    X = classifier.scaler_.apply(pictures.X_test).astype(np.float32).reshape(-1, *pictures.shape)
    network = seeing.of(classifier)
    y = np.searchsorted(classifier.classes_, pictures.y_test)
    first = convolutional(settings, pictures.shape, len(classifier.classes_), seed)
    return Trial(
        network,
        X,
        pictures.X_test.reshape(X.shape),
        y,
        float(np.mean(classifier.predict(pictures.X_test) == pictures.y_test)),
        [_level(network, name, X, settings["units"]) for name in rectifiers(network)],
        [_entropy(network, name, X, y) for name in rectifiers(network)],
        [_entropy(first, name, X, y) for name in rectifiers(first)],
        np.random.default_rng(seed),
    )


def read(settings: Settings, seed: int) -> Pictures:
    """A set's own test rows, or of a set that has none 30 %, drawn by the seed; at most `rows` to look at."""
    dataset = load_data(settings["data"])
    shape = dataset.input_shape
    if dataset.y is None or shape is None:
        raise ValueError(f"{settings['data']} has no classes or no shape")
    if dataset.X_test is not None and dataset.y_test is not None:
        X, y, X_test, y_test = dataset.X, dataset.y, dataset.X_test, dataset.y_test
    else:
        X, X_test, y, y_test = train_test_split(
            dataset.X, dataset.y, test_size=0.3, stratify=dataset.y, random_state=seed
        )
    return Pictures(X, y, X_test[: settings["rows"]], y_test[: settings["rows"]], tuple(shape))


def convolutional(settings: Settings, shape: Sequence[int], classes: int, seed: int | None = None) -> nn.Sequential:
    """Convolutions of 3 × 3 and rectifiers, maxima behind the levels that `pooled` numbers, and a dense layer."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        inputs, *extents = shape
        layers: list[nn.Module] = []
        for level, outputs in enumerate(settings["channels"], start=1):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
            if level in settings["pooled"]:
                layers.append(nn.MaxPool2d(2))
                extents = [n // 2 for n in extents]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * int(np.prod(extents)), classes))


def rectifiers(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_children() if isinstance(module, nn.ReLU)]


def _level(network: nn.Module, name: str, X: Array, most: int) -> Level:
    best = _alive(seeing.strongest(network, name, X))
    best = best.of(range(min(most, len(best.units))))
    rows, places = best.rows.reshape(-1), best.places.reshape(-1, best.places.shape[-1])
    units = np.repeat(best.units, best.rows.shape[1])
    known = {place: seeing.field(network, name, X.shape[1:], place) for place in {*map(tuple, places.tolist())}}
    boxes = [known[tuple(place)] for place in places.tolist()]
    return Level(name, best, rows, units, places, boxes, seeing.project(network, name, X[rows], units, places).numpy())


def _alive(best: Strongest) -> Strongest:
    """The units that nine pictures drive."""
    return best.of(np.flatnonzero(best.values[:, -1] > 0))


def _entropy(network: nn.Module, name: str, X: Array, y: NDArray[Any]) -> float:
    """Bits of the classes of a unit's nine strongest, the mean over the units that nine pictures drive."""
    return float(np.mean([bits(y[rows]) for rows in _alive(seeing.strongest(network, name, X)).rows]))


def bits(labels: NDArray[Any]) -> float:
    """The entropy of classes, in bits."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def _adjoint(trial: Trial, kind: type[nn.Module]) -> float:
    """The largest |⟨L x, y⟩ − ⟨x, Lᵀ y⟩| / ‖L x‖‖y‖ over the layers of a kind, x what they get, y random."""
    worst, x = 0.0, torch.from_numpy(trial.X[:16]).double()
    for layer in trial.network:  # type: ignore[attr-defined]  # a Sequential
        wide = nn.Sequential(layer).double()
        with torch.no_grad():
            value: Tensor = wide(x)
        if isinstance(layer, kind):
            bias = getattr(layer, "bias", None)
            linear = value if bias is None else value - bias.detach()[:, None, None]
            worst = max(worst, _mismatch(wide, x, linear, trial.rng))
        layer.float()
        x = value
    return worst


def _mismatch(layer: nn.Module, x: Tensor, value: Tensor, rng: np.random.Generator) -> float:
    y = torch.from_numpy(rng.normal(size=tuple(value.shape)))
    back = seeing.pull(layer, "0", x, lambda a: y)
    return float(((value * y).sum() - (x * back).sum()).abs() / (value.norm() * y.norm()))


def likeness(trial: Trial, level: Level) -> float:
    """Correlation of projections with their own patches less that with other pictures' patches of the same place."""
    own, other = [], []
    for i, box in enumerate(level.boxes):
        here = (slice(None), *box)
        projection = level.projections[i][here].ravel()
        own.append(correlation(projection, trial.X[level.rows[i]][here].ravel()))
        others = trial.rng.integers(len(trial.X), size=OTHERS)
        other.append(np.mean([correlation(projection, trial.X[j][here].ravel()) for j in others]))
    return float(np.mean(own) - np.mean(other))


def fed_back(trial: Trial, level: Level) -> float:
    """How often a projection drives its unit more than another picture's patch of the same place and norm."""
    won = []
    for i, box in enumerate(level.boxes):
        here = (slice(None), *box)
        norm = np.linalg.norm(trial.X[level.rows[i]][here])
        given = np.zeros((1 + OTHERS, *trial.X.shape[1:]), dtype=trial.X.dtype)
        parts = [level.projections[i], *trial.X[trial.rng.integers(len(trial.X), size=OTHERS)]]
        for row, part in zip(given, parts, strict=True):
            row[here] = part[here] * (norm / max(float(np.linalg.norm(part[here])), 1e-12))
        found = seeing.activations(trial.network, level.name, given)[(slice(None), level.units[i], *level.places[i])]
        won.append(np.mean(found[0] > found[1:]))
    return float(np.mean(won))


def agreement(trial: Trial, level: Level, size: int) -> float:
    """Correlation of the drop under a covering patch with the projection's size, less that with another unit's."""
    nine = level.best.rows.shape[1]
    chosen = [i for i in range(len(level.rows)) if i % nine < 3]  # the three strongest of each unit
    drops = np.stack([_drop(trial, level.name, int(level.units[i]), level.rows[i], size) for i in chosen])
    sizes = F.avg_pool2d(torch.from_numpy(np.abs(level.projections[chosen]).sum(axis=1, keepdims=True)), 3, 1, 1)
    sizes_by_row = sizes[:, 0].numpy()
    others = np.roll(sizes_by_row, 3, axis=0)  # of the unit before
    own = [correlation(a.ravel(), b.ravel()) for a, b in zip(drops, sizes_by_row, strict=True)]
    other = [correlation(a.ravel(), b.ravel()) for a, b in zip(drops, others, strict=True)]
    return float(np.mean(own) - np.mean(other))


def _drop(trial: Trial, name: str, unit: int, row: int, size: int) -> Array:
    """How far a unit's map falls where a patch covers the picture with the mean, by pixel."""
    return -seeing.occlusion(seeing.unit(trial.network, name, unit), trial.X[row], Patch(size)).on_pixels()


def correlation(a: Array, b: Array) -> float:
    """Pearson's; 0 where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else 0.0


def _draw_projections(figure: Figure, trial: Trial) -> None:
    """Of each level some units: nine patches beside nine projections."""
    low, high = float(trial.shown.min()), float(trial.shown.max())
    for i, (axes, level) in enumerate(zip(figure.subplots(1, LEVELS), trial.levels, strict=True), start=1):
        patches = tiles.whole(tiles.cut(tiles.lit(trial.shown[level.rows], low, high), level.boxes))
        projections = tiles.whole(tiles.cut(tiles.signed(level.projections), level.boxes))
        blocks = []
        for first in range(0, 9 * min(DRAWN, len(level.best.units)), 9):
            nines = (kind[first : first + 9] for kind in (patches, projections))
            blocks += [tiles.laid([tiles.sized(one, 24) for one in nine], 3, 2) for nine in nines]
        axes.imshow(tiles.laid(blocks, 2, 8)[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"level {i}: patches, projections\nsees {level.extent:.1f} pixels", fontsize=9)
        axes.axis("off")


def _draw_occlusion(figure: Figure, trial: Trial, size: int) -> None:
    """Pictures beside the probability of their class as a patch covers them."""
    axes = figure.subplots(2, DRAWN)
    for i in range(DRAWN):
        picture, label = trial.X[i], int(trial.y[i])
        found = seeing.occlusion(seeing.probability(trial.network, label), picture, Patch(size)).on_pixels()
        axes[0, i].imshow(trial.shown[i].mean(axis=0), cmap="gray", interpolation="nearest")
        peak = max(float(np.abs(found).max()), 1e-6)
        axes[1, i].imshow(found, cmap="RdBu", vmin=-peak, vmax=peak, interpolation="nearest")
        axes[0, i].set_title(f"class {label}", fontsize=9)
        axes[1, i].set_title(f"{found.min():+.2f} at most", fontsize=9)
    for one in axes.flat:
        one.axis("off")
    figure.suptitle("How a patch that covers a place changes the class’s probability: red lowers it", fontsize=10)


FEATURE_VISUALISATION = Experiment(
    name="feature-visualisation",
    part="I",
    claim="Higher levels of a convolutional network see more and answer ever more to one class; projections show it.",
    lecture="features at different levels (Zeiler & Fergus)",
    reference="Zeiler & Fergus 2014",
    measure=measure,
    expected={
        "adjoint_conv": ("<=", 1e-6),
        "adjoint_pool": ("<=", 1e-6),
        "field_growth": (">", 0),
        "entropy_fall": (">=", 0.15),
        "entropy_fall_untrained": ("<=", 0.1),
        "likeness": (">=", 0.3),
        "fed_back": (">=", 0.95),
        "occlusion": (">=", 0.1),
    },
    settings={
        "data": "digits",
        "rows": 1000,
        "channels": (16, 32, 64),
        "pooled": (2,),
        "epochs": 15,
        "learning_rate": 3e-3,
        "units": 12,
        "patch": 2,
    },
    full={"data": "mnist", "rows": 10_000, "pooled": (1, 2), "epochs": 2, "patch": 5},
)
