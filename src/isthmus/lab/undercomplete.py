"""A nonlinear bottleneck says more of a row in as many numbers than PCA does.

Claim. With fewer numbers in the code than in the row an autoencoder has to find what rows have in common. A linear one
finds the plane that PCA finds; a nonlinear one may bend it to where the rows are, so that less is lost at any size of
the code (Hinton & Salakhutdinov 2006).

Set-up. Pictures of digits with pixels in [0, 1], of which 30 % are held out. A perceptron with one hidden layer and its
mirror image for each size of the code; PCA with as many components, of the same rows. The full protocol is the paper's
on MNIST: 784-1000-500-250-30, logistic units but for the code. Restricted Boltzmann machines are stacked, each trained
on what the one below says of the digits; the linear code on top, for which the paper has a fourth machine, is an
autoencoder's. Then they are unrolled, and trained on as one by the squared error.

Measured, on held-out digits, means over seeds. `error_K`: squared error a picture, the sum over its pixels, at a code
of K numbers. `pca_K`: that of K principal components; on MNIST 30 of them leave 13.87 in the paper, which fixes the
unit. `ratio_K`: the first over the second. `train_error_K`: on the digits learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from isthmus import encoders, likelihoods
from isthmus.boltzmann import BoltzmannMachine
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Published, Settings
from isthmus.stacking import stack
from isthmus.trials import TO_THE_END, fit_all, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
MOST = 16  # numbers in the code below which the claim must hold
DRAWN = 8  # digits in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train one for each size and seed, and judge it and PCA on the held-out digits."""
    data = load_data(settings["data"])
    rows = split(data).unit().first(settings["rows"])
    train, test = rows.train, rows.test
    untrained = deep if settings["stacked"] else shallow
    trained = {size: [untrained(settings, size, seed) for seed in seeds] for size in settings["sizes"]}
    for found in trained.values():
        fit_all(found, train)
    linear = {size: PCA(size, random_state=0).fit(train) for size in trained}
    errors = {size: [error(test, ae.reconstruct(test)) for ae in found] for size, found in trained.items()}
    pca = {size: error(test, restored(found, test)) for size, found in linear.items()}
    numbers: dict[str, float] = {}
    for size, found in trained.items():
        mean = float(np.mean(errors[size]))
        known = float(np.mean([error(train, ae.reconstruct(train)) for ae in found]))
        numbers |= {f"error_{size}": mean, f"pca_{size}": pca[size]}
        numbers |= {f"ratio_{size}": mean / pca[size], f"train_error_{size}": known}
    ratios = [np.array(found) / pca[size] for size, found in errors.items()]
    told = {"errors": list(errors.values()), "pca": list(pca.values()), "ratios": ratios}
    series = {"sizes": list(trained)} | {name: drawing.rounded(found) for name, found in told.items()}
    shown, digits = settings["shown"], test[:DRAWN]
    lines = {"digit": digits, "PCA": restored(linear[shown], digits)}
    lines["autoencoder"] = trained[shown][0].reconstruct(digits)
    images = {name: found.reshape(len(found), *(data.input_shape or ())[1:]) for name, found in lines.items()}
    figures = {
        "errors": lambda figure: draw_errors(figure, series),
        "digits": lambda figure: drawing.lines_of(figure, images, f"Digits told in {shown} numbers, and read back"),
    }
    return Measured(numbers, figures, series, {f"error_{size}": found for size, found in errors.items()})


def error(X: Array, X_hat: Array) -> float:
    """Squared error a picture: the sum over its pixels, (N, D), mean over rows."""
    return float(np.square(X - X_hat, dtype=np.float64).sum(axis=1).mean())


def restored(pca: PCA, X: Array) -> Array:
    back: Array = pca.inverse_transform(pca.transform(X))
    return back


def _how(settings: Settings, seed: int) -> dict[str, Any]:
    own = {name: settings[name] for name in ("batch_size", "learning_rate", "device")}
    return {**TO_THE_END, "max_epochs": settings["epochs"], "random_state": seed, **own}


def shallow(settings: Settings, size: int, seed: int) -> Autoencoder:
    """One hidden layer and its mirror image."""
    encoder = encoders.MLP(settings["hidden"], settings["activation"])
    return Autoencoder(size, encoder, scaling="global", **_how(settings, seed))


def deep(settings: Settings, size: int, seed: int) -> Autoencoder:
    """Boltzmann machines of the hidden widths and a linear code, to be unrolled."""
    names = {
        "max_epochs": "layer_epochs",
        "learning_rate": "layer_rate",
        "batch_size": "batch_size",
        "device": "device",
    }
    how = {name: settings[own] for name, own in names.items()} | {"scaling": None, "validation_fraction": 0.0}
    machines = [BoltzmannMachine(width, **how) for width in settings["hidden"]]
    code = Autoencoder(size, encoders.Linear(), likelihood=likelihoods.Bernoulli(), early_stopping=False, **how)
    return stack([*machines, code], likelihood=likelihoods.Gaussian(), **_how(settings, seed))


def draw_errors(figure: Figure, series: Mapping[str, Any]) -> None:
    """Against the size of the code: errors, a line a seed, beside PCA's, and what they are of PCA's."""
    left, right = figure.subplots(1, 2)
    sizes, ratios = series["sizes"], np.array(series["ratios"])
    left.plot(sizes, series["pca"], color="#666666", marker="x", linestyle="--", label="PCA")
    drawing.curves(left, {"autoencoder": list(np.transpose(series["errors"]))}, sizes)
    left.set(ylabel="squared error a picture, held out", ylim=(0, None))
    drawing.curves(right, {"autoencoder": list(ratios.T)}, sizes)
    right.axhline(1, color="#666666", linestyle="--")
    right.set(ylabel="the same over PCA’s", ylim=(0, None))
    below = [size for size, found in zip(sizes, ratios, strict=True) if found.max() < 1]
    where = "with" if len(sizes) == 1 else "up to"
    words = f"less than a flat one {where} {below[-1]} numbers" if below else "as much as a flat one"
    figure.suptitle(f"A bent code loses {words}")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xlabel("numbers in the code")
        axes.set_xticks(sizes, [str(size) for size in sizes])
    left.legend()


UNDERCOMPLETE = Experiment(
    name="undercomplete",
    part="II",
    claim="A nonlinear bottleneck loses less of a row than PCA with as many numbers.",
    lecture="undercomplete: a nonlinear encoder and decoder learn more powerful representations",
    reference="Hinton & Salakhutdinov 2006",
    measure=measure,
    expected={f"ratio_{size}": ("<", 1) for size in (1, 2, 4, 8, MOST)},
    settings={"data": "digits", "rows": 70_000, "sizes": (1, 2, 4, 8, 16, 32), "shown": 8, "stacked": False}
    | {"hidden": (128,), "activation": "silu", "epochs": 60, "batch_size": 64, "learning_rate": 4e-3, "device": "cpu"}
    | {"layer_epochs": 20, "layer_rate": 1e-3},
    full={"data": "mnist", "sizes": (30,), "shown": 30, "stacked": True, "hidden": (1000, 500, 250)}
    | {"epochs": 200, "batch_size": 128, "learning_rate": 1e-3, "device": "auto"},
    expected_full={"error_30": ("<=", 3.00), "ratio_30": ("<", 1)},
    published=(Published("deep autoencoder", "error_30", 3.00), Published("PCA", "pca_30", 13.87)),
    unit="squared error a test digit, codes of 30 numbers",
    budget="an hour a seed on a core",
)
