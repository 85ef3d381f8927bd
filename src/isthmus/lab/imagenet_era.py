"""The five networks that took ImageNet's top-5 error from 15 to 5.7 %, and why the last is residual.

Claim. AlexNet, OverFeat, VGG, GoogLeNet and ResNet each went deeper than the one before. Depth alone does not do it:
a plain net of 34 layers is harder to train than its residual twin, whose blocks add what they learn to what they read
(He 2015, section 4.1: the plain net's *training* error is the higher one, so it is not overfitting; a plain net of 18
layers does better than one of 34).

Set-up. Every network is built on the `meta` device, which counts parameters without holding them, at its published
input size with 1000 classes. A thin copy of each, with random weights, names classes for an image of that size. Then
a thin ResNet-34, its plain twin and a plain net of 18 layers learn some digits of scikit-learn, 8 × 8 pixels enlarged
to 32 × 32: same rows, same epochs, same learning rate. Each seed draws other digits and other weights.

Measured. The parameters of each network; of OverFeat whole millions, as published. GoogLeNet's numbers are the
paper's table counted by hand, and what users of torchvision have. `googlenet_layers`: layers with parameters along
the longest path. `thin_copies`: how many of the thin copies give one finite number a class.
`residual_minus_plain_training_error`: difference of the shares of training digits named wrongly, the worst over seeds;
the shares themselves are means over seeds. The slide's table adds the year, the top-5 error and the layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import clone

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.counting import layers, on_meta, parameters
from isthmus.trials import TO_THE_END

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = 1000
RESIDUAL, PLAIN, SHALLOW = NETS = ("residual", "plain", "shallow plain")
NETWORKS: Mapping[str, tuple[Any, int, int]] = {  # the side of its images, and what is published of its parameters
    "alexnet": (networks.AlexNet(towers=2), 227, 60_965_224),
    "alexnet_one_tower": (networks.AlexNet(towers=1), 224, 61_100_840),
    "overfeat_fast_millions": (networks.OverFeat("fast"), 231, 145),
    "overfeat_accurate_millions": (networks.OverFeat("accurate"), 221, 144),
    "vgg11": (networks.VGG(11), 224, 132_863_336),
    "vgg13": (networks.VGG(13), 224, 133_047_848),
    "vgg16": (networks.VGG(16), 224, 138_357_544),
    "vgg19": (networks.VGG(19), 224, 143_667_240),
    "googlenet": (networks.GoogLeNet(auxiliary=False), 224, 6_998_552),
    "googlenet_with_heads": (networks.GoogLeNet(), 224, 13_378_280),
    "googlenet_normalised": (networks.GoogLeNet(norm=True, auxiliary=False), 224, 6_624_904),
    "googlenet_normalised_with_heads": (networks.GoogLeNet(norm=True), 224, 13_004_888),
    "resnet18": (networks.ResNet(18), 224, 11_689_512),
    "resnet34": (networks.ResNet(34), 224, 21_797_672),
    "resnet50": (networks.ResNet(50), 224, 25_557_032),
    "resnet101": (networks.ResNet(101), 224, 44_549_160),
    "resnet152": (networks.ResNet(152), 224, 60_192_808),
}
SLIDE = (  # the network, its year, its top-5 error in %, and what it is called above
    ("AlexNet", 2012, 15.0, "alexnet"),
    ("OverFeat", 2013, 13.8, "overfeat_fast_millions"),
    ("VGG-16", 2014, 7.3, "vgg16"),
    ("GoogLeNet", 2014, 6.6, "googlenet"),
    ("ResNet-34", 2015, 5.7, "resnet34"),
)


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Count every network, run a thin copy of each, and train the twins for each seed."""
    built = {name: on_meta(network, (3, side, side), CLASSES) for name, (network, side, _) in NETWORKS.items()}
    trials = {name: [_trained(settings, name, seed) for seed in seeds] for name in NETS}
    errors = {name: np.array([error for error, _ in found]) for name, found in trials.items()}
    numbers = {name: parameters(built[name]) // (10**6 if "millions" in name else 1) for name in NETWORKS} | {
        "googlenet_layers": layers(built["googlenet"]),
        "thin_copies": sum(_names_classes(network, side) for network, side, _ in NETWORKS.values()),
        **{f"{name.replace(' ', '_')}_training_error": error.mean() for name, error in errors.items()},
        "residual_minus_plain_training_error": (errors[RESIDUAL] - errors[PLAIN]).max(),
    }
    series = {
        "slide": [[*entry, layers(built[key]), parameters(built[key])] for *entry, key in SLIDE],
        "losses": {name: drawing.rounded([losses for _, losses in found]) for name, found in trials.items()},
        "errors_percent": {name: drawing.over_seeds(100 * error) for name, error in errors.items()},
    }
    figures = {"slide": lambda figure: draw_slide(figure, series), "twins": lambda figure: draw_twins(figure, series)}
    return Measured(numbers, figures, series)


def _names_classes(network: Any, side: int) -> bool:
    """Whether a thin copy with random weights gives one finite number a class for an image of the published size."""
    thin = clone(network).set_params(width=0.05).build((3, side, side), CLASSES).eval()
    with torch.no_grad():
        logits = thin(torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)))
    return logits.shape == (1, CLASSES) and bool(logits.isfinite().all())


def _trained(settings: Settings, name: str, seed: int) -> tuple[float, list[float]]:
    """The training error of a net and its loss, epoch by epoch, on digits that the seed draws."""
    data, depth = load_data("digits"), 18 if name == SHALLOW else settings["depth"]
    rows = np.random.default_rng(seed).permutation(len(data.X))[: settings["rows"]]
    X, y = data.X[rows], np.asarray(data.y)[rows]
    classifier = Classifier(
        networks.ResNet(depth, name != RESIDUAL, settings["width"]),
        input_shape=data.input_shape,
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    ).fit(X, y)
    return 1 - classifier.score(X, y), [row["loss"] for row in classifier.history_]


def draw_slide(figure: Figure, series: Mapping[str, Any]) -> None:
    heads = ("network", "year", "top-5\nerror, %", "layers", "parameters")
    lines = [[name, str(year), f"{error:g}", str(n), f"{count:,}"] for name, year, error, n, count in series["slide"]]
    drawing.words(figure.subplots(), heads, lines)
    figure.suptitle("From 15 to 5.7 % in three years")


def draw_twins(figure: Figure, series: Mapping[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    drawing.curves(left, series["losses"])
    left.set(xlabel="epoch", ylabel="training loss, nats", ylim=(0, None))
    left.legend()
    drawing.dots(right, series["errors_percent"])
    right.set(ylim=(0, 100), ylabel="training error, %")
    figure.suptitle("With shortcuts 34 layers train; without, they lag behind 18")


IMAGENET_ERA = Experiment(
    name="imagenet-era",
    part="I",
    claim="From AlexNet to ResNet networks grew deeper and better; with shortcuts 34 layers train, without they lag.",
    lecture="AlexNet, OverFeat, VGG, GoogLeNet, ResNet: 15 → 5.7 %",
    reference="Krizhevsky 2012; Sermanet 2013; Simonyan & Zisserman 2014; Szegedy 2014; He 2015",
    measure=measure,
    expected={
        **{name: ("==", count) for name, (*_, count) in NETWORKS.items()},
        "googlenet_layers": ("==", 22),
        "thin_copies": ("==", len(NETWORKS)),
        "residual_minus_plain_training_error": ("<", 0),
    },
    settings={"depth": 34, "width": 0.1, "rows": 500, "epochs": 6, "batch_size": 64, "learning_rate": 0.005},
    full={"rows": 1797, "epochs": 20, "width": 0.25},
    seeds=3,
)
