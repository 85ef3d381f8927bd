"""A linear autoencoder finds the subspace of PCA, but neither its directions nor its eigenvalues; L2 finds them.

Claim. With linear f and g the best x̂ = V(Wx + b) + c projects on the first K principal components (Baldi & Hornik
1989). Any invertible change of code leaves x̂ as it is, so the columns of V are a basis of that subspace, no more.
Adding λ(‖W‖² + ‖V‖²) to ½‖x − x̂‖² leaves V = U(1 − 2λ/Λ)^½ Q with Q orthogonal (Kunin 2019, theorem 2): the left
singular vectors of V are then the principal directions U, and its singular values s give the eigenvalues back as
Λ = 2λ/(1 − s²).

Set-up. Rows of a normal distribution whose covariance has K large eigenvalues, a gap, and small ones; float64, all
rows in one batch, random first weights. Each seed draws other rows, other directions and other weights.

Measured, the worst over seeds. `cosine`: smallest cosine of the principal angles between the columns of V and PCA.
`error_ratio`: squared error over PCA's. `column_cosine`: the largest |cosine| of two columns of V. `direction_l2` and
`direction_plain`: the smallest |cosine| of a left singular vector of V with its principal direction, with L2 and
without. `eigenvalue_error_l2`: the largest relative error of an eigenvalue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import penalties, zoo
from isthmus.data.normal import planted
from isthmus.estimators import Autoencoder
from isthmus.evidence.linear_gaussian import decoder_matrix
from isthmus.evidence.principal import Decoders, principal
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train with and without L2 for each seed, all together, and compare with PCA."""
    trials = _trials(settings, seeds)
    numbers = {
        "cosine": min(trial.cosine for trial in trials),
        "error_ratio": max(trial.error / trial.principal.error for trial in trials),
        "column_cosine": min(trial.column_cosine for trial in trials),
        "direction_l2": min(trial.direction_cosines(trial.l2).min() for trial in trials),
        "direction_plain": max(trial.direction_cosines(trial.plain).min() for trial in trials),
        "eigenvalue_error_l2": max(trial.eigenvalue_error for trial in trials),
    }
    series = {
        "without L2": drawing.rounded([trial.direction_cosines(trial.plain) for trial in trials]),
        "with L2": drawing.rounded([trial.direction_cosines(trial.l2) for trial in trials]),
        "eigenvalues": drawing.rounded([trial.principal.eigenvalues for trial in trials]),
        "recovered": drawing.rounded([trial.recovered for trial in trials]),
    }
    return Measured(numbers, {"directions": lambda figure: draw(figure, series)}, series)


def _trials(settings: Settings, seeds: Sequence[int]) -> list[Decoders]:
    K, strength = settings["code_size"], settings["strength"]
    tables = [rows(settings, seed) for seed in seeds]
    plain = [_untrained(settings, seed, None) for seed in seeds]
    l2 = [_untrained(settings, seed, penalties.Weights(strength)) for seed in seeds]
    fit_all([*plain, *l2], [*tables, *tables])
    errors = [float(np.square(X - ae.reconstruct(X)).sum(axis=1).mean()) for X, ae in zip(tables, plain, strict=True)]
    matrices = ((decoder_matrix(one), decoder_matrix(other)) for one, other in zip(plain, l2, strict=True))
    found = zip(tables, matrices, errors, strict=True)
    return [Decoders(principal(X, K), *pair, error, strength) for X, pair, error in found]


def rows(settings: Settings, seed: int) -> Array:
    """Normal rows, (N, D), centred: K directions of variance `eigengap` and more, the others of 1 and less."""
    K, D = settings["code_size"], settings["columns"]
    strong, weak = settings["eigengap"] * (1 + np.arange(K)[::-1] / 2), np.linspace(1, 0.5, D - K)
    return planted(settings["rows"], np.concatenate([strong, weak]), np.random.default_rng(seed))


def _untrained(settings: Settings, seed: int, penalty: penalties.Penalty | None) -> Autoencoder:
    return zoo.linear(
        settings["code_size"],
        penalty=penalty,
        scaling=None,
        max_epochs=settings["epochs"],
        batch_size=None,
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def draw(figure: Figure, series: Mapping[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    for place, name in enumerate(("without L2", "with L2")):
        look: dict[str, Any] = {"color": drawing.COLOURS[1 - place], "marker": drawing.MARKERS[place], "alpha": 0.6}
        for seed, cosines in enumerate(series[name]):
            left.plot(np.arange(1, len(cosines) + 1), cosines, linestyle="", label=None if seed else name, **look)
    left.set(xlabel="rank", ylabel="|cosine| with the principal direction", ylim=(0, 1.05))
    figure.legend(loc="outside lower center", ncols=2)
    for true, recovered in zip(series["eigenvalues"], series["recovered"], strict=True):
        right.plot(true, recovered, drawing.MARKERS[1], color=drawing.COLOURS[0], alpha=0.6)
    ends = [0.0, 1.1 * float(np.max(series["eigenvalues"]))]
    right.plot(ends, ends, color="#999999", zorder=0)
    right.set(xlim=ends, ylim=ends, xlabel="eigenvalue of the covariance", ylabel="2λ / (1 − s²) under L2")
    left.set_title("Only L2 finds directions")
    right.set_title("and eigenvalues")


LINEAR_PCA = Experiment(
    name="linear-pca",
    part="II",
    claim="A linear autoencoder finds the subspace of PCA, but not its directions; an L2 penalty finds those too.",
    lecture="linear: similar to PCA, without the orthogonality",
    reference="Baldi & Hornik 1989; Kunin, Bloom, Goeva & Seed 2019",
    measure=measure,
    expected={
        "cosine": (">=", 1 - 1e-6),
        "error_ratio": ("<=", 1 + 1e-6),
        "column_cosine": (">=", 0.1),
        "direction_l2": (">=", 0.99),
        "direction_plain": ("<=", 0.72),
        "eigenvalue_error_l2": ("<=", 0.01),
    },
    settings={"code_size": 6, "columns": 16, "rows": 400, "eigengap": 5.0, "strength": 0.5, "epochs": 800}
    | {"learning_rate": 0.05},
)
