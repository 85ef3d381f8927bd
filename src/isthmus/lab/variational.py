"""An autoencoder can encode into a known distribution, and generate from it.

Claim. With z = μ(x) + σ(x)⊙ε, ε ~ N(0, I), the bound log p(x) ≥ E_q log p(x | z) − KL(q(z | x) ‖ p(z)) can be trained
by gradient (Kingma & Welling 2014): the noise does not depend on what is learned, so that the gradient of one draw is
unbiased and far less noisy than f ∂log q, the score function's. k draws give a bound that rises with k to log p(x)
(Burda 2016). The codes of all rows together then look like the prior, be it N(0, I) or a learned mixture of independent
Gaussians, so that rows decoded from it look like the data; the codes of a plain autoencoder follow no law that one
could draw from.

Set-up. Twice. First a linear decoder with Gaussian noise, on rows of such a model: log p(x) is N(c, VVᵀ + s²I), the
gradient of the bound has a closed form, and training is stopped early so that there is a gap to see. Then five bent
arms in a plane, turned into eight columns with noise of known size (Johnson 2016): a plain autoencoder, one with the
prior N(0, I) and one with a mixture, of the same networks and epochs. Codes are drawn from the prior, of the plain one
from a Gaussian fitted to its codes; rows are draws of p(x | z). Judges see rows that no net has seen.

Measured, the worst over seeds. `iwae_error`: |L₅₀₀₀ − log p| in nats, means over rows. `gap`: log p less the evidence
bound. `disorder`: how often a bound of the chain ELBO, L₅, L₅₀, L₅₀₀ exceeds the next by more than 2 standard errors.
`gradient_bias`: root mean square, over rows and numbers of μ and log σ², of the mean gradient's distance from the
closed form in standard errors; 1 is unbiased. `variance_ratio`: variance of the score function's gradient over the
reparametrised one's. `energy_standard`, `energy_mixture`: energy distance of the aggregate code from the prior, from 0
to 1; `energy_plain` that of plain codes from N(0, I). `auc_plain`, `auc_standard`, `auc_mixture`: means over seeds of
how well a classifier tells samples from test rows (0.5: not at all); `gain_standard`, `gain_mixture`: the plain AUC
less theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import codes, encoders, likelihoods, penalties, priors
from isthmus.data import arms
from isthmus.data.normal import caused
from isthmus.estimators import Autoencoder
from isthmus.evidence.aggregate import Draws, draws
from isthmus.evidence.linear_gaussian import Judged, judged
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
PLAIN, STANDARD, MIXTURE = KINDS = ("plain", "standard", "mixture")
UNSCALED, WATCHED = {"scaling": None, **TO_THE_END}, 20  # rows whose gradients are taken
LINEAR = {"judged": 200, "draws": 2000, "linear_code": 3, "linear_noise": 0.7, "linear_epochs": 80, "linear_rate": 1e-2}
BENT = {"noise": 0.2, "hidden": (64, 64), "components": 10, "strength": 1.0, "epochs": 200, "learning_rate": 5e-3}


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """The linear-Gaussian models first, then the three autoencoders of each seed, each kind as one population."""
    oracles = _oracles(settings, seeds)
    trials = {kind: _trials(settings, seeds, kind) for kind in KINDS}
    auc = {kind: np.array([trial.auc for trial in found]) for kind, found in trials.items()}
    normal = np.random.default_rng(0).normal(size=trials[PLAIN][0].codes.shape)
    numbers = {
        "iwae_error": max(one.error for one in oracles),
        "gap": min(one.gap for one in oracles),
        "disorder": max(one.disorder for one in oracles),
        "gradient_bias": max(one.bias for one in oracles),
        "variance_ratio": min(one.variance_ratio for one in oracles),
        "energy_standard": max(trial.energy for trial in trials[STANDARD]),
        "energy_mixture": max(trial.energy for trial in trials[MIXTURE]),
        "energy_plain": min(replace(trial, prior=normal).energy for trial in trials[PLAIN]),
        **{f"auc_{kind}": found.mean() for kind, found in auc.items()},
        "gain_standard": (auc[PLAIN] - auc[STANDARD]).min(),
        "gain_mixture": (auc[PLAIN] - auc[MIXTURE]).min(),
    }
    series = {kind: drawing.rounded(found[0].flat(), 3) for kind, found in trials.items()}
    series["bounds"] = drawing.rounded(max(oracles, key=lambda one: one.gap).summary(), 6)
    figures = {
        "bounds": lambda figure: draw_bounds(figure, series["bounds"]),
        "codes": lambda figure: draw_pairs(figure, series, "codes", "prior"),
        "samples": lambda figure: draw_pairs(figure, series, "test", "samples"),
    }
    return Measured(numbers, figures, series)


def _oracles(settings: Settings, seeds: Sequence[int]) -> list[Judged]:
    N, K, D, s = (settings[name] for name in ("rows", "linear_code", "columns", "linear_noise"))
    tables = [caused(N, K, D, s, np.random.default_rng([seed, 1])) for seed in seeds]
    how = {"max_epochs": settings["linear_epochs"], "learning_rate": settings["linear_rate"], **UNSCALED}
    parts: dict[str, Any] = {
        "code": codes.Gaussian(),
        "likelihood": likelihoods.Gaussian(s),
        "penalty": penalties.Divergence(),
    }
    models = [Autoencoder(K, encoders.Linear(), random_state=seed, **parts, **how) for seed in seeds]
    fit_all(models, tables)
    found, n, draws = zip(models, tables, strict=True), settings["judged"], settings["draws"]
    return [judged(ae, X[:n], s, draws, WATCHED) for ae, X in found]


def _trials(settings: Settings, seeds: Sequence[int], kind: str) -> list[Draws]:
    """Of each seed drawn codes of test rows, as many of the prior, rows drawn from those, and the test rows."""
    N, D, noise = (settings[name] for name in ("rows", "columns", "noise"))
    train, test = ([arms.generate(N, D, noise, seed, part) for seed in seeds] for part in (0, 1))
    parts: dict[str, Any] = {"likelihood": likelihoods.Gaussian(noise)}
    if kind != PLAIN:
        prior = priors.Mixture(settings["components"]) if kind == MIXTURE else None
        parts |= {"code": codes.Gaussian(prior), "penalty": penalties.Divergence(settings["strength"])}
    how = {"max_epochs": settings["epochs"], "batch_size": 100, "learning_rate": settings["learning_rate"], **UNSCALED}
    encoder = encoders.MLP(settings["hidden"])
    models = [Autoencoder(2, encoder, random_state=seed, **parts, **how) for seed in seeds]
    fit_all(models, train)
    return [draws(*found) for found in zip(models, train, test, strict=True)]


def draw_bounds(figure: Figure, told: Mapping[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    left.axhline(told["log_p"], color="#999999", label="log p(x), closed form")
    left.axhline(told["elbo"], color=drawing.COLOURS[1], linestyle="--", label="evidence bound")
    left.plot(told["k"], told["mean"], "o-", color=drawing.COLOURS[0], label="with k samples,\n± 2 standard errors")
    left.vlines(told["k"], told["low"], told["high"], color=drawing.COLOURS[0])
    left.set(xscale="log", xlabel="k", ylabel="nats a row", title="k draws reach log p(x)")
    left.legend()
    for name, key, colour, hatch in (("z = μ + σε", "reparametrised", 0, ""), ("score function", "score", 1, "//")):
        look: dict[str, Any] = {"color": drawing.COLOURS[colour], "hatch": hatch, "edgecolor": "white", "alpha": 0.8}
        right.bar(told["edges"][:-1], told[key], np.diff(told["edges"]), align="edge", label=name, **look)
    right.set(xscale="log", xlabel="deviation of one draw’s gradient", ylabel="entries", title="The score is noisy")
    right.margins(y=0.35)
    right.legend()


def draw_pairs(figure: Figure, told: Mapping[str, Any], data: str, made: str) -> None:
    """For each kind what came from data, in grey, below what was drawn."""
    for place, (axes, kind) in enumerate(zip(figure.subplots(1, len(KINDS)), KINDS, strict=True)):
        drawing.clouds(axes, told[kind][data], told[kind][made], place, kind)
    figure.suptitle(f"Grey: {data}. Coloured: {made}")


VARIATIONAL = Experiment(
    name="variational",
    part="II",
    claim="An autoencoder can encode into a known distribution, Gaussian or a mixture, and generate from it.",
    lecture="encode into a known distribution, e.g. a mixture of independent Gaussians; z = μ + σ⊙ε",
    reference="Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016",
    measure=measure,
    expected={"iwae_error": ("<=", 0.02), "gap": (">", 0), "disorder": ("==", 0)}
    | {"gradient_bias": ("<=", 1.3), "variance_ratio": (">=", 10)}
    | {"energy_standard": ("<=", 0.02), "energy_mixture": ("<=", 0.02)}
    | {"gain_standard": (">", 0), "gain_mixture": (">", 0)},
    settings={"rows": 1000, "columns": 8} | LINEAR | BENT,
    full={"rows": 4000, "epochs": 400},
)
