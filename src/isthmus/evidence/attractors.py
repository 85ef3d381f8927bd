"""Where iterating x ← g(f(x)) ends: the rows that a net knows by heart attract what is near (Radhakrishnan 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.evidence.reference import subset
from isthmus.evidence.subject import Subject

Array = NDArray[np.floating]
ITERATIONS = 100
ON_A_ROW = 0.1  # of the usual distance between neighbouring training rows
FAR = 1e6  # an exploding iteration is far away, not undefined
MOST = 1000  # rows whose nearest neighbour is looked for


@dataclass(frozen=True)
class Attraction:
    """Where N starts ended.

    Attributes
    ----------
    ends : array of shape (N, D)
        In scaled units.
    nearest : array of shape (N,)
        The number of the training row nearest to each end.
    distance : array of shape (N,)
        From the end to that row; 1 is the usual distance of a training row from its nearest neighbour.
    """

    ends: Array
    nearest: NDArray[np.intp]
    distance: Array

    @property
    def arrived(self) -> NDArray[np.bool_]:
        """Which ends are training rows, (N,): within a tenth of that distance."""
        return self.distance < ON_A_ROW

    @property
    def reached(self) -> int:
        """How many training rows are ended on."""
        return len(np.unique(self.nearest[self.arrived]))


def attraction(ae: Autoencoder, X_train: ArrayLike, X: ArrayLike, iterations: int = ITERATIONS) -> Attraction:
    """Iterate x ← g(f(x)) from rows X, (N, D), and see which of the rows X_train, (M, D), each ends at.

    Raises
    ------
    DataError
        For fewer than 2 different training rows, which have no distance.
    """
    subject = Subject.of(ae, None, X)
    rows = ae.scale(X_train)
    usual = spacing(rows)
    if not usual > 0:
        raise DataError("training rows that do not differ", "in attraction", "2 different rows or more")
    ends = iterate(lambda x: subject.decode(subject.encode(x)), subject.x, iterations)
    distance, nearest = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(ends)
    return Attraction(ends, nearest[:, 0], distance[:, 0] / usual)


def iterate(step: Callable[[Array], Array], x: Array, iterations: int = ITERATIONS) -> Array:
    """x ← step(x), so many times, on rows x, (N, D)."""
    for _ in range(iterations):
        x = finite(step(x))
    return x


def spacing(rows: Array) -> float:
    """The median distance of a row to the nearest other one, of rows (N, D); 0 for fewer than two."""
    if len(rows) < 2:
        return 0.0
    some = rows[subset(len(rows), MOST)]
    return float(np.median(NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(some)[0][:, 1]))


def spectral_radius(ae: Autoencoder, X: ArrayLike) -> Array:
    """The largest |eigenvalue| of ∂g(f(x))/∂x at rows X, (N, D): (N,).

    A row that g∘f gives back attracts all that is near enough where it is below 1, and repels some where it is above.
    """
    module = ae.module_
    like = next(module.parameters())
    x = torch.as_tensor(ae.scale(X)).to(like)

    def decoded(z: Tensor) -> Tensor:
        return module.decode(z[None])[0]

    with torch.no_grad():
        read = cast("Tensor", torch.vmap(torch.func.jacrev(decoded))(module.encode(x)))  # N D K
        written = module.jacobian(x)  # N K D
        return torch.linalg.eigvals(written @ read).abs().amax(dim=1).cpu().numpy()  # as those of the D × D product


def finite(x: Array) -> Array:
    """Numbers that exploded, or are none, as far away."""
    return np.nan_to_num(x, nan=FAR, posinf=FAR, neginf=-FAR).clip(-FAR, FAR)
