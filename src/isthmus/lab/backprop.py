"""The lecture's two Δw rules, written out, are what automatic differentiation gives, at every depth.

Claim. For logistic units and E = ½ Σ (t − s)², a step down the gradient changes the weight from unit m to unit n by
Δw = η δ s_m. At the output δ = (t − s) s (1 − s); at a hidden unit δ = (Σ_p δ_p w_p) s (1 − s), p the units ahead
(Rumelhart, Hinton & Williams 1986). Each step back multiplies by weights and by s(1 − s) ≤ ¼.

Set-up. Perceptrons of the library in float64, 1 to 6 hidden layers of several widths, all weights and biases drawn from
N(0, 1), with random rows and targets; the sigmoid is put on the output too, as on the slides. The rules run on arrays.
They are compared with automatic differentiation of E, and with E at each weight a little to both sides.

Measured, the worst over nets, of the net's largest Δw. `output_rule` and `hidden_rule`: the largest difference from
automatic differentiation for the weights of the output and for all others; `autograd`: for any; `differences`: from
central differences. `fade`: of the deepest nets, mean |δ| of the first layer over that of the last, the median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from isthmus import networks
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
INPUTS, OUTPUTS, ROWS, STEP = 4, 3, 5, 1e-5


@dataclass(frozen=True)
class Trial:
    """A net with rows x, (ROWS, INPUTS), targets t, (ROWS, OUTPUTS), and η."""

    net: nn.Module
    x: Tensor
    t: Tensor
    eta: float

    @property
    def weights(self) -> Tensor:  # each layer's matrix, then its biases, from the input on
        return parameters_to_vector(self.net.parameters()).detach()

    def error(self, weights: Tensor) -> Tensor:
        """E, with a sigmoid on the output."""
        parts = weights.split([own.numel() for own in self.net.parameters()])
        named = {name: part.view_as(own) for part, (name, own) in zip(parts, self.net.named_parameters(), strict=True)}
        s = torch.sigmoid(functional_call(self.net, named, (self.x,)))
        return (self.t - s).square().sum() / 2

    def autograd(self) -> Array:
        """Δw = −η ∂E/∂w by automatic differentiation."""
        return -self.eta * grad(self.error)(self.weights).numpy()

    def differences(self) -> Array:
        """The same by (E(w + h) − E(w − h)) / 2h, each weight moved alone."""
        steps = STEP * torch.eye(len(self.weights), dtype=torch.float64)
        up, down = (vmap(self.error)(self.weights + way * steps) for way in (1, -1))
        return -self.eta * ((up - down) / (2 * STEP)).numpy()


def rules(trial: Trial) -> tuple[Array, list[Array]]:
    """The lecture's Δw for all weights, in the order of `weights`, and δ of each layer, (ROWS, units)."""
    own = [weight.detach().numpy() for weight in trial.net.parameters()]
    W, b, s = own[::2], own[1::2], [trial.x.numpy()]
    for matrix, bias in zip(W, b, strict=True):
        s.append(1 / (1 + np.exp(-(s[-1] @ matrix.T + bias))))  # s = f(net), net = Σ_m w_m s_m + b
    delta = [(trial.t.numpy() - s[-1]) * s[-1] * (1 - s[-1])]  # δ_k = (t − s_k) s_k (1 − s_k)
    for matrix, here in zip(W[:0:-1], s[-2:0:-1], strict=True):
        delta.insert(0, (delta[0] @ matrix) * here * (1 - here))  # δ_i = (Σ_p δ_p w_p) s_i (1 − s_i)
    steps = [np.hstack([(d.T @ before).ravel(), d.sum(axis=0)]) for d, before in zip(delta, s, strict=False)]  # δ s_m
    return trial.eta * np.hstack(steps), delta


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Compare the rules with both derivatives on every net."""
    depths, widths = list(range(1, settings["depth"] + 1)), settings["widths"]
    trials = [[_trial(settings, depth, w, seed) for w in widths for seed in seeds] for depth in depths]
    errors = np.array([[_errors(trial) for trial in row] for row in trials])  # (depths, nets, 3)
    sizes = [[np.abs(delta).mean() for delta in rules(trial)[1]] for trial in trials[-1]]
    signals = np.reshape(sizes, (len(widths), len(seeds), -1))  # and layers
    numbers = {
        "autograd": errors[..., :2].max(),
        **dict(zip(("output_rule", "hidden_rule", "differences"), errors.max(axis=(0, 1)), strict=True)),
        "fade": np.median(signals[..., 0] / signals[..., -1]),
    }
    compared = {"automatic differentiation": errors[..., :2].max(axis=-1), "central differences": errors[..., 2]}
    series: dict[str, Any] = {
        "depths": depths,
        "errors": {name: drawing.quartiles(found.T) for name, found in compared.items()},
        "signals": {f"width {w}": drawing.quartiles(own) for w, own in zip(widths, signals, strict=True)},
    }
    return Measured(numbers, {key: partial(drawn, series=series) for key, drawn in PICTURES.items()}, series)


def _trial(settings: Settings, depth: int, width: int, seed: int) -> Trial:
    rng = np.random.default_rng([depth, width, seed])
    net = networks.MLP((width,) * depth, activation=settings["activation"]).build((INPUTS,), OUTPUTS).double()
    drawn = rng.normal(size=len(parameters_to_vector(net.parameters())))
    vector_to_parameters(torch.as_tensor(drawn), net.parameters())
    x, t = rng.normal(size=(ROWS, INPUTS)), rng.uniform(size=(ROWS, OUTPUTS))
    return Trial(net, torch.as_tensor(x), torch.as_tensor(t), settings["eta"])


def _errors(trial: Trial) -> tuple[float, float, float]:
    """From automatic differentiation, at the output and elsewhere, and from central differences."""
    ours, last = rules(trial)[0], sum(own.numel() for own in list(trial.net.parameters())[-2:])
    exact, about = (np.abs(ours - theirs) / np.abs(ours).max() for theirs in (trial.autograd(), trial.differences()))
    return exact[-last:].max(), exact[:-last].max(), about.max()


def draw_errors(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    for place, (name, found) in enumerate(series["errors"].items()):
        drawing.bands(axes, series["depths"], found, f"from {name}", place)
    axes.set(yscale="log", xlabel="hidden layers", ylabel="difference over the largest Δw", xticks=series["depths"])
    axes.set_title("The lecture's Δw is the gradient, at every depth")
    axes.legend(loc="center")


def draw_signals(figure: Figure, series: Mapping[str, Any]) -> None:
    axes, layers = figure.subplots(), [*(f"hidden {depth}" for depth in series["depths"]), "output"]
    for place, (name, found) in enumerate(series["signals"].items()):
        drawing.bands(axes, range(len(layers)), found, name, place)
    axes.set(yscale="log", ylabel="mean |δ|", xticks=range(len(layers)), xticklabels=layers)
    axes.set_title("On its way back δ fades: each layer multiplies by s(1 − s), at most ¼")
    axes.legend()


PICTURES = {"errors": draw_errors, "signals": draw_signals}
BACKPROP = Experiment(
    name="backprop",
    part="I",
    claim="The lecture's Δw for an output weight and for a hidden one are the gradient's, at every depth.",
    lecture="1986: Rumelhart, Hinton, Williams, backpropagation; the two Δw rules",
    reference="Rumelhart, Hinton & Williams 1986",
    measure=measure,
    expected={"autograd": ("<=", 1e-10), "differences": ("<=", 1e-6)},
    settings={"depth": 6, "widths": (2, 8, 16), "eta": 0.5, "activation": "sigmoid"},
)
