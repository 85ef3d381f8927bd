"""An autoencoder that is shown noisy rows and asked for the clean ones learns where rows lie, and takes noise off.

Claim. To bring x back from a corrupted x̃ a net has to know which numbers of a row go together; so it restores rows
that it has not seen better than a filter, which knows of pictures only that neighbours are alike, and than a flat model
of the rows. Who looks for rows like a noisy one finds more of them by its restoration. Layers learned so, each on the
codes of the one before, are a good start for a classifier (Vincent 2008, 2010).

Set-up. Digits with pixels in [0, 1], of which 30 % are held out; an autoencoder for each kind of noise and each seed.
The rivals: a median filter of 3 × 3, PCA with as many components as restore the noisy training digits best, and the
linear map from noisy training digits to clean ones (ridge regression, its strength cross-validated). Every seed draws
other noise. `shown` is the share of the noise that the net is trained with. The full protocol stacks three
layers of sigmoids on MNIST's digits turned by any angle and on those before noise (Larochelle 2007, regenerated): a
narrow stack is fine-tuned as a classifier under masks; a probe is a linear layer (ridge) that reads the third layer of
a wide stack, of the narrow one, or the pixels.

Measured, NOISE being `gaussian`, `masking` or `salt`. The worst seed, in dB of PSNR on held-out digits: `gain_NOISE`,
the restored less the noisy; `over_median_NOISE`, `over_pca_NOISE` and `over_linear_NOISE`, less what the rival
restored. Means over seeds: `found_NOISE`, of the ten training digits nearest to a restored one the share of its class;
`found_gain_NOISE`, that less the noisy digit's own; `found_code_NOISE`, looked up by codes. In full, means over seeds,
in percent of test digits: `SET_error` of the fine-tuned net, `SET_probe`, `SET_narrow_probe` and `SET_raw_probe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from isthmus import corruptions, encoders, likelihoods
from isthmus.distortion import psnr
from isthmus.estimators import Autoencoder
from isthmus.evidence.restoring import Projection, corrupted, median, precision
from isthmus.lab import drawing, stacked_denoising
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, Split, fit_all, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Ways = Mapping[str, Array]  # the held-out digits noisy, and as each restores them, (N, D)
NOISES = {"gaussian": corruptions.Gaussian, "masking": corruptions.Masking, "salt": corruptions.SaltAndPepper}
ASKED = ("gain", "over_median", "over_pca", "over_linear", "found_gain")
STRENGTHS = np.logspace(-1, 4, 11)  # of the ridge
SHAPE, DRAWN = (1, 8, 8), 8  # of a digit; how many are in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Take noise off digits; in the full protocol, stack layers and fine-tune them."""
    if settings["sets"] != ("digits",):
        return stacked_denoising.measure(settings, seeds)
    rows = pictures("digits")
    numbers, levels, lines = dict[str, float](), dict[str, Any](), {"digit": rows.test}
    for noise in NOISES:
        nets = _trained(settings, noise, seeds, rows)
        ways = [_ways(settings, noise, ae, rows, seed) for ae, seed in zip(nets, seeds, strict=True)]
        level = {name: np.array([psnr(rows.test, way[name]) for way in ways]) for name in ways[0]}
        numbers |= {f"{key}_{noise}": found for key, found in _numbers(level, _found(nets, ways, rows)).items()}
        levels[noise] = {name: drawing.over_seeds(found) for name, found in level.items()}
        lines |= {noise: ways[0]["noisy"], f"{noise} off": ways[0]["autoencoder"]}
    images = {name: found[:DRAWN].reshape(-1, *SHAPE[1:]) for name, found in lines.items()}
    figures = {
        "levels": lambda figure: draw_levels(figure, levels),
        "digits": lambda figure: draw_digits(figure, images),
    }
    return Measured(numbers, figures, levels)


def _numbers(level: Ways, found: Mapping[str, float]) -> dict[str, float]:
    rivals = {"gain": "noisy", "over_median": "median", "over_pca": "PCA", "over_linear": "linear"}
    gains = {key: float((level["autoencoder"] - level[rival]).min()) for key, rival in rivals.items()}
    return (
        gains
        | {"found": found["autoencoder"], "found_code": found["code"]}
        | {"found_gain": found["autoencoder"] - found["noisy"]}
    )


def _trained(settings: Settings, noise: str, seeds: Sequence[int], rows: Split) -> list[Autoencoder]:
    how = {name: settings[name] for name in ("batch_size", "learning_rate")} | {"max_epochs": settings["epochs"]}
    how |= {"likelihood": likelihoods.Bernoulli(), "encoder": encoders.MLP(settings["hidden"]), **TO_THE_END}
    corruption = NOISES[noise](settings["shown"] * settings[noise])
    nets = [Autoencoder(settings["code_size"], corruption=corruption, random_state=seed, **how) for seed in seeds]
    fit_all(nets, rows.train)
    return nets


def _ways(settings: Settings, noise: str, ae: Autoencoder, rows: Split, seed: int) -> Ways:
    """Noise of this seed on the held-out digits, and what is left of them."""
    known, noisy = (
        corrupted(NOISES[noise](settings[noise]), X, rows.train, SHAPE, 2 * seed + part)
        for part, X in enumerate((rows.train, rows.test))
    )
    flat = Projection.chosen(rows.train, known).restored(noisy)
    linear = RidgeCV(STRENGTHS).fit(known, rows.train).predict(noisy)
    ways = {"noisy": noisy, "autoencoder": ae.reconstruct(noisy), "median": median(noisy, SHAPE)}
    ways |= {"PCA": flat, "linear": linear}
    return {name: found.clip(0, 1) for name, found in ways.items()}  # where pixels lie is known to all


def _found(nets: Sequence[Autoencoder], ways: Sequence[Ways], rows: Split) -> dict[str, float]:
    """Precision of looking training digits up, means over seeds."""
    classes, labels = np.asarray(rows.test_labels), np.asarray(rows.train_labels)

    def mean(pairs: Iterable[tuple[Array, Array]]) -> float:
        return float(np.mean([precision(queries, classes, known, labels) for known, queries in pairs]))

    found = {name: mean((rows.train, way[name]) for way in ways) for name in ("noisy", "autoencoder")}
    both = zip(nets, ways, strict=True)
    return found | {"code": mean((ae.transform(rows.train), ae.transform(way["noisy"])) for ae, way in both)}


def draw_levels(figure: Figure, levels: Mapping[str, Any]) -> None:
    """A panel for each noise: a marker a seed for each way of seeing the digits."""
    figure.set_size_inches(12, 4.6)
    for axes, (noise, found) in zip(figure.subplots(1, len(levels), sharey=True), levels.items(), strict=True):
        drawing.dots(axes, found)
        axes.set_title(noise)
    figure.axes[0].set_ylabel("PSNR of held-out digits, dB")
    figure.suptitle("What the autoencoder gives back is nearest to the clean digits")


def draw_digits(figure: Figure, images: Ways) -> None:
    figure.set_size_inches(7, 8.4)
    drawing.lines_of(figure, images, "Held-out digits with noise, and restored")


DENOISING = Experiment(
    name="denoising",
    part="II",
    claim="An autoencoder that restores rows from noisy ones takes noise off rows that it has not seen.",
    lecture="denoising: reconstruct x from a corrupted x̃",
    reference="Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010",
    measure=measure,
    expected={f"{key}_{noise}": (">", 0) for key in ASKED for noise in NOISES},
    settings={"sets": ("digits",), "gaussian": 0.5, "masking": 0.5, "salt": 0.4, "shown": 1.0, "hidden": (256,)}
    | {"code_size": 64, "epochs": 100, "batch_size": 128, "learning_rate": 1e-2, "device": "cpu", "n_jobs": 1}
    | {f"{kind}_{what}": () for kind in ("narrow", "wide") for what in ("sizes", "epochs", "rates")}
    | {"narrow_masking": 0.25, "wide_masking": 0.5, "tuned_masking": 0.25, "smoothing": 0.1, "probe_strength": 10.0},
    full={"sets": ("mnist-rot", "mnist-bg-rand"), "epochs": 60, "batch_size": 100, "device": "auto", "n_jobs": -1}
    | {"narrow_sizes": (1000,) * 3, "narrow_epochs": (100,) * 3, "narrow_rates": (2e-3,) * 3, "learning_rate": 2e-3}
    | {"wide_sizes": (3000, 3000, 6000), "wide_epochs": (10, 8, 6), "wide_rates": (1e-3, 5e-4, 5e-4)},
    expected_full={"rot_error": ("<=", 9.5), "rot_probe": ("<=", 10)},
    published=stacked_denoising.TABLE,
    unit="test error, %",
    budget="half an hour a seed on 2 cores",
)
