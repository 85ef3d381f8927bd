"""With few examples hand-made features win, with many and with computing power the deep net does.

Claim. What changed between 2006 and 2012 is not the idea but the size of the data and of the computers: a classical
pipeline of hand-made features and a kernel machine starts ahead of a deep net, and is overtaken.

Set-up. As many pictures as wanted: scikit-learn's digits, turned, stretched, slanted, moved and bent at random. Each
seed holds out 30 % of the digits, from which test pictures are made, draws distortions and first weights. Classical:
histograms of oriented gradients and of values, their principal components, a support vector machine with an RBF kernel
(Dalal & Triggs 2005 for the features). Deep: two convolutions and two dense layers on the pixels, trained by so many
steps of AdamW, whatever the number of examples: the computing budget. The same machine on the components of the pixels
themselves is only reported: with as many examples of so small pictures it comes near the deep net.

Measured. Shares of test pictures named wrongly, in %, means over seeds. `behind`: the deep net's error, with the most
steps, less that of the classical pipeline, from the fewest examples; `ahead`: the classical one's less the deep net's,
from the most. `compute_helps`: how much lower the net's error from the most examples is with the most steps than with
the fewest. Of all three the mean difference less two standard errors over seeds, in points, which must be above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC
from torch import nn

from isthmus.classifier import Classifier
from isthmus.data import distorted, load_data
from isthmus.handmade import edges_and_histogram
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import surely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Labelled = tuple[Array, NDArray[np.int64]]
LEARNERS = {"classical": "HOG + kernel machine", "pixels": "pixels + kernel machine", "deep": "deep net, {} steps"}
FRAME, SHOWN, TICKS = 1, 40, (1, 2, 5, 10, 20, 50)  # empty pixels around digits; pictures that are drawn; of errors


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Every learner from every number of examples, for each seed."""
    tables = [errors(settings, seed) for seed in seeds]
    error = {name: np.array([table[name] for table in tables]) for name in tables[0]}  # (seeds, sizes) each
    budgets = [found for name, found in error.items() if name.startswith("deep")]
    classical, deep = error["classical"], budgets[-1]
    means = {name: found.mean(axis=0) for name, found in error.items()}
    numbers = {
        "behind": surely(deep[:, 0] - classical[:, 0]),
        "ahead": surely(classical[:, -1] - deep[:, -1]),
        "compute_helps": surely(budgets[0][:, -1] - deep[:, -1]),
        **{f"{name}_fewest": mean[0] for name, mean in means.items()},
        **{f"{name}_most": mean[-1] for name, mean in means.items()},
    }
    series: dict[str, Any] = {
        "sizes": list(settings["sizes"]),
        "side": settings["side"],
        "errors": {name: drawing.quartiles(found) for name, found in error.items()},
        "pictures": drawing.rounded(pictures({**settings, "test": SHOWN}, seeds[0])[1][0], 2),
    }
    draw = {"errors": _draw_errors, "pictures": _draw_pictures}
    return Measured(numbers, {name: partial(how, told=series) for name, how in draw.items()}, series)


def pictures(settings: Settings, seed: int) -> tuple[Labelled, Labelled]:
    """Rows to learn, (N, side²), and to be tested on, with their classes: no digit gives pictures of both."""
    data = load_data("digits")
    digits = np.pad(data.X.reshape(-1, 8, 8) / data.X.max(), ((0, 0), (FRAME, FRAME), (FRAME, FRAME)))
    P, Q, y, z = train_test_split(digits, data.y, test_size=0.3, stratify=data.y, random_state=seed)
    how = {"side": settings["side"], "strength": settings["strength"]}
    learned = distorted.generate(max(settings["sizes"]), P, y, **how, random_state=2 * seed)
    return learned, distorted.generate(settings["test"], Q, z, **how, random_state=2 * seed + 1)


def errors(settings: Settings, seed: int) -> dict[str, list[float]]:
    """Test pictures named wrongly, in %, by learner, from each number of examples."""
    (X, y), (T, z) = pictures(settings, seed)
    side = settings["side"]
    H, G = (edges_and_histogram(rows.reshape(-1, side, side), cell=side // 4) for rows in (X, T))
    learners: dict[str, tuple[Callable[[int], Any], Array, Array]]
    learners = {"classical": (machine, H, G), "pixels": (machine, X, T)}
    learners |= {f"deep_{steps}": (partial(net, settings, seed, steps), X, T) for steps in sorted(settings["steps"])}
    return {
        name: [100 - 100 * make(n).fit(rows[:n], y[:n]).score(test, z) for n in settings["sizes"]]
        for name, (make, rows, test) in learners.items()
    }


def machine(_: int = 0) -> Pipeline:
    """Components that hold nine tenths of the variance, and a support vector machine; of as many rows as there are."""
    return make_pipeline(PCA(0.9), SVC(C=10))


def net(settings: Settings, seed: int, steps: int, n: int) -> Classifier:
    """A convolutional net that makes so many steps on n examples, in whole epochs."""
    how = {name: settings[name] for name in ("batch_size", "learning_rate")} | {"random_state": seed}
    how |= {"max_epochs": ceil(steps / ceil(n / settings["batch_size"])), "scaling": "global"}
    how |= {"input_shape": (1, settings["side"], settings["side"]), "validation_fraction": 0.0, "early_stopping": False}
    return Classifier(layers, **how)


def layers(inputs: int, classes: int) -> nn.Module:
    """Two convolutions that halve the picture, and two dense layers."""
    convolutions = nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.Conv2d(16, 32, 3, stride=2, padding=1)
    bent = [part for convolution in convolutions for part in (convolution, nn.ReLU())]
    return nn.Sequential(*bent, nn.Flatten(), nn.Linear(2 * inputs, 64), nn.ReLU(), nn.Linear(64, classes))


def _draw_errors(figure: Figure, told: Mapping[str, Any]) -> None:
    axes = figure.add_subplot()
    for place, (name, found) in enumerate(told["errors"].items()):
        learner, _, steps = name.partition("_")
        drawing.bands(axes, told["sizes"], found, LEARNERS[learner].format(steps), place)
    axes.set(xscale="log", yscale="log", xlabel="examples to learn from", ylabel="test pictures named wrongly, %")
    axes.set_xticks(told["sizes"], [f"{n:,}" for n in told["sizes"]])
    axes.set_yticks(TICKS, [f"{tick}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_title("From few examples features made by hand win,\nfrom many, and with time, the deep net does")
    axes.legend()


def _draw_pictures(figure: Figure, told: Mapping[str, Any]) -> None:
    axes, side = figure.add_subplot(title="Digits turned, slanted, moved and bent: as many as wanted"), told["side"]
    sheet = np.reshape(told["pictures"], (4, 10, side, side)).swapaxes(1, 2)
    axes.imshow(sheet.reshape(4 * side, 10 * side), cmap="gray_r", vmin=0, vmax=1)
    axes.set_axis_off()


WHY_NOW = Experiment(
    name="why-now",
    part="I",
    claim="From few examples hand-made features win; with data and computing power a deep net overtakes them.",
    lecture="Why now? Example: computer vision … more data, more computing power: deep CNN became dominant",
    reference="the slides' 26 % on Caltech 101 (2006) and 15 to 5.7 % on ImageNet (2012 to 2015)",
    measure=measure,
    expected={"behind": (">", 0), "ahead": (">", 0), "compute_helps": (">", 0)},
    settings={"sizes": (100, 400, 1600, 6400), "steps": (40, 640), "side": 16, "strength": 0.8, "test": 2000}
    | {"batch_size": 64, "learning_rate": 0.005},
    full={"sizes": (100, 400, 1600, 6400, 25_600), "steps": (160, 640, 2560, 10_240), "test": 10_000},
    seeds=3,
)
