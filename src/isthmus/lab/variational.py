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
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from isthmus import bounds, codes, encoders, likelihoods, penalties, priors
from isthmus.bounds import Bound
from isthmus.estimators import Autoencoder
from isthmus.evidence.two_sample import classifier_test, energy_test
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.lab.linear_pca import decoder_matrix
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
PLAIN, STANDARD, MIXTURE = KINDS = ("plain", "standard", "mixture")
COLOURS = dict(zip(KINDS, ("#D55E00", "#0072B2", "#009E73"), strict=True))
GREY = "#999999"
KS = (5, 50, 500, 5000)
WATCHED = 20  # rows whose gradients are taken


@dataclass(frozen=True)
class Oracle:
    """A linear-Gaussian model: log p and the bounds of its rows; its gradients, (draws, rows, 2K) each."""

    log_p: Array
    elbo: Bound
    weighted: Mapping[int, Bound]
    exact: Array  # (rows, 2K)
    reparametrised: Array
    score: Array

    @property
    def error(self) -> float:
        return abs(self.weighted[KS[-1]].mean - float(self.log_p.mean()))

    @property
    def gap(self) -> float:
        return float(self.log_p.mean()) - self.elbo.mean

    @property
    def disorder(self) -> int:
        chain = [self.elbo, *(self.weighted[k] for k in KS[:-1])]
        return sum(low.mean - high.mean > 2 * np.hypot(_of_mean(low), _of_mean(high)) for low, high in pairwise(chain))

    @property
    def bias(self) -> float:
        error = self.reparametrised.std(axis=0, ddof=1) / np.sqrt(len(self.reparametrised))
        return float(np.sqrt(np.mean(np.square((self.reparametrised.mean(axis=0) - self.exact) / error))))

    @property
    def variance_ratio(self) -> float:
        return float(self.score.var(axis=0).sum() / self.reparametrised.var(axis=0).sum())


@dataclass(frozen=True)
class Trial:
    """One model of the arms: drawn codes of test rows, as many of the prior, rows drawn from those, and test rows."""

    codes: Array
    prior: Array
    samples: Array
    test: Array

    @property
    def energy(self) -> float:
        return energy_test(self.prior, self.codes, permutations=0)[0]

    @property
    def auc(self) -> float:
        return classifier_test(self.test, self.samples).auc.value


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
        "energy_plain": min(energy_test(normal, trial.codes, permutations=0)[0] for trial in trials[PLAIN]),
        **{f"auc_{kind}": found.mean() for kind, found in auc.items()},
        "gain_standard": (auc[PLAIN] - auc[STANDARD]).min(),
        "gain_mixture": (auc[PLAIN] - auc[MIXTURE]).min(),
    }
    return Measured(
        numbers,
        {
            "bounds": lambda figure: _draw_bounds(figure, max(oracles, key=lambda one: one.gap)),
            "codes": lambda figure: _draw_pairs(figure, trials, "codes", "prior"),
            "samples": lambda figure: _draw_pairs(figure, trials, "test", "samples"),
        },
    )


# --- the linear-Gaussian model -----------------------------------------------------------------------------------


def _oracles(settings: Settings, seeds: Sequence[int]) -> list[Oracle]:
    tables = [linear_rows(settings, seed) for seed in seeds]
    models = [_linear(settings, seed) for seed in seeds]
    fit_all(models, tables)
    return [_oracle(ae, X[: settings["judged"]], settings) for ae, X in zip(models, tables, strict=True)]


def linear_rows(settings: Settings, seed: int) -> Array:
    """Rows V z + s ε, (N, D), with V of unit-variance entries."""
    rng = np.random.default_rng([seed, 1])
    N, K, D = settings["rows"], settings["linear_code"], settings["columns"]
    rows: Array = rng.normal(size=(N, K)) @ rng.normal(size=(K, D)) + settings["linear_noise"] * rng.normal(size=(N, D))
    return rows


def _linear(settings: Settings, seed: int) -> Autoencoder:
    return Autoencoder(
        settings["linear_code"],
        encoders.Linear(),
        code=codes.Gaussian(),
        likelihood=likelihoods.Gaussian(settings["linear_noise"]),
        penalty=penalties.Divergence(),
        scaling=None,
        max_epochs=settings["linear_epochs"],
        learning_rate=settings["linear_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def _oracle(ae: Autoencoder, X: Array, settings: Settings) -> Oracle:
    module, s, draws = ae.module_, settings["linear_noise"], settings["draws"]
    V = decoder_matrix(ae)
    c = np.asarray(ae.inverse_transform(np.zeros((1, ae.code_size))))[0]
    log_p = multivariate_normal(c, V @ V.T + s**2 * np.eye(len(V))).logpdf(X)
    x = X[:WATCHED]
    z, mean, variance = _drawn(ae, x, draws)
    return Oracle(
        log_p,
        bounds.elbo(module, X, 2000),
        {k: bounds.log_likelihood(module, X, k) for k in KS},
        exact_gradient(x, mean, variance, V, c, s),
        reparametrised_gradient(x, z, mean, variance, V, c, s),
        score_gradient(x, z, mean, variance, V, c, s),
    )


def _drawn(ae: Autoencoder, x: Array, draws: int) -> tuple[Array, Array, Array]:
    """Codes, (draws, n, K), as the model draws them, and the posterior's mean and variance, (n, K) each."""
    module, rng = ae.module_, torch.Generator().manual_seed(0)
    with torch.no_grad():
        a = module.encoder(torch.as_tensor(x))
        z, stats = module.code(a.repeat(draws, 1), None, rng)
    mean, variance = stats["mean"][: len(x)].numpy(), stats["log_variance"][: len(x)].exp().numpy()
    return z.numpy().reshape(draws, len(x), -1), mean, variance


def exact_gradient(x: Array, mean: Array, variance: Array, V: Array, c: Array, s: float) -> Array:
    """∂ELBO/∂μ = Vᵀ(x − Vμ − c)/s² − μ and ∂ELBO/∂log σ² = ½(1 − σ²(1 + ‖Vⱼ‖²/s²)), side by side, (n, 2K)."""
    by_mean = (x - mean @ V.T - c) @ V / s**2 - mean
    by_log_variance = 0.5 * (1 - variance * (1 + np.square(V).sum(axis=0) / s**2))
    return np.concatenate([by_mean, by_log_variance], axis=-1)


def reparametrised_gradient(x: Array, z: Array, mean: Array, variance: Array, V: Array, c: Array, s: float) -> Array:
    """Of each draw z = μ + σε: g = ∂log p(x, z)/∂z for μ, ½(1 + g σε) for log σ², (draws, n, 2K)."""
    g = (x - z @ V.T - c) @ V / s**2 - z
    return np.concatenate([g, 0.5 * (1 + g * (z - mean))], axis=-1)


def score_gradient(x: Array, z: Array, mean: Array, variance: Array, V: Array, c: Array, s: float) -> Array:
    """Of each draw (log p(x, z) − log q(z)) ∂log q(z) (Williams 1992), (draws, n, 2K)."""
    log_p = -0.5 * (np.square(x - z @ V.T - c).sum(axis=-1) / s**2 + np.square(z).sum(axis=-1))
    log_p = log_p - len(c) * np.log(s * np.sqrt(2 * np.pi))
    e = np.square(z - mean) / variance
    signal = (log_p + 0.5 * (e + np.log(variance)).sum(axis=-1))[..., None]  # 2π's of p(z) and q(z) cancel
    return np.concatenate([signal * (z - mean) / variance, signal * 0.5 * (e - 1)], axis=-1)


def _of_mean(bound: Bound) -> float:
    """Standard error of a bound's mean over rows, of the draws alone."""
    return float(np.sqrt(np.square(bound.error).sum()) / len(bound.error))


# --- five arms -----------------------------------------------------------------------------------------------------


def _trials(settings: Settings, seeds: Sequence[int], kind: str) -> list[Trial]:
    train, test = ([arms(settings, seed, part) for seed in seeds] for part in (0, 1))
    models = [_untrained(settings, seed, kind) for seed in seeds]
    fit_all(models, train)
    return [_trial(ae, *rows) for ae, *rows in zip(models, train, test, strict=True)]


def arms(settings: Settings, seed: int, part: int) -> Array:
    """Five bent arms in a plane, turned into the columns, with noise, (N, D)."""
    rng = np.random.default_rng([seed, 2, part])
    N, D = settings["rows"], settings["columns"]
    arm = 2 * np.pi * rng.integers(5, size=N) / 5
    along, across = 1 + 0.3 * rng.normal(size=N), 0.1 * rng.normal(size=N)
    angle = arm + 0.25 * np.exp(along)
    plane = 2 * np.column_stack(
        [along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)]
    )
    turned = np.linalg.qr(np.random.default_rng([seed, 3]).normal(size=(D, 2)))[0]
    rows: Array = (plane @ turned.T + settings["noise"] * rng.normal(size=(N, D))).astype(np.float32)
    return rows


def _untrained(settings: Settings, seed: int, kind: str) -> Autoencoder:
    prior = {STANDARD: None, MIXTURE: priors.Mixture(settings["components"])}.get(kind)
    return Autoencoder(
        2,
        encoders.MLP(settings["hidden"]),
        code=None if kind == PLAIN else codes.Gaussian(prior),
        likelihood=likelihoods.Gaussian(settings["noise"]),
        penalty=None if kind == PLAIN else penalties.Divergence(settings["strength"]),
        scaling=None,
        max_epochs=settings["epochs"],
        batch_size=100,
        learning_rate=settings["learning_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def _trial(ae: Autoencoder, train: Array, test: Array) -> Trial:
    module, rng = ae.module_, torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = module.code(module.encoder(torch.as_tensor(test)), None, rng)[0]
        prior = module.code.sample(len(test), rng)
        prior = _fitted(ae.transform(train), len(test)) if prior is None else prior
        samples = module.likelihood.sample(module.decoder(prior), rng)
    return Trial(drawn.numpy(), prior.numpy(), samples.numpy(), test)


def _fitted(Z: Array, n: int) -> torch.Tensor:
    """n draws of the Gaussian fitted to codes Z."""
    drawn = np.random.default_rng(0).multivariate_normal(Z.mean(axis=0), np.cov(Z.T), size=n)
    return torch.as_tensor(drawn.astype(Z.dtype))


# --- pictures ------------------------------------------------------------------------------------------------------


def _draw_bounds(figure: Figure, oracle: Oracle) -> None:
    left, right = figure.subplots(1, 2)
    left.axhline(oracle.log_p.mean(), color=GREY, label="log p(x), closed form")
    left.axhline(oracle.elbo.mean, color=COLOURS[PLAIN], linestyle="--", label="evidence bound")
    means, errors = zip(*((oracle.weighted[k].mean, 2 * _of_mean(oracle.weighted[k])) for k in KS), strict=True)
    left.errorbar(KS, means, errors, fmt="o-", color=COLOURS[STANDARD], label="L with k samples, ± 2 standard errors")
    left.set(xscale="log", xlabel="k", ylabel="nats a row", title="Bounds on log p(x)")
    left.legend(fontsize=8)
    spreads = [found.std(axis=0).ravel() for found in (oracle.reparametrised, oracle.score)]
    edges = np.geomspace(min(map(np.min, spreads)), max(map(np.max, spreads)), 30)
    for name, colour, spread in zip(("z = μ + σε", "score function"), (COLOURS[STANDARD], GREY), spreads, strict=True):
        right.hist(spread, edges, color=colour, alpha=0.8, label=name)
    right.set(xscale="log", xlabel="deviation of one draw's gradient", ylabel="entries", title="Gradients")
    right.legend(fontsize=8)


def _draw_pairs(figure: Figure, trials: Mapping[str, Sequence[Trial]], data: str, drawn: str) -> None:
    """For each kind what came from data, in grey, below what was drawn."""
    for axis, kind in zip(figure.subplots(1, len(KINDS)), KINDS, strict=True):
        trial = trials[kind][0]
        below, above = getattr(trial, data), getattr(trial, drawn)
        if below.shape[1] > 2:  # rows: in the plane of the arms
            plane = np.linalg.svd(below - below.mean(axis=0), full_matrices=False)[2][:2]
            below, above = below @ plane.T, above @ plane.T
        axis.plot(*below.T, ".", color=GREY, markersize=2, label=data)
        axis.plot(*above.T, ".", color=COLOURS[kind], markersize=2, label=drawn, alpha=0.6)
        axis.set(title=kind, xticks=[], yticks=[], aspect="equal", adjustable="datalim", box_aspect=1)
        axis.legend(fontsize=7, markerscale=4, loc="upper right")


VARIATIONAL = Experiment(
    name="variational",
    part="II",
    claim="An autoencoder can encode into a known distribution, Gaussian or a mixture, and generate from it.",
    lecture="encode into a known distribution, e.g. a mixture of independent Gaussians; z = μ + σ⊙ε",
    reference="Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016",
    measure=measure,
    expected={
        "iwae_error": ("<=", 0.02),
        "gap": (">", 0),
        "disorder": ("==", 0),
        "gradient_bias": ("<=", 1.3),
        "variance_ratio": (">=", 10),
        "energy_standard": ("<=", 0.02),
        "energy_mixture": ("<=", 0.02),
        "gain_standard": (">", 0),
        "gain_mixture": (">", 0),
    },
    settings={
        "rows": 1000,
        "columns": 8,
        "judged": 200,
        "draws": 2000,
        "linear_code": 3,
        "linear_noise": 0.7,
        "linear_epochs": 80,
        "linear_rate": 1e-2,
        "noise": 0.2,
        "hidden": (64, 64),
        "components": 10,
        "strength": 1.0,
        "epochs": 200,
        "learning_rate": 5e-3,
    },
    full={"rows": 4000, "epochs": 400},
)
