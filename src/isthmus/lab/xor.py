"""Layers of nonlinear transformations solve XOR, which no single neuron can: each layer bends the plane.

Claim. A neuron cuts the plane by a line, and no line parts (−1, −1), (1, 1) from (−1, 1), (1, −1). Hidden layers move
the four points until a line does: a layer of two is enough. That some weights solve it does not mean that training
finds them: small networks often end where two of the four look alike. Wider ones hardly ever do.

Set-up. Networks with 2 inputs, one sigmoid at the output and the likelihood of Bernoulli, trained by Adam: without a
hidden layer (2-1), with one of two neurons (2-2-1), with two of two (the lecture's 2-2-2-1) and with one of eight
(2-8-1), of sigmoid, tanh and ReLU each. Every seed draws other first weights; all of one shape are one population. The
truth values are `false` and 1: ReLUs without biases, as they begin, hear nothing of (0, 0), so that with `false=0`
about one in ten of 2-8-1 stays unsolved. With `linear=true` the hidden layers bend nothing.

Measured. `share_SHAPE_ACTIVATION`: share of seeds that have all four on the right side of one half, with the ends
`…_low` and `…_high` of Wilson's 95 % interval; `share_2-2-2-1_identity` is that of the lecture's network without its
bends. Drawn is one of the lecture's networks, of sigmoids: of those with no error above a tenth the gentlest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isthmus import likelihoods, networks, seeing
from isthmus.lab import drawing, grids
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.regressor import Regressor
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
ACTIVATIONS = ("sigmoid", "tanh", "relu")
SHAPES: Mapping[str, tuple[int, ...]] = {"2-2-1": (2,), "2-2-2-1": (2, 2), "2-8-1": (8,)}
NETWORKS = {("2-1", "sigmoid"): (), ("2-2-2-1", "identity"): (2, 2)} | {
    (shape, activation): hidden for shape, hidden in SHAPES.items() for activation in ACTIVATIONS
}
LINES = np.linspace(-1.25, 1.25, 11)  # of the grid that is carried through the layers


def rows(settings: Settings) -> tuple[Array, Array]:
    """The four rows and the exclusive or of each."""
    false = settings["false"]
    points = [[false, false], [false, 1], [1, false], [1, 1]]
    return np.array(points, dtype=np.float32), np.array([0, 1, 1, 0], dtype=np.float32)


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train every network from every seed's weights, and count those that solve it."""
    X, y = rows(settings)
    found = {name: _trained(settings, seeds, name[1], hidden) for name, hidden in NETWORKS.items()}
    said = {name: np.array([network.predict(X) for network in those]) for name, those in found.items()}  # (seeds, 4)
    solved = {name: int(np.sum(((p > 0.5) == y).all(axis=1))) for name, p in said.items()}
    numbers: dict[str, float] = {}
    for (shape, activation), times in solved.items():
        key = f"share_{shape}" if shape == "2-1" else f"share_{shape}_{activation}"
        numbers |= grids.told(key, grids.share(times, len(seeds)))
    lecture = ("2-2-2-1", "sigmoid")
    worst = np.abs(said[lecture] - y).max(axis=1)
    drawn = int(np.argmin(np.where(worst < 0.1, -worst, worst)))
    series = {
        "layers": layers(seeing.of(found[lecture][drawn]), X),
        "classes": y.tolist(),
        "solved": bool(worst[drawn] < 0.5),
        "shares": drawing.rounded(numbers),
    }
    draw = {"layers": _draw_layers, "shares": _draw_shares}
    return Measured(numbers, {name: partial(how, series=series) for name, how in draw.items()}, series)


def _trained(settings: Settings, seeds: Sequence[int], activation: str, hidden: tuple[int, ...]) -> list[Regressor]:
    X, y = rows(settings)
    network = networks.MLP(hidden, "identity" if settings["linear"] else activation)
    how = {key: settings[key] for key in ("batch_size", "learning_rate")} | {"max_epochs": settings["epochs"]}
    how |= {"scaling": None, "schedule": "constant", "validation_fraction": 0.0, "early_stopping": False}
    nets = [Regressor(network, likelihoods.Bernoulli(), random_state=seed, device="cpu", **how) for seed in seeds]
    fit_all(nets, np.tile(X, (settings["copies"], 1)), y=np.tile(y, settings["copies"]))
    return nets


def layers(network: nn.Module, X: Array) -> list[dict[str, Any]]:
    """For the plane of the inputs and that of each hidden layer: where the four rows lie in it, where lines of the
    inputs' plane do, and what the rest of the network says of every place.
    """
    along = np.linspace(LINES[0], LINES[-1], 41)
    grid = [np.column_stack(ends) for at in LINES for ends in ((along, 0 * along + at), (0 * along + at, along))]
    stages = list(cast("Any", network).trunk)  # flat, hidden 1, hidden 2, output
    planes = []
    for depth in range(1, len(stages)):
        upto, rest = nn.Sequential(*stages[:depth]), nn.Sequential(*stages[depth:], nn.Sigmoid())
        said = drawing.field(partial(_given, rest), *((-1.4, 1.4) if depth == 1 else (-0.08, 1.08)), side=41)
        lines = drawing.rounded([_given(upto, line).T for line in grid], 3)
        planes.append({"points": drawing.rounded(_given(upto, X), 3), "lines": lines, "field": said})
    return planes


def _given(network: nn.Module, X: Array) -> Array:
    with torch.no_grad():
        return np.asarray(network(torch.as_tensor(X, dtype=torch.float32)).numpy())


def _draw_layers(figure: Figure, series: Mapping[str, Any]) -> None:
    figure.set_size_inches(12, 4.6)
    planes = series["layers"]
    names = ["The inputs: no line parts them", *(f"As hidden layer {i} sees them" for i in range(1, len(planes)))]
    names[-1] += ": one line does" if series["solved"] else ""
    for axes, plane, name in zip(figure.subplots(1, len(planes)), planes, names, strict=True):
        drawing.regions(axes, plane["field"])
        for x, y in plane["lines"]:
            axes.plot(x, y, color="#666666", linewidth=0.8)
        points, classes = np.array(plane["points"]), np.array(series["classes"])
        for which, colour in enumerate(drawing.CLASSES):
            look = {"color": colour, "markersize": 13, "mec": "white", "clip_on": False, "zorder": 5}
            axes.plot(*points[classes == which].T, drawing.MARKERS[which], **look)
        axes.set_title(name)


def _draw_shares(figure: Figure, series: Mapping[str, Any]) -> None:
    axes, shares = figure.subplots(), series["shares"]
    for place, activation in enumerate(ACTIVATIONS):
        keys = [f"share_{shape}_{activation}" for shape in SHAPES]
        found = {end or "share": [shares[f"{key}_{end}".rstrip("_")] for key in keys] for end in ("", "low", "high")}
        drawing.shares(axes, np.arange(1, 4) + 0.2 * (place - 1), found, activation, place)
    axes.plot([0], [shares["share_2-1"]], "x", color="black", markersize=10, label="no hidden layer")
    axes.set_xticks(range(4), ["2-1", *SHAPES])
    axes.set(ylabel="share of seeds that solve XOR", title="Two neurons can; eight hardly ever fail")
    figure.legend(loc="outside lower center", ncols=4)


XOR = Experiment(
    name="xor",
    part="I",
    claim="Layers of nonlinear transformations solve XOR, which a single neuron cannot: each layer bends the plane.",
    lecture="layers of nonlinear transformations solve XOR; 2 inputs, two hidden layers of 2, 1 output",
    reference="Minsky & Papert 1969; Rumelhart, Hinton & Williams 1986",
    measure=measure,
    expected=dict.fromkeys(("share_2-1", "share_2-2-2-1_identity"), ("==", 0))
    | dict.fromkeys(("share_2-2-1_sigmoid", "share_2-2-2-1_sigmoid"), (">", 0))
    | {"share_2-8-1_relu": (">=", 0.95)},
    settings={"false": -1.0, "linear": False, "copies": 512, "batch_size": 16, "epochs": 4, "learning_rate": 0.1},
    seeds=256,
)
