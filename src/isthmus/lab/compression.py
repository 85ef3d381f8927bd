"""Codes in whole steps compress photos better than PCA with the same quantiser and the same entropy coder.

Claim. A code is rounded to whole steps, and a coder that knows how often each step occurs writes it in bits. What is
decoded errs the less the more bits it had. An autoencoder that is trained for both at once, error + β × bits, bends
the space of patches before it rounds, where PCA only turns it: at the same rate it errs less (Ballé 2016, 2017).

Set-up. Patches of gray photos; others are coded than are trained on, from end to end, tile by tile. A net for each β
starts as PCA itself and learns what to add: rows come in principal coordinates, and encoder and decoder are the
identity beside a perceptron. PCA is at its best too: the better of plain rounding and of a dead zone as the nets
have it, numbers decoded where training patches were on the average, and all its components, of which large steps
leave the first ones. Rates are bytes written, by tables that training patches gave; rows are decoded from these
bytes. JPEG codes the same photos whole, its headers counted; it knows each block's left neighbour, the others do not.
Nets never learn from the photos that are coded, but their form was compared on them, which flatters the gain a little.

Measured, over all seeds and β whose rate is at most 1 bit a pixel. `gain_least`, `gain_mean`: PSNR in dB above PCA's
at the same rate; `gain_plain`: the least above PCA with plain rounding. `over_jpeg_least`, `over_jpeg_mean`: above
JPEG, at rates that it reaches. `rate_least`, `rate_most`: from where to where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA

from isthmus import codes, encoders, penalties
from isthmus.compression import Codec, Curve, Learned, Point, Principal, above, decoded, jpeg_curve, point
from isthmus.data.photos import bundled, cropped, in_bytes, patches, read_photos, tiles
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 1.0  # bits a pixel
STEPS = 12  # of PCA's quantiser
SHOWN = slice(96, 224)  # rows and columns of the photo in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train all nets together, and write the held-out photos with each, with PCA and as JPEG."""
    folder, side = settings["photos"], settings["side"]
    whole = bundled("skimage") | bundled("sklearn") if folder == "bundled" else read_photos(folder)
    photos = {name: in_bytes(photo) for name, photo in whole.items()}
    held = [photos.pop(name) for name in settings["test"]]
    train = patches([*photos.values()], settings["patches"] * len(photos), side, np.random.default_rng(0))
    test = np.concatenate([tiles(photo, side) for photo in held])
    turned = PCA().fit(train)
    nets = [[Learned(_untrained(settings, seed, beta), turned) for beta in settings["betas"]] for seed in seeds]
    fit_all([net.ae for ours in nets for net in ours], turned.transform(train))
    found = [[point(net, train, test) for net in ours] for ours in nets]
    finest, coarsest = settings["steps"]
    steps = np.geomspace(coarsest, finest, STEPS)  # rates rise
    pca = [[Principal.of(turned, float(step), zone, train) for step in steps] for zone in (0.5, settings["threshold"])]
    curves = [Curve.through([point(one, train, test) for one in ours]) for ours in pca]
    jpeg = jpeg_curve([cropped(photo, side) for photo in held], range(3, 96, 6))
    series = {
        "autoencoder": drawing.rounded([np.transpose(sorted(points)) for points in found]),
        "PCA": drawing.rounded([curves[1].rates, curves[1].psnr]),
        "JPEG": drawing.rounded([jpeg.rates, jpeg.psnr]),
        "gain": drawing.rounded([above(points, curves) for points in found]),
    }
    middle = len(settings["betas"]) // 2
    rate = found[0][middle].rate
    rival = pca[1][int(np.abs(curves[1].rates - rate).argmin())]
    shown: dict[str, Codec] = {"autoencoder": nets[0][middle], "PCA": rival}
    images = {"original": held[0]} | {name: decoded(codec, held[0], side) for name, codec in shown.items()}
    figures = {"rates": lambda figure: draw(figure, series), "photo": lambda figure: draw_photo(figure, images, rate)}
    return Measured(numbers(found, curves, jpeg), figures, series)


def numbers(found: Sequence[Sequence[Point]], pca: Sequence[Curve], jpeg: Curve) -> dict[str, float]:
    """How far the points lie above PCA's curves, the plain one and the one with a dead zone, and above JPEG's."""
    points = [point for ours in found for point in ours if point.rate <= MOST]
    rate, best = above(points, pca)
    plain, over_jpeg = (above(points, [curve])[1] for curve in (pca[0], jpeg))
    reached = ~np.isnan(over_jpeg)  # JPEG's headers alone cost more than the lowest rates
    over_jpeg = over_jpeg[reached] if reached.any() else over_jpeg
    return {
        "gain_least": best.min(),
        "gain_mean": best.mean(),
        "gain_plain": plain.min(),
        "over_jpeg_least": over_jpeg.min(),
        "over_jpeg_mean": over_jpeg.mean(),
        "rate_least": rate.min(),
        "rate_most": rate.max(),
    }


def _untrained(settings: Settings, seed: int, beta: float) -> Autoencoder:
    """½‖x − x̂‖² + β nats; at many bits the error of a step falls by Δ²/12 a nat, which is what Δ is taken from."""
    return Autoencoder(
        settings["side"] ** 2,
        encoders.Linear() if settings["linear"] else encoders.Residual(settings["hidden"]),
        code=codes.Rounded(sqrt(12 * beta), settings["threshold"]),
        penalty=penalties.Divergence(beta),
        scaling="global",
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def draw(figure: Figure, series: Mapping[str, Any]) -> None:
    axes, gain = figure.subplots(1, 2)
    lines = {"autoencoder": series["autoencoder"], "PCA": [series["PCA"]], "JPEG": [series["JPEG"]]}
    for place, (name, curves) in enumerate(lines.items()):
        look: dict[str, Any] = {"color": drawing.COLOURS[place], "marker": drawing.MARKERS[place], "markersize": 5}
        for seed, (rates, psnr) in enumerate(curves):
            label = None if seed else name
            axes.plot(rates, psnr, linestyle=drawing.LINES[place], label=label, **look)
    for rates, gains in series["gain"]:
        gain.plot(rates, gains, color=drawing.COLOURS[0], marker=drawing.MARKERS[0], markersize=5)
    gain.axhline(0, color="#666666", linestyle="--")
    axes.set(xlabel="bits a pixel, held out", ylabel="PSNR, dB", xlim=(0, 1.1 * MOST), ylim=(23, 38))
    gain.set(xlabel="bits a pixel, held out", ylabel="dB above PCA at its best", xlim=(0, 1.1 * MOST))
    figure.suptitle("In as many bits a trained code says more than PCA's")
    figure.legend(loc="outside lower center", ncols=3)


def draw_photo(figure: Figure, images: Mapping[str, Any], rate: float) -> None:
    for axes, (name, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        drawing.picture(axes, image[SHOWN, SHOWN], name, (0, 255))
    figure.suptitle(f"A photo that no code was trained on, in about {rate:.2g} bits a pixel")


COMPRESSION = Experiment(
    name="compression",
    part="II",
    claim="Rounded codes and an entropy coder compress photos better than PCA at every rate up to 1 bit a pixel.",
    lecture="data compression",
    reference="Ballé, Laparra & Simoncelli 2017",
    measure=measure,
    expected={"gain_least": (">", 0), "rate_least": ("<=", 0.15), "rate_most": (">=", 0.8)},
    settings={"photos": "bundled", "test": ("camera", "chelsea"), "patches": 2000, "side": 8, "hidden": (128,)}
    | {"betas": (0.5, 0.17, 0.06, 0.022, 0.0085), "steps": (18.0, 240.0), "threshold": 0.6, "linear": False}
    | {"epochs": 8, "batch_size": 128, "learning_rate": 2e-3},
    full={"photos": "natural", "test": ("kodak-05", "kodak-13", "kodak-20", "kodak-23"), "patches": 20_000}
    | {"hidden": (256,), "epochs": 40, "betas": (1.5, 0.5, 0.17, 0.06, 0.022, 0.013), "steps": (18.0, 400.0)},
    budget="an hour on 2 cores",
    seeds=3,
)
