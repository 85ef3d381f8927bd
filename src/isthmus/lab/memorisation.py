"""With too much power an autoencoder numbers its training rows: whatever it is given ends on one of them.

Claim. One number is enough of a code for a net with too much power: f(xᵢ) = i, g(i) = xᵢ gives every training row back
and says nothing of any other. It shows when the net is applied to what it gave: x ← g(f(x)) moves to a training row
from nearly everywhere, for these attract what is near (Radhakrishnan, Yang, Belkin & Uhler 2018). A net that learned
what rows have in common moves new rows elsewhere.

Set-up. 16 rows, others for every seed, and a net of five hidden layers of tanh on either side of a code of one number,
trained on all 16 at once to the end. Beside it a sound net with one hidden layer and a wider code, which learns from
every row that is not held out; and the same shallow net on the 16 rows, to the end, which tells apart what few rows do
and what power does. All start from the same held-out rows, and are applied a hundred times.

Measured, means over seeds where nothing else is said. `train_error`: squared error of the training rows over their
variance, the worst. `ends_on_rows`, `sound_ends_on_rows`, `shallow_ends_on_rows`: share of the new rows that end on a
row which the net was trained on, within a tenth of the usual distance between neighbouring ones. `attractors`: how many
of the 16 attract what is near: the largest |eigenvalue| of ∂g(f(x))/∂x is below 1 there. `reached`: how many of them
are ended on. `flagged`, `sound_flagged`, `shallow_flagged`: share of nets that the library's own examination says of
that they memorise; the shallow one gives its 16 rows back too, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import encoders, evidence, zoo
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.evidence.attractors import Attraction, attraction, iterate, spectral_radius
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
SHOWN, AFTER = 8, (0, 1, 3, 10, 100)  # rows in the picture, and after how many applications
NETS = {"": "too much power", "sound_": "a sound net", "shallow_": "shallow, same rows"}
POINTS = 400  # of the curve from code to code


@dataclass(frozen=True)
class Trial:
    """A net, the rows it was trained on, new rows, and where these end."""

    net: Autoencoder
    train: Array
    new: Array

    @property
    def error(self) -> float:
        return float(np.square(self.net.reconstruct(self.train) - self.train).mean() / self.train.var(axis=0).mean())

    @cached_property
    def attraction(self) -> Attraction:
        return attraction(self.net, self.train, self.new)

    @property
    def flagged(self) -> bool:
        found = evidence.examine(self.net, self.train, self.new).verdicts
        return {verdict.name: verdict.status for verdict in found}["memorises"] == "fail"


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train an indexer and a sound net for each seed, and follow new rows through both."""
    data = load_data(settings["data"])
    rows, shape = split(data), data.input_shape or (1, 1, data.X.shape[1])
    new = rows.test[: settings["new"]]
    few = [np.random.default_rng(seed).permutation(rows.train)[: settings["points"]] for seed in seeds]
    indexers = [_indexer(settings, seed) for seed in seeds]
    shallow = [_sound({**settings, "sound_epochs": settings["epochs"]}, seed) for seed in seeds]
    sound = [_sound(settings, seed) for seed in seeds]
    nets = (indexers, few), (sound, [rows.train] * len(seeds)), (shallow, few)
    for pair in nets:
        fit_all(*pair)
    groups = [[Trial(net, own, new) for net, own in zip(*pair, strict=True)] for pair in nets]
    arrived = [[trial.attraction.arrived.mean() for trial in group] for group in groups]
    numbers = {
        "train_error": max(trial.error for trial in groups[0]),
        **{f"{key}ends_on_rows": np.mean(shares) for key, shares in zip(NETS, arrived, strict=True)},
        "attractors": np.mean([(spectral_radius(trial.net, trial.train) < 1).sum() for trial in groups[0]]),
        "reached": np.mean([trial.attraction.reached for trial in groups[0]]),
        **{f"{key}flagged": np.mean([one.flagged for one in group]) for key, group in zip(NETS, groups, strict=True)},
    }
    ends = {name: drawing.over_seeds(shares) for name, shares in zip(NETS.values(), arrived, strict=True)}
    series = {"ends": ends, **_codes(groups[0][0])}
    followed = {f"{n}×": iterate(indexers[0].reconstruct, new[:SHOWN], n) for n in AFTER}
    images = {name: pictures.reshape(-1, *shape)[:, 0] for name, pictures in followed.items()}
    figures = {
        "ends": lambda figure: draw_ends(figure, series),
        "rows": lambda figure: drawing.lines_of(figure, images, "New rows turn into rows that the net has seen"),
    }
    return Measured(numbers, figures, series)


def _indexer(settings: Settings, seed: int) -> Autoencoder:
    encoder = encoders.MLP(settings["hidden"], settings["activation"])
    how: dict[str, Any] = {"batch_size": None, "learning_rate": settings["learning_rate"], **TO_THE_END}
    return Autoencoder(1, encoder, scaling="global", max_epochs=settings["epochs"], random_state=seed, **how)


def _sound(settings: Settings, seed: int) -> Autoencoder:
    how: dict[str, Any] = {"max_epochs": settings["sound_epochs"], "random_state": seed, **TO_THE_END}
    return zoo.undercomplete(settings["sound_code"], scaling="global", **how)


def _codes(trial: Trial) -> dict[str, Any]:
    """Along the code, what code the net gives to what it decodes; and the codes of the training rows."""
    own = np.sort(trial.net.transform(trial.train)[:, 0])
    margin = 0.05 * (own[-1] - own[0])
    z = np.linspace(own[0] - margin, own[-1] + margin, POINTS, dtype=own.dtype)
    again = trial.net.transform(trial.net.inverse_transform(z[:, None]))[:, 0]
    return {"rows": drawing.rounded(own), "codes": drawing.rounded(z), "again": drawing.rounded(again)}


def draw_ends(figure: Figure, series: Mapping[str, Any]) -> None:
    """The code of what a code decodes to, and the shares that end on a training row."""
    figure.set_size_inches(10, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    ends = series["codes"][:: len(series["codes"]) - 1]
    left.plot(ends, ends, color="#999999", linewidth=1)
    left.plot(series["codes"], series["again"], color=drawing.COLOURS[0])
    left.plot(series["rows"], series["rows"], drawing.MARKERS[1], color=drawing.COLOURS[1], label="training rows")
    left.set(xlabel="code z", ylabel="f(g(z))", title="Steps at the training rows: f(xᵢ) = i, g(i) = xᵢ")
    left.legend(loc="lower right")
    drawing.dots(right, series["ends"])
    right.set(ylabel="share that ends on a training row", ylim=(-0.05, 1.05), title="New rows end there")


MEMORISATION = Experiment(
    name="memorisation",
    part="II",
    claim="A net with too much power numbers its training rows, and whatever it is applied to ends on one of them.",
    lecture="with too much power, autoencoder can just index each training example: f(xᵢ) = i, g(i) = xᵢ",
    reference="Radhakrishnan, Yang, Belkin & Uhler 2018",
    measure=measure,
    expected={"train_error": ("<=", 1e-4), "ends_on_rows": (">=", 0.9), "sound_ends_on_rows": ("<=", 0.1)}
    | {"shallow_ends_on_rows": ("<=", 0.1), "flagged": ("==", 1), "sound_flagged": ("==", 0)},
    settings={"data": "digits", "points": 16, "new": 200, "hidden": (128,) * 5, "activation": "tanh", "epochs": 2000}
    | {"learning_rate": 1e-3, "sound_code": 12, "sound_epochs": 40},
    full={"data": "mnist", "epochs": 8000},
    budget="a quarter of an hour on 2 cores",
)
