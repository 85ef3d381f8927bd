"""Grids of nets on sets of the plane: each kind from many seeds, trained in one call; which of them solve theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.data import planes
from isthmus.lab import drawing
from isthmus.lab.experiment import Settings
from isthmus.populations import fit_together

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Drawn = tuple[Array, NDArray[np.int64]]
LEARNED, FRESH = 0, 1  # seeds of two draws of points
JUDGED_ON = 1000  # fresh points
SHOWN, SIDE = 150, 31  # points and pixels a side in a picture of decision regions

# One budget for all nets of a grid. The gradient's length is bounded, so that the rate at which sigmoids learn at all
# does not throw rectifiers off.
BUDGET: Settings = {
    "width": 8,
    "points": 4000,
    "noise": 0.0,
    "epochs": 6,
    "batch_size": 20,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "clip_norm": 1.0,
    "solved_at": 0.95,
}


@dataclass(frozen=True)
class Cell:
    """A kind of net: the set that it learns, its activation, how its weights begin, and its hidden layers."""

    plane: str
    activation: str
    initialisation: str
    depth: int

    @property
    def kind(self) -> tuple[str, str]:
        return self.activation, self.initialisation


@dataclass(frozen=True)
class Net:
    """A net of a cell after training, and the share of fresh points that it names."""

    fit: Classifier
    accuracy: float = np.nan

    def norms(self, what: str, look: int = 0) -> list[float]:
        """Of every hidden layer, from the input on: "signal", "gradient" or what else its microscope measured."""
        return [getattr(layer, what) for layer in self.fit.gradients_.history[look].layers[:-1]]


Nets = Mapping[Cell, Sequence[Net]]


def train(
    plan: Mapping[Cell, Sequence[int]], settings: Settings, when: Collection[int] | None = (0,)
) -> dict[Cell, list[Net]]:
    """A net for each seed of each cell, all on the same budget and in one call, looked at with the gradient microscope.

    Nets of equal depth and activation are one population, whatever they learn and however their weights begin.
    """
    owners = [cell for cell, seeds in plan.items() for _ in seeds]
    fits = [_untrained(cell, seed, settings) for cell, seeds in plan.items() for seed in seeds]
    learned, fresh = ({cell.plane: points(cell.plane, settings, draw) for cell in plan} for draw in (LEARNED, FRESH))
    X, y = [learned[cell.plane][0] for cell in owners], [learned[cell.plane][1] for cell in owners]
    fit_together(fits, X, y=y, watch="gradients", when=when)
    found: dict[Cell, list[Net]] = {cell: [] for cell in plan}
    for cell, fit in zip(owners, fits, strict=True):
        X_fresh, y_fresh = (part[:JUDGED_ON] for part in fresh[cell.plane])
        found[cell].append(Net(fit, float(np.mean(fit.predict(X_fresh) == y_fresh))))
    return found


def points(plane: str, settings: Settings, draw: int = LEARNED) -> Drawn:
    """Points of a set and their classes, the same for every net."""
    X, y = planes.generate(plane, settings["points"], settings["noise"], draw)
    return X.astype(np.float32), y


def _untrained(cell: Cell, seed: int, settings: Settings) -> Classifier:
    return Classifier(
        networks.MLP((settings["width"],) * cell.depth, cell.activation, cell.initialisation),
        scaling=None,
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        schedule="constant",
        clip_norm=settings["clip_norm"],
        optimizer="sgd",
        momentum=settings["momentum"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def ratios(nets: Sequence[Net], what: str = "signal", look: int = 0) -> Array:
    """The first hidden layer's norm over the last one's, of each net; nothing of nothing counts as nothing."""
    norms = np.array([net.norms(what, look) for net in nets])  # (nets, depth)
    return np.divide(norms[:, 0], norms[:, -1], out=np.zeros(len(norms)), where=norms[:, -1] > 0)


def ratio(nets: Sequence[Net], what: str = "signal", look: int = 0) -> float:
    """The median of the nets' ratios."""
    return float(np.median(ratios(nets, what, look)))


def solved(nets: Sequence[Net], settings: Settings) -> dict[str, float]:
    """The share of nets that solve their set, and the ends of Wilson's 95 % interval."""
    return share(sum(net.accuracy >= settings["solved_at"] for net in nets), len(nets))


def share(times: int, of: int) -> dict[str, float]:
    """A share, and the ends of Wilson's 95 % interval."""
    interval = binomtest(times, of).proportion_ci(method="wilson")
    return {"share": times / of, "low": float(interval.low), "high": float(interval.high)}


def told(key: str, share: Mapping[str, float]) -> dict[str, float]:
    """A share and its interval as measured numbers."""
    return {key: share["share"], f"{key}_low": share["low"], f"{key}_high": share["high"]}


def regions(plane: str, rows: Mapping[str, Sequence[Net]], heads: Sequence[str], settings: Settings) -> dict[str, Any]:
    """What nets of one seed make of the plane, as told in JSON: a row a kind, with nets in the order of `heads`."""
    X, y = points(plane, settings)
    fields = {name: [drawing.field(partial(_second, net), side=SIDE) for net in nets] for name, nets in rows.items()}
    named = {name: drawing.rounded([net.accuracy for net in nets], 3) for name, nets in rows.items()}
    shown = {"points": drawing.rounded(X[:SHOWN].astype(float), 3), "classes": y[:SHOWN].tolist()}
    return {"heads": list(heads), "fields": fields, "named": named, **shown}


def _second(net: Net, P: Array) -> Array:
    """The probability of the second class."""
    found: Array = net.fit.predict_proba(P.astype(np.float32))[:, 1]
    return found


def draw_regions(figure: Figure, told: Mapping[str, Any], title: str) -> None:
    """Decision regions: a row a kind of net, above each field the share of fresh points that it names."""
    fields, heads = told["fields"], told["heads"]
    figure.set_size_inches(2.3 * len(heads) + 0.5, 2.6 * len(fields) + 0.6)
    panels = figure.subplots(len(fields), len(heads), squeeze=False)
    for line, (name, row) in zip(panels, fields.items(), strict=True):
        line[0].set_ylabel(name)
        for axes, field, head, share in zip(line, row, heads, told["named"][name], strict=True):
            drawing.regions(axes, field, told["points"], told["classes"])
            axes.set_title(f"{head}: {share:.1%}")
    figure.suptitle(title)
