"""Rows as several views show them: pixels, principal components, and codes of several kinds of autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.decomposition import PCA

from isthmus import mixtures
from isthmus.estimators import Autoencoder
from isthmus.trials import Split, fit_all

Coders = dict[str, list[Autoencoder]]  # of each kind one a seed
Makers = Mapping[str, Callable[[int], Autoencoder]]  # from a seed to an autoencoder that is not fitted


def trained(makers: Makers, seeds: Sequence[int], rows: Split, mixture_epochs: int) -> Coders:
    """One of each kind a seed, fitted to the training rows; where one is "distorted", that with a "mixture" besides.

    The mixture goes on from it, under as many Gaussians as there are classes as the prior of its codes (VaDE).
    """
    coders = {kind: [make(seed) for seed in seeds] for kind, make in makers.items()}
    fit_all([ae for found in coders.values() for ae in found], rows.train)
    if "distorted" in coders:
        clusters = len(np.unique(np.asarray(rows.test_labels)))
        mixed = [mixtures.cluster(ae, rows.train, clusters, max_epochs=mixture_epochs) for ae in coders["distorted"]]
        coders["mixture"] = mixed
    return coders


def views(coders: Coders, seeds: Sequence[int], rows: Split, code_size: int) -> dict[str, list[Split]]:
    """The rows once a seed: "raw", as so many principal components ("pca"), and as each kind codes them."""
    components = PCA(code_size, random_state=0).fit(rows.train)
    seen = {"raw": [rows] * len(seeds), "pca": [rows.coded(components)] * len(seeds)}
    return seen | {kind: [rows.coded(ae) for ae in found] for kind, found in coders.items()}
