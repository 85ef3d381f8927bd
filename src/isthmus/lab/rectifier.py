"""With three, four or eight hidden layers rectifiers learn the spiral, and sigmoids do not.

Claim. What a sigmoid net of some depth cannot be trained to do, the same net of ReLUs can: same seeds, same budget. By
rectifiers deep nets learn from labels alone, without pre-training (Glorot, Bordes & Bengio 2011).

Set-up. Two arms of a spiral, nets of 3, 4 and 8 hidden layers of 16, 32 seeds each; sigmoids begin with Glorot's
weights, ReLUs with He's; the same steps, batches and SGD with momentum, at one rate. The sigmoids alone may try other
rates as well. `activation` plays the ReLU's part. The full protocol is 3 × 1000 ReLUs on MNIST, no pre-training.

Measured. `solved_…_DEPTH`: share of seeds that name 95 % of fresh points, with Wilson's 95 % interval.
`solved_sigmoid_any_rate`: the largest share of the sigmoids at any depth and any rate. In full: `error_percent` of the
test digits, mean of seeds, with `…_worst`, and `…_half_width` of the 95 % interval that so many test digits leave one
net; `zeros`: share of hidden units and test digits at which a unit is exactly 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.inference import batched
from isthmus.lab import drawing, grids, readers
from isthmus.lab.experiment import Experiment, Measured, Published, Settings
from isthmus.lab.grids import BUDGET, Cell, Nets
from isthmus.trials import Split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTHS = (3, 4, 8)
LAYERS = [f"{depth} layers" for depth in DEPTHS]


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train sigmoids and rectifiers on the plane; on a named set of pictures, rectifiers alone."""
    if settings["data"] != "planes":
        return on_pictures(settings, seeds)
    plane = settings["plane"]
    rivals = {"sigmoid": ("sigmoid", "xavier"), "rectifier": (settings["activation"], "he")}
    cells = {name: [Cell(plane, *kind, depth) for depth in DEPTHS] for name, kind in rivals.items()}
    nets = grids.train(dict.fromkeys([*cells["sigmoid"], *cells["rectifier"]], seeds), settings)
    solved = {name: [grids.solved(nets[cell], settings) for cell in row] for name, row in cells.items()}
    numbers = {"solved_sigmoid_any_rate": _any_rate(cells["sigmoid"], seeds, settings, nets)}
    for name, row in solved.items():
        for depth, share in zip(DEPTHS, row, strict=True):
            numbers |= grids.told(f"solved_{name}_{depth}", share)
    shown = {cell.activation: [nets[own][0] for own in row] for row in cells.values() for cell in row[:1]}
    series = {
        "regions": grids.regions(plane, shown, LAYERS, settings),
        "solved": {
            name: drawing.rounded({end: [one[end] for one in row] for end in row[0]}) for name, row in solved.items()
        },
        "labels": {"sigmoid": "sigmoid", "rectifier": settings["activation"]},
    }
    title = f"The {plane} by sigmoids and by rectifiers: fresh points named rightly"
    figures = {
        "regions": lambda figure: grids.draw_regions(figure, series["regions"], title),
        "solved": lambda figure: _draw_solved(figure, series, plane),
    }
    return Measured(numbers, figures, series)


def _any_rate(cells: Sequence[Cell], seeds: Sequence[int], settings: Settings, nets: Nets) -> float:
    """The largest share of any of these cells, as they were trained and at the other rates."""
    others = [
        grids.train(dict.fromkeys(cells, seeds), {**settings, "learning_rate": rate}) for rate in settings["rates"]
    ]
    return max(grids.solved(found[cell], settings)["share"] for found in (nets, *others) for cell in cells)


def on_pictures(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Three hidden layers on a named set; its own test rows, or 30 % of the rows."""
    rows = readers.rows(settings)
    fits = readers.trained(networks.MLP(settings["hidden"], settings["activation"]), rows, seeds, settings)
    percent = readers.errors(fits, rows)
    numbers = {
        **readers.told("error_percent", percent, rows),
        "zeros": float(np.mean([zeros(fit, rows.test) for fit in fits])),
        "train_error_percent": float(np.mean(readers.errors(fits, Split(rows.train, rows.train, rows.train_labels)))),
    }
    return Measured(numbers, samples={"error_percent": percent})


def zeros(fit: Classifier, X: Any) -> float:
    """The share of hidden units that are exactly 0, mean over rows X, (N, D), and over units."""
    network: Any = fit.module_.network.network
    hidden = [network.upto(name) for name in network.stages if name.startswith("hidden")]

    def shares(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([(layer(x) == 0).to(x).mean(dim=1) for layer in hidden], dim=1)  # (N, layers)

    return float(batched(fit.module_, shares, X, before=fit.scaler_).mean())


def _draw_solved(figure: Figure, told: Mapping[str, Any], plane: str) -> None:
    axes = figure.subplots()
    for place, (name, found) in enumerate(told["solved"].items()):
        drawing.shares(axes, np.arange(len(DEPTHS)) + 0.1 * (2 * place - 1), found, told["labels"][name], place)
    axes.set_xticks(range(len(DEPTHS)), LAYERS)
    axes.set(xlim=(-0.5, len(DEPTHS) - 0.5), ylabel=f"share of seeds that solve the {plane}")
    axes.set_title("Same seeds, same budget: rectifiers learn it, sigmoids do not")
    figure.legend(loc="outside lower center", ncols=2)


RECTIFIER = Experiment(
    name="rectifier",
    part="I",
    claim="Rectifiers solve with three, four and eight layers what sigmoids cannot: same seeds, same budget.",
    lecture="Sigmoid activation, 3 layers; ReLU activation, 3 layers; ReLU activation, 4 layers",
    reference="Glorot, Bordes & Bengio 2011",
    measure=measure,
    expected={
        **{f"solved_rectifier_{depth}": (">=", 0.8) for depth in DEPTHS},
        **{f"solved_sigmoid_{depth}": ("<=", 0.1) for depth in DEPTHS},
        "solved_sigmoid_any_rate": ("<=", 0.1),
    },
    settings={
        **BUDGET,
        "data": "planes",
        "plane": "spiral",
        "activation": "relu",
        "width": 16,
        "epochs": 8,
        "learning_rate": 0.05,
        "rates": (0.2, 0.8),
        "hidden": (1000, 1000, 1000),
        "label_smoothing": 0.1,
        "weight_decay": 0.05,
    },
    full={"data": "mnist", "epochs": 25, "batch_size": 128, "learning_rate": 1e-3, "momentum": 0.0},
    expected_full={"error_percent": ("<=", 1.64)},
    seeds=32,
    published=(Published("3 × 1000 ReLU, no pre-training", "error_percent", 1.43),),
    unit="test error, %",
    budget="4 minutes a seed on 2 cores",
)
