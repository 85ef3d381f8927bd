"""Rosenblatt's rule finds a line where there is one, after at most (R/γ)² mistakes; on XOR it goes round for ever.

Claim. At each row on the wrong side, ŵ becomes ŵ ± x̂ (Rosenblatt 1958; x̂ is the row and a 1, for the bias). If some
unit keeps all rows, at most R long, a distance γ away from its plane, there are at most (R/γ)² mistakes, in whatever
order they come and however many there are (Novikoff 1962). Where no unit separates them, as with XOR, it never ends.

Set-up. One set a seed: 10 to 100 normal rows in 1 to 10 dimensions on both sides of a random plane, and a random gap
between them. γ is the best margin there is, with its dual, which shows that none is larger. Rows of a Hadamard matrix,
all at right angles, attain the bound. XOR is shown in every order of its four rows; its weights are whole numbers, so
that the same weights after two sweeps prove that the rule goes round. Iris by length and width of petals, in mm.

Measured. `passed`: sets with more mistakes than (R/γ)²; `converged`: share of sets that end without mistakes;
`largest_share`: the most mistakes over the bound; `margin_gap`: the largest relative difference of γ and its dual;
`attained`: the least mistakes over the bound of Hadamard rows. `xor_converged`, `xor_returned`: of the 24 orders of
`table`, those that end without mistakes and those that come back. `iris_separates`: 1 where the rule ends without
mistakes on `species` against the others, and linear programming agrees in fractions; `iris_mistakes`: how many it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import load_iris

from isthmus import threshold
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Classes = NDArray[np.int64]
SIZES = (2, 4, 8, 16, 32, 64)  # of Hadamard matrices
AND = (0, 0, 0, 1)
SHOWN = 18  # mistakes, of the weights' way


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Let the rule learn every set, and count."""
    mistakes, bounds, ended, gaps = np.array([_counted(*_drawn(settings["gap"], seed)) for seed in seeds]).T
    right_angled = np.array([_counted(*threshold.right_angled(n)) for n in SIZES])[:, :2]
    X, truth = threshold.patterns(2), np.array(settings["table"])
    orders = [threshold.rosenblatt(X[list(o)], truth[list(o)]) for o in permutations(range(4))]
    flowers = load_iris()
    petals, y = np.round(10 * flowers.data[:, 2:]), flowers.target_names[flowers.target] == settings["species"]
    learned, answer = threshold.rosenblatt(petals, y), threshold.separation(petals, y)
    numbers = {
        "passed": np.sum(mistakes > bounds),
        "converged": np.mean(ended),
        "largest_share": np.max(mistakes / bounds),
        "margin_gap": np.max(gaps),
        "attained": np.min(right_angled[:, 0] / right_angled[:, 1]),
        "xor_converged": sum(learning.converged for learning in orders),
        "xor_returned": sum(learning.returned is not None for learning in orders),
        "iris_separates": learned.converged and answer.exists and answer.proved(petals, y),
        "iris_mistakes": sum(learned.mistakes),
    }
    (w1, w2), b, ends = learned.unit.weights, learned.unit.bias, np.array([0.0, 75.0])  # of the line, mm
    series = drawing.rounded(
        {
            "sets": {"random rows": (bounds, mistakes), "rows at right angles": right_angled.T[::-1]},
            "iris": {"petals": petals, "classes": y, "line": (ends, -(w1 * ends + b) / w2)},
            "ways": {"AND: the mistakes end": _way(X, AND), "XOR: the same round for ever": _way(X, truth)},
        }
    )
    figures = {
        "mistakes": lambda figure: draw_mistakes(figure, series["sets"]),
        "iris": lambda figure: draw_iris(figure, series["iris"], settings["species"]),
        "xor": lambda figure: draw_ways(figure, series["ways"]),
    }
    return Measured(numbers, figures, series)


def _drawn(gaps: tuple[float, float], seed: int) -> tuple[Array, Classes]:
    """A set that a plane separates, of a size, dimensions and a gap that its seed draws."""
    rng = np.random.default_rng(seed)
    gap = float(np.exp(rng.uniform(*np.log(gaps))))
    return threshold.separable(int(rng.integers(10, 101)), int(rng.integers(1, 11)), gap, random_state=seed)


def _counted(X: Array, y: Classes) -> tuple[float, float, bool, float]:
    """Mistakes, their bound, whether the last sweep had none, and the relative gap between γ and its dual."""
    widest = threshold.widest(X, y)
    learned = threshold.rosenblatt(X, y, int(widest.mistakes) + 1)  # a sweep has a mistake, or is the last
    return sum(learned.mistakes), widest.mistakes, learned.converged, widest.ceiling / widest.margin - 1


def _way(X: ArrayLike, y: ArrayLike) -> Array:
    """ŵ after each of the first mistakes, (≤ SHOWN + 1, 3), round after round where it comes back."""
    learned = threshold.rosenblatt(X, y)
    rounds = [learned.circle] * SHOWN if learned.returned else []
    return np.concatenate([learned.path, *rounds])[: SHOWN + 1]


def draw_mistakes(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    for place, key in enumerate(("random rows", "rows at right angles")):
        bounds, mistakes = series[key]
        axes.plot(bounds, mistakes, drawing.MARKERS[place], color=drawing.COLOURS[place], alpha=0.7, label=key)
    ends = [min(series["rows at right angles"][0]), max(series["random rows"][0])]
    axes.plot(ends, ends, color="black", label="as many as (R/γ)²")
    axes.set(xscale="log", yscale="log", xlabel="(R/γ)²", ylabel="mistakes until all rows are right")
    axes.set_title("Rosenblatt's rule never makes more than (R/γ)² mistakes")
    axes.legend()


def draw_iris(figure: Figure, found: Mapping[str, Any], species: str) -> None:
    axes = figure.subplots()
    petals, classes = np.array(found["petals"]), np.array(found["classes"])
    for value, label in enumerate(("the other two", f"iris {species}")):
        x, y = petals[classes == value].T
        axes.plot(x, y, drawing.MARKERS[value], color=drawing.CLASSES[value], alpha=0.7, label=label)
    axes.plot(*found["line"], color="black", label="the rule's line")
    axes.set(xlabel="petal length (mm)", ylabel="petal width (mm)", xlim=(0, 75), ylim=(0, 27))
    axes.set_title("The line that Rosenblatt's rule ends with")
    axes.legend()


def draw_ways(figure: Figure, ways: Mapping[str, Any]) -> None:
    for axes, (title, way) in zip(figure.subplots(1, 2, sharey=True), ways.items(), strict=True):
        for place, (name, weights) in enumerate(zip(("w₁", "w₂", "b"), zip(*way, strict=True), strict=True)):
            look = f"{drawing.MARKERS[place]}{drawing.LINES[place]}"
            axes.plot(weights, look, color=drawing.COLOURS[place], label=name)
        axes.set(title=title, xlabel="mistakes so far")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")


PERCEPTRON = Experiment(
    name="perceptron",
    part="I",
    claim="Rosenblatt's rule separates what a line can, after at most (R/γ)² mistakes; on XOR it goes round for ever.",
    lecture="1958: Rosenblatt, perceptron and learning algorithm; 1969: Perceptrons (Minsky, Papert)",
    reference="Rosenblatt 1958; Novikoff 1962",
    measure=measure,
    expected={
        "passed": ("==", 0),
        "converged": ("==", 1),
        "margin_gap": ("<=", 1e-6),
        "xor_converged": ("==", 0),
        "xor_returned": ("==", 24),
        "iris_separates": ("==", 1),
    },
    settings={"gap": (0.01, 1.0), "table": (0, 1, 1, 0), "species": "setosa"},
    seeds=200,
)
