"""Sigmoids saturate with large coefficients, and pass nothing back; a rectifier is as open as it was.

Claim. Far from 0 the slopes of sigmoid and tanh are next to nothing: the larger the weights, the more units stand
there, and the less comes back through them. A ReLU does not change: with weights s times as large (and no biases) the
same units are shut, and the signal through L layers is s^L times as large, exactly. Half of its units give an exact 0
where weights are as likely positive as negative (Glorot, Bordes & Bengio 2011).

Set-up. Nets of three hidden layers of 16 with Glorot's weights, on normal rows, in float64: their weights are made up
to 100 times as large. And nets of two that learn the circle: their weights grow. `rectifier` plays the ReLU's part.

Measured, means over seeds. `shut_…`: share of units and rows at which the slope is below a twentieth of the sigmoid's
steepest, at weights 1 and 100 times as large. `passed_…`: the signal at the first hidden layer over that at the last,
per growth of the weights, at 100 times over 1 time. `rectifier_shut_change` and `rectifier_passed_change`: the largest
change of either, the latter relative. `zeros_off_half`: how far the rectifier's share of exact zeros is from ½.
`learned_shut_…`: how much the share shut grows by learning; `grown_…`: how many times as long the weights get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from isthmus import networks
from isthmus.evidence import GradientMicroscope
from isthmus.lab import drawing, grids
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.lab.grids import BUDGET, Cell, Net
from isthmus.nn import ACTIVATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN, INPUTS, ROWS = (16, 16, 16), 16, 256
SATURATING = ("sigmoid", "tanh")
KIN = (*SATURATING, "softsign", "relu", "elu", "softplus")
SCALES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Make weights larger, by a factor and by learning, and see which units still pass anything back."""
    names, scales = dict.fromkeys((*SATURATING, settings["rectifier"])), settings["scales"]
    scaled = {name: np.array([[enlarged(name, seed, s) for s in scales] for seed in seeds]) for name in names}
    plan = {Cell("circle", name, "xavier", 2): seeds for name in names}
    learned = {cell.activation: nets for cell, nets in grids.train(plan, settings, when=None).items()}
    looks = range(settings["epochs"] + 1)
    shut = {name: np.array([[np.mean(net.norms("shut", k)) for k in looks] for net in learned[name]]) for name in names}
    closed, passed, zeros = np.moveaxis(scaled[settings["rectifier"]], 2, 0)  # (seeds, scales) each
    numbers = {
        "rectifier_shut_change": float(np.abs(closed - closed[:, :1]).max()),
        "rectifier_passed_change": float(np.abs(passed / passed[:, :1] - 1).max()),
        "zeros_off_half": float(abs(zeros[:, 0].mean() - 0.5)),
    }
    for name in SATURATING:
        numbers[f"shut_{name}_1"], numbers[f"shut_{name}_100"] = scaled[name][:, [0, -1], 0].mean(axis=0)
        numbers[f"passed_{name}"] = float(np.median(scaled[name][:, -1, 1] / scaled[name][:, 0, 1]))
    for name in names:
        numbers[f"learned_shut_{name}"] = float((shut[name][:, -1] - shut[name][:, 0]).mean())
        numbers[f"grown_{name}"] = float(np.mean([_growth(net) for net in learned[name]]))
    told = {
        "curves": curves(),
        "scales": list(scales),
        "epochs": list(looks),
        "shut": {name: drawing.quartiles(found[..., 0]) for name, found in scaled.items()},
        "passed": {name: drawing.quartiles(found[..., 1] / found[:, :1, 1]) for name, found in scaled.items()},
        "learned": {name: drawing.quartiles(found) for name, found in shut.items()},
    }
    return Measured(numbers, {"curves": partial(_draw_curves, told=told), "scales": partial(_draw, told=told)}, told)


def enlarged(activation: str, seed: int, scale: float) -> tuple[float, float, float]:
    """Of a net with its first weights times `scale`: share of units shut, what passes back, share of exact zeros."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, INPUTS, generator=rng, dtype=torch.float64)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = networks.MLP(HIDDEN, activation, "xavier").build((INPUTS,), 1).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(scale)
        zeros = [(net.upto(f"hidden{k}")(x) == 0).double().mean() for k in range(1, len(HIDDEN) + 1)]
    layers = GradientMicroscope(net).look(x, lambda output: output.mean()).layers[:-1]
    passed = layers[0].signal / layers[-1].signal / scale ** (len(HIDDEN) - 1)
    return float(np.mean([layer.shut for layer in layers])), passed, float(np.mean(zeros))


def _growth(net: Net) -> float:
    """How many times as long the weights are as they were at first."""
    modules = (net.fit.build(net.fit.columns_, net.fit.seed_), net.fit.module_)
    first, now = (
        torch.cat([p.detach().flatten() for p in module.parameters() if p.ndim > 1]).norm() for module in modules
    )
    return float(now / first)


def curves() -> dict[str, Any]:
    """Every activation and its slope."""
    a = torch.linspace(-6, 6, 49, dtype=torch.float64)
    found: dict[str, Any] = {"a": a.tolist()}
    for name, one in ((name, ACTIVATIONS[name]) for name in KIN):
        found[name] = {"f": one.function(a).tolist(), "slope": one.slope(a, one.function(a)).tolist()}
    return {name: drawing.rounded(curve) for name, curve in found.items()}


def _draw_curves(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(10, 4.6)
    panels = figure.subplots(1, 2)
    for axes, what in zip(panels, ("f", "slope"), strict=True):
        for place, name in enumerate(KIN):
            how: dict[str, Any] = {"color": drawing.COLOURS[place], "linestyle": drawing.LINES[place]}
            how |= {"linewidth": 5} if name == "relu" else {}  # its kin lies on it
            axes.plot(told["curves"]["a"], told["curves"][name][what], label=name, **how)
        axes.set(title=what, xlabel="a, what a unit reads", ylim=(-1.1, 3) if what == "f" else (-0.05, 1.05))
    figure.suptitle("Away from 0 the slopes of sigmoid and tanh vanish; a rectifier's is 1 as far as it goes")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)


def _draw(figure: Figure, told: Mapping[str, Any]) -> None:
    larger = {"xscale": "log", "xlabel": "weights, times"}
    panels = {
        "units shut": (told["scales"], told["shut"], {"ylabel": "share of units", **larger}),
        "what passes back": (told["scales"], told["passed"], {"ylabel": "per growth", "yscale": "log", **larger}),
        "units shut while learning": (told["epochs"], told["learned"], {"xlabel": "epochs on the circle"}),
    }
    title = "Larger weights shut sigmoids; a rectifier does not notice. Bands are quartiles of seeds"
    drawing.banded(figure, panels, title)


SATURATION = Experiment(
    name="saturation",
    part="I",
    claim="Sigmoid and tanh units saturate as weights grow, and pass nothing back; rectifiers stay as open.",
    lecture="Sigmoid activation saturates and gradients vanish with large coeffs.",
    reference="Glorot & Bengio 2010; Glorot, Bordes & Bengio 2011",
    measure=measure,
    expected={
        "shut_sigmoid_1": ("<=", 0.01),
        **{f"shut_{name}_100": (">=", 0.9) for name in SATURATING},
        **{f"passed_{name}": ("<=", 0.01) for name in SATURATING},
        **{f"learned_shut_{name}": (">", 0) for name in SATURATING},
        "rectifier_shut_change": ("<=", 1e-3),
        "rectifier_passed_change": ("<=", 1e-6),
        "zeros_off_half": ("<=", 0.05),
    },
    settings={**BUDGET, "points": 1000, "epochs": 24, "rectifier": "relu", "scales": SCALES},
    seeds=16,
)
