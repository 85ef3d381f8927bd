"""Convolutions read digits better than dense layers of as many parameters, above all where the digits have moved.

Claim. LeNet-5 (LeCun 1998) looks at every place with the same few kernels and keeps of neighbours the largest, so that
a digit that moves a little changes little of what is read. A dense net of equal size learns every place by itself.

Set-up. LeNet-5 and a perceptron of one hidden layer, the narrowest with no fewer parameters, learn centred digits: same
rows, same seeds, same split, same epochs, same rate. scikit-learn's 8 × 8 digits get an empty frame of a pixel and are
enlarged linearly, since LeNet's kernels are made for strokes of some pixels; each seed holds out other digits. Both
nets see them turned and stretched a little in training, never moved. As enlarging tells a perceptron nothing and costs
it hidden units, a second one, of as many parameters, reads the digits as they were. The full protocol is that of
MNIST: its own test digits, plain rows, and LeNet-5 once more with distortions that also move and bend the digits
(Simard 2003).

Measured. `accuracy_percent`: the share of test digits that LeNet-5 names rightly, the mean over seeds, and the least;
`shifted_percent`: of moved ones; `error_percent`: the rest, `error_percent_distorted` with distortions. `above_dense`:
its accuracy less that of the better perceptron, in points, both means over seeds. `shifted_above_dense`: the same for
test digits moved by `shift` pixels up, down, left or right, the least over perceptrons and seeds. Five points are "far
above": of two shares near one half, found on 540 digits, the difference has a standard error of three points for one
seed and of 1.4 for five. `parameters_over_dense`: ratio of the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import corruptions, networks, seeing
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.data.framing import MOVES, framed
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.counting import narrowest, on_meta, parameters
from isthmus.trials import TO_THE_END, Split, split_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
CLASSES = 10
LENET, DENSE, SMALL, DISTORTED = "LeNet-5", "dense", "small dense", "LeNet-5, distorted"
ERRORS = {LENET: "percent", DISTORTED: "percent_distorted"}
TURNING = corruptions.Distortion(pixels=0, degrees=10, scale=0.1, shear=0.1, alpha=0)
DISTORTION = corruptions.Distortion(pixels=1, degrees=8, scale=0.1, shear=0.1, alpha=12)
DIGITS = {"data": "digits", "frame": 1, "enlarged": 3, "shift": 1}
TRAINING = {"convolve": True, "turned": True, "distorted": False, "epochs": 20, "distorted_epochs": 20}
RATES = {"batch_size": 32, "learning_rate": 0.002, "label_smoothing": 0.1, "weight_decay": 0.0}


@dataclass(frozen=True)
class Trial:
    """A net that was trained from one seed, and the share of test digits it names, in %: as they were, and moved."""

    net: Classifier
    still: float
    moved: float
    test: Array  # rows that it reads, (M, D)


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train every net for each seed, and let it name test digits where they were and moved."""
    asked = {LENET: True, DENSE: True, SMALL: settings["enlarged"] > 1, DISTORTED: settings["distorted"]}
    names, data = [name for name, wanted in asked.items() if wanted], load_data(settings["data"])
    trials = {name: [_trial(settings, split_classes(data, seed), name, seed) for seed in seeds] for name in names}
    percent = {name: np.array([(trial.still, trial.moved) for trial in found]) for name, found in trials.items()}
    rivals = np.array([percent[name] for name in (DENSE, SMALL) if name in percent])  # (rivals, seeds, 2)
    own = parameters(trials[LENET][0].net.module_)
    numbers = {
        "accuracy_percent": percent[LENET][:, 0].mean(),
        "above_dense": (percent[LENET] - rivals)[..., 0].mean(axis=1).min(),
        "shifted_above_dense": (percent[LENET] - rivals)[..., 1].min(),
        "parameters_over_dense": own / parameters(trials[DENSE][0].net.module_),
        "accuracy_percent_least": percent[LENET][:, 0].min(),
        "shifted_percent": percent[LENET][:, 1].mean(),
        **{f"error_{key}": 100 - percent[name][:, 0].mean() for name, key in ERRORS.items() if name in trials},
    }
    columns = {"centred": 0, f"moved by {settings['shift']}": 1}
    series = {
        title: {name: drawing.over_seeds(of[:, i]) for name, of in percent.items()} for title, i in columns.items()
    }
    features = {"features": lambda figure: draw_features(figure, trials[LENET][0])}
    return Measured(numbers, features | {"accuracy": lambda figure: draw_accuracy(figure, series)}, series)


def _trial(settings: Settings, rows: Split, name: str, seed: int) -> Trial:
    pixels, times = isqrt(rows.train.shape[1]), 1 if name == SMALL else settings["enlarged"]
    side, distorted = times * (pixels + 2 * settings["frame"]), name == DISTORTED
    centre, spread = float(rows.train.mean()), float(rows.train.std())  # the same for all pixels, moved or not

    def shown(digits: Array, down: int = 0, across: int = 0) -> Array:
        move = (settings["shift"] * down, settings["shift"] * across)
        return (framed(digits.reshape(-1, pixels, pixels), settings["frame"], times, move) - centre) / spread

    lenet = parameters(on_meta(networks.LeNet5(), (1, side, side), CLASSES))
    convolved = settings["convolve"] and name in (LENET, DISTORTED)
    net = Classifier(
        networks.LeNet5() if convolved else networks.MLP((narrowest(lenet, side * side, CLASSES),)),
        DISTORTION if distorted else TURNING if settings["turned"] else None,
        scaling=None,
        input_shape=(1, side, side),
        max_epochs=settings["distorted_epochs" if distorted else "epochs"],
        random_state=seed,
        **TO_THE_END,
        **{key: settings[key] for key in RATES},
    ).fit(shown(rows.train), np.asarray(rows.train_labels))
    still, *moved = [100 * net.score(shown(rows.test, *move), rows.test_labels) for move in ((0, 0), *MOVES)]
    return Trial(net, still, float(np.mean(moved)), shown(rows.test))


def draw_features(figure: Figure, trial: Trial) -> None:
    """A test digit, and what each map of the convolutions gives for it."""
    network, side = seeing.of(trial.net), isqrt(trial.test.shape[1])
    digit = trial.test[:1].reshape(1, 1, side, side)
    maps = [layer.name for layer in seeing.layers(network, digit) if layer.bends and len(layer.shape) == 3][:2]
    first, *others = figure.subplots(1, 1 + len(maps), squeeze=False)[0]
    drawing.picture(first, digit[0, 0], "a held-out digit")
    for level, (axes, name) in enumerate(zip(others, maps, strict=True), 1):
        found = seeing.activations(network, name, digit)[0]
        drawing.maps(axes, found, 2 * level, f"the {len(found)} maps of\nconvolution {level}", cmap="magma")
    figure.suptitle("Each kernel of LeNet-5 finds its own strokes")


def draw_accuracy(figure: Figure, series: Mapping[str, Any]) -> None:
    """Points are seeds: one place for each net, digits where they were and moved."""
    for axes, (title, found) in zip(figure.subplots(1, len(series)), series.items(), strict=True):
        drawing.dots(axes, found)
        axes.set(title=f"Digits {title}", ylabel="test digits named rightly, %")
    figure.suptitle("Trained on centred digits; markers are seeds, dashes their means")


BETTER = {"above_dense": (">", 0.0), "parameters_over_dense": ("<=", 1.0)}
CONVOLUTION = Experiment(
    name="convolution",
    part="I",
    claim="Convolutions read digits better than dense layers of equal size, above all digits that have moved.",
    lecture="convolutional networks for cheque processing, MNIST",
    reference="LeCun, Bottou, Bengio & Haffner 1998; Simard, Steinkraus & Platt 2003",
    measure=measure,
    expected={"accuracy_percent": (">=", 98), "shifted_above_dense": (">=", 5), **BETTER},
    settings=DIGITS | TRAINING | RATES,
    full={"data": "mnist", "frame": 0, "enlarged": 1, "shift": 3, "turned": False, "distorted": True}
    | {"epochs": 10, "distorted_epochs": 12, "batch_size": 64, "learning_rate": 0.003, "weight_decay": 0.05},
    expected_full={"error_percent": ("<=", 0.95), "error_percent_distorted": ("<=", 0.8), **BETTER},
)
