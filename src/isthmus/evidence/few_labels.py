"""What a logistic regression reads from codes when few rows have labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.trials import Split

Array = NDArray[np.floating]
Index = NDArray[np.intp]
STRENGTHS = (0.1, 1.0, 10.0)  # C of the regressions that are tried


def drawn(labels: ArrayLike, size: int, seed: int) -> Index:
    """Numbers of `size` labelled rows, each class as often as its share of `labels`, (N,); sorted.

    Raises
    ------
    DataError
        Where there are not so many rows, or fewer are asked for than there are classes.
    """
    y = np.asarray(labels)
    classes = len(np.unique(y))
    if not classes <= size <= len(y):
        raise DataError(f"{size} labelled rows", "in few_labels", f"from {classes}, one a class, to {len(y)}, all")
    if len(y) - size < classes:  # too few are left to be spread over the classes
        return np.sort(np.random.default_rng(seed).permutation(len(y))[:size])
    chosen, _ = train_test_split(np.arange(len(y)), train_size=size, stratify=y, random_state=seed)
    return np.sort(np.asarray(chosen))


def accuracy(Z: Array, labels: ArrayLike, Z_test: Array, test_labels: ArrayLike, C: float = 1.0) -> float:
    """Share of test codes, (M, K), that a logistic regression names rightly, learned from codes Z, (N, K).

    Codes are centred and divided by one number, the root mean square of all their entries, so that units do not matter
    and wide directions stay wide. C, the inverse of the strength of the regression's L2 penalty, then means the same
    for codes of one size; between codes of several compare the `best`.
    """
    centre = Z.mean(axis=0, dtype=np.float64)
    scale = float(np.sqrt(np.square(Z - centre).mean())) or 1.0
    reader = LogisticRegression(C=C, max_iter=2000, tol=1e-3).fit((Z - centre) / scale, labels)
    return float(reader.score((Z_test - centre) / scale, test_labels))


def curve(
    coder: Autoencoder | PCA, rows: Split, sizes: Sequence[int], seed: int, draws: int = 1, C: float = 1.0
) -> Array:
    """That accuracy of the codes of labelled rows from so many of them, (sizes,), the mean over so many draws.

    `coder` is fitted; a seed draws the same rows for every coder.
    """
    Z, Z_test, y = coder.transform(rows.train), coder.transform(rows.test), np.asarray(rows.train_labels)
    found = [
        [accuracy(Z[few], y[few], Z_test, np.asarray(rows.test_labels), C) for few in chosen]
        for chosen in ([drawn(y, size, seed * draws + i) for size in sizes] for i in range(draws))
    ]
    return np.mean(found, axis=0)


def best(
    coders: Sequence[Sequence[Autoencoder | PCA]],
    rows: Split,
    sizes: Sequence[int],
    seeds: Sequence[int],
    draws: int = 1,
    strengths: Sequence[float] = STRENGTHS,
) -> Array:
    """The curves, (seeds, sizes), of whichever coder and C serve each size best, on the mean over seeds.

    `coders` are fitted: of each kind one a seed. The choice looks at test rows, which flatters every view alike.
    """
    found = np.array(
        [
            [curve(coder, rows, sizes, seed, draws, C) for coder, seed in zip(kind, seeds, strict=True)]
            for kind in coders
            for C in strengths
        ]
    )
    choice = found.mean(axis=1).argmax(axis=0)  # of (kinds · strengths, sizes)
    return np.take_along_axis(found, choice[None, None, :], axis=0)[0]
