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
seeds; `weights_ratio_…` the same of the weights' gradients, `trained_ratio_…` of the signal after training.
`solved_…_DEPTH`: share of seeds that name 95 % of fresh points, with Wilson's 95 % interval. The sigmoid begins with
Glorot's weights, the rectifier with He's; `uniform` says U(−½, ½). `faded_by_uniform`: the rectifier's ratio at 20
layers from U(−½, ½), over that from He's. `solved_sigmoid_any_6`: the sigmoid's best share over initialisations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.lab import drawing, grids
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.lab.grids import BUDGET, Cell, Net, Nets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = tuple[str, str]  # activation and initialisation
Json = Mapping[str, Any]
INITIALISATIONS = {"uniform": "U(−½, ½)", "xavier": "Glorot", "he": "He"}
JUDGED, DEEP, DEEPEST = 6, 10, 20  # hidden layers at which solutions, signals and initialisations are compared


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train the whole grid, and look at what comes back before and after."""
    depths = sorted({*settings["depths"], JUDGED, DEEP})
    sigmoid, rectifier = ("sigmoid", "xavier"), (settings["rectifier"], "he")
    kinds = [(name, begun) for name in dict.fromkeys(("sigmoid", "tanh", rectifier[0])) for begun in INITIALISATIONS]
    grid = {Cell("circle", *kind, depth): seeds for kind in kinds for depth in depths}
    series = [Cell(plane, *kind, n) for plane in settings["planes"] for kind in (sigmoid, rectifier) for n in depths]
    nets = grids.train({**dict.fromkeys(series, seeds[:1]), **grid}, settings, when=(0, settings["epochs"]))
    deepest = {Cell("circle", *kind, DEEPEST): seeds for kind in kinds}
    begun = nets | grids.train(deepest, {**settings, "epochs": 1, "batch_size": settings["points"]})

    def at(kind: Kind, depth: int) -> Sequence[Net]:
        return begun[Cell("circle", *kind, depth)]

    uniform = (rectifier[0], "uniform")
    numbers = {"faded_by_uniform": ratio(at(uniform, DEEPEST)) / ratio(at(rectifier, DEEPEST))}
    for name, kind in {"sigmoid": sigmoid, "rectifier": rectifier, "rectifier_uniform": uniform}.items():
        numbers[f"ratio_{name}_{DEEP}"] = ratio(at(kind, DEEP))
        numbers[f"weights_ratio_{name}_{DEEP}"] = ratio(at(kind, DEEP), "gradient")
        numbers[f"trained_ratio_{name}_{DEEP}"] = ratio(at(kind, DEEP), look=-1)
        numbers |= grids.told(f"solved_{name}_{JUDGED}", grids.solved(at(kind, JUDGED), settings))
    best = max(grids.solved(at(("sigmoid", way), JUDGED), settings)["share"] for way in INITIALISATIONS)
    found = told(settings, kinds, depths, begun)
    shown = {plane: _series(plane, (sigmoid, rectifier), depths, nets, settings) for plane in settings["planes"]}
    figures = {
        "norms": lambda figure: _draw_norms(figure, found),
        "ratio": lambda figure: _draw_ratio(figure, found),
        "solved": lambda figure: _draw_solved(figure, found),
    }
    for plane in shown:
        title = f"Deeper and deeper on the {plane}: fresh points named rightly"
        figures[plane] = lambda figure, told=shown[plane], title=title: grids.draw_regions(figure, told, title)
    return Measured(numbers | {f"solved_sigmoid_any_{JUDGED}": best}, figures, {**found, "regions": shown})


def ratio(nets: Sequence[Net], what: str = "signal", look: int = 0) -> float:
    """The first hidden layer's over the last one's, median over the nets to which anything comes back."""
    return float(np.nanmedian(_ratios(nets, what, look)))


def _ratios(nets: Sequence[Net], what: str = "signal", look: int = 0) -> NDArray[np.floating]:
    norms = np.array([net.norms(what, look) for net in nets])  # (seeds, depth)
    return np.divide(norms[:, 0], norms[:, -1], out=np.full(len(norms), np.nan), where=norms[:, -1] > 0)


def told(settings: Settings, kinds: Sequence[Kind], depths: Sequence[int], nets: Nets) -> dict[str, Any]:
    """What the pictures of the circle show, by activation, initialisation and depth."""

    def at(kind: Kind, depth: int) -> Sequence[Net]:
        return nets[Cell("circle", *kind, depth)]

    solved = [[grids.solved(at(kind, depth), settings) for depth in depths] for kind in kinds]
    deeper = [depth for depth in (*depths, DEEPEST) if depth > 1]
    looks = {"signal before": ("signal", 0), "signal after": ("signal", -1), "weights before": ("gradient", 0)}
    shown = dict.fromkeys((("sigmoid", "xavier"), ("tanh", "xavier"), (settings["rectifier"], "uniform"), kinds[-1]))
    return {
        "kinds": [_name(kind) for kind in kinds],
        "depths": list(depths),
        "deeper": deeper,
        "solved": {end: drawing.rounded([[one[end] for one in row] for row in solved]) for end in solved[0][0]},
        "ratio": {
            _name(kind): drawing.quartiles(np.transpose([_ratios(at(kind, n)) for n in deeper])) for kind in kinds
        },
        "norms": {
            name: {_name(kind): drawing.quartiles([net.norms(*look) for net in at(kind, DEEP)]) for kind in shown}
            for name, look in looks.items()
        },
    }


def _name(kind: Kind) -> str:
    return f"{kind[0]}, {INITIALISATIONS[kind[1]]}"


def _series(plane: str, kinds: Sequence[Kind], depths: Sequence[int], nets: Nets, settings: Settings) -> dict[str, Any]:
    rows = {kind[0]: [nets[Cell(plane, *kind, depth)][0] for depth in depths] for kind in kinds}
    return grids.regions(plane, rows, [f"{depth} hidden" for depth in depths], settings)


def _draw_norms(figure: Figure, told: Json) -> None:
    """Every layer's norms at ten hidden layers: what comes back before and after training, and what weights get."""
    figure.set_size_inches(12, 4.6)
    titles = {"signal before": "signal, before training", "signal after": "signal, after training"}
    panels: Sequence[Axes] = figure.subplots(1, 3, sharey=True)
    for axes, (name, kinds) in zip(panels, told["norms"].items(), strict=True):
        for place, (kind, found) in enumerate(kinds.items()):
            drawing.bands(axes, range(1, DEEP + 1), found, kind, place)
        axes.set(yscale="log", xlabel="hidden layer", title=titles.get(name, "gradient of the weights, before"))
    panels[0].set_ylabel("norm")
    figure.suptitle("What comes back to each of ten hidden layers; bands are quartiles of seeds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def _draw_ratio(figure: Figure, told: Json) -> None:
    """The first layer's share of the signal against depth, a panel an activation."""
    activations = list(dict.fromkeys(kind.partition(",")[0] for kind in told["kinds"]))
    figure.set_size_inches(12, 4.6)
    panels: Sequence[Axes] = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
    for axes, activation in zip(panels, activations, strict=True):
        for place, label in enumerate(INITIALISATIONS.values()):
            drawing.bands(axes, told["deeper"], told["ratio"][f"{activation}, {label}"], label, place)
        axes.set(yscale="log", xlabel="hidden layers", title=activation)
    panels[0].set_ylabel("signal at the first layer / at the last")
    figure.suptitle("The deeper, the less comes back; ReLU needs He's weights")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _draw_solved(figure: Figure, told: Json) -> None:
    figure.set_size_inches(7, 5)
    axes = figure.subplots()
    heads = [f"{depth} hidden" for depth in told["depths"]]
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
    settings={
        **BUDGET,
        "rectifier": "relu",
        "depths": (1, 2, 3, 6, 10),
        "planes": ("circle", "xor", "moons", "spiral"),
    },
    seeds=32,
)
