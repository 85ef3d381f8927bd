"""Clusters found in codes agree better with the classes, which nobody told, than clusters of pixels or of PCA.

Claim. Rows that show the same thing lie nearer to each other in a code than in pixels, so that k-means, which knows
distances alone, finds what the rows show: most of all where the code's prior is a mixture, one Gaussian a cluster. (On
the full protocol's MNIST the mixture adds nothing to what the denoising code has: `benchmarks/lab/clustering.md`.)

Set-up. Scanned digits. Autoencoders of three kinds learn the training rows without their classes: a plain one, a
contractive one, and one that restores digits from moved, turned and slanted ones. This one then goes on under a mixture
of Gaussians as its prior (VaDE). k-means with as many clusters as there are classes (the best of ten starts) is fitted
to training rows as pixels, as principal components, as many as a code has numbers, and as codes; test rows, which
nothing has seen, belong to the nearest centre. The claim is held to the kind `kind`, the one with the mixture; it,
sizes, strengths and epochs were chosen on seeds from 100 on by the classes: these had a say in the choice, none in the
training.

Measured, of test rows. `ari_WHAT`: adjusted Rand index of clusters and classes, mean over seeds; 1 where they divide
the rows alike, 0 by chance. `ari_components`: of the mixture's own components in place of k-means. `accuracy_WHAT`:
share of rows in the cluster matched to their class. `over_raw`, `over_pca`: by how much the index of codes is above the
others', mean over seeds less two standard errors; `ahead`: share of seeds where it is above both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import corruptions, likelihoods, mixtures, zoo
from isthmus.data import load_data
from isthmus.evidence.clusters import Agreement, kmeans, plane
from isthmus.lab import coders, drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, Split, split, surely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
KINDS = {"plain": "plain code", "contractive": "contractive code", "distorted": "denoising code"}
KINDS |= {"mixture": "mixture code"}
NAMES = {"raw": "pixels", "pca": "PCA", **KINDS, "components": "mixture itself"}
RIVALS = ("raw", "pca")
SHOWN = 600  # test rows in a picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train for each seed, cluster every view, and hold the clusters against the classes."""
    kind = settings["kind"]
    data = load_data(settings["data"])
    rows = split(data).first(settings["rows"])
    y = np.asarray(rows.test_labels)
    clusters = len(np.unique(y))
    makers = _makers(settings, data.input_shape or ())
    codes = coders.trained(makers, seeds, rows, settings["mixture_epochs"])
    views = coders.views(codes, seeds, rows, settings["code_size"])
    found = {
        view: [Agreement(y, kmeans(one.train, one.test, clusters, seed)) for one, seed in zip(seen, seeds, strict=True)]
        for view, seen in views.items()
    }
    found["components"] = [Agreement(y, mixtures.assign(ae, rows.test)) for ae in codes["mixture"]]
    ari = {view: np.array([one.ari for one in several]) for view, several in found.items()}
    numbers = {f"over_{rival}": surely(ari[kind] - ari[rival]) for rival in RIVALS}
    numbers |= {"ahead": float((ari[kind] > np.maximum(ari["raw"], ari["pca"])).mean())}
    numbers |= {f"ari_{view}": float(one.mean()) for view, one in ari.items()}
    numbers |= {f"accuracy_{view}": float(np.mean([one.accuracy for one in seen])) for view, seen in found.items()}
    middle = int(np.argsort(ari[kind])[len(seeds) // 2])  # neither the best seed nor the worst is drawn
    series = {
        "ari": {NAMES[view]: drawing.over_seeds(one) for view, one in ari.items()},
        "planes": {NAMES[view]: _laid(views[view][middle], found[view][middle]) for view in ("raw", kind)},
        "tables": {NAMES[view]: found[view][middle].table.tolist() for view in ("raw", kind)},
    }
    figures = {
        "agreement": lambda figure: draw_agreement(figure, series["ari"]),
        "planes": lambda figure: draw_planes(figure, series["planes"]),
        "tables": lambda figure: draw_tables(figure, series["tables"]),
    }
    return Measured(numbers, figures, series)


def _makers(settings: Settings, shape: tuple[int, ...]) -> coders.Makers:
    K, hidden = settings["code_size"], settings["hidden"]
    how = {name: settings[name] for name in ("batch_size", "learning_rate", "dtype")}
    how |= {"input_shape": shape, "max_epochs": settings["epochs"], **TO_THE_END}
    how |= {"likelihood": likelihoods.Bernoulli() if settings["bernoulli"] else None}
    moved = corruptions.Distortion(settings["pixels"], 10.0, 0.1, 0.1, alpha=settings["bend"])
    return {
        "plain": lambda seed: zoo.undercomplete(K, hidden, random_state=seed, **how),
        "contractive": lambda seed: zoo.contractive(K, settings["strength"], hidden[:1], random_state=seed, **how),
        "distorted": lambda seed: zoo.undercomplete(K, hidden, corruption=moved, random_state=seed, **how),
    }


def _laid(seen: Split, found: Agreement) -> dict[str, Any]:
    """Some test rows in a plane, with their classes, and whether these are what their clusters stand for."""
    points = drawing.rounded(plane(seen.test[:SHOWN]), 3)
    return {"points": points, "classes": found.classes[:SHOWN].tolist(), "agrees": found.agrees[:SHOWN].tolist()}


def draw_agreement(figure: Figure, ari: Mapping[str, Any]) -> None:
    """A line a seed through every view."""
    axes = figure.subplots()
    drawing.dots(axes, ari, joined=True, zero=True)
    axes.set_ylabel("adjusted Rand index with the classes")
    axes.set_title("Clusters of codes are nearer to the classes")


def draw_planes(figure: Figure, planes: Mapping[str, Any]) -> None:
    """Each row as its class; grey where its cluster stands for that class."""
    figure.set_size_inches(11, 5.6)
    for axes, (name, laid) in zip(figure.subplots(1, len(planes)), planes.items(), strict=True):
        points, classes, agrees = (np.array(laid[key]) for key in ("points", "classes", "agrees"))
        for one, (right, colour) in product(np.unique(classes), ((True, "#888888"), (False, drawing.COLOURS[1]))):
            at = points[(classes == one) & (agrees == right)]
            axes.plot(*at.T, linestyle="", marker=f"${one}$", color=colour, markersize=7, markeredgewidth=0.3)
        axes.set(title=f"{name}: {np.mean(~agrees):.0%} astray", xticks=[], yticks=[])
    figure.suptitle("Test rows laid out by who is near to whom (t-SNE); orange: not in the cluster of its class")


def draw_tables(figure: Figure, tables: Mapping[str, Any]) -> None:
    """How many rows of each class lie in each cluster."""
    figure.set_size_inches(11, 5.2)
    for axes, (name, counts) in zip(figure.subplots(1, len(tables)), tables.items(), strict=True):
        classes, clusters = ([str(i) for i in range(n)] for n in np.shape(counts))
        drawing.table(axes, counts, classes, clusters, "{:.0f}")
        axes.set(title=name, xlabel="cluster", ylabel="class")
    figure.suptitle("Rows of each class in each cluster; a cluster stands for the class on the diagonal")


CLUSTERING = Experiment(
    name="clustering",
    part="II",
    claim="k-means finds the classes better in codes under a mixture prior than in pixels or principal components.",
    lecture="application: clustering",
    reference="Xie, Girshick & Farhadi 2016; Jiang and others 2017",
    measure=measure,
    expected={"over_raw": (">", 0), "over_pca": (">", 0)},
    settings={"data": "digits", "rows": 60_000, "kind": "mixture", "strength": 3.0, "pixels": 1.0, "bend": 0.0}
    | {"code_size": 16, "hidden": (256, 128), "epochs": 60, "mixture_epochs": 10}
    | {"batch_size": 64, "learning_rate": 2e-3, "bernoulli": False, "dtype": "float32"},
    choices={"kind": tuple(KINDS)},
    full={"data": "mnist", "code_size": 10, "hidden": (500, 500, 2000), "bend": 20.0}
    | {"epochs": 25, "mixture_epochs": 15, "batch_size": 256, "learning_rate": 1e-3, "bernoulli": True},
    budget="half an hour a seed on 2 cores",
)
