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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

from isthmus import penalties, zoo
from isthmus.estimators import Autoencoder
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"  # Okabe and Ito's, told apart by the colour-blind


@dataclass(frozen=True)
class Principal:
    """PCA of the rows: eigenvalues of the covariance, (K,), directions, (D, K), and squared error a row."""

    eigenvalues: Array
    directions: Array
    error: float


@dataclass(frozen=True)
class Trial:
    """One seed: PCA, and the decoders' matrices V, (D, K), with L2 and without."""

    principal: Principal
    plain: Array
    l2: Array
    error: float
    strength: float

    @property
    def cosine(self) -> float:
        return float(np.cos(subspace_angles(self.plain, self.principal.directions).max()))

    @property
    def column_cosine(self) -> float:
        unit = self.plain / np.linalg.norm(self.plain, axis=0)
        return float(np.abs(unit.T @ unit - np.eye(unit.shape[1])).max())

    @property
    def recovered(self) -> Array:
        """Eigenvalues from the singular values of V under L2, largest first."""
        singular = np.linalg.svd(self.l2, compute_uv=False)
        return 2 * self.strength / np.maximum(1 - np.square(singular), 1e-12)

    @property
    def eigenvalue_error(self) -> float:
        return float(np.max(np.abs(self.recovered / self.principal.eigenvalues - 1)))

    def direction_cosines(self, V: Array) -> Array:
        """|cosine| of each left singular vector of V with the principal direction of its rank, (K,)."""
        left = np.linalg.svd(V, full_matrices=False)[0]
        return np.abs(np.sum(left * self.principal.directions, axis=0))


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
    return Measured(numbers, {"directions": lambda figure: _draw(figure, trials)})


def _trials(settings: Settings, seeds: Sequence[int]) -> list[Trial]:
    tables = [rows(settings, seed) for seed in seeds]
    plain = [_untrained(settings, seed, None) for seed in seeds]
    l2 = [_untrained(settings, seed, penalties.Weights(settings["strength"])) for seed in seeds]
    fit_all([*plain, *l2], [*tables, *tables])
    return [_trial(*found, settings) for found in zip(tables, plain, l2, strict=True)]


def _trial(X: Array, plain: Autoencoder, l2: Autoencoder, settings: Settings) -> Trial:
    error = float(np.square(X - plain.reconstruct(X)).sum(axis=1).mean())
    principals = principal(X, settings["code_size"])
    return Trial(principals, decoder_matrix(plain), decoder_matrix(l2), error, settings["strength"])


def rows(settings: Settings, seed: int) -> Array:
    """Normal rows, (N, D), centred: K directions of variance `eigengap` and more, the others of 1 and less."""
    rng = np.random.default_rng(seed)
    K, D = settings["code_size"], settings["columns"]
    strong = settings["eigengap"] * (1 + np.arange(K)[::-1] / 2)
    weak = np.linspace(1, 0.5, D - K)
    axes = np.linalg.qr(rng.normal(size=(D, D)))[0]
    Z = rng.normal(size=(settings["rows"], D))
    Z = np.linalg.qr(Z - Z.mean(axis=0))[0] * np.sqrt(settings["rows"])  # the sample has the planted covariance exactly
    X: Array = (Z * np.sqrt(np.concatenate([strong, weak]))) @ axes.T
    return X


def principal(X: Array, K: int) -> Principal:
    values, vectors = np.linalg.eigh(X.T @ X / len(X))  # rows are centred
    return Principal(values[::-1][:K], vectors[:, ::-1][:, :K], float(values[:-K].sum()))


def _untrained(settings: Settings, seed: int, penalty: penalties.Penalty | None) -> Autoencoder:
    return zoo.linear(
        settings["code_size"],
        penalty=penalty,
        scaling=None,
        max_epochs=settings["epochs"],
        batch_size=None,
        learning_rate=settings["learning_rate"],
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device="cpu",
    )


def decoder_matrix(ae: Autoencoder) -> Array:
    """V, (D, K), read off the decoder's answers to the unit codes and to 0."""
    codes = np.vstack([np.zeros(ae.code_size), np.eye(ae.code_size)])
    answers = ae.inverse_transform(codes)
    return np.asarray(answers[1:] - answers[0], dtype=np.float64).T


def _draw(figure: Figure, trials: Sequence[Trial]) -> None:
    left, right = figure.subplots(1, 2)
    K = len(trials[0].principal.eigenvalues)
    ranks = np.arange(1, K + 1)
    for trial in trials:
        left.plot(ranks - 0.08, trial.direction_cosines(trial.plain), "o", color=ORANGE, alpha=0.6)
        left.plot(ranks + 0.08, trial.direction_cosines(trial.l2), "s", color=BLUE, alpha=0.6)
        right.plot(trial.principal.eigenvalues, trial.recovered, "s", color=BLUE, alpha=0.6)
    left.plot([], [], "o", color=ORANGE, label="without L2")
    left.plot([], [], "s", color=BLUE, label="with L2")
    left.set(xlabel="rank", ylabel="|cosine| with the principal direction", ylim=(0, 1.05), xticks=ranks)
    figure.legend(loc="outside lower center", ncols=2)
    ends = [0.0, 1.1 * max(trial.principal.eigenvalues.max() for trial in trials)]
    right.plot(ends, ends, color=GREY, zorder=0)
    right.set(xlabel="eigenvalue of the covariance", ylabel="2λ / (1 − s²) from the decoder under L2")
    right.set(xlim=ends, ylim=ends)
    left.set_title("Directions of the decoder", fontsize=10)
    right.set_title("Eigenvalues from the decoder", fontsize=10)


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
    settings={
        "code_size": 6,
        "columns": 16,
        "rows": 400,
        "eigengap": 5.0,
        "strength": 0.5,
        "epochs": 800,
        "learning_rate": 0.05,
    },
)
