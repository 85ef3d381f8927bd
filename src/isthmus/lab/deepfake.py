"""One encoder and two decoders swap faces: what one person does in a video, another is seen to do.

Claim. An autoencoder whose decoder is chosen by whose face it is, θ = g_c(f(x̃)), learns each person's frames through
one encoder. A code then says what a face does and a decoder whose face it is: frames of A through the decoder of B show
B with A's expression, though no frame was ever seen with its counterpart.

Set-up. Two people, drawn, whose expression is known frame by frame: the head's turn and tilt, its place, mouth, smile
and light. Heads are cut out around their middle as a detector does it, nearly (`held`), and A's colours are matched to
B's, in mean and deviation, number by number. Inputs are warped, targets are not: the warp is the corruption. Each seed
has its own frames of both and its own video of A. Without a warp, and without sharing (two autoencoders that begin
alike, one a person), the same is done again.

Measured on the video, means over seeds. `identity`: share of frames that a classifier, trained on true frames of both,
takes for B, the worst seed. `mouth`, `turn`, `tilt` and the others: correlation of what a regressor, trained on true
frames of B, reads off the swapped frames with what A did; `error`: squared error from B drawn with A's expression, over
the variance of that. `no_warp_…` and `no_sharing_…`: the same of those two; `true_…`: of B as drawn, the most that can
be read. `sharing_gain`: by how much the mean correlation of mouth, turn and tilt is above that without sharing, the
worst seed.

What `held` leaves of the place, `right` and `down`, is a fraction of a pixel and only reported, as smile and light are.
The full protocol has larger drawn faces, more frames and seeds; videos of people need a face detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import corruptions, decoders, encoders
from isthmus.data import faces
from isthmus.estimators import Autoencoder
from isthmus.evidence.witness import Film, film, witness
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
ASKED = ("mouth", "turn", "tilt")
SHOWN = 8  # frames in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Swap each seed's video in three ways, and let what comes out be read."""
    seen = witness(settings["witnessed"], "B", settings["side"], settings["held"], settings["witness_epochs"])
    size = (settings["rows"], settings["frames"], settings["side"], settings["held"])
    films = [film(*size, seed) for seed in seeds]
    warp = corruptions.Elastic(settings["alpha"], settings["sigma"])
    ways = {
        "swapped": swapped(settings, seeds, films, warp, settings["share"]),
        "no warp": swapped(settings, seeds, films, corruptions.Nothing(), settings["share"]),
        "no sharing": swapped(settings, seeds, films, warp, False),
        "true": [one.truth for one in films],
    }
    read = {
        way: [seen.read(rows, one) for rows, one in zip(videos, films, strict=True)] for way, videos in ways.items()
    }
    means = {way: {key: float(np.mean([one[key] for one in found])) for key in found[0]} for way, found in read.items()}
    level = {way: np.array([np.mean([one[key] for key in ASKED]) for one in found]) for way, found in read.items()}
    numbers = means["swapped"] | {"identity": min(one["identity"] for one in read["swapped"])}
    for way in ("no warp", "no sharing", "true"):
        numbers |= {f"{way.replace(' ', '_')}_{key}": value for key, value in means[way].items()}
    numbers["sharing_gain"] = (level["swapped"] - level["no sharing"]).min()
    series = {"expressions": list(faces.EXPRESSIONS), "correlations": drawing.rounded(means)}
    strip = {"A": films[0].shot} | {name: ways[way][0] for name, way in _LINES.items()}
    figures = {
        "film": lambda figure: draw_film(figure, strip, settings["side"]),
        "expressions": lambda figure: draw_expressions(figure, series),
    }
    return Measured(numbers, figures, series)


_LINES = {"as B": "swapped", "B, drawn": "true", "no warp": "no warp", "no sharing": "no sharing"}


def swapped(settings: Settings, seeds: Sequence[int], films: Sequence[Film], warp: Any, share: bool) -> list[Array]:
    """Each video with B's face."""
    if share:
        fitted = [_untrained(settings, seed, warp, decoders.PerGroup()) for seed in seeds]
        fit_all(
            fitted, [np.concatenate([one.a, one.b]) for one in films], groups=np.repeat(["A", "B"], len(films[0].a))
        )
        return [ae.translate(one.video, to="B") for ae, one in zip(fitted, films, strict=True)]
    first, second = ([_untrained(settings, seed, warp) for seed in seeds] for _ in "AB")
    fit_all([*first, *second], [one.a for one in films] + [one.b for one in films])
    pairs = zip(first, second, films, strict=True)
    return [own.inverse_transform(ae.transform(one.video)) for ae, own, one in pairs]


def _untrained(settings: Settings, seed: int, warp: Any, decoder: Any = None) -> Autoencoder:
    return Autoencoder(
        settings["code_size"],
        encoders.MLP(settings["hidden"]),
        decoder,
        corruption=warp,
        input_shape=(3, settings["side"], settings["side"]),
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def draw_film(figure: Figure, strip: Mapping[str, Array], side: int) -> None:
    """Frames of the video, one after the other, in every way."""
    figure.set_size_inches(10, 6.6)
    at = slice(0, 5 * SHOWN, 5)
    lines = {name: np.moveaxis(rows[at].reshape(-1, 3, side, side), 1, -1).clip(0, 1) for name, rows in strip.items()}
    drawing.lines_of(figure, lines, "The decoder of B shows B do what A does")


def draw_expressions(figure: Figure, series: Mapping[str, Any]) -> None:
    """Correlations of what is read off frames with what A did: a row a way, a column a number."""
    axes, names, found = figure.subplots(), series["expressions"], series["correlations"]
    figure.set_size_inches(9, 3.6)
    values = [[means[name] for name in names] for means in found.values()]
    drawing.table(axes, values, list(found), names, "{:.2f}", vmin=0, vmax=1)
    axes.set_title("Expressions survive the swap where the encoder is shared")


DEEPFAKE = Experiment(
    name="deepfake",
    part="II",
    claim="One encoder and a decoder for each of two people: A's frames, decoded as B's, show B with A's expression.",
    lecture="one encoder, two decoders; input A to the encoder, decoder of B",
    reference="the deepfakes autoencoder of 2017; no paper",
    measure=measure,
    expected={"identity": (">=", 0.95), **dict.fromkeys(ASKED, (">=", 0.9)), "sharing_gain": (">=", 0.2)},
    settings={"side": 16, "rows": 2000, "frames": 1000, "held": 0.1, "code_size": 32, "hidden": (128,)}
    | {"alpha": 2.0, "sigma": 2.0, "share": True, "epochs": 24, "batch_size": 64, "learning_rate": 6e-3}
    | {"witnessed": 3000, "witness_epochs": 25},
    full={"side": 32, "rows": 8000, "hidden": (256,), "alpha": 8.0, "sigma": 4.0, "witnessed": 10_000},
    seeds=3,
    budget="40 minutes on 2 cores",
)
