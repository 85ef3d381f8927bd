"""One neuron trained by gradient is a generalized linear model: sigmoid, linear and exponential alike.

Claim. A neuron gives f(w·x + b). Trained on −log p(y) of the distribution that belongs to f, it is a generalized linear
model (Nelder & Wedderburn 1972): with the sigmoid and coins logistic regression, with no bend and the normal
distribution least squares, with the exponential and counts Poisson regression. The loss is convex in (w, b), so that
the gradient leads where every other method leads.

Set-up. One neuron of the library: a perceptron without hidden layers, random first weights, plain gradient with
momentum on all rows at once. Each seed draws rows, coefficients and answers of each kind. The real sets are diabetes
(worse after a year than the median, or by how much) and Linnerud's (how many chin-ups), standardised, by all measures
and by one. scikit-learn solves the same by methods of its own. The neuron's w and b are read off its answers to 0 and
to unit rows.

Measured. `logistic`, `linear`, `poisson`: the largest difference of a coefficient or intercept from scikit-learn's over
all sets. `largest`: the largest coefficient or intercept, to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.preprocessing import scale

from isthmus import likelihoods, networks
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.regressor import Regressor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Bend = Callable[[Array], Array]
Set = tuple[Array, Array]  # rows, (N, D), and answers, (N,)


@dataclass(frozen=True)
class Family:
    """A kind of neuron, y ~ p with mean f(w·x + b), and of regression."""

    bend: Bend  # f
    unbend: Bend
    likelihood: Any  # the neuron's
    solver: Any  # scikit-learn's
    draw: Callable[[np.random.Generator, Array], NDArray[Any]]  # answers of such means
    curvature: Callable[[Array], float]  # of −log p along w·x + b, about: the steeper the loss, the smaller the steps


NAMES = {  # titles, and axes of the pictures
    "logistic": ("sigmoid: logistic regression", "body mass (sd)", "worse than the median"),
    "linear": ("linear: least squares", "body mass (sd)", "diabetes a year later (sd)"),
    "poisson": ("exponential: Poisson regression", "waist (sd)", "chin-ups"),
}
PLAIN: Mapping[str, Any] = {  # rows as they are, all at once, the gradient with momentum and nothing else
    "scaling": None,
    "target_scaling": None,
    "batch_size": None,
    "optimizer": "sgd",
    "schedule": "constant",
    "validation_fraction": 0.0,
    "early_stopping": False,
    "random_state": 0,
    "device": "cpu",
    "dtype": "float64",
}
SURE = {"tol": 1e-10, "max_iter": 10_000}
COINS, COUNTS = likelihoods.Bernoulli(), likelihoods.Poisson(size=None)
LOGISTIC, POISSON = LogisticRegression(C=np.inf, **SURE), PoissonRegressor(alpha=0, **SURE)
FAMILIES: Mapping[str, Family] = {
    "logistic": Family(expit, logit, COINS, LOGISTIC, lambda rng, mean: rng.binomial(1, mean), lambda y: 0.25),
    "linear": Family(np.array, np.array, None, LinearRegression(), lambda rng, mean: rng.normal(mean), lambda y: 1.0),
    "poisson": Family(np.exp, np.log, COUNTS, POISSON, lambda rng, mean: rng.poisson(mean), lambda y: 2 * y.mean()),
}


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train the neurons, and set them beside scikit-learn's models."""
    given = {name: sets(name, settings, seeds) for name in FAMILIES}
    found = {name: [_solved(FAMILIES[name], *own, settings) for own in given[name]] for name in FAMILIES}
    pairs = {name: np.concatenate(own, axis=1) for name, own in found.items()}  # the neurons', and scikit-learn's
    numbers = {name: np.abs(ours - theirs).max() for name, (ours, theirs) in pairs.items()}
    numbers["largest"] = max(np.abs(both).max() for both in pairs.values())
    series = drawing.rounded({name: _fit(FAMILIES[name], given[name][-1], *found[name][-1]) for name in FAMILIES})
    return Measured(numbers, {"fits": lambda figure: draw_fits(figure, series)}, series)


def sets(name: str, settings: Settings, seeds: Sequence[int]) -> list[Set]:
    """A set a seed, and two real ones: rows of all measures, and of one."""
    drawn = []
    for rng in map(np.random.default_rng, seeds):
        X = rng.normal(size=(settings["rows"], settings["inputs"]))
        net = X @ rng.normal(scale=0.5, size=settings["inputs"]) + rng.normal(scale=0.5)
        drawn.append((X, FAMILIES[name].draw(rng, FAMILIES[name].bend(net)).astype(float)))
    diabetes, linnerud = load_diabetes(), load_linnerud()
    worse = (diabetes.target > np.median(diabetes.target)).astype(float)
    answers = {"logistic": worse, "linear": scale(diabetes.target), "poisson": linnerud.data[:, 0]}
    X, one = (scale(linnerud.target), 1) if name == "poisson" else (scale(diabetes.data), 2)
    return [*drawn, (X, answers[name]), (X[:, [one]], answers[name])]


def _solved(family: Family, X: Array, y: Array, settings: Settings) -> tuple[Array, Array]:
    """Intercept and coefficients, (D + 1,): the neuron's and scikit-learn's."""
    own = {name: settings[name] for name in ("max_epochs", "momentum", "weight_decay")}
    rate = settings["rate"] / family.curvature(y)
    neuron = Regressor(networks.MLP(()), family.likelihood, learning_rate=rate, **own, **PLAIN)
    unit_rows = np.vstack([np.zeros(X.shape[1]), np.eye(X.shape[1])])
    net = family.unbend(neuron.fit(X, y).predict(unit_rows).astype(np.float64))  # b, and b + w
    solver = clone(family.solver).fit(X, y)
    return np.array([net[0], *(net[1:] - net[0])]), np.array([*np.ravel(solver.intercept_), *np.ravel(solver.coef_)])


def _fit(family: Family, own: Set, ours: Array, theirs: Array) -> dict[str, Array]:
    """Answers to one measure, and both curves."""
    X, y = own
    across = np.linspace(X.min(), X.max(), 41)
    curves = [family.bend(b + w * across) for b, w in (ours, theirs)]
    return {"x": X[:, 0], "y": y, "across": across, "neuron": curves[0], "solver": curves[1]}


def draw_fits(figure: Figure, fits: Mapping[str, Any]) -> None:
    figure.set_size_inches(10, 4)
    for axes, (name, fit) in zip(figure.subplots(1, 3), fits.items(), strict=True):
        axes.plot(fit["x"], fit["y"], "o", color="#BBBBBB", markersize=5, alpha=0.6)
        axes.plot(fit["across"], fit["neuron"], color=drawing.COLOURS[5], linewidth=6, label="neuron")
        axes.plot(fit["across"], fit["solver"], "--", color="black", label="scikit-learn")
        title, measure, answer = NAMES[name]
        axes.set(title=title, xlabel=measure, ylabel=answer)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("One neuron is a generalized linear model")


GLM = Experiment(
    name="glm",
    part="I",
    claim="One neuron trained by gradient is logistic regression, least squares or Poisson regression, by its bend.",
    lecture="But these turned out to be equivalent to generalized linear models",
    reference="Nelder & Wedderburn 1972",
    measure=measure,
    expected={"logistic": ("<=", 1e-3), "linear": ("<=", 1e-3), "poisson": ("<=", 1e-3)},
    settings={"rows": 300, "inputs": 5, "max_epochs": 800, "rate": 0.2, "momentum": 0.95, "weight_decay": 0.0},
)
