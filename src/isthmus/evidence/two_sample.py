"""Are two sets of rows draws of one distribution? A classifier's test, the energy distance, the Fréchet distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from isthmus.evidence.intervals import Estimate, of_halves

Array = NDArray[np.floating]
NEIGHBOURS = 10
LEAST_ROWS = 20  # of either side


@dataclass(frozen=True)
class Told:
    """How well two samples are told apart: AUC (0.5: not at all), and how often chance does as well."""

    auc: Estimate
    p_value: float


def classifier_test(a: Array, b: Array, seed: int = 0) -> Told:
    """Classifiers learn from half of both samples to tell a from b and are judged on the other half.

    The classifier two-sample test of Lopez-Paz & Oquab (2017), with the area under the curve for the accuracy, whose
    chance is known (Mann & Whitney 1947). Two judges: a linear discriminant on columns and their squares sees shifts
    and scales, neighbours see the rest; the better one answers, its p-value doubled for the choice.

    Parameters
    ----------
    a, b : arrays of shape (N, D) and (M, D)
    """
    rows, side = _labelled(a, b)
    learning, judged = _halves(side, seed)
    # from the learning half alone: what is judged must not be seen before
    rows = (rows - rows[learning].mean(axis=0)) / np.maximum(rows[learning].std(axis=0), 1e-12)
    scores = [judge(rows[learning], side[learning], rows[judged]) for judge in (_discriminant, _neighbours)]
    found = [_told(side[judged], own) for own in scores]
    best = min(found, key=lambda told: told.p_value)
    return Told(best.auc, min(1.0, len(found) * best.p_value))


def energy_test(a: Array, b: Array, seed: int = 0, permutations: int = 199) -> tuple[float, float]:
    """2 E‖a − b‖ − E‖a − a′‖ − E‖b − b′‖, as a share of E‖a − b‖, and the p-value by permutation.

    0 for one distribution, 1 for two points (Székely & Rizzo 2013).
    """
    rows, side = _labelled(a, b)
    between = cdist(rows, rows)
    rng = np.random.default_rng(seed)
    sides = np.column_stack([side, *(rng.permutation(side) for _ in range(permutations))]).astype(np.float64)
    found = _energies(between, sides)
    return float(found[0]), float((1 + (found[1:] >= found[0]).sum()) / (1 + permutations))


def frechet(a: Array, b: Array) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2(Σ_a Σ_b)^½) of the normal distributions fitted to both (Dowson & Landau 1982)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    shift = a.mean(axis=0) - b.mean(axis=0)
    root_a, root_b = (_deviations(x) for x in (a, b))
    # tr (Σ_a Σ_b)^½ = ‖R_a R_bᵀ‖ in the nuclear norm, where Σ = RᵀR
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    distance = shift @ shift + np.square(root_a).sum() + np.square(root_b).sum() - 2 * shared
    return max(0.0, float(distance))


def _deviations(x: Array) -> Array:
    """R, (≤ D, D), with RᵀR the covariance."""
    centred: Array = (x - x.mean(axis=0)) / np.sqrt(max(1, len(x) - 1))
    return centred if len(x) <= x.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))


def _labelled(a: Array, b: Array) -> tuple[Array, NDArray[np.intp]]:
    rows = np.nan_to_num(np.concatenate([a, b]).astype(np.float64), posinf=1e30, neginf=-1e30)
    return rows, np.repeat([0, 1], [len(a), len(b)])


def _halves(side: NDArray[np.intp], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers to learn from and to judge, half of either side each."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(side == one)) for one in (0, 1)]
    first, second = (np.concatenate([order[part::2] for order in orders]) for part in (0, 1))
    return first, second


def _discriminant(rows: Array, side: NDArray[np.intp], judged: Array) -> Array:
    judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    moving = rows.std(axis=0) > 0
    wide, others = (np.hstack([x[:, moving], np.square(x[:, moving])]) for x in (rows, judged))
    scores: Array = judge.fit(wide, side).decision_function(others)
    return scores


def _neighbours(rows: Array, side: NDArray[np.intp], judged: Array) -> Array:
    shares: Array = KNeighborsClassifier(min(NEIGHBOURS, len(rows))).fit(rows, side).predict_proba(judged)[:, 1]
    return shares


def _told(side: NDArray[np.intp], scores: Array) -> Told:
    p_value = mannwhitneyu(scores[side == 1], scores[side == 0], alternative="greater", method="asymptotic").pvalue
    auc = of_halves(len(side), lambda rows: _auc(side[rows], scores[rows]))
    return Told(auc, float(p_value) if np.ptp(scores) > 0 else 1.0)


def _auc(side: NDArray[np.intp], scores: Array) -> float:
    return float(roc_auc_score(side, scores)) if 0 < side.sum() < len(side) else 0.5


def _energies(between: Array, sides: Array) -> Array:
    """The energy share under each labelling, a column of `sides` each."""
    n = sides.sum(axis=0)
    m = len(sides) - n
    from_b = between @ sides  # (rows, labellings)
    inside_b = (sides * from_b).sum(axis=0)
    across = from_b.sum(axis=0) - inside_b
    inside_a = between.sum() - 2 * across - inside_b
    mean_across = across / (n * m)
    shares: Array = 1 - (inside_a / m**2 + inside_b / n**2) / (2 * np.maximum(mean_across, 1e-300))
    return shares
