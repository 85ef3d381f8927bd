"""Convolutions and "deconvolutions" make a better autoencoder of images than dense layers of as many parameters.

Claim. Levels of convolutions halve a map down to a code, and transposed ones, the lecture's "deconvolutions", bring it
back to its own size (Masci 2011). With neighbours that belong together the same kernel serves every place, so that
fewer parameters say more.

Set-up. Two autoencoders with codes of one size learn the same rows from the same seeds for as many epochs: one of two
convolutional levels, one of dense layers that has at least as many parameters. Both are judged on rows that neither
has seen. Then maps of odd sizes, signals among them, pass through a convolutional pair with random weights.

Measured. `dense_error`, `convolutional_error`: squared error a number in the data's own units, held out, means over
seeds. `convolutional_over_dense`: their ratio, the worst over seeds. `parameters_over_dense`: ratio of the parameters.
`shape_difference`: the largest difference, over sizes, ways down and ways up, of an extent of what comes out of the
decoder from what went into the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus import decoders, encoders
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import Split, fit_all, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.nn import ConvolutionalDecoder

Array = NDArray[np.floating]
BLUE, ORANGE = "#0072B2", "#D55E00"
SIZES = ((1, 7, 9), (1, 5, 1), (2, 13, 11), (1, 13), (3, 1), (1, 5, 7, 3))  # channels, and one to three extents
SHOWN = 8  # rows in the picture


@dataclass(frozen=True)
class Trial:
    """One seed: both autoencoders, and their errors on the test rows."""

    dense: Autoencoder
    convolutional: Autoencoder
    test: Array  # (M, D)

    @property
    def errors(self) -> list[float]:
        """Of the dense and of the convolutional one: squared, a number."""
        return [
            float(np.mean(np.square(self.test - ae.reconstruct(self.test)))) for ae in (self.dense, self.convolutional)
        ]


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train both for each seed, judge them on held-out rows, and pass odd sizes through a convolutional pair."""
    data = load_data(settings["data"])
    rows, shape = split(data), data.input_shape or (data.X.shape[1],)
    trials = _trials(settings, seeds, rows, shape)
    errors = np.array([trial.errors for trial in trials])  # (seeds, 2)
    numbers = {
        "dense_error": errors[:, 0].mean(),
        "convolutional_error": errors[:, 1].mean(),
        "convolutional_over_dense": (errors[:, 1] / errors[:, 0]).max(),
        "parameters_over_dense": parameters(trials[0].convolutional) / parameters(trials[0].dense),
        "shape_difference": shape_difference(),
    }
    return Measured(
        numbers,
        {
            "reconstructions": lambda figure: _draw_rows(figure, trials[0], shape),
            "errors": lambda figure: _draw_errors(figure, errors),
        },
    )


def _trials(settings: Settings, seeds: Sequence[int], rows: Split, shape: tuple[int, ...]) -> list[Trial]:
    dense, convolutional = (
        [_untrained(settings, seed, shape, encoder) for seed in seeds]
        for encoder in (encoders.MLP(settings["hidden"]), _rival(settings))
    )
    fit_all([*dense, *convolutional], rows.train)
    return [Trial(*pair, rows.test) for pair in zip(dense, convolutional, strict=True)]


def _rival(settings: Settings) -> Any:
    """What is held against the dense layers; they themselves, where a reader takes the convolutions away."""
    return encoders.Convolutional(settings["channels"]) if settings["convolve"] else encoders.MLP(settings["hidden"])


def _untrained(settings: Settings, seed: int, shape: tuple[int, ...], encoder: Any) -> Autoencoder:
    return Autoencoder(
        settings["code_size"],
        encoder,
        input_shape=shape,
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def parameters(ae: Autoencoder) -> int:
    return sum(weight.numel() for weight in ae.module_.parameters())


def shape_difference(sizes: Sequence[tuple[int, ...]] = SIZES) -> int:
    """The largest difference of an extent, over sizes, ways to halve and ways to restore."""
    ways = product(sizes, ("strided", "pooled"), ("transposed", "resize"), (3, 4))
    return max(_difference(*way) for way in ways)


def _difference(shape: tuple[int, ...], down: str, up: str, kernel: int) -> int:
    """Between the map that went in and the one that comes out of the decoder's last level."""
    encoder = encoders.Convolutional((4, 6), kernel=kernel, down=down).build(shape, 3)
    decoder = cast(
        "ConvolutionalDecoder", decoders.Convolutional((6, 4), kernel=kernel, up=up).build(3, shape, encoder)
    )
    seen: list[torch.Size] = []
    decoder.levels[-1].register_forward_hook(lambda module, given, map_: seen.append(map_.shape))
    with torch.no_grad():
        decoder(encoder(torch.zeros(2, prod(shape))))
    return max(abs(found - wanted) for found, wanted in zip(seen[0], (2, *shape), strict=True))


def _draw_rows(figure: Figure, trial: Trial, shape: tuple[int, ...]) -> None:
    """Test rows, and what each autoencoder makes of them."""
    shown = trial.test[:SHOWN]
    rows = {
        "original": shown,
        "dense": trial.dense.reconstruct(shown),
        "convolutional": trial.convolutional.reconstruct(shown),
    }
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture.reshape(shape)[0], cmap="gray", vmin=shown.min(), vmax=shown.max())
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=9)
    figure.suptitle(f"Held-out rows through codes of {trial.dense.code_size} numbers", fontsize=10)


def _draw_errors(figure: Figure, errors: Array) -> None:
    """A line a seed, from the dense error to the convolutional one."""
    axes = figure.subplots()
    for dense, convolutional in errors:
        axes.plot([0, 1], [dense, convolutional], color="#999999", zorder=0)
        axes.plot(0, dense, "o", color=ORANGE)
        axes.plot(1, convolutional, "s", color=BLUE)
    axes.set(xticks=[0, 1], xticklabels=["dense", "convolutional"], xlim=(-0.5, 1.5), ylim=(0, 1.1 * errors.max()))
    axes.set_ylabel("squared error a number, held out")
    axes.set_title("Error of each seed, at one code size and no more parameters", fontsize=10)


CONVOLUTIONAL = Experiment(
    name="convolutional",
    part="II",
    claim="Convolutions and their transposes reconstruct images better than dense layers, and restore any size.",
    lecture='convolutions and "deconvolutions" restore the dimensions',
    reference="Masci, Meier, Cireşan & Schmidhuber 2011",
    measure=measure,
    expected={
        "convolutional_over_dense": ("<=", 0.99),  # nearer to 1 is rounding
        "parameters_over_dense": ("<=", 1),
        "shape_difference": ("==", 0),
    },
    settings={
        "data": "digits",
        "code_size": 8,
        "channels": (32, 64),
        "hidden": (150, 80),
        "convolve": True,
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 2e-3,
    },
    full={"data": "mnist", "code_size": 16, "hidden": (128,), "epochs": 8, "batch_size": 128},
)
