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
from math import ceil, isqrt
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import zoom
from sklearn.model_selection import train_test_split

from isthmus import corruptions, networks
from isthmus._spec import Spec
from isthmus.classifier import Classifier
from isthmus.data import Dataset, load_data
from isthmus.lab.experiment import Experiment, Measured, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.nn.classic import Network

Array = NDArray[np.floating]
Move = tuple[int, int]  # down and across
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CLASSES = 10
LENET, DENSE, SMALL, DISTORTED = "LeNet-5", "dense", "small dense", "LeNet-5, distorted"
COLOURS = {LENET: "#0072B2", DENSE: "#D55E00", SMALL: "#E69F00", DISTORTED: "#009E73"}
TURNING = corruptions.Distortion(pixels=0, degrees=10, scale=0.1, shear=0.1, alpha=0)
DISTORTION = corruptions.Distortion(pixels=1, degrees=8, scale=0.1, shear=0.1, alpha=12)


@dataclass(frozen=True)
class Digits:
    """Pictures to train on, (N, H, W), and to test on, with their classes."""

    train: Array
    test: Array
    y: NDArray[np.int64]
    y_test: NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """A net that was trained from one seed, and the share of test digits it names, in %: as they were, and moved."""

    net: Classifier
    still: float
    moved: float
    test: Array  # rows that it reads, (M, D)


Trials = Mapping[str, Sequence[Trial]]  # by the names of COLOURS, one a seed


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train every net for each seed, and let it name test digits where they were and moved."""
    data = load_data(settings["data"])
    trials = {name: [_trial(settings, split(data, seed), name, seed) for seed in seeds] for name in _names(settings)}
    percent = {name: np.array([(trial.still, trial.moved) for trial in found]) for name, found in trials.items()}
    rivals = np.array([percent[name] for name in (DENSE, SMALL) if name in percent])  # (rivals, seeds, 2)
    numbers = {
        "accuracy_percent": percent[LENET][:, 0].mean(),
        "above_dense": (percent[LENET] - rivals)[..., 0].mean(axis=1).min(),
        "shifted_above_dense": (percent[LENET] - rivals)[..., 1].min(),
        "parameters_over_dense": parameters(trials[LENET][0].net) / parameters(trials[DENSE][0].net),
        "accuracy_percent_least": percent[LENET][:, 0].min(),
        "shifted_percent": percent[LENET][:, 1].mean(),
        "error_percent": 100 - percent[LENET][:, 0].mean(),
    }
    if DISTORTED in trials:
        numbers["error_percent_distorted"] = 100 - percent[DISTORTED][:, 0].mean()
    figures = {
        "features": lambda figure: _draw_features(figure, trials[LENET][0]),
        "accuracy": lambda figure: _draw_accuracy(figure, percent, settings["shift"]),
    }
    return Measured(numbers, figures)


def _names(settings: Settings) -> list[str]:
    asked = {LENET: True, DENSE: True, SMALL: settings["enlarged"] > 1, DISTORTED: settings["distorted"]}
    return [name for name, wanted in asked.items() if wanted]


def split(data: Dataset, seed: int) -> Digits:
    """A set's own test digits, or 30 % of each class, others for each seed."""
    height, width = (data.input_shape or (1, 1, data.X.shape[1]))[1:]
    if data.X_test is not None:
        parts = [data.X, data.X_test, data.y, data.y_test]
    else:
        parts = train_test_split(data.X, data.y, test_size=0.3, stratify=data.y, random_state=seed)
    train, test, y, y_test = (np.asarray(part) for part in parts)
    return Digits(train.reshape(-1, height, width), test.reshape(-1, height, width), y, y_test)


def _trial(settings: Settings, digits: Digits, name: str, seed: int) -> Trial:
    times = 1 if name == SMALL else settings["enlarged"]
    side = times * (digits.train.shape[1] + 2 * settings["frame"])

    centre, spread = float(digits.train.mean()), float(digits.train.std())  # the same for all pixels, moved or not

    def shown(pictures: Array, move: Move = (0, 0)) -> Array:
        down, across = (settings["shift"] * step for step in move)
        return (framed(pictures, settings["frame"], times, (down, across)) - centre) / spread

    convolved = settings["convolve"] and name in (LENET, DISTORTED)
    net = _untrained(settings, name, networks.LeNet5() if convolved else dense(side), side, seed)
    net.fit(shown(digits.train), digits.y)
    still, *moved = [100 * net.score(shown(digits.test, move), digits.y_test) for move in ((0, 0), *MOVES)]
    return Trial(net, still, float(np.mean(moved)), shown(digits.test))


def framed(pictures: Array, frame: int, times: int, move: Move = (0, 0)) -> Array:
    """Pictures (N, H, W) in an empty frame, moved by whole pixels down and across, enlarged: rows (N, D)."""
    down, across = move
    room = frame + max(abs(down), abs(across))
    height, width = (side + 2 * frame for side in pictures.shape[1:])
    top, left = room - frame - down, room - frame - across
    maps = np.pad(pictures, ((0, 0), (room, room), (room, room)))[:, top : top + height, left : left + width]
    if times > 1:
        maps = zoom(maps, (1, times, times), order=1, mode="nearest", grid_mode=True)
    return maps.reshape(len(maps), -1)


def dense(side: int) -> Spec:
    """A perceptron on side × side pixels, the narrowest of one hidden layer with no fewer parameters than LeNet-5."""
    with torch.device("meta"):
        wanted = sum(weight.numel() for weight in networks.LeNet5().build((1, side, side), CLASSES).parameters())
    return networks.MLP((ceil((wanted - CLASSES) / (side * side + 1 + CLASSES)),))


def _untrained(settings: Settings, name: str, network: Spec, side: int, seed: int) -> Classifier:
    return Classifier(
        network,
        DISTORTION if name == DISTORTED else TURNING if settings["turned"] else None,
        label_smoothing=settings["label_smoothing"],
        scaling=None,
        input_shape=(1, side, side),
        max_epochs=settings["distorted_epochs" if name == DISTORTED else "epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def parameters(net: Classifier) -> int:
    return sum(weight.numel() for weight in net.module_.parameters())


def _draw_features(figure: Figure, trial: Trial) -> None:
    """A test digit, and what each map of the convolutions gives for it."""
    network, row = cast("Network", trial.net.module_.network.network), trial.test[:1]
    side = isqrt(row.size)
    x = torch.as_tensor(row).reshape(1, 1, side, side)
    with torch.no_grad():
        maps = {name: network.upto(name)(x)[0].numpy() for name in ("c1", "c3") if name in network.stages}
    shown = [("the digit", row.reshape(side, side))]
    shown += [(f"{name}, {i + 1}", one) for name, of in maps.items() for i, one in enumerate(of)]
    axes = figure.subplots(3, 8)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, picture) in zip(axes.flat, shown, strict=False):
        axis.imshow(picture, cmap="gray" if title == "the digit" else "magma")
        axis.set_title(title, fontsize=8)
    figure.suptitle("A held-out digit, and what the kernels of LeNet-5 give for it", fontsize=10)


def _draw_accuracy(figure: Figure, percent: Mapping[str, Array], shift: int) -> None:
    """Points are seeds: one place for each net, digits where they were and moved."""
    for axes, column, title in zip(figure.subplots(1, 2), (0, 1), ("centred", f"moved by {shift}"), strict=True):
        for place, (name, found) in enumerate(percent.items()):
            axes.plot(np.full(len(found), place), found[:, column], "o", color=COLOURS[name], alpha=0.6)
            axes.plot(place, found[:, column].mean(), "_", color=COLOURS[name], markersize=24)
        axes.set(xticks=range(len(percent)), xlim=(-0.5, len(percent) - 0.5), ylabel="test digits named rightly, %")
        axes.set_xticklabels([name.replace(", ", ",\n") for name in percent], fontsize=8)
        axes.set_title(f"Digits {title}", fontsize=10)
    figure.suptitle("Trained on centred digits; points are seeds, dashes their means", fontsize=10)


CONVOLUTION = Experiment(
    name="convolution",
    part="I",
    claim="Convolutions read digits better than dense layers of equal size, above all digits that have moved.",
    lecture="convolutional networks for cheque processing, MNIST",
    reference="LeCun, Bottou, Bengio & Haffner 1998; Simard, Steinkraus & Platt 2003",
    measure=measure,
    expected={
        "accuracy_percent": (">=", 98),
        "above_dense": (">", 0),
        "shifted_above_dense": (">=", 5),
        "parameters_over_dense": ("<=", 1),
    },
    settings={
        "data": "digits",
        "frame": 1,
        "enlarged": 3,
        "shift": 1,
        "convolve": True,
        "turned": True,
        "distorted": False,
        "epochs": 20,
        "distorted_epochs": 20,
        "batch_size": 32,
        "learning_rate": 0.002,
        "label_smoothing": 0.1,
        "weight_decay": 0.0,
    },
    full={
        "data": "mnist",
        "frame": 0,
        "enlarged": 1,
        "shift": 3,
        "turned": False,
        "distorted": True,
        "epochs": 10,
        "distorted_epochs": 12,
        "batch_size": 64,
        "learning_rate": 0.003,
        "weight_decay": 0.05,
    },
    expected_full={
        "error_percent": ("<=", 0.95),
        "error_percent_distorted": ("<=", 0.8),
        "above_dense": (">", 0),
        "parameters_over_dense": ("<=", 1),
    },
)
