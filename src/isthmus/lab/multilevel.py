"""A code in two parts tells what a group shares from what is each row's own, and exchanges the two.

Claim. Where rows come in groups, a multi-level variational autoencoder codes each row as content and style: all rows of
a group have one content, whose posterior is the product of what each of them says, and a style each (Bouchacourt 2018).
Nothing but the grouping is told: not which letter, nor what a style is.

Set-up. Drawn letters in random slants, sizes, weights, places and inks; a group is a letter. One autoencoder a seed
learns the same rows with other weights and batches, and all are judged on letters they have not seen. A perceptron that
is trained on real rows of its own, drawn for it alone, names the letter of decoded ones. Swaps put the content of each
test row together with the style of another.

Measured, means over seeds. `classifier_accuracy`: of that perceptron on the real test rows, the most that a swap can be
read with. `swap_accuracy`: share of swaps whose letter it names as the content's, each content from a single row;
`swap_accuracy_pooled`: from `pool` rows of the letter at once. `style_probe`: with what accuracy a logistic regression
on styles names the letter (chance is a tenth); `content_probe` and `content_probe_pooled`: on contents.
`swap_error`, `reconstruction_error`: squared error over the rows' variance, of swaps from the letter as drawn in that
style, and of reconstructions. The worst over seeds: `product_difference`, of a pooled content from the product of its
rows' Gaussians worked out here; `divergence_difference`, of N/G times the loss's divergence on G groups of N rows
from the mean over groups of their own; both relative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import networks, zoo
from isthmus.classifier import Classifier
from isthmus.data import characters
from isthmus.data.characters import LETTERS, SIDE, Characters
from isthmus.estimators import Autoencoder
from isthmus.inference import batched
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Groups = NDArray[np.integer]
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"
POOLED = (1, 2, 4, 8, 16)  # rows, in the picture
TRAIN, TEST, JUDGED = range(3)  # seeds of three draws of letters


@dataclass(frozen=True)
class Drawn:
    """The letters to learn from and to be judged on, and a reader of letters trained on a third draw."""

    train: Characters
    test: Characters
    reader: Classifier

    def read(self, rows: Array) -> float:
        """Share of rows, one for each test row, whose letter is read as the test row's."""
        return float(np.mean(self.reader.predict(rows.astype(np.float32)) == self.test.content))


@dataclass(frozen=True)
class Trial:
    """One seed: its autoencoder, and readers of its contents and of its styles."""

    ae: Autoencoder
    content: Pipeline
    style: Pipeline
    drawn: Drawn
    partners: Groups  # for each test row another, whose style it takes

    def pooled(self, rows: int) -> tuple[float, float]:
        """Accuracies of the content's probe and of swaps where so many test rows of a letter pool what they say."""
        test = self.drawn.test
        groups = parties(test.content, rows)
        Z = self.ae.transform(test.X, groups=groups)[:, : content_size(self.ae)]
        swapped = self.ae.swap(test.X, test.X[self.partners], groups=groups)
        return float(self.content.score(Z, test.content)), self.drawn.read(swapped)

    @property
    def style_probe(self) -> float:
        Z = self.ae.transform(self.drawn.test.X)[:, content_size(self.ae) :]
        return float(self.style.score(Z, self.drawn.test.content))

    @property
    def errors(self) -> tuple[float, float]:
        """Of swaps and of reconstructions, over the rows' variance."""
        test = self.drawn.test
        wanted = characters.draw(test.content, test.style[self.partners])
        swapped = self.ae.swap(test.X, test.X[self.partners])
        variance = float(np.var(test.X, axis=0).mean())
        pairs = ((swapped, wanted), (self.ae.reconstruct(test.X), test.X))
        swap, reconstruction = (float(np.square(found - truth).mean()) / variance for found, truth in pairs)
        return swap, reconstruction


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train one a seed, read contents, styles and swaps, and hold the two formulas against NumPy's."""
    drawn = _drawn(settings)
    trials = _trials(settings, seeds, drawn)
    single, pooled = (
        np.array([trial.pooled(rows) for trial in trials]) for rows in (1, settings["pool"])
    )  # (seeds, 2)
    errors = np.array([trial.errors for trial in trials])  # (seeds, 2)
    numbers = {
        "classifier_accuracy": drawn.read(drawn.test.X),
        "swap_accuracy": single[:, 1].mean(),
        "swap_accuracy_sd": single[:, 1].std(ddof=min(1, len(trials) - 1)),
        "swap_accuracy_pooled": pooled[:, 1].mean(),
        "content_probe": single[:, 0].mean(),
        "content_probe_pooled": pooled[:, 0].mean(),
        "style_probe": np.mean([trial.style_probe for trial in trials]),
        "swap_error": errors[:, 0].mean(),
        "reconstruction_error": errors[:, 1].mean(),
        "product_difference": max(product_difference(trial.ae, drawn.test) for trial in trials),
        "divergence_difference": max(divergence_difference(trial.ae, drawn.test) for trial in trials),
    }
    return Measured(
        numbers,
        {
            "swaps": lambda figure: _draw_swaps(figure, trials[0]),
            "pooling": lambda figure: _draw_pooling(figure, trials),
        },
    )


def _drawn(settings: Settings) -> Drawn:
    train, judged = (characters.generate(settings["rows"], seed) for seed in (TRAIN, JUDGED))
    reader = Classifier(
        networks.MLP((128,)),
        input_shape=(1, SIDE, SIDE),
        max_epochs=settings["reader_epochs"],
        random_state=0,
        device="cpu",
    )
    return Drawn(train, characters.generate(settings["test_rows"], TEST), reader.fit(judged.X, judged.content))


def _trials(settings: Settings, seeds: Sequence[int], drawn: Drawn) -> list[Trial]:
    groups = drawn.train.content if settings["share"] else np.arange(len(drawn.train.X))
    estimators = [_untrained(settings, seed) for seed in seeds]
    fit_all(estimators, drawn.train.X, groups=groups)
    return [_trial(ae, seed, drawn) for ae, seed in zip(estimators, seeds, strict=True)]


def _trial(ae: Autoencoder, seed: int, drawn: Drawn) -> Trial:
    Z, size = ae.transform(drawn.train.X), content_size(ae)
    content, style = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(part, drawn.train.content)
        for part in (Z[:, :size], Z[:, size:])
    )
    return Trial(ae, content, style, drawn, np.random.default_rng(seed).permutation(len(drawn.test.X)))


def _untrained(settings: Settings, seed: int) -> Autoencoder:
    return zoo.multilevel(
        settings["content"] + settings["style"],
        settings["content"],
        settings["beta"],
        settings["hidden"],
        input_shape=(1, SIDE, SIDE),
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def content_size(ae: Autoencoder) -> int:
    return int(ae.code.content)


def parties(labels: Groups, rows: int) -> Groups:
    """A group's number for each row, (N,): rows of a label make a group by so many, what is left over a smaller one."""
    groups = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        groups[own] = label * len(labels) + np.arange(len(own)) // rows
    return groups


def posteriors(ae: Autoencoder, X: Array) -> tuple[Array, Array]:
    """Means and variances that single rows give of content and style, (N, K) each, as the encoder emits them."""
    emitted = batched(ae.module_, ae.module_.encoder, ae.scale(X).astype(np.float64))
    mean, log_variance = np.split(emitted, 2, axis=1)
    return mean, np.exp(log_variance)


def product(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Mean and variance, (K,), of the product of Gaussians, (n, K) each."""
    total = 1 / np.sum(1 / variance, axis=0)
    return total * np.sum(mean / variance, axis=0), total


def product_difference(ae: Autoencoder, drawn: Characters) -> float:
    """The largest, relative to the largest content."""
    size, groups = content_size(ae), parties(drawn.content, 7)
    mean, variance = (part[:, :size] for part in posteriors(ae, drawn.X))
    found = ae.transform(drawn.X, groups=groups)[:, :size]
    wanted = np.empty_like(mean)
    for group in np.unique(groups):
        own = groups == group
        wanted[own] = product(mean[own], variance[own])[0]
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def divergence_difference(ae: Autoencoder, drawn: Characters) -> float:
    """Of the loss on all test rows in parties of seven from the sum over groups, relative."""
    size, groups = content_size(ae), parties(drawn.content, 7)
    mean, variance = posteriors(ae, drawn.X)
    wanted = []
    for group in np.unique(groups):
        own = groups == group
        content = product(mean[own, :size], variance[own, :size])
        wanted.append(divergence(*content) + divergence(mean[own, size:], variance[own, size:]))
    like = next(ae.module_.parameters())
    x, context = torch.as_tensor(ae.scale(drawn.X)).to(like), torch.as_tensor(groups, device=like.device)
    with torch.no_grad():
        loss = float(ae.module_.objective(ae.module_(x, context))["divergence"]) / float(ae.penalty.strength)
    return abs(loss * len(groups) / len(wanted) / float(np.mean(wanted)) - 1)


def divergence(mean: Array, variance: Array) -> float:
    """Σ KL(N(mean, variance) ‖ N(0, 1)) in nats."""
    return float(0.5 * np.sum(np.square(mean) + variance - 1 - np.log(variance)))


def _draw_swaps(figure: Figure, trial: Trial) -> None:
    """A row a content, a column a style; the rows they were taken from stand at the edges."""
    test, letters = trial.drawn.test, len(LETTERS)
    contents = np.array([np.flatnonzero(test.content == letter)[0] for letter in range(letters)])
    styles = np.array([np.flatnonzero(test.content == letter)[1] for letter in range(letters)])
    axes = figure.subplots(letters + 1, letters + 1)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, row in zip([*axes[0, 1:], *axes[1:, 0]], test.X[[*styles, *contents]], strict=True):
        axis.imshow(row.reshape(SIDE, SIDE), cmap="gray", vmin=0, vmax=1)
    for line, content in zip(axes[1:, 1:], contents, strict=True):
        swapped = trial.ae.swap(test.X[content][None], test.X[styles])
        for axis, row in zip(line, swapped, strict=True):
            axis.imshow(row.reshape(SIDE, SIDE), cmap="gray", vmin=0, vmax=1)
    figure.suptitle("Content of the left column in the style of the top row; held-out rows, each alone", fontsize=10)


def _draw_pooling(figure: Figure, trials: Sequence[Trial]) -> None:
    """Accuracies against the rows that are pooled; a thin line a seed, a thick one their mean."""
    axes = figure.subplots()
    found = np.array([[trial.pooled(rows) for rows in POOLED] for trial in trials])  # (seeds, pooled, 2)
    for place, (name, colour) in enumerate((("class read from the content", BLUE), ("class of swaps", ORANGE))):
        axes.plot(POOLED, found[:, :, place].T, color=colour, alpha=0.3, linewidth=1)
        axes.plot(POOLED, found[:, :, place].mean(axis=0), "o-", color=colour, label=name)
    axes.axhline(
        float(np.mean([trial.style_probe for trial in trials])), color=GREEN, label="class read from the style"
    )
    axes.axhline(1 / len(LETTERS), color=GREY, linestyle=":", label="chance")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="held-out rows of a letter pooled", ylabel="accuracy", ylim=(0, 1.03), xticks=POOLED)
    axes.set_xticklabels([str(rows) for rows in POOLED])
    axes.set_title("More rows say more of what they share", fontsize=10)
    figure.legend(loc="outside lower center", ncols=2)


MULTILEVEL = Experiment(
    name="multilevel",
    part="II",
    claim="A code that groups share tells content from style: each decodes with the other's, and more rows say more.",
    lecture="multi-level VAE",
    reference="Bouchacourt, Tomioka & Nowozin 2018",
    measure=measure,
    expected={
        "swap_accuracy": (">=", 0.9),
        "swap_accuracy_pooled": (">=", 0.9),
        "style_probe": ("<=", 0.5),
        "product_difference": ("<=", 1e-4),
        "divergence_difference": ("<=", 1e-4),
    },
    settings={
        "rows": 3000,
        "test_rows": 1000,
        "content": 8,
        "style": 6,
        "beta": 2.0,
        "hidden": (256, 128),
        "share": True,
        "pool": 10,
        "epochs": 35,
        "reader_epochs": 25,
        "batch_size": 128,
        "learning_rate": 3e-3,
    },
)
