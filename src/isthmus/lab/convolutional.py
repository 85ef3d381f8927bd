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

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from isthmus import decoders, encoders
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.nn.counting import parameters
from isthmus.trials import TO_THE_END, fit_all, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.nn import ConvolutionalDecoder

SIZES = ((1, 7, 9), (1, 5, 1), (2, 13, 11), (1, 13), (3, 1), (1, 5, 7, 3))  # channels, and one to three extents
SHOWN = 8  # rows in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train both for each seed, judge them on held-out rows, and pass odd sizes through a convolutional pair."""
    data = load_data(settings["data"])
    rows, shape = split(data), data.input_shape or (data.X.shape[1],)
    layers = encoders.MLP(settings["hidden"])
    levels = encoders.Convolutional(settings["channels"]) if settings["convolve"] else layers
    kinds = {"dense": layers, "convolutional": levels}
    fitted = {name: [_untrained(settings, seed, shape, part) for seed in seeds] for name, part in kinds.items()}
    fit_all([ae for found in fitted.values() for ae in found], rows.train)
    errors = {
        name: np.array([float(np.mean(np.square(rows.test - ae.reconstruct(rows.test)))) for ae in found])
        for name, found in fitted.items()
    }
    first = {name: found[0] for name, found in fitted.items()}
    numbers = {
        "dense_error": errors["dense"].mean(),
        "convolutional_error": errors["convolutional"].mean(),
        "convolutional_over_dense": (errors["convolutional"] / errors["dense"]).max(),
        "parameters_over_dense": parameters(first["convolutional"].module_) / parameters(first["dense"].module_),
        "shape_difference": shape_difference(),
    }
    series = {name: drawing.over_seeds(error) for name, error in errors.items()}
    shown = {"original": rows.test[:SHOWN]} | {name: ae.reconstruct(rows.test[:SHOWN]) for name, ae in first.items()}
    images = {name: pictures.reshape(-1, *shape)[:, 0] for name, pictures in shown.items()}
    figures = {
        "reconstructions": lambda figure: drawing.lines_of(figure, images, f"Codes of {settings['code_size']} numbers"),
        "errors": lambda figure: draw_errors(figure, series),
    }
    return Measured(numbers, figures, series)


def _untrained(settings: Settings, seed: int, shape: tuple[int, ...], encoder: Any) -> Autoencoder:
    return Autoencoder(
        settings["code_size"],
        encoder,
        input_shape=shape,
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


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


def draw_errors(figure: Figure, series: Mapping[str, Any]) -> None:
    """A line a seed, from the dense error to the convolutional one."""
    axes = figure.subplots()
    drawing.dots(axes, series, joined=True, zero=True)
    axes.set_ylabel("squared error a number, held out")
    axes.set_title("At one code size and no more parameters convolutions err less")


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
