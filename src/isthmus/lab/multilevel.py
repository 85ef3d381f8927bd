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

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import networks, zoo
from isthmus.classifier import Classifier
from isthmus.data import characters
from isthmus.data.characters import LETTERS, SIDE
from isthmus.estimators import Autoencoder
from isthmus.evidence.groups import divergence_difference, product_difference
from isthmus.evidence.swaps import Drawn, Exchange, exchange
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POOLED = (1, 2, 4, 8, 16)  # rows, in the picture
TRAIN, TEST, JUDGED = range(3)  # seeds of three draws of letters


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train one a seed, read contents, styles and swaps, and hold the two formulas against NumPy's."""
    drawn = _drawn(settings)
    trials = _trials(settings, seeds, drawn)
    found = {n: np.array([trial.pooled(n) for trial in trials]) for n in {1, settings["pool"], *POOLED}}  # (seeds, 2)
    single, pooled, errors = found[1], found[settings["pool"]], np.array([trial.errors for trial in trials])
    grouped = [(trial.ae, drawn.test.X, drawn.test.content) for trial in trials]
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
        "product_difference": max(product_difference(*one) for one in grouped),
        "divergence_difference": max(divergence_difference(*one) for one in grouped),
    }
    curves = np.stack([found[n] for n in POOLED], axis=1)  # (seeds, pooled, 2)
    series = {
        "rows": POOLED,
        "class read from the content": drawing.rounded(curves[..., 0]),
        "class of swaps": drawing.rounded(curves[..., 1]),
        "class read from the style": drawing.rounded(numbers["style_probe"]),
        "chance": 1 / len(LETTERS),
    }
    sheet, title = trials[0].sheet(len(LETTERS)), "Content of the left column in the style of the top row"
    figures = {
        "swaps": lambda figure: drawing.picture(figure.subplots(), sheet, title, (0, 1)),
        "pooling": lambda figure: draw_pooling(figure, series),
    }
    return Measured(numbers, figures, series)


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


def _trials(settings: Settings, seeds: Sequence[int], drawn: Drawn) -> list[Exchange]:
    groups = drawn.train.content if settings["share"] else np.arange(len(drawn.train.X))
    estimators = [_untrained(settings, seed) for seed in seeds]
    fit_all(estimators, drawn.train.X, groups=groups)
    return [exchange(ae, drawn, seed) for ae, seed in zip(estimators, seeds, strict=True)]


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
        random_state=seed,
        **TO_THE_END,
    )


def draw_pooling(figure: Figure, series: Mapping[str, Any]) -> None:
    """Accuracies against the rows that are pooled; a line a seed."""
    axes = figure.subplots()
    drawing.curves(
        axes, {name: series[name] for name in ("class read from the content", "class of swaps")}, series["rows"]
    )
    for name, line in (("class read from the style", "-."), ("chance", ":")):
        axes.axhline(series[name], color="#666666", linestyle=line, label=name)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="held-out rows of a letter pooled", ylabel="accuracy", ylim=(0, 1.03), xticks=series["rows"])
    axes.set_xticklabels([str(rows) for rows in series["rows"]])
    axes.set_title("More rows say more of what they share")
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
    settings={"rows": 3000, "test_rows": 1000, "content": 8, "style": 6, "beta": 2.0, "hidden": (256, 128)}
    | {"share": True, "pool": 10, "epochs": 35, "reader_epochs": 25, "batch_size": 128, "learning_rate": 3e-3},
)
