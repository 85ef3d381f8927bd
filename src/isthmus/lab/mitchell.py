"""Eight rows through three hidden units: the net makes a binary code for them that nobody told it of.

Claim. A net of sigmoids that has to give eight one-hot rows back through three hidden units numbers them: its hidden
values, rounded, are the eight three-bit words (Mitchell 1997, figure 4.7, whose run is the lecture's table). Every row
comes back from nearly every seed. That all eight words are taken is not needed for it: some seeds let a unit tell two
rows apart on one side of a half.

Set-up. Mitchell's: 8-3-8, ½‖x − x̂‖², plain gradient descent with η = .3 and no momentum, weights from U(−.1, .1), 5,000
sweeps. A sweep is one pass over the eight examples, whose Δw are summed and applied together; `batch=1` (the full
protocol) applies each at once, in a new order every sweep, as Mitchell did. All seeds are one population.

Measured. `reconstruct`: share of seeds from which every output of every row rounds to its input. `binary`: share whose
eight codes round to eight different words; `…_low` and `…_high` are the ends of Wilson's 95 % interval. `words`: how
many words the codes round to, mean over seeds. `error`: ‖x − x̂‖² a row after training, the worst over seeds.
`slide_words`: how many words the lecture's table rounds to. `slide_decodes`: how many of the eight outputs a threshold
unit can read from the table's hidden values: by linear programming, proved in fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, pi
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import codes, encoders, likelihoods
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing, grids
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.threshold import separation
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
ROWS = np.eye(8, dtype=np.float32)
NAMES = ["".join(str(int(bit)) for bit in row) for row in ROWS]
UNITS = (  # Mitchell 1997, figure 4.7, as the lecture shows it, hidden unit by hidden unit
    (0.89, 0.15, 0.01, 0.99, 0.03, 0.01, 0.80, 0.60),
    (0.04, 0.99, 0.97, 0.97, 0.05, 0.11, 0.01, 0.94),
    (0.08, 0.99, 0.27, 0.71, 0.02, 0.88, 0.98, 0.01),
)
SLIDE = np.array(UNITS).T  # rows, units
POINTS = 60  # of a curve


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train all seeds at once, round what comes back and what is hidden, and ask whether the slide's table decodes."""
    nets = [_untrained(settings, seed) for seed in seeds]
    fit_all(nets, ROWS)
    hidden = np.stack([net.transform(ROWS) for net in nets])  # seeds, rows, units
    back = np.stack([net.reconstruct(ROWS) for net in nets])
    whole = (np.round(back) == ROWS).all(axis=(1, 2))
    taken = np.array([words(code) for code in hidden])
    binary = taken == len(ROWS)
    numbers = {
        "reconstruct": whole.mean(),
        **grids.told("binary", grids.share(int(binary.sum()), len(seeds))),
        "words": taken.mean(),
        "error": np.square(back - ROWS).sum(axis=2).mean(axis=1).max(),
        "slide_words": words(SLIDE),
        "slide_decodes": sum(decodes(SLIDE)),
    }
    shown = int(np.argmax(binary & whole))
    series = {
        "hidden": drawing.rounded(hidden[shown].astype(float), 2),
        "slide": SLIDE.tolist(),
        "words": np.bincount(taken, minlength=2 ** settings["code_size"] + 1).tolist(),
        **_curves(nets, settings),
    }
    figures = {"codes": lambda figure: draw_codes(figure, series), "errors": lambda figure: draw_errors(figure, series)}
    return Measured(numbers, figures, series)


def words(hidden: Array) -> int:
    """How many different words hidden values, (8, K), round to."""
    return len(np.unique(hidden > 0.5, axis=0))


def decodes(hidden: Array) -> list[bool]:
    """For each output whether a threshold unit can read it from hidden values, (8, K)."""
    answers = [(separation(hidden, target), target) for target in ROWS]
    return [found.exists and found.proved(hidden, target) for found, target in answers]


def _untrained(settings: Settings, seed: int) -> Autoencoder:
    return Autoencoder(
        settings["code_size"],
        encoders.MLP((), initialisation="mitchell"),
        code=codes.Activation("sigmoid"),
        likelihood=likelihoods.SigmoidGaussian(),
        scaling=None,
        max_epochs=settings["sweeps"],
        batch_size=settings["batch"],
        learning_rate=settings["eta"] * settings["batch"],  # the loss is a mean over a batch, Mitchell's Δw a sum
        schedule="constant",
        optimizer="sgd",
        random_state=seed,
        **TO_THE_END,
    )


def _curves(nets: Sequence[Autoencoder], settings: Settings) -> dict[str, Any]:
    """‖x − x̂‖² a row while training, quartiles over seeds."""
    sweeps = np.unique(np.geomspace(1, settings["sweeps"], POINTS).astype(int))
    constant = ROWS.shape[1] * log(2 * pi) / 2  # in −log p, beside half the square
    losses = np.array([[net.history_[sweep - 1]["reconstruction"] for sweep in sweeps] for net in nets])
    return {"sweeps": sweeps.tolist(), "error": drawing.quartiles(2 * (losses - constant))}


def draw_codes(figure: Figure, series: Mapping[str, Any]) -> None:
    """The hidden values of a seed beside the slide's."""
    figure.set_size_inches(8, 5)
    heads = {"hidden": "a seed of ours", "slide": "the lecture's table"}
    for axes, (name, head) in zip(figure.subplots(1, 2, sharey=True), heads.items(), strict=True):
        units = [f"hidden {k}" for k in range(1, len(series[name][0]) + 1)]
        drawing.table(axes, series[name], NAMES, units, "{:.2f}", vmin=0, vmax=1)
        axes.set_title(head)
    figure.suptitle("Three hidden units number eight rows in binary")


def draw_errors(figure: Figure, series: Mapping[str, Any]) -> None:
    """The error over sweeps, and how many words the seeds' codes take."""
    figure.set_size_inches(10, 4.2)
    left, right = figure.subplots(1, 2)
    drawing.bands(left, series["sweeps"], series["error"], "median and quartiles", 0)
    left.set(xscale="log", yscale="log", xlabel="sweep", ylabel="‖x − x̂‖² a row", title="The error waits, then falls")
    counts = series["words"]
    right.bar(range(len(counts)), counts, color=drawing.COLOURS[0])
    right.set(xlabel="words that the eight codes round to", ylabel="seeds", title="Most seeds take all eight words")


MITCHELL = Experiment(
    name="mitchell",
    part="II",
    claim="Three hidden units learn to number eight rows in binary, from nearly every first weights.",
    lecture="Mitchell's autoencoder, hidden layer of 3 neurons",
    reference="Mitchell 1997, section 4.6.4",
    measure=measure,
    expected={"reconstruct": (">=", 0.95), "binary": (">=", 0.5), "slide_words": ("==", 8), "slide_decodes": ("==", 8)},
    settings={"code_size": 3, "eta": 0.3, "sweeps": 5000, "batch": 8},
    full={"batch": 1},
    seeds=64,
    budget="a minute on 2 cores",
)
