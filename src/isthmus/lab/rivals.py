"""One layer of sigmoid units trained in six ways without labels, then fine-tuned as a classifier (Rifai 2011, table 1).

All have tied weights and the cross-entropy of pixels in [0, 1], and begin with the same weights at one seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from isthmus import codes, corruptions, likelihoods, penalties, zoo
from isthmus.boltzmann import BoltzmannMachine
from isthmus.estimators import Autoencoder
from isthmus.evidence.contraction import jacobian_norms
from isthmus.lab import drawing
from isthmus.lab.experiment import Measured, Published, Settings
from isthmus.pretraining import finetune
from isthmus.trials import TO_THE_END, pictures, side_by_side

NAMES = {
    "cae": "contractive",
    "dae_gaussian": "denoising, Gaussian",
    "rbm": "Boltzmann machine",
    "dae_binary": "denoising, masked",
    "weights": "small weights",
    "plain": "autoencoder",
}
ERRORS = {"cae": 1.14, "dae_gaussian": 1.18, "rbm": 1.30, "dae_binary": 1.57, "weights": 1.68, "plain": 1.78}
TABLE = tuple(Published(NAMES[kind], f"{kind}_error", error) for kind, error in ERRORS.items())
JUDGED = 2000  # test rows at which the Jacobian is taken


def untrained(kind: str, settings: Settings, seed: int) -> Autoencoder:
    """An autoencoder of that kind, not fitted yet."""
    parts: Mapping[str, Mapping[str, Any]] = {
        "plain": {"penalty": None},
        "weights": {"penalty": penalties.Weights(settings["decay"])},
        "dae_gaussian": {"penalty": None, "corruption": corruptions.Gaussian(settings["noise"])},
        "dae_binary": {"penalty": None, "corruption": corruptions.Masking(settings["masked"])},
        "cae": {"penalty": penalties.Contraction(settings["strength"])},
    }
    own = {**{name: settings[name] for name in ("batch_size", "learning_rate")}, **TO_THE_END, **parts[kind]}
    own |= {"max_epochs": settings["epochs"], "random_state": seed, "scaling": None}
    sigmoid = codes.Activation("sigmoid")
    return zoo.contractive(settings["code_size"], hidden=(), code=sigmoid, likelihood=likelihoods.Bernoulli(), **own)


def machine(settings: Settings, seed: int) -> BoltzmannMachine:
    """A Boltzmann machine of as many hidden bits."""
    return BoltzmannMachine(
        settings["code_size"],
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["rbm_learning_rate"],
        scaling=None,
        validation_fraction=0.0,
        random_state=seed,
        device="cpu",
    )


def measured(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Test errors in percent after fine-tuning, and Jacobian norms before it, of all six for each seed."""
    kinds = settings["kinds"]
    tasks = [(kind, settings, seed) for kind in kinds for seed in seeds]
    trials = np.reshape(side_by_side(_trial, tasks, settings["n_jobs"]), (len(kinds), len(seeds), 2))
    errors, norms = (dict(zip(kinds, trials[:, :, i], strict=True)) for i in (0, 1))
    numbers = {f"{kind}_error": errors[kind].mean() for kind in kinds}
    numbers |= {f"{kind}_jacobian": norms[kind].mean() for kind in kinds}
    numbers["gap"] = errors["plain"].mean() - errors["cae"].mean()
    means = np.array([[errors[kind].mean(), norms[kind].mean()] for kind in kinds])
    numbers["rank_correlation"] = spearmanr(*means.T).statistic
    series = {
        NAMES[kind]: {"error": drawing.rounded(errors[kind]), "norm": drawing.rounded(norms[kind])} for kind in kinds
    }
    samples = {f"{kind}_error": errors[kind].tolist() for kind in kinds}
    return Measured(numbers, {"errors": lambda figure: draw(figure, series)}, series, samples)


def _trial(kind: str, settings: Settings, seed: int) -> tuple[float, float]:
    """Test error in percent after fine-tuning, and the mean norm of the code's Jacobian before it."""
    found = pictures(settings["data"])
    trained = machine(settings, seed) if kind == "rbm" else untrained(kind, settings, seed)
    trained.fit(found.train)
    norm = float(jacobian_norms(trained, found.test[:JUDGED]).mean())
    how = {"batch_size": settings["batch_size"], "learning_rate": settings["tuning_rate"]}
    how |= {"label_smoothing": settings["smoothing"]}
    tuned = finetune(trained, max_epochs=settings["tuning_epochs"], random_state=seed, **how, **TO_THE_END)
    tuned.fit(found.train, np.asarray(found.train_labels))
    return 100 * (1 - tuned.score(found.test, found.test_labels)), norm


def draw(figure: Any, series: Mapping[str, Any]) -> None:
    """Error against norm, a marker a seed."""
    axes = figure.subplots()
    for place, (name, one) in enumerate(series.items()):
        axes.plot(one["norm"], one["error"], drawing.MARKERS[place], color=drawing.COLOURS[place], label=name)
    axes.set(xlabel="norm of the code's Jacobian, before labels", ylabel="test error after, %")
    axes.set_title("What contracts more errs less")
    figure.legend(loc="outside right upper")
