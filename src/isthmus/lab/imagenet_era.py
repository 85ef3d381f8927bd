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
the shares themselves are means over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from isthmus import networks
from isthmus._spec import Spec
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.classic.googlenet import Inception
from isthmus.nn.classic.resnet import Residual

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"residual": "#0072B2", "plain": "#D55E00", "shallow plain": "#999999"}
SHALLOW = 18
CLASSES = 1000


@dataclass(frozen=True)
class Published:
    """A network, the side of the images it was published for, and what it counts: parameters, or millions of them."""

    network: Spec
    count: int
    side: int = 224
    unit: int = 1

    def counted(self) -> int:
        return parameters(self.network, self.side) // self.unit


NETWORKS = {
    "alexnet": Published(networks.AlexNet(towers=2), 60_965_224, side=227),
    "alexnet_one_tower": Published(networks.AlexNet(towers=1), 61_100_840),
    "overfeat_fast_millions": Published(networks.OverFeat("fast"), 145, side=231, unit=1_000_000),
    "overfeat_accurate_millions": Published(networks.OverFeat("accurate"), 144, side=221, unit=1_000_000),
    "vgg11": Published(networks.VGG(11), 132_863_336),
    "vgg13": Published(networks.VGG(13), 133_047_848),
    "vgg16": Published(networks.VGG(16), 138_357_544),
    "vgg19": Published(networks.VGG(19), 143_667_240),
    "googlenet": Published(networks.GoogLeNet(auxiliary=False), 6_998_552),
    "googlenet_with_heads": Published(networks.GoogLeNet(), 13_378_280),
    "googlenet_normalised": Published(networks.GoogLeNet(norm=True, auxiliary=False), 6_624_904),
    "googlenet_normalised_with_heads": Published(networks.GoogLeNet(norm=True), 13_004_888),
    "resnet18": Published(networks.ResNet(18), 11_689_512),
    "resnet34": Published(networks.ResNet(34), 21_797_672),
    "resnet50": Published(networks.ResNet(50), 25_557_032),
    "resnet101": Published(networks.ResNet(101), 44_549_160),
    "resnet152": Published(networks.ResNet(152), 60_192_808),
}
# The slide's rows: what they are called, the year, the top-5 error in %, and the network of the table above
SLIDE = (
    ("AlexNet", 2012, "15", "alexnet"),
    ("OverFeat", 2013, "13.8", "overfeat_fast_millions"),
    ("VGG-16", 2014, "7.3", "vgg16"),
    ("GoogLeNet", 2014, "6.6", "googlenet"),
    ("ResNet-34", 2015, "5.7", "resnet34"),
)


@dataclass(frozen=True)
class Trial:
    """A net trained from one seed: its training error and its loss, epoch by epoch."""

    error: float
    losses: Sequence[float]


Trials = dict[str, list[Trial]]  # by the names of COLOURS, one a seed


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Count every network, run a thin copy of each, and train the twins for each seed."""
    trials = {name: [_trained(settings, name, seed) for seed in seeds] for name in COLOURS}
    errors = {name: np.array([trial.error for trial in found]) for name, found in trials.items()}
    numbers = {name: published.counted() for name, published in NETWORKS.items()} | {
        "googlenet_layers": layers(_on_meta(networks.GoogLeNet(auxiliary=False), 224)),
        "thin_copies": sum(_names_classes(published) for published in NETWORKS.values()),
        **{f"{name.replace(' ', '_')}_training_error": error.mean() for name, error in errors.items()},
        "residual_minus_plain_training_error": (errors["residual"] - errors["plain"]).max(),
    }
    return Measured(numbers, {"slide": _draw_slide, "twins": lambda figure: _draw_twins(figure, trials)})


def parameters(network: Spec, side: int) -> int:
    return sum(weight.numel() for weight in _on_meta(network, side).parameters())


def _on_meta(network: Spec, side: int) -> nn.Module:
    with torch.device("meta"):
        built: nn.Module = network.build((3, side, side), CLASSES)
    return built


def layers(module: nn.Module) -> int:
    """How many convolutions and dense layers lie on the longest path through a network's trunk."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return 1
    counts = [layers(child) for name, child in module.named_children() if name != "heads"]
    return max(counts) if isinstance(module, Inception | Residual) else sum(counts)


def _names_classes(published: Published) -> bool:
    """Whether a thin copy with random weights gives one finite number a class for an image of the published size."""
    thin = type(published.network)(**published.network.get_params(deep=False) | {"width": 0.05})
    rng = torch.Generator().manual_seed(0)
    network = thin.build((3, published.side, published.side), CLASSES).eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 3, published.side, published.side, generator=rng))
    return logits.shape == (1, CLASSES) and bool(logits.isfinite().all())


def _trained(settings: Settings, name: str, seed: int) -> Trial:
    X, y = digits(settings["rows"], seed)
    depth = SHALLOW if name == "shallow plain" else settings["depth"]
    network = networks.ResNet(depth, name != "residual", settings["width"])
    classifier = Classifier(
        network,
        input_shape=(1, 8, 8),
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    ).fit(X, y)
    return Trial(1 - classifier.score(X, y), [row["loss"] for row in classifier.history_])


def digits(rows: int, seed: int) -> tuple[Any, Any]:
    """Some of scikit-learn's digits, (rows, 64), and their classes, (rows,)."""
    data = load_data("digits")
    chosen = np.random.default_rng(seed).permutation(len(data.X))[:rows]
    return data.X[chosen], np.asarray(data.y)[chosen]


def _draw_slide(figure: Figure) -> None:
    from matplotlib.transforms import Bbox

    axes = figure.subplots()
    axes.axis("off")
    heads = ("network", "year", "top-5 error, %", "layers", "parameters")
    table = axes.table([_row(*entry) for entry in SLIDE], colLabels=heads, cellLoc="center", bbox=Bbox.unit())
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        cell.get_text().set_fontweight("bold" if row == 0 else "normal")
    axes.set_title("From 15 to 5.7 % in three years; layers with weights along the longest path", fontsize=10)


def _row(name: str, year: int, error: str, key: str) -> list[str]:
    published = NETWORKS[key]
    network = _on_meta(published.network, published.side)
    return [name, str(year), error, str(layers(network)), f"{parameters(published.network, published.side):,}"]


def _draw_twins(figure: Figure, trials: Trials) -> None:
    left, right = figure.subplots(1, 2)
    for place, (name, found) in enumerate(trials.items()):
        for trial in found:
            left.plot(range(1, len(trial.losses) + 1), trial.losses, color=COLOURS[name], alpha=0.7)
            right.plot(place, 100 * trial.error, "o", color=COLOURS[name], alpha=0.7)
        left.plot([], [], color=COLOURS[name], label=name)
    left.set(xlabel="epoch", ylabel="training loss, nats", ylim=(0, None))
    left.legend(frameon=False)
    right.set(xticks=range(len(trials)), xticklabels=list(trials), xlim=(-0.5, len(trials) - 0.5), ylim=(0, 100))
    right.set_ylabel("training error, %")
    figure.suptitle("A thin ResNet, its plain twin, and a plain net of 18 layers", fontsize=10)


IMAGENET_ERA = Experiment(
    name="imagenet-era",
    part="I",
    claim="From AlexNet to ResNet networks grew deeper and better; with shortcuts 34 layers train, without they lag.",
    lecture="AlexNet, OverFeat, VGG, GoogLeNet, ResNet: 15 → 5.7 %",
    reference="Krizhevsky 2012; Sermanet 2013; Simonyan & Zisserman 2014; Szegedy 2014; He 2015",
    measure=measure,
    expected={
        **{name: ("==", published.count) for name, published in NETWORKS.items()},
        "googlenet_layers": ("==", 22),
        "thin_copies": ("==", len(NETWORKS)),
        "residual_minus_plain_training_error": ("<", 0),
    },
    settings={"depth": 34, "width": 0.1, "rows": 500, "epochs": 6, "batch_size": 64, "learning_rate": 0.005},
    full={"rows": 1797, "epochs": 20, "width": 0.25},
    seeds=3,
)
