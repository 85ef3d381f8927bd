"""Denoising layers, one on the codes of the other, on MNIST made harder; what they say, and start (Vincent 2010).

Layers of sigmoids with tied weights, each trained by masking noise and the cross-entropy of numbers in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import codes, corruptions, decoders, encoders, likelihoods
from isthmus.estimators import Autoencoder
from isthmus.lab.experiment import Measured, Published, Settings
from isthmus.pretraining import finetune
from isthmus.stacking import StackedAutoencoder, stack
from isthmus.trials import TO_THE_END, pictures, side_by_side

Array = NDArray[np.floating]
KEYS = ("error", "probe", "narrow_probe", "raw_probe")
TABLE = (
    Published("rot, fine-tuned", "rot_error", 9.53),
    Published("rot, linear on the third layer", "rot_probe", 10.0),
    Published("rot, linear on pixels", "rot_raw_probe", 43.47),
    Published("bg-rand, fine-tuned", "bg-rand_error", 10.30),
)


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Errors of the fine-tuned net and of linear layers on each set, in percent of its test rows."""
    sets = settings["sets"]
    tasks = [(settings, name, seed) for name in sets for seed in seeds]
    found = np.reshape(side_by_side(_percent, tasks, settings["n_jobs"]), (len(sets), len(seeds), len(KEYS)))
    samples = {
        f"{name.removeprefix('mnist-')}_{key}": values.tolist()
        for name, one in zip(sets, found, strict=True)
        for key, values in zip(KEYS, one.T, strict=True)
    }
    return Measured({key: float(np.mean(values)) for key, values in samples.items()}, samples=samples)


def _percent(settings: Settings, name: str, seed: int) -> list[float]:
    """Of `KEYS`, in percent of a set's test rows."""
    rows = pictures(name)
    own = {**TO_THE_END, "batch_size": settings["batch_size"], "device": settings["device"], "random_state": seed}
    narrow, wide = (stack(_layers(settings, kind, own), max_epochs=0, **own) for kind in ("narrow", "wide"))
    y, labels = np.asarray(rows.train_labels), np.asarray(rows.test_labels)
    how = own | {"max_epochs": settings["epochs"], "learning_rate": settings["learning_rate"]}
    how |= {"label_smoothing": settings["smoothing"], "augmentation": corruptions.Masking(settings["tuned_masking"])}
    tuned = finetune(narrow.fit(rows.train), **how).fit(rows.train, y)

    def read(X: Array, X_test: Array) -> float:
        """By a linear layer: least squares of the classes, whose closed form is no matter of how long it trains."""
        linear = make_pipeline(StandardScaler(), RidgeClassifier(settings["probe_strength"]))
        fine = [part.astype(np.float64) for part in (X, X_test)]  # thousands of codes of sigmoids are nearly collinear
        return float(linear.fit(fine[0], y).score(fine[1], labels))

    def probe(layers: StackedAutoencoder) -> float:
        return read(layers.transform(rows.train), layers.transform(rows.test))

    right = (tuned.score(rows.test, labels), probe(wide.fit(rows.train)), probe(narrow), read(rows.train, rows.test))
    return [100 * (1 - float(share)) for share in right]


def _layers(settings: Settings, kind: str, own: dict[str, Any]) -> list[Autoencoder]:
    """Their seeds are the stack's: every layer has its own."""
    corruption = corruptions.Masking(settings[f"{kind}_masking"])
    parts = (encoders.Linear(), decoders.Tied(), codes.Activation("sigmoid"), corruption, likelihoods.Bernoulli())
    wanted = zip(*(settings[f"{kind}_{what}"] for what in ("sizes", "epochs", "rates")), strict=True)
    how = own | {"scaling": None, "random_state": None}
    return [Autoencoder(size, *parts, **how, max_epochs=epochs, learning_rate=rate) for size, epochs, rate in wanted]
