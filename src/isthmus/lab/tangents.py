"""An autoencoder's Jacobian knows how a digit may be moved, which tells a classifier what not to listen to.

Claim. A contractive autoencoder gives way only along the surface on which the rows lie. The leading singular vectors of
its Jacobian at a row are therefore tangents of that surface: they hold most of the true directions in which a digit is
moved or turned, more than local PCA finds in its neighbours. A classifier that is punished for changing along them errs
less (Rifai 2011, NIPS). It is a narrow lead: it is that of ∂x̂/∂x, from 10 directions on, and where rows are dense, as
MNIST's, local PCA is ahead. The encoder's own ∂z/∂x, which the paper takes, holds over half too, but a little less than
local PCA (`code_lead`), with whatever was tried.

Set-up. One layer of sigmoid units with contraction and curvature (CAE+H) on digits; each seed takes other rows to train
on and other first weights. True tangents are derivatives of the test digits as they move to the right, down, and turn.
Local PCA is given the number of neighbours that suits it best, of some. The full protocol takes MNIST, stacks two such
layers, and fine-tunes them with tangent propagation, along random sums of the first layer's tangents.

Measured, of the energy of the true tangents, means over seeds: `caught`, the share that lies in the span of so many
leading right singular vectors of ∂x̂/∂x; `caught_code`, of ∂z/∂x; `caught_local`, in local PCA's directions at the
training rows nearest to each digit; `caught_pca`, in PCA's; `least_lead`, the least that `caught` is ahead of
`caught_local` in any seed; `code_lead`, what `caught_code` is, on the mean. In full also the test error in percent with
all labels and with some of them: `error`, `error_few`; the same without tangents: `error_plain`, `error_few_plain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import tangents
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Published, Settings
from isthmus.lab.tangent_classifier import errors, untrained
from isthmus.trials import Split, fit_all, split_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
COUNTS = (2, 5, 10, 15, 20)  # directions, in the picture
MOVES = ("right", "down", "turn")
SHOWN = 3  # digits
FIRST = "reconstruction"
FINDERS = {"caught": "∂x̂/∂x", "caught_code": "∂z/∂x", "caught_local": "local PCA", "caught_pca": "PCA"}


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train an autoencoder a seed, all together, and see what true tangents their Jacobians hold."""
    splits = [_rows(settings, seed) for seed in seeds]
    trained = [untrained(settings, seed) for seed in seeds]
    fit_all(trained, [split.train for split in splits])
    side = int(np.sqrt(splits[0].train.shape[1]))
    pairs = list(zip(trained, splits, strict=True))
    counts = (*COUNTS, settings["directions"])
    shares = np.array([_shares(settings, *pair, side, counts) for pair in pairs])  # (seeds, finders, counts)
    numbers = dict(zip(FINDERS, shares[:, :, -1].mean(axis=0), strict=True))
    ahead = (shares[:, :2] - shares[:, 2:3])[:, :, -1]  # (seeds, the two Jacobians)
    numbers |= {"least_lead": ahead[:, 0].min(), "code_lead": ahead[:, 1].mean()}
    tuned = zip(pairs, seeds, strict=True) if settings["classify"] else ()
    samples = [errors(settings, *pair, seed) for pair, seed in tuned]
    judged = {key: [one[key] for one in samples] for key in (samples[0] if samples else ())}
    found = {name: drawing.quartiles(shares[:, i, :-1]) for i, name in enumerate(FINDERS.values())}
    pictures = drawing.rounded(_pictures(settings, *pairs[0], side), 3)
    series = {"directions": COUNTS, "caught": found, "pictures": pictures}
    figures: dict[str, Callable[[Figure], None]] = {
        "caught": lambda figure: draw_caught(figure, series),
        "directions": lambda figure: draw_directions(figure, pictures),
    }
    return Measured(numbers | {key: np.mean(one) for key, one in judged.items()}, figures, series, judged)


def _rows(settings: Settings, seed: int) -> Split:
    """Images in [0, 1]: some to train on, and test rows."""
    return split_classes(load_data(settings["data"]), seed).unit().first(settings["rows"] or None)


def _shares(settings: Settings, ae: Autoencoder, split: Split, side: int, counts: Sequence[int]) -> Array:
    """What each way finds of the true tangents, with so many directions each: (finders, counts)."""
    x = split.test[: settings["test"]]
    true, most = tangents.moved(x, (1, side, side), MOVES), max(counts)
    whole = np.linalg.svd(split.train - split.train.mean(axis=0), full_matrices=False)[2][:most]
    near = [tangents.local(split.train, x, most, neighbours) for neighbours in settings["neighbours"]]
    learned = [tangents.learned(ae, x, most, of) for of in (FIRST, "code")]

    def caught(U: Array) -> Array:
        return np.array([tangents.caught(true, U[:, :r]).mean() for r in counts])

    every = np.broadcast_to(whole, (len(x), *whole.shape))
    return np.stack([*map(caught, learned), np.max([*map(caught, near)], axis=0), caught(every)])


def _pictures(settings: Settings, ae: Autoencoder, split: Split, side: int) -> Array:
    """Digits, and behind each true tangent what of it lies in the learned directions: (SHOWN, ·, side, side)."""
    x = split.test[:SHOWN]
    true, found = tangents.moved(x, (1, side, side), MOVES), tangents.learned(ae, x, settings["directions"], FIRST)
    held = true @ found.swapaxes(1, 2) @ found
    pairs = np.stack([true, held], axis=2).reshape(SHOWN, -1, x.shape[1])
    return np.concatenate([x[:, None], pairs], axis=1).reshape(SHOWN, -1, side, side)


def draw_caught(figure: Figure, series: Mapping[str, Any]) -> None:
    """Shares against how many directions are taken; medians and quartiles over seeds."""
    axes = figure.subplots()
    for place, (name, found) in enumerate(series["caught"].items()):
        drawing.bands(axes, series["directions"], found, name, place)
    axes.axhline(0.5, color="#666666", linestyle=":")
    axes.set(xlabel="directions at each digit", ylabel="energy of moves and turns caught", ylim=(0, 1))
    axes.set_xticks(series["directions"])
    axes.set_title("With enough directions the Jacobian is ahead of local PCA")
    figure.legend(loc="outside lower center", ncols=4)


def draw_directions(figure: Figure, pictures: Sequence[Sequence[Sequence[Sequence[float]]]]) -> None:
    """A line a digit: the digit, how it changes as it moves and turns, and what the learned directions hold of that."""
    figure.set_size_inches(10, 4.8)
    heads = ["digit", "right", "held of it", "down", "held of it", "turn", "held of it"]
    for row, images in zip(figure.subplots(SHOWN, len(heads)), pictures, strict=True):
        for axes, image, head in zip(row, images, heads, strict=True):
            drawing.changes(axes, image, head if row[0] in figure.axes[:1] else "")
    figure.suptitle("The learned directions hold most of what moves a digit")


TANGENTS = Experiment(
    name="tangents",
    part="II",
    claim="Leading singular vectors of a contractive autoencoder's Jacobian are tangents: they tell how digits move.",
    lecture="contractive: the Jacobian's singular vectors span the tangent space of the manifold",
    reference="Rifai, Dauphin, Vincent, Bengio & Muller 2011",
    measure=measure,
    expected={"caught": (">=", 0.5), "caught_code": (">=", 0.5), "least_lead": (">", 0.0)},
    settings={"data": "digits", "rows": 0, "test": 150, "units": 300, "strength": 0.1, "curvature": 1.0, "noise": 0.1}
    | {"epochs": 250, "batch_size": 64, "learning_rate": 3e-3, "directions": 10, "neighbours": (25, 50, 100)}
    | {"classify": False, "tangents": 15, "propagation": 1.0, "probes": 1, "smoothing": 0.0, "labels": 1000}
    | {"second_strength": 0.1, "second_epochs": 20, "tuned": 20, "tuned_few": 60}
    | {"tuning_rate": 1e-3, "tuning_rate_few": 2e-3},
    full={"data": "mnist", "units": 1000, "epochs": 16, "batch_size": 128, "learning_rate": 2e-3, "test": 100}
    | {"strength": 1.0, "curvature": 0.1, "second_strength": 0.5, "second_epochs": 12, "directions": 15}
    | {"classify": True, "propagation": 10.0, "smoothing": 0.1},
    expected_full={"error": ("<=", 1.0), "error_few": ("<=", 4.5)},
    published=(
        Published("all labels", "error", 0.81),
        Published("1,000 labels", "error_few", 3.64),
    ),
    unit="test error, %",
    budget="40 minutes a seed on a core, 9 GB",
)
