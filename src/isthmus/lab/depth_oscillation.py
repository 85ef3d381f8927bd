"""Deep networks can oscillate more with fewer neurons, and so tell apart more: what depth can do, not what is learned.

Claim. A layer of two ReLUs folds the interval: x ↦ 2x up to the middle, 2 − 2x after it. Folded by L layers a line has
2^L straight pieces (Telgarsky 2016); one layer of n neurons never has more than n + 1. How far a family can bend is
told by the largest set that it shatters, of which it separates every labelling (Vapnik & Chervonenkis 1971). Lines
shatter three points of the plane, and no four.

Set-up. The folding networks are perceptrons of the library with their weights set. Pieces are counted by arithmetic,
none is missed. Random networks, with He's weights and normal biases, have the same number of neurons at each depth. For
lines linear programming decides every labelling, and each answer is proved in fractions. Two networks of 25 parameters,
2-6-1 and 2-3-3-1, are trained on every labelling of random points, again and again from other weights if they miss.

Measured. `pieces_L` of the folding network of L layers; `one_layer` the most pieces of random networks of one layer,
over n + 1; `zigzag` the same of one layer built for it; `lines_3`, `lines_4` the labellings that lines separate, the
least and the most over sets of points; `proved` the share of answers that stand in fractions. Only reported:
`random_DEPTH`, pieces of random networks, the median over seeds, no more in deeper ones (Hanin & Rolnick 2019), and
`shattered_1`, `shattered_2`, the most points of which training found every labelling, with one hidden layer and with
two: it may have missed some. That trained networks fold is not claimed: they do not find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isthmus import likelihoods, networks, seeing, threshold
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.folding import folding, zigzag
from isthmus.regressor import Regressor
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
DEPTHS, NEURONS = (1, 2, 3, 4, 6, 8), 48  # of random networks, which have as many neurons at each depth
NETS = {"2-6-1": (6,), "2-3-3-1": (3, 3)}  # 25 parameters each
REACH = 3.0  # random networks are followed from −REACH to REACH


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Count pieces of built and of random networks, and labellings that lines and trained networks separate."""
    folds = list(range(1, settings["folds"] + 1))
    built = [seeing.pieces(folding(depth, settings["activation"]), 0, 1) for depth in folds]
    flat = [seeing.pieces(zigzag(2 * depth), 0, 1).count for depth in folds]
    drawn = np.array([[pieces_of_random(depth, seed) for depth in DEPTHS] for seed in seeds])  # (seeds, depths)
    three, four = (np.array([labellings(n, seed) for seed in seeds]) for n in (3, 4))  # (seeds, 2)
    shares = {name: [trained(hidden, n, settings) for n in settings["points"]] for name, hidden in NETS.items()}
    numbers: dict[str, Any] = {f"pieces_{depth}": found.count for depth, found in zip(folds, built, strict=True)}
    numbers |= {"one_layer": drawn[:, 0].max() / (NEURONS + 1)}
    numbers |= {"zigzag": np.mean([count / (2 * depth + 1) for depth, count in zip(folds, flat, strict=True)])}
    numbers |= {"lines_3": three[:, 0].min(), "lines_4": four[:, 0].max(), "proved": np.mean([three[:, 1], four[:, 1]])}
    numbers |= {f"random_{depth}": np.median(own) for depth, own in zip(DEPTHS, drawn.T, strict=True)}
    for layers, own in enumerate(shares.values(), start=1):
        whole = [n for n, share in zip(settings["points"], own, strict=True) if share == 1]
        numbers |= {f"shattered_{layers}": max(whole, default=0)}
    series: dict[str, Any] = {
        "saws": {str(depth): [one.ends.tolist(), one.values[:, 0].tolist()] for depth, one in enumerate(built, 1)},
        "pieces": {"neurons": [2 * depth for depth in folds], "folding": [one.count for one in built], "flat": flat},
        "random": {"depths": list(DEPTHS), **drawing.quartiles(drawn)},
        "labelled": {name: drawing.rounded([100 * share for share in own]) for name, own in shares.items()},
        "points": list(settings["points"]),
    }
    figures = {
        "saws": lambda figure: _draw_saws(figure, series["saws"]),
        "pieces": lambda figure: _draw_pieces(figure, series),
        "shattered": lambda figure: _draw_shattered(figure, series),
    }
    return Measured(numbers, figures, series)


def pieces_of_random(depth: int, seed: int) -> int:
    """Of NEURONS neurons in so many layers, on a line through the origin of one input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 * depth + seed)
        net = networks.MLP((NEURONS // depth,) * depth, initialisation="he").build((1,), 1)
        for bias in (p for p in net.parameters() if p.ndim == 1):
            nn.init.normal_(bias)
    return seeing.pieces(net, -REACH, REACH).count


def labellings(n: int, seed: int) -> tuple[int, bool]:
    """How many labellings of n random points of the plane a line separates, and whether each answer is proved."""
    X = np.random.default_rng([n, seed]).uniform(-1, 1, (n, 2))
    answers = [(threshold.separation(X, y), y) for y in threshold.patterns(n)]
    return sum(answer.exists for answer, _ in answers), all(answer.proved(X, y) for answer, y in answers)


def trained(hidden: tuple[int, ...], n: int, settings: Settings) -> float:
    """The share of labellings of n random points that some training fits; one and its opposite count once."""
    X = np.random.default_rng(n).uniform(-1, 1, (n, 2)).astype(np.float32)
    how = {"batch_size": n, "learning_rate": 0.03, "max_epochs": settings["epochs"], "schedule": "constant"}
    how |= {"scaling": None, "validation_fraction": 0.0, "early_stopping": False, "device": "cpu"}
    asked = threshold.patterns(n)[: 2 ** (n - 1)].astype(np.float32)
    left, rows = list(asked), np.tile(X, (settings["copies"], 1))
    for attempt in range(settings["attempts"]):
        first, net, coin = 1000 * attempt, networks.MLP(hidden), likelihoods.Bernoulli()
        nets = [Regressor(net, coin, random_state=first + i, **how) for i in range(len(left))]
        fit_all(nets, [rows] * len(left), y=[np.tile(y, settings["copies"]) for y in left])
        left = [y for net, y in zip(nets, left, strict=True) if np.any((net.predict(X) > 0.5) != y)]
        if not left:
            break
    return 1 - len(left) / len(asked)


def _draw_saws(figure: Figure, saws: Mapping[str, Any]) -> None:
    shown = [depth for depth in ("1", "2", "4", "6") if depth in saws]
    for axes, depth in zip(figure.subplots(len(shown), 1, sharex=True), shown, strict=True):
        axes.plot(*saws[depth], color=drawing.COLOURS[0])
        axes.set(yticks=[0, 1], title=f"{2 * int(depth)} neurons, layers: {depth}")
    figure.set_size_inches(7, 6)
    figure.suptitle("Each layer of two folds the line once more")


def _draw_pieces(figure: Figure, series: Mapping[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    for place, (name, label) in enumerate((("folding", "layers of two, built"), ("flat", "one layer, built"))):
        look = f"{drawing.MARKERS[place]}{drawing.LINES[place]}"
        left.plot(series["pieces"]["neurons"], series["pieces"][name], look, color=drawing.COLOURS[place], label=label)
    left.set(yscale="log", xlabel="neurons", ylabel="straight pieces", title="What can be built")
    drawing.bands(right, series["random"]["depths"], series["random"], f"{NEURONS} neurons", 2)
    right.set(xlabel="layers", ylim=(0, None), title="What random weights give")
    figure.set_size_inches(9, 4)
    figure.legend(loc="outside lower center", ncols=3)


def _draw_shattered(figure: Figure, series: Mapping[str, Any]) -> None:
    axes, columns = figure.subplots(), [f"{n} points" for n in series["points"]]
    drawing.table(axes, list(series["labelled"].values()), list(NETS), columns, "{:.4g} %", vmin=0)
    axes.set_title("Labellings that some training of twelve fits, 25 parameters each")


DEPTH_OSCILLATION = Experiment(
    name="depth-oscillation",
    part="I",
    claim="Deep networks can oscillate more with fewer neurons: 2L of them fold a line into 2^L pieces.",
    lecture="deep networks can oscillate more with fewer neurons; oscillations are related to the VC dimension",
    reference="Telgarsky 2016; Montúfar, Pascanu, Cho & Bengio 2014; Vapnik & Chervonenkis 1971",
    measure=measure,
    expected={f"pieces_{depth}": ("==", 2**depth) for depth in range(1, 9)}
    | {"one_layer": ("<=", 1), "zigzag": ("==", 1), "lines_3": ("==", 8), "lines_4": ("==", 14), "proved": ("==", 1)},
    settings={"folds": 8, "activation": "relu", "points": (4, 5, 6, 7, 8), "attempts": 12, "copies": 64, "epochs": 10},
    seeds=32,
)
