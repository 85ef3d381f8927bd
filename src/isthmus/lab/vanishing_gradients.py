"""Depth does not help with sigmoids, nor for long with tanh: what comes back to the first layers vanishes.

Claim. On its way back through a layer the signal is multiplied by weights and by the activation's slope, for a sigmoid
¼ at most: ten layers leave a millionth, the first ones hardly move, and the net does not learn what a single hidden
layer could. A ReLU that is open has slope 1; but its weights must make up for those that are shut (He 2015): from
U(−½, ½) its signal fades too. The trap: gradients of the *weights* may stay level where the signal fades, since the
first layers read larger numbers than the last ones (Glorot & Bengio 2010). So both are measured.

Set-up. Nets of width 8 on the circle, every activation × initialisation × depth from 32 seeds, one budget for all: the
same steps, rate and SGD with momentum, in one call. Still deeper ones are only looked at before training. Of the first
seed alone the lecture's series on all sets: sigmoids begun as Glorot does, ReLUs as He does. `rectifier` plays the
ReLU's part.

Measured. `ratio_…_DEPTH`: the signal at the first hidden layer over that at the last before training, median over
seeds; `weights_ratio_…` the same of the weights' gradients, `learning_ratio_…` of the signal after the first epoch, 0
where all rectifiers of a layer have shut. `solved_…_DEPTH`: share of seeds that name 95 % of fresh points, with
Wilson's 95 % interval. The sigmoid begins with Glorot's weights, the rectifier with He's; `uniform` says U(−½, ½).
`faded_by_uniform`: the rectifier's ratio at 20 layers from U(−½, ½), over that from He's. `solved_sigmoid_any_6`: the
sigmoid's best over initialisations. In full, 5 × 1000 tanh on MNIST by SGD: errors of test digits in %, and how much
better Glorot's weights are than U(−1/√n, 1/√n).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import networks
from isthmus.lab import drawing, grids, readers
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.lab.grids import BUDGET, Cell, Net

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = tuple[str, str]  # activation and initialisation
Circle = Mapping[tuple[Kind, int], Sequence[Net]]  # its nets by kind and depth
INITIALISATIONS = {"uniform": "U(−½, ½)", "xavier": "Glorot", "he": "He"}
SIGMOID: Kind = ("sigmoid", "xavier")
PLANES = ("circle", "xor", "moons", "spiral")
FULL = {"data": "mnist", "hidden": (1000,) * 5, "optimizer": "sgd"}
JUDGED, DEEP, DEEPEST = 6, 10, 20  # hidden layers at which solutions, signals and initialisations are compared
LOOKS = {  # what is measured of every layer, and at which look
    "signal, before training": ("signal", 0),
    "signal, after an epoch": ("signal", 1),
    "gradient of the weights, before": ("gradient", 0),
}


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train the whole grid, and look at what comes back before and while it learns."""
    if settings["data"] != "planes":
        rivals = {begun: networks.MLP(settings["hidden"], "tanh", begun) for begun in ("standard", "xavier")}
        return Measured(readers.compared(rivals, settings, seeds))
    depths = sorted({*settings["depths"], JUDGED, DEEP})
    rectifier: Kind = (settings["rectifier"], "he")
    uniform: Kind = (settings["rectifier"], "uniform")
    kinds = [(name, begun) for name in dict.fromkeys(("sigmoid", "tanh", rectifier[0])) for begun in INITIALISATIONS]
    series = [Cell(plane, *kind, n) for plane in settings["planes"] for kind in (SIGMOID, rectifier) for n in depths]
    grid = {Cell("circle", *kind, depth): seeds for kind in kinds for depth in depths}
    nets = grids.train({**dict.fromkeys(series, seeds[:1]), **grid}, settings, when=(0, 1))
    deepest = {Cell("circle", *kind, DEEPEST): seeds for kind in kinds}
    looked = grids.train(deepest, {**settings, "epochs": 1, "batch_size": settings["points"]})
    circle = {(cell.kind, cell.depth): (nets | looked)[cell] for cell in (*grid, *deepest)}
    numbers = {"faded_by_uniform": grids.ratio(circle[uniform, DEEPEST]) / grids.ratio(circle[rectifier, DEEPEST])}
    solved = [grids.solved(circle[("sigmoid", begun), JUDGED], settings)["share"] for begun in INITIALISATIONS]
    numbers[f"solved_sigmoid_any_{JUDGED}"] = max(solved)
    for name, kind in {"sigmoid": SIGMOID, "rectifier": rectifier, "rectifier_uniform": uniform}.items():
        for key, look in zip(("ratio", "learning_ratio", "weights_ratio"), LOOKS.values(), strict=True):
            numbers[f"{key}_{name}_{DEEP}"] = grids.ratio(circle[kind, DEEP], *look)
        numbers |= grids.told(f"solved_{name}_{JUDGED}", grids.solved(circle[kind, JUDGED], settings))
    told = _told(circle, kinds, depths, settings) | {"regions": {}}
    draws = {"norms": _draw_norms, "ratio": _draw_ratio, "solved": _draw_solved}
    figures = {name: partial(draw, told=told) for name, draw in draws.items()}
    for plane in settings["planes"]:
        title = f"Deeper and deeper on the {plane}: fresh points named rightly"
        rows = {kind[0]: [nets[Cell(plane, *kind, n)][0] for n in depths] for kind in (SIGMOID, rectifier)}
        told["regions"][plane] = grids.regions(plane, rows, [f"{n} hidden" for n in depths], settings)
        figures[plane] = partial(grids.draw_regions, told=told["regions"][plane], title=title)
    return Measured(numbers, figures, told)


def _told(circle: Circle, kinds: Sequence[Kind], depths: Sequence[int], settings: Settings) -> dict[str, Any]:
    """What the pictures of the circle show, by activation, initialisation and depth."""
    names = {kind: f"{kind[0]}, {INITIALISATIONS[kind[1]]}" for kind in kinds}
    solved = [[grids.solved(circle[kind, depth], settings) for depth in depths] for kind in kinds]
    deeper = [depth for depth in (*depths, DEEPEST) if depth > 1]
    ratios: dict[str, Any] = {activation: {} for activation, _ in kinds}
    for kind in kinds:
        found = np.transpose([grids.ratios(circle[kind, depth]) for depth in deeper])  # (seeds, depths)
        ratios[kind[0]][INITIALISATIONS[kind[1]]] = drawing.quartiles(found)
    shown = [kind for kind in kinds if kind in {SIGMOID, ("tanh", "xavier"), *kinds[-3::2]}]
    return {
        "kinds": list(names.values()),
        "depths": list(depths),
        "deeper": deeper,
        "solved": {end: drawing.rounded([[one[end] for one in row] for row in solved]) for end in solved[0][0]},
        "ratio": ratios,
        "norms": {
            title: {names[kind]: drawing.quartiles([net.norms(*look) for net in circle[kind, DEEP]]) for kind in shown}
            for title, look in LOOKS.items()
        },
    }


def _draw_norms(figure: Figure, told: Mapping[str, Any]) -> None:
    how = {"yscale": "log", "xlabel": "hidden layer", "ylabel": "norm"}
    panels = {head: (range(1, DEEP + 1), found, how) for head, found in told["norms"].items()}
    title = "What comes back to each of ten hidden layers; bands are quartiles of seeds"
    drawing.banded(figure, panels, title, sharey=True)


def _draw_ratio(figure: Figure, told: Mapping[str, Any]) -> None:
    how = {"yscale": "log", "xlabel": "hidden layers", "ylabel": "signal at the first layer / at the last"}
    panels = {name: (told["deeper"], found, how) for name, found in told["ratio"].items()}
    drawing.banded(figure, panels, "The deeper, the less comes back; ReLU needs He's weights", sharey=True)


def _draw_solved(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(7, 5)
    axes, heads = figure.subplots(), [f"{depth} hidden" for depth in told["depths"]]
    drawing.table(axes, told["solved"]["share"], told["kinds"], heads, "{:.0%}", vmin=0, vmax=1)
    axes.set_title("Share of seeds that solve the circle, all on one budget")


VANISHING_GRADIENTS = Experiment(
    name="vanishing-gradients",
    part="I",
    claim="Depth does not help with sigmoids: their gradients vanish. Rectifiers with He's weights keep theirs.",
    lecture="If δs is small (vanishing gradient) backpropagation becomes ineffective as we increase depth",
    reference="Glorot & Bengio 2010; He, Zhang, Ren & Sun 2015",
    measure=measure,
    expected={
        f"ratio_sigmoid_{DEEP}": ("<", 1e-5),
        f"ratio_rectifier_{DEEP}": (">", 0.05),
        f"solved_sigmoid_{JUDGED}": ("<=", 0.1),
        f"solved_rectifier_{JUDGED}": (">=", 0.8),
        "faded_by_uniform": ("<", 0.1),
    },
    settings={**BUDGET, **FULL, "data": "planes", "rectifier": "relu", "depths": (1, 2, 3, 6, 10), "planes": PLANES},
    full={**FULL, "epochs": 15, "batch_size": 32, "learning_rate": 0.01},
    expected_full={"error_percent_xavier": ("<=", 1.89), "better_by": (">", 0)},
    seeds=32,
)
