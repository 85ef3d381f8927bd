"""One hidden layer approximates any continuous function on an interval: the error falls as it widens. Outside, nothing.

Claim. For any continuous function on a bounded set and any error there is a width at which some network of one hidden
layer keeps below it (Cybenko 1989; Hornik 1991; of ReLUs, Leshno and others 1993). "Locally" is half of the sentence:
beyond the set nothing is promised. Nor does it say how wide, or that training finds the weights.

Set-up. Three functions of one variable that are hard in different ways: `wave` of two smooth frequencies; `cusps`, two
points without a slope; `step`, a steep slope beside a flat and a dent. Networks of 1 input, one layer of ReLUs and 1
output are trained by Adam on evenly spaced places of [−1, 1], all widths with the same rate and as many steps; all
seeds of a width are one population. They read 3x, and begin as PyTorch's own layers do, biases included: the ReLUs
then bend all along the interval. A jump, or a wave with kinks at its crests, keeps 1.4 % or more on this budget.
`activation=identity` takes the bends away.

Measured, in % of the function's variance on [−1, 1], the median over seeds, on places that were not trained on:
`FUNCTION_WIDTH_percent`; `widest_percent`, the largest at the widest; `fourfold_ratio`, the largest by which the error
changes where a width becomes four times as large, below 1 where it falls each time; `FUNCTION_slope` of log error
against log width; `outside_percent`, the least error of the widest on the places from 1 to 2 away from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.activations import Bend
from isthmus.regressor import Regressor
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "wave": lambda x: np.sin(2 * np.pi * x) + np.cos(3 * np.pi * x) / 2,
    "cusps": lambda x: np.exp(-4 * np.abs(x + 0.4)) - np.exp(-4 * np.abs(x - 0.4)),
    "step": lambda x: np.tanh(12 * (x + 0.4)) - 1.5 * np.exp(-np.square((x - 0.4) / 0.2)),
}
WITHIN = np.linspace(-1, 1, 1001)
BEYOND = np.concatenate([np.linspace(-2, -1, 200), np.linspace(1, 2, 200)])
SEEN = np.linspace(-1.6, 1.6, 161)  # places in the picture
SHOWN, OF = 4, "wave"  # as many widths of that function
REACH = 3.0  # places are multiplied by it for the nets, whose first layers expect numbers of about that size


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train every width on every function from every seed, and measure each on the interval and beyond."""
    widths = settings["widths"]
    fits = {(name, width): _trained(settings, seeds, name, width) for name in FUNCTIONS for width in widths}
    errors = {key: np.array([error(key[0], fit, WITHIN) for fit in those]) for key, those in fits.items()}
    median = {key: float(np.median(own)) for key, own in errors.items()}
    outside = [np.median([error(name, fit, BEYOND) for fit in fits[name, widths[-1]]]) for name in FUNCTIONS]
    numbers = {f"{name}_{width}_percent": value for (name, width), value in median.items()} | {
        f"{name}_slope": slope(widths, [median[name, width] for width in widths]) for name in FUNCTIONS
    }
    ratios = [median[name, 4 * w] / median[name, w] for name in FUNCTIONS for w in widths if 4 * w in widths]
    numbers |= {"widest_percent": max(median[name, widths[-1]] for name in FUNCTIONS)}
    numbers |= {"fourfold_ratio": max(ratios, default=float("nan")), "outside_percent": float(min(outside))}
    shown = [widths[i] for i in np.unique(np.linspace(0, len(widths) - 1, SHOWN).round().astype(int))]
    series = {
        "places": drawing.rounded(SEEN),
        "truth": drawing.rounded(FUNCTIONS[OF](SEEN)),
        "fits": {str(width): drawing.rounded(_middle(fits[OF, width], errors[OF, width])) for width in shown},
        "widths": list(widths),
        "errors": {name: drawing.quartiles(np.stack([errors[name, w] for w in widths], 1)) for name in FUNCTIONS},
        "numbers": drawing.rounded(numbers),
    }
    figures = {"fits": lambda figure: _draw_fits(figure, series), "errors": lambda figure: _draw(figure, series)}
    return Measured(numbers, figures, series)


def _trained(settings: Settings, seeds: Sequence[int], name: str, width: int) -> list[Regressor]:
    def network(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, width), Bend(settings["activation"]), nn.Linear(width, outputs))

    how = {key: settings[key] for key in ("batch_size", "learning_rate")} | {"max_epochs": settings["epochs"]}
    how |= {"scaling": None, "validation_fraction": 0.0, "early_stopping": False, "device": "cpu"}
    estimators = [Regressor(network, random_state=seed, **how) for seed in seeds]
    x = np.linspace(-1, 1, settings["places"], dtype=np.float32)
    fit_all(estimators, REACH * x[:, None], y=FUNCTIONS[name](x))
    return estimators


def error(name: str, fit: Regressor, places: Array) -> float:
    """The mean squared error at places, in % of the function's variance on [−1, 1]."""
    wrong = fit.predict(_rows(places)) - FUNCTIONS[name](places)
    return float(100 * np.mean(wrong**2) / np.var(FUNCTIONS[name](WITHIN)))


def slope(widths: Sequence[int], errors: Sequence[float]) -> float:
    """Of the logarithm of the error against that of the width, by least squares."""
    return float(np.polyfit(np.log(widths), np.log(errors), 1)[0]) if len(widths) > 1 else float("nan")


def _rows(places: Array) -> Array:
    """Places as the networks read them, (N, 1)."""
    return (REACH * places[:, None]).astype(np.float32)


def _middle(fits: Sequence[Regressor], errors: Array) -> Array:
    """What the net of the median error says of the places that are drawn."""
    return fits[int(np.argsort(errors)[len(errors) // 2])].predict(_rows(SEEN))


def _draw_fits(figure: Figure, series: Mapping[str, Any]) -> None:
    figure.set_size_inches(9, 5.5)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, (width, said) in zip(panels, series["fits"].items(), strict=False):
        axes.axvspan(-1, 1, color="#999999", alpha=0.15, linewidth=0)
        axes.plot(series["places"], series["truth"], "--", color="black", label="the function")
        axes.plot(series["places"], said, color=drawing.COLOURS[1], label="the net of the median error")
        percent = series["numbers"][f"{OF}_{width}_percent"]
        axes.set(title=f"{width} units: {percent:.2g} % of the variance", ylim=(-2.5, 2.5))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("One hidden layer comes ever nearer where it was trained (grey), and nowhere else")


def _draw(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    for place, (name, found) in enumerate(series["errors"].items()):
        drawing.bands(axes, series["widths"], found, f"{name}, slope {series['numbers'][f'{name}_slope']:.2g}", place)
    axes.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="error, % of the variance")
    axes.set_xticks(series["widths"], [str(width) for width in series["widths"]])
    axes.minorticks_off()
    axes.set_title("The wider the one hidden layer, the smaller the error")
    axes.legend()


UNIVERSAL_APPROXIMATION = Experiment(
    name="universal-approximation",
    part="I",
    claim="One hidden layer approximates functions on an interval as closely as it is wide.",
    lecture="One single layer can approximate any function, locally, with arbitrary precision",
    reference="Cybenko 1989; Hornik 1991; Leshno, Lin, Pinkus & Schocken 1993",
    measure=measure,
    expected={"fourfold_ratio": ("<", 1), "widest_percent": ("<", 1)},
    settings={"activation": "relu", "widths": (2, 4, 8, 16, 32, 64, 128, 256), "places": 512}
    | {"epochs": 300, "batch_size": 32, "learning_rate": 0.03},
    seeds=16,
)
