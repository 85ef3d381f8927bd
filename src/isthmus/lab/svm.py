"""A support vector machine expands the attributes by itself: all that it asks of φ is K(x, y) = φ(x)·φ(y).

Claim. The machine's weights are Σ αₙyₙφ(xₙ), where α maximises the slide's Σ αₙ − ½ Σ Σ αₙαₘyₙyₘK(xₙ, xₘ) within
0 ≤ αₙ ≤ C and Σ αₙyₙ = 0. So φ need not be written down, if only K is a product in some space: that of (x·y + 1)^d has
all products of up to d attributes for axes, that of exp(−γ‖x − y‖²) has no end of them, and solves XOR and the disc.

Set-up. scikit-learn's SVC learns points of either set, a little blurred, so that some αₙ reach C, and is tested on
others. SciPy's SLSQP, which knows nothing of the machine, climbs the same sum. Each seed draws other points.

Measured, the worst over seeds and sets. `kernel_difference`: of (x·y + 1)^d from φ(x)·φ(y), with φ written out, of 5
attributes, d = 1 to 4. `dual_difference`: of the slide's sum at SVC's α from the greatest that SLSQP finds, relative.
`duality_gap`: of the sum from its bound ½‖w‖² + C Σ max(0, 1 − yₙf(xₙ)), relative. `kkt_violation`: how far yₙf(xₙ) is
from ≥ 1 where αₙ = 0, from 1 where 0 < αₙ < C, from ≤ 1 where αₙ = C, and Σ αₙyₙ from 0. `*_percent`: of test points
named rightly. With `digits` > 0 a machine learns so many of MNIST's, pixels in [0, 1]: `error_percent` of its 10,000
test digits. The published 1.4 % has a 95 % half-width of 0.23 points on as many; 1.5 is asked. C and γ were chosen on
10,000 training digits by the error of 5,000 others of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from isthmus import kernels
from isthmus.data import load_data, planes
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETS = ("xor", "circle")
FLOOR = 1e-12  # of what is drawn of SLSQP's way, as a share of the machine's sum


@dataclass(frozen=True)
class Trial:
    """A machine that learned points of a set, its dual, SLSQP's way up, and the % of other points named rightly."""

    svc: SVC
    X: NDArray[np.floating]
    y: NDArray[np.integer]
    dual: kernels.Dual
    climb: Sequence[float]
    percent: float


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Fit a machine to each set for each seed, and compare its multipliers with what theory asks of them."""
    trials = {name: [_trial(settings, name, seed) for seed in seeds] for name in SETS}
    every = [trial for found in trials.values() for trial in found]
    numbers = {
        "kernel_difference": max(_kernel_difference(seed) for seed in seeds),
        "dual_difference": max(abs(trial.dual.value / trial.climb[-1] - 1) for trial in every),
        "duality_gap": max(1 - trial.dual.value / trial.dual.primal for trial in every),
        "kkt_violation": max(trial.dual.violation for trial in every),
        **{f"{name}_percent": min(trial.percent for trial in found) for name, found in trials.items()},
    }
    if settings["digits"]:
        numbers["error_percent"] = _digits_error(settings)
    machines = {name: _machine(found[0]) for name, found in trials.items()}
    below = {
        name: [max(FLOOR, 1 - at / found[0].dual.value) for at in found[0].climb] for name, found in trials.items()
    }
    series = drawing.rounded({"machines": machines, "below": below})
    figures = {
        "machines": lambda figure: _draw_machines(figure, series["machines"]),
        "dual": lambda figure: _draw_below(figure, series["below"]),
    }
    return Measured(numbers, figures, series)


def _trial(settings: Settings, name: str, seed: int) -> Trial:
    X, y = planes.generate(name, settings["rows"], settings["noise"], 2 * seed)
    gamma = settings["gamma"]
    svc = SVC(C=settings["C"], kernel="rbf" if settings["expand"] else "linear", gamma=gamma, tol=1e-6).fit(X, y)
    dual = kernels.Dual.of(svc, X, y, kernels.radial(gamma) if settings["expand"] else lambda X, Y: X @ Y.T)
    unseen = planes.generate(name, settings["test_rows"], settings["noise"], 2 * seed + 1)
    return Trial(svc, X, y, dual, dual.climb(), 100 * float(svc.score(*unseen)))


def _kernel_difference(seed: int) -> float:
    X = np.random.default_rng(seed).uniform(-1, 1, (50, 5))
    grams = [(kernels.polynomial(degree)(X, X), kernels.polynomial_features(X, degree)) for degree in range(1, 5)]
    return max(float(np.abs(gram - phi @ phi.T).max()) for gram, phi in grams)


def _digits_error(settings: Settings) -> float:
    """Of a machine for MNIST's test digits, in %."""
    data = load_data("mnist")
    X, y = (np.asarray(part)[: settings["digits"]] for part in (data.X, data.y))
    svc = SVC(C=settings["digits_C"], gamma=settings["digits_gamma"], cache_size=2000).fit(X, y)
    return 100 - 100 * float(svc.score(data.X_test, data.y_test))


def _machine(trial: Trial) -> dict[str, Any]:
    """f over the plane, moved so that its margins are 0 and 1; the points, with what share of C each multiplier is."""
    field = drawing.field(lambda at: (trial.svc.decision_function(at) + 1) / 2)
    share = trial.dual.alpha / trial.dual.C
    return {"field": field, "points": trial.X, "classes": trial.y, "share": share, "percent": trial.percent}


def _draw_machines(figure: Figure, shown: Mapping[str, Any]) -> None:
    figure.set_size_inches(8, 5.5)
    for axes, (name, one) in zip(figure.subplots(1, 2), shown.items(), strict=True):
        drawing.regions(axes, one["field"], one["points"], one["classes"])
        across = np.linspace(one["field"]["low"], one["field"]["high"], len(one["field"]["values"]))
        axes.contour(across, across, one["field"]["values"], [0, 1], colors="black", linestyles="--", linewidths=1)
        points, share = np.array(one["points"]), np.array(one["share"])
        rings = {"0 < α < C": ("8", (share > 0) & (share < 1)), "α = C": ("D", share == 1)}
        for label, (mark, those) in rings.items():
            axes.plot(*points[those].T, mark, color="black", ms=12, mfc="none", mew=1.5, label=label)
        support = f"{np.sum(share > 0)} of {len(share)} are support"
        axes.set_title(f"{name}: {one['percent']:.4g} % named rightly,\n{support}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Support vectors alone draw the boundary; dashed: the margins yf(x) = 1")


def _draw_below(figure: Figure, shown: Mapping[str, Sequence[float]]) -> None:
    axes = figure.subplots()
    for place, (name, below) in enumerate(shown.items()):
        axes.plot(below, drawing.MARKERS[place], color=drawing.COLOURS[place], ls=drawing.LINES[place], label=name)
    axes.set(yscale="log", xlabel="steps of SLSQP", ylabel="below the sum at SVC's α,\nas a share of it")
    axes.set_title("The slide's sum climbs to the value at scikit-learn's α, and no further")
    axes.legend()


SETTINGS = {"rows": 150, "test_rows": 1000, "noise": 0.03, "C": 10.0, "gamma": 2.0, "expand": True}
DIGITS = {"digits": 0, "digits_C": 10.0, "digits_gamma": 0.03}
EXACT = {"kernel_difference": 1e-10, "dual_difference": 1e-3, "duality_gap": 1e-3, "kkt_violation": 1e-3}
HOLDS = {key: ("<=", bound) for key, bound in EXACT.items()} | {f"{name}_percent": (">=", 99) for name in SETS}
SVM = Experiment(
    name="svm",
    part="I",
    claim="A support vector machine expands the attributes without writing φ down: its dual asks for K = φ·φ alone.",
    lecture="Support Vector Machines do this automatically: the kernel function for some non-linear expansion φ",
    reference="Boser, Guyon & Vapnik 1992; MNIST 1.4 %: LeCun's table",
    measure=measure,
    expected=HOLDS,
    settings=SETTINGS | DIGITS,
    full={"digits": 60_000},
    expected_full=HOLDS | {"error_percent": ("<=", 1.5)},
    seeds=8,
)
