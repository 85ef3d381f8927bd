"""Disentanglement: does each number of the code stand for one known factor? Five published measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]
Numbers = NDArray[np.intp]
BINS = 20  # of equal width, for mutual information
VOTES = 800  # draws to learn from, and as many to judge by
BATCH = 64  # rows a draw
TREES = 20
LEARNED = 4000  # rows that trees see, half of them to judge by
SILENT = 1e-3  # of the largest variance: columns below it have collapsed


def disentanglement(
    ae: Autoencoder, X: ArrayLike, factors: ArrayLike, unordered: Sequence[int] = (), random_state: int = 0
) -> dict[str, float]:
    """How far each number of the code of rows X stands for one of their known factors, by every measure of this file.

    Parameters
    ----------
    ae : Autoencoder
        Fitted. Codes are its `transform`: the mean, where a code has a distribution.
    X : array-like of shape (N, D)
    factors : array-like of shape (N, F)
        A value of each factor for each row; values must come back in several rows.
    unordered : sequence of int
        Columns of the factors whose values have no order, such as a shape.
    random_state : int
        Seed of the rows drawn and of the forests.

    Returns
    -------
    dict
        `factor_vae`, `beta_vae`, `mig`, `sap`, `disentanglement`, `completeness`, `informativeness`: see
        `factor_score`, `beta_score`, `mig`, `sap` and `dci`. 1 is perfect for all but `sap`.

    Raises
    ------
    DataError
        Where the factors are not as above.
    """
    codes = ae.transform(X)
    found = {
        "factor_vae": factor_score(codes, factors, random_state),
        "beta_vae": beta_score(codes, factors, random_state),
        "mig": mig(codes, factors),
        "sap": sap(codes, factors, unordered),
    }
    return found | dci(codes, factors, unordered, random_state)


def factor_score(codes: ArrayLike, factors: ArrayLike, random_state: int = 0) -> float:
    """FactorVAE's score (Kim & Mnih 2018, section 4): 1 is perfect, the share of the commonest vote is chance.

    Each vote fixes a factor at the value of a row drawn at random, draws 64 rows that share it, and names the code's
    number that varies least among them, measured by its spread over all rows. Which factor most of 800 votes for a
    number had fixed is what that number says; the score is the share of 800 other votes that it says rightly. Numbers
    of less than a thousandth of the largest variance do not vote.

    Parameters
    ----------
    codes : array-like of shape (N, K)
    factors : array-like of shape (N, F)
    random_state : int
    """
    table = Table.of(codes, factors)
    moving = table.codes[:, _moving(table.codes)]
    if not moving.shape[1]:
        return 1.0 / table.width
    standard = moving / moving.std(axis=0)
    rng = np.random.default_rng(random_state)
    fixed = rng.integers(table.width, size=2 * VOTES)
    votes = np.array([standard[table.sharing(f, BATCH, rng)].var(axis=0).argmin() for f in fixed])
    counts = np.zeros((standard.shape[1], table.width), dtype=int)
    np.add.at(counts, (votes[:VOTES], fixed[:VOTES]), 1)
    return float(np.mean(counts.argmax(axis=1)[votes[VOTES:]] == fixed[VOTES:]))


def beta_score(codes: ArrayLike, factors: ArrayLike, random_state: int = 0) -> float:
    """β-VAE's score (Higgins 2017, section 3): accuracy of a linear classifier; 1 is perfect, 1 / F is chance.

    Each example fixes a factor and draws 64 pairs of rows, the two of a pair alike in it; the mean of |z − z′| over
    the pairs is to tell which factor it was. A logistic regression learns from 800 examples and is judged on 800. It
    reads the code linearly, so that turned codes may score well.

    Parameters
    ----------
    codes : array-like of shape (N, K)
    factors : array-like of shape (N, F)
    random_state : int
    """
    table = Table.of(codes, factors)
    rng = np.random.default_rng(random_state)
    fixed = rng.integers(table.width, size=2 * VOTES)
    fixed[: table.width] = np.arange(table.width)  # each is there to be learned
    differences = np.array([_difference(table, f, rng) for f in fixed])
    reader = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000))
    reader.fit(differences[:VOTES], fixed[:VOTES])
    return float(reader.score(differences[VOTES:], fixed[VOTES:]))


def _difference(table: Table, factor: int, rng: np.random.Generator) -> Array:
    """Mean |z − z′| of pairs of rows alike in a factor, (K,)."""
    first = rng.integers(len(table.codes), size=BATCH)
    second = table.like(factor, first, rng)
    mean: Array = np.abs(table.codes[first] - table.codes[second]).mean(axis=0)
    return mean


def mig(codes: ArrayLike, factors: ArrayLike) -> float:
    """Mutual information gap (Chen 2018, eq. 6): 1 is perfect, 0 where two numbers say as much of every factor.

    For each factor the information that the best number of the code has about it, less that of the second best, as a
    share of the factor's entropy; the mean over factors. Codes are put into 20 bins of equal width; numbers of less
    than a thousandth of the largest variance say nothing.

    Parameters
    ----------
    codes : array-like of shape (N, K)
    factors : array-like of shape (N, F)
    """
    table = Table.of(codes, factors)
    binned = [_binned(column) for column in table.codes[:, _moving(table.codes)].T]
    gaps = []
    for numbers in table.numbers.T:
        told = [mutual_info_score(None, None, contingency=_counts(numbers, column)) for column in binned]
        gaps.append(_gap(np.array([told]))[0] / entropy(np.bincount(numbers)))
    return float(np.mean(gaps))


def _binned(column: Array) -> Numbers:
    edges = np.linspace(column.min(), column.max(), BINS + 1)[1:-1]
    return np.digitize(column, edges)


def _counts(numbers: Numbers, bins: Numbers) -> Numbers:
    """How many rows have a factor's value and lie in a bin, (C, BINS); scikit-learn counts a tenth as fast."""
    counts = np.bincount(numbers * BINS + bins, minlength=(numbers.max() + 1) * BINS)
    return counts.reshape(-1, BINS)


def _gap(scores: Array) -> Array:
    """The best less the second best of each row, (F, K) → (F,); what is missing counts as 0."""
    ordered = np.sort(np.pad(scores, ((0, 0), (2, 0))), axis=1)
    gap: Array = ordered[:, -1] - ordered[:, -2]
    return gap


def sap(codes: ArrayLike, factors: ArrayLike, unordered: Sequence[int] = ()) -> float:
    """Separated attribute predictability (Kumar 2018, section 3): how much better the best number reads a factor.

    Of an ordered factor each number's score is its squared correlation with it; of an unordered one the balanced
    accuracy of thresholds on it (a decision tree of C leaves, for C values), on rows that it did not learn from. The
    difference of the best two, meaned over factors. Of a perfect code an ordered factor has 1, an unordered 1 − 1 / C.

    Parameters
    ----------
    codes : array-like of shape (N, K)
    factors : array-like of shape (N, F)
    unordered : sequence of int
        Columns of the factors without an order.
    """
    table = Table.of(codes, factors, unordered)
    scores = [_separation(table, f) if f in table.unordered else _correlation(table, f) for f in range(table.width)]
    return float(_gap(np.array(scores)).mean())


def _correlation(table: Table, factor: int) -> Array:
    """Squared correlations of a factor with each number of the code, (K,)."""
    codes, value = table.codes - table.codes.mean(axis=0), table.factors[:, factor]
    value = value - value.mean()
    moving = _moving(codes)
    squares = np.square(codes.T @ value) / np.where(moving, np.square(codes).sum(axis=0), np.inf)
    found: Array = squares / np.square(value).sum()
    return found


def _separation(table: Table, factor: int) -> Array:
    """How well thresholds on each number of the code tell an unordered factor, (K,)."""
    learn, judge = table.halves
    numbers, moving = table.numbers[:, factor], _moving(table.codes)
    values = len(np.unique(numbers))
    scores = np.full(len(moving), 1 / values)
    for k in np.flatnonzero(moving):
        reader = DecisionTreeClassifier(max_leaf_nodes=values, class_weight="balanced", random_state=0)
        read = reader.fit(table.codes[learn][:, [k]], numbers[learn]).predict(table.codes[judge][:, [k]])
        scores[k] = balanced_accuracy_score(numbers[judge], read)
    return scores


def dci(codes: ArrayLike, factors: ArrayLike, unordered: Sequence[int] = (), random_state: int = 0) -> dict[str, float]:
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018, section 2); 1 is perfect for each.

    A random forest reads each factor from the code; R, (K, F), is how much it looks at each number. Disentanglement
    is 1 less the entropy, base F, of a number's row of R, numbers weighted by how much they are looked at;
    completeness is 1 less the entropy, base K, of a factor's column, meaned over factors. Informativeness is how well
    the forests read rows that they did not learn from, meaned over factors: R² of ordered ones, of others the accuracy
    as a share of what lies between the commonest value's and 1; never below 0. (The paper gives the error instead.)

    Parameters
    ----------
    codes : array-like of shape (N, K)
    factors : array-like of shape (N, F)
    unordered : sequence of int
        Columns of the factors without an order.
    random_state : int
        Seed of the forests.
    """
    table = Table.of(codes, factors, unordered)
    read = [_forest(table, f, random_state) for f in range(table.width)]
    looked = np.array([importances for importances, _ in read]).T  # (K, F)
    return {
        "disentanglement": _purity(looked, looked.sum(axis=1)),
        "completeness": _purity(looked.T, np.ones(table.width)),
        "informativeness": float(np.mean([score for _, score in read])),
    }


def constructed() -> dict[str, float]:
    """Scores of codes made by hand: the factors themselves, noise, and pairs of factors turned by 45°.

    `perfect`: the smallest of seven scores of a perfect code (SAP as a share of its own 1); `chance`: how far any score
    of a random code lies from its chance; `turned`: the larger of MIG and SAP where pairs are turned.
    """
    factors = np.indices((6, 6, 6, 6)).reshape(4, -1).T  # (1296, 4)
    noise = np.random.default_rng(0).normal(size=(len(factors), 6))
    pairs = factors.reshape(-1, 2, 2) / np.sqrt(2)
    turned = np.concatenate([pairs.sum(axis=2), pairs[..., 0] - pairs[..., 1]], axis=1)
    perfect, random = (
        [factor_score(Z, factors), beta_score(Z, factors), mig(Z, factors), sap(Z, factors), *dci(Z, factors).values()]
        for Z in (factors, noise)
    )
    by_chance = [1 / 4, 1 / 4, 0, 0, 0, 0, 0]
    return {
        "perfect": min(perfect),
        "chance": float(np.abs(np.subtract(random, by_chance)).max()),
        "turned": max(mig(turned, factors), sap(turned, factors)),
    }


def _forest(table: Table, factor: int, random_state: int) -> tuple[Array, float]:
    """How much a forest looks at each number of the code, (K,), and how well it reads the factor."""
    learn, judge = table.halves
    plain = factor in table.unordered
    values = table.numbers[:, factor] if plain else table.factors[:, factor]
    make: Callable[..., RandomForestClassifier] = RandomForestClassifier if plain else RandomForestRegressor
    forest = make(TREES, random_state=random_state, max_features=None).fit(table.codes[learn], values[learn])
    score = float(forest.score(table.codes[judge], values[judge]))
    if plain:
        chance = np.bincount(table.numbers[judge, factor]).max() / len(judge)
        score = (score - chance) / (1 - chance) if chance < 1 else score
    return forest.feature_importances_, max(score, 0.0)


def _purity(importances: Array, weight: Array) -> float:
    """1 − entropy of each row, base its length, weighted; rows of zeros count nothing."""
    if importances.shape[1] < 2 or not importances.any():
        return float(importances.any())
    used = importances.sum(axis=1) > 0
    purity = 1 - entropy(importances[used], axis=1) / np.log(importances.shape[1])
    return float(np.average(purity, weights=weight[used]))


def _moving(codes: Array) -> NDArray[np.bool_]:
    """Columns that have not collapsed, (K,)."""
    variances = codes.var(axis=0)
    return variances > SILENT * max(float(variances.max()), 1e-30)


@dataclass(frozen=True)
class Table:
    """Codes (N, K) and factors (N, F), from which rows alike in a factor are drawn."""

    codes: Array
    factors: Array
    unordered: tuple[int, ...] = ()

    @classmethod
    def of(cls, codes: ArrayLike, factors: ArrayLike, unordered: Sequence[int] = ()) -> Table:
        """Checked.

        Raises
        ------
        DataError
            Where they do not fit each other, or a factor is the same, or another one, in every row.
        """
        table = cls(np.asarray(codes, dtype=np.float64), np.asarray(factors, dtype=np.float64), tuple(unordered))
        _check(table)
        return table

    @property
    def width(self) -> int:
        return int(self.factors.shape[1])

    @cached_property
    def numbers(self) -> Numbers:
        """Each factor's values numbered from 0, (N, F)."""
        return np.column_stack([np.unique(column, return_inverse=True)[1] for column in self.factors.T])

    @cached_property
    def halves(self) -> tuple[Numbers, Numbers]:
        """Numbers of rows to learn from and to judge by."""
        order = np.random.default_rng(0).permutation(len(self.codes))[:LEARNED]
        learn, judge = np.array_split(order, 2)
        return learn, judge

    @cached_property
    def _groups(self) -> list[tuple[Numbers, Numbers, Numbers]]:
        """For each factor: rows in the order of its values, and where each value begins and how often it comes."""
        found = []
        for numbers in self.numbers.T:
            counts = np.bincount(numbers)
            found.append((np.argsort(numbers, kind="stable"), np.cumsum(counts) - counts, counts))
        return found

    def like(self, factor: int, rows: Numbers, rng: np.random.Generator) -> Numbers:
        """For each row one that has its value of the factor."""
        order, starts, counts = self._groups[factor]
        values = self.numbers[rows, factor]
        return order[starts[values] + rng.integers(counts[values])]

    def sharing(self, factor: int, n: int, rng: np.random.Generator) -> Numbers:
        """n rows that share a value of the factor, that of a row drawn at random."""
        return self.like(factor, np.full(n, rng.integers(len(self.codes))), rng)


def _check(table: Table) -> None:
    codes, factors = table.codes, table.factors
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or not codes.size or not factors.size:
        raise DataError(
            f"codes of shape {codes.shape} and factors of shape {factors.shape}", "in disentanglement", "(N, K), (N, F)"
        )
    if not (np.isfinite(codes).all() and np.isfinite(factors).all()):
        raise DataError("a number that is not finite", "in disentanglement", "finite codes and factors")
    if wrong := [f for f in table.unordered if not 0 <= f < table.width]:
        raise DataError(f"no factor {wrong[0]}", "in unordered", f"columns 0 to {table.width - 1}")
    for f, numbers in enumerate(table.numbers.T):
        values = len(np.unique(numbers))
        if not 1 < values <= len(codes) / 2:
            raise DataError(
                f"factor {f} has {values} value{'s' if values > 1 else ''} in {len(codes)} rows",
                "in disentanglement",
                "at least two values, which come back in several rows",
                "leave out what does not vary, and put continuous factors into bins",
            )
