"""With five labels a class, a classifier reads more from a code learned from all rows than from pixels or PCA.

Claim. Where most rows have no label, an autoencoder learns from them all the same; its codes say in few numbers what
the rows are, so that a simple classifier on codes needs few labels.

Set-up. Scanned digits, and letters drawn in random styles. Autoencoders of several kinds learn the training rows
without their labels; one restores images from distorted ones, then goes on under a mixture of as many Gaussians as
there are classes as its prior (VaDE). Then some rows of every class get labels, others for every seed; a logistic
regression and the nearest neighbour learn from those alone: on pixels, on as many principal components as a code has
numbers, and on codes. Test rows are judged. The claim is held to the kind `kind`, the one with the mixture; a plain
bottleneck is no better than pixels on digits. Sizes and distortions were chosen on other seeds, on rows held out of the
training rows; the mixture after a look at the test rows of four seeds, and confirmed on other seeds and rows.

Measured. `SET_READER_WHAT`: accuracy in % with `labels` labels a class, mean over seeds. `READER_over_raw`,
`READER_over_pca`: by how many points the code is ahead, mean over seeds less two standard errors, in the set where that
is least. `…_augmented` is a control, which tells what the code learned from what was known of images before: pixels
again, with `copies` of each labelled row, distorted as the autoencoder saw them; `READER_over_augmented`, as above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import corruptions, zoo
from isthmus.data import load_data
from isthmus.estimators import Autoencoder
from isthmus.evidence.labels_a_class import READERS, augmented, of_each_class, read
from isthmus.lab import coders, drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, split, surely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
RIVALS = ("raw", "pca")
NAMES = {"raw": "pixels", "pca": "PCA", "undercomplete": "undercomplete", "noisy": "denoising, Gaussian noise"}
NAMES |= {"variational": "variational", "contractive": "contractive", "convolutional": "convolutional"}
NAMES |= {"distorted": "denoising, distorted", "mixture": "mixture prior", "augmented": "pixels and distorted copies"}
KINDS = tuple(NAMES)[2:-2]  # that are trained from the start; the mixture goes on from "distorted"


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """For each set and seed train every kind, and read classes from few labelled rows as each view shows them."""
    at = settings["sizes"].index(settings["labels"])
    each = zip(settings["data"], settings["steps"], strict=False)
    found = {name: _percent({**settings, "steps": steps}, seeds, name) for name, steps in each}
    sizes, kind = settings["sizes"], settings["kind"]
    few = {name: {view: one[..., at] for view, one in seen.items()} for name, seen in found.items()}
    numbers = {
        f"{reader}_over_{rival}": min(surely(seen[kind][:, i] - seen[rival][:, i]) for seen in few.values())
        for i, reader in enumerate(READERS)
        for rival in (*RIVALS, "augmented")
    }
    series: dict[str, Any] = {"sizes": sizes, "curves": {}, "kinds": {}}
    for (name, seen), (i, reader) in product(found.items(), enumerate(READERS)):
        means = {view: float(one[:, i].mean()) for view, one in few[name].items()}
        numbers |= {f"{name}_{reader}_{view}": mean for view, mean in means.items()}
        curves = {NAMES[view]: drawing.quartiles(seen[view][:, i]) for view in (*RIVALS, kind)}
        series["curves"][f"{name}, {reader}"] = curves
        series["kinds"][f"{name}, {reader}"] = {NAMES[view]: drawing.rounded(mean) for view, mean in means.items()}
    figures = {
        "labels": lambda figure: draw_labels(figure, series),
        "kinds": lambda figure: draw_kinds(figure, series["kinds"]),
    }
    return Measured(numbers, figures, series)


def _percent(settings: Settings, seeds: Sequence[int], name: str) -> dict[str, Array]:
    """Accuracies in % of a set as each view shows it, (seeds, readers, sizes)."""
    data, sizes = load_data(name), settings["sizes"]
    rows, shape = split(data).first(settings["rows"]), data.input_shape or ()
    y = np.asarray(rows.train_labels)
    draws = [[of_each_class(y, max(sizes), [seed, i]) for i in range(settings["draws"])] for seed in seeds]
    makers = {kind: partial(_untrained, kind, settings, shape, len(rows.train)) for kind in settings["kinds"]}
    codes = coders.trained(makers, seeds, rows, settings["mixture_epochs"])
    found = {
        view: [read(one, drawn, sizes) for one, drawn in zip(several, draws, strict=True)]
        for view, several in coders.views(codes, seeds, rows, settings["code_size"]).items()
    }
    known, own = settings["labels"], (_distortion(settings, shape), shape, settings["copies"])
    pairs = [[(one[:, :known].ravel(), *own, i) for i, one in enumerate(drawn)] for drawn in draws]
    control = np.mean([[augmented(rows, *one) for one in several] for several in pairs], axis=1)
    found["augmented"] = control[..., None] * np.where(np.equal(sizes, known), 1, np.nan)
    return {view: 100 * np.array(shares) for view, shares in found.items()}


def _untrained(kind: str, settings: Settings, shape: tuple[int, ...], n: int, seed: int) -> Autoencoder:
    K, hidden = settings["code_size"], settings["hidden"]
    how = {name: settings[name] for name in ("batch_size", "learning_rate")} | {"random_state": seed, **TO_THE_END}
    how |= {"input_shape": shape, "max_epochs": max(1, settings["steps"] * settings["batch_size"] // n)}
    return {
        "undercomplete": zoo.undercomplete(K, hidden, **how),
        "noisy": zoo.denoising(K, "gaussian", 0.5, hidden, **how),
        "variational": zoo.variational(K, 0.3, hidden, **how),
        "contractive": zoo.contractive(K, 4.0, hidden[-1:], **how),
        "convolutional": zoo.convolutional(K, settings["channels"], **how),
        "distorted": zoo.undercomplete(K, hidden, corruption=_distortion(settings, shape), **how),
    }[kind]


def _distortion(settings: Settings, shape: tuple[int, ...]) -> corruptions.Distortion:
    """Moved by a share of the side, turned by up to 10°, stretched, slanted and bent."""
    return corruptions.Distortion(settings["moved"] * shape[-1], 10.0, 0.15, 0.2, settings["bend"])


def draw_labels(figure: Figure, series: Mapping[str, Any]) -> None:
    """For each set and classifier a panel: accuracy against labels."""
    sizes = series["sizes"]
    look = {"xscale": "log", "xlabel": "labels a class", "xticks": sizes, "xticklabels": list(map(str, sizes))}
    panels = {name: (sizes, bands, look) for name, bands in series["curves"].items()}
    drawing.banded(figure, panels, "Codes learned from all rows need fewer labels", sharey=True)
    figure.axes[0].set_ylabel("test rows named rightly, %")


def draw_kinds(figure: Figure, found: Mapping[str, Mapping[str, float]]) -> None:
    """What each view gives with few labels."""
    figure.set_size_inches(9, 5)
    axes, columns = figure.subplots(), list(found.values())
    values = [[column[view] for column in columns] for view in columns[0]]
    drawing.table(axes, values, list(columns[0]), [name.replace(", ", "\n") for name in found], "{:.1f}")
    axes.set_title("Test rows named rightly, %, from few labels")


CLASSIFICATION = Experiment(
    name="classification",
    part="II",
    claim="With five labels a class, classifiers read more from codes learned from all rows than from pixels or PCA.",
    lecture="application: classification",
    reference="Vincent and others 2010; Rifai and others 2011",
    measure=measure,
    expected={f"{reader}_over_{rival}": (">", 0) for reader in READERS for rival in RIVALS},
    settings={"data": ("digits", "characters"), "steps": (1500, 500), "rows": 1500, "labels": 5, "kind": "mixture"}
    | {"sizes": (1, 2, 5, 10, 20, 50), "draws": 3, "copies": 10, "moved": 0.125, "bend": 0.0, "mixture_epochs": 12}
    | {"kinds": ("undercomplete", "contractive", "distorted"), "code_size": 12, "hidden": (256, 128)}
    | {"channels": (16, 32), "batch_size": 32, "learning_rate": 3e-3},
    choices={"kinds": KINDS, "kind": (*KINDS, "mixture")},
    full={"data": ("mnist",), "steps": (5000,), "kinds": KINDS, "rows": 60_000, "draws": 10, "code_size": 16}
    | {"hidden": (512, 256), "channels": (32, 64), "mixture_epochs": 8, "batch_size": 128, "learning_rate": 2e-3}
    | {"moved": 0.04, "bend": 20.0},
    budget="half an hour a seed on 2 cores",
)
