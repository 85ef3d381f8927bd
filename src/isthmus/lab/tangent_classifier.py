"""The manifold tangent classifier: layers of contraction and curvature, fine-tuned along the first one's tangents.

Sigmoid units with tied weights on pixels in [0, 1] (CAE+H), as in Rifai, Dauphin, Vincent, Bengio & Muller 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus import codes, finetune, likelihoods, penalties, tangents, zoo
from isthmus.estimators import Autoencoder
from isthmus.lab.experiment import Settings
from isthmus.trials import TO_THE_END, Split


def untrained(settings: Settings, seed: int) -> Autoencoder:
    curvature = penalties.Curvature(settings["curvature"], settings["noise"])
    return zoo.contractive(
        settings["units"],
        hidden=(),
        code=codes.Activation("sigmoid"),
        likelihood=likelihoods.Bernoulli(),
        penalty=penalties.Sum(contraction=penalties.Contraction(settings["strength"]), curvature=curvature),
        scaling=None,
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def errors(settings: Settings, first: Autoencoder, split: Split, seed: int) -> dict[str, float]:
    """Test errors in percent of the stack, fine-tuned with tangents and without, on all labels and on some."""
    X, y, U = split.train, np.asarray(split.train_labels), tangents.learned(first, split.train, settings["tangents"])
    deeper = {"strength": settings["second_strength"], "epochs": settings["second_epochs"]}
    second = untrained({**settings, **deeper}, seed).fit(first.transform(X))
    propagation = tangents.Propagation(settings["propagation"], probes=settings["probes"])
    how: dict[str, Any] = {"label_smoothing": settings["smoothing"], "random_state": seed, **TO_THE_END}
    how |= {"batch_size": settings["batch_size"]}
    error = {}
    for name, n in (("", len(X)), ("_few", settings["labels"])):
        how |= {"max_epochs": settings[f"tuned{name}"], "learning_rate": settings[f"tuning_rate{name}"]}
        for ending, along in (("", propagation), ("_plain", None)):
            classifier = finetune([first, second], propagation=along, **how)
            classifier.fit(X[:n], y[:n], tangents=None if along is None else U[:n])
            error[f"error{name}{ending}"] = 100 * (1 - classifier.score(split.test, split.test_labels))
    return error
