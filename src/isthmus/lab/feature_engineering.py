"""Features made by hand serve until the world changes in a way that they are blind to; then no new example helps.

Claim. The classical approach makes features by hand: edges and histograms of pictures, thresholds of scenes, bags of
words. "Custom-made feature extraction is not good for adapting quickly", to changing conditions or to adversaries.

Set-up. The tasks of `isthmus.lab.shifts` and three contenders: a linear model on features made by hand, one on the raw
rows, which tells what the features do from what layers do, and a network on the raw rows. They learn the old world,
meet the new one, and go through 200 examples of it with `partial_fit`, all equally often. Steps, networks and what is
asked were chosen on seeds from 100 on.

Measured. `SHIFT_WHO_before`, `_after`, `_adapted`: test rows named rightly, in %, in the old world, in the new one, and
there after the examples, means over seeds. `SHIFT_margin`: how much of its loss the network regained, in %, less what
the model on features made by hand did of its own; the mean over seeds less two standard errors. Positive it must be
where the features are blind to what now matters: digits turned, objects told by stripes alone, new words. Where they
are blind to the change itself, or a sign undoes it, the claim fails, which is measured and not asked: edges are the
same in black on white, and a threshold finds dark objects too. On turned digits and new words the linear model on raw
rows adapts as well as the network, or better: what serves there is that nothing was left out, not layers, which only
the stripes need.
While nothing changes (`isthmus.lab.unshifted`), of all pixels of unseen scenes: `otsu_percent`, `watershed_percent`,
`network_percent`, and `segmentation_margin`, the network's over the better of the two less two standard errors. Of
k-means on reviews, adjusted Rand index with their topics: `topics_words`, `topics_components`, `topics_code`. Nothing
is asked of these: the network and the watershed are equals, and principal components beat the autoencoder's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.classifier import Classifier
from isthmus.lab import drawing, unshifted
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.lab.shifts import SHIFTS, TASKS, WHO, Sizes, adapted
from isthmus.trials import surely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PHASES = ("before", "after", "adapted")
LEAST = 1.0  # points of a loss, for shares of it
EXTRAS = ("pixels", "topics")
EVERY = [shift for several in SHIFTS.values() for shift in several]


@dataclass(frozen=True)
class Trial:
    """One seed: shares by shift, contender and phase, in %; shares of pixels; agreement with topics; pixel networks."""

    percent: Mapping[str, Mapping[str, Sequence[float]]]
    pixels: Mapping[str, float]
    topics: Mapping[str, float]
    networks: Mapping[str, Classifier]  # by the look of the scenes that they learned, or adapted to


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Let each contender learn each task, meet each shift and adapt, for each seed."""
    trials = [_trial(settings, seed) for seed in seeds]
    percent = np.array([[[trial.percent[shift][who] for who in WHO] for shift in EVERY] for trial in trials])
    bands = {s: {who: drawing.quartiles(percent[:, i, j]) for j, who in enumerate(WHO)} for i, s in enumerate(EVERY)}
    striped = np.argsort(percent[:, EVERY.index("striped"), -1, -1])
    middle = int(striped[len(trials) // 2])  # neither the best seed nor the worst is drawn
    series = drawing.rounded({"percent": bands, "scenes": unshifted.seen(trials[middle].networks, seeds[middle])})
    figures = {
        "shifts": lambda figure: _draw_shifts(figure, series["percent"]),
        "scenes": lambda figure: _draw_scenes(figure, series["scenes"]),
    }
    return Measured(_numbers(trials, percent), figures, series)


def _numbers(trials: Sequence[Trial], percent: NDArray[np.floating]) -> dict[str, float]:
    """Of shares in % by seed, shift, contender and phase."""
    before, after, later = np.moveaxis(percent, -1, 0)  # (seeds, shifts, contenders) each
    regained = 100 * (later - after) / np.maximum(before - after, LEAST)
    numbers = {f"{shift}_margin": surely(regained[:, i, 2] - regained[:, i, 0]) for i, shift in enumerate(EVERY)}
    pixels, topics = ({k: [getattr(t, of)[k] for t in trials] for k in getattr(trials[0], of)} for of in EXTRAS)
    best = np.maximum(pixels["otsu"], pixels["watershed"])
    numbers |= {"segmentation_margin": surely(np.subtract(pixels["network"], best))}
    numbers |= {f"{name}_percent": float(np.mean(found)) for name, found in pixels.items()}
    numbers |= {f"topics_{name}": float(np.mean(found)) for name, found in topics.items()}
    return numbers | dict(zip(map("_".join, product(EVERY, WHO, PHASES)), percent.mean(axis=0).ravel(), strict=True))


def _trial(settings: Settings, seed: int) -> Trial:
    sizes = Sizes(settings["rows"], settings["test_rows"], settings["new_rows"])
    percent: dict[str, dict[str, list[float]]] = {shift: {} for shift in EVERY}
    networks: dict[str, Classifier] = {}
    for name, make in TASKS.items():
        task = make(sizes, seed)
        for who in WHO:
            old = task.learned(who, seed)
            for shift, (new, later) in task.shifted.items():
                newer = adapted(old, new.read(who), new.y, settings["passes"])
                met = ((old, task.test), (old, later), (newer, later))
                percent[shift][who] = [100 * float(model.score(rows.read(who), rows.y)) for model, rows in met]
                if (name, who) == ("scenes", "network"):
                    networks |= {"bright": old, shift: newer}
    looked = unshifted.segmented(networks["bright"], seed), unshifted.clustered(sizes.train, seed)
    return Trial(percent, *looked, networks)


def _draw_shifts(figure: Figure, percent: Mapping[str, Mapping[str, Any]]) -> None:
    figure.set_size_inches(10, 6.4)
    grid = figure.subplots(2, 3, sharex=True, sharey=True).flat
    for axes, (shift, found) in zip(grid, percent.items(), strict=False):
        for place, (who, shares) in enumerate(found.items()):
            drawing.bands(axes, range(3), shares, WHO[who], place)
        axes.set_xticks(range(3), PHASES)
        axes.set(title=shift, ylim=(-3, 103))
        axes.tick_params(labelbottom=True)
    grid[0].figure.supylabel("test rows named rightly, %")
    grid[5].axis("off")
    grid[5].legend(*grid[0].get_legend_handles_labels(), loc="center")
    figure.suptitle("What features made by hand are blind to, new examples do not teach them")


def _draw_scenes(figure: Figure, shown: Mapping[str, Mapping[str, Any]]) -> None:
    figure.set_size_inches(10, 5.6)
    for line, (look, maps) in zip(figure.subplots(len(shown), 6), shown.items(), strict=True):
        for axes, (name, values) in zip(line, maps.items(), strict=True):
            axes.imshow(values, cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[], title=name if look == "bright" else "")
        line[0].set_ylabel(look)
    figure.suptitle("Threshold and edges see brightness alone; a network learns some of the stripes\n(the median seed)")


FEATURE_ENGINEERING = Experiment(
    name="feature-engineering",
    part="I",
    claim="Features made by hand do not adapt: what they are blind to no new example teaches; learned ones do.",
    lecture="Custom-made feature extraction is not good for adapting quickly",
    reference="Dalal & Triggs 2005; Otsu 1979",
    measure=measure,
    expected={"turned_margin": (">", 0), "striped_margin": (">", 0), "reworded_margin": (">", 0)},
    settings={"rows": 1500, "test_rows": 1000, "new_rows": 200, "passes": 30},
    seeds=5,
)
