"""Tangents of rows, (N, r, D) in input units: those an autoencoder learned, an image's own, and local PCA's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import jacobians
from isthmus._constraints import Constraint, Each, Number, OneOf, check, count
from isthmus._inputs import read_rows
from isthmus.errors import DataError, SettingError
from isthmus.inference import batched
from isthmus.jacobians import Product
from isthmus.nn import warping
from isthmus.nn.along import in_forward_mode

Array = NDArray[np.floating]
EXACT = 128  # singular vectors of wider Jacobians are found by iteration,
ROUNDS = 4  # in so many rounds
SPARE = 10  # with so many directions more than asked for
STEP = 0.1  # pixels
BLOCK = 1 << 24  # numbers at a time
MOVES: Mapping[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    # to be moved by h pixels, an image is read at A p + t: matrices (N, 2, 2) and offsets (N, 2); R its half side
    "right": lambda h, R: (_still(h), torch.stack([-h, 0 * h], dim=1)),
    "down": lambda h, R: (_still(h), torch.stack([0 * h, -h], dim=1)),
    "turn": lambda h, R: (warping.turned(h / R), torch.zeros(len(h), 2).to(h)),
    "grow": lambda h, R: (_still(h) / (1 + h / R)[:, None, None], torch.zeros(len(h), 2).to(h)),
}


def learned(ae: Any, X: ArrayLike, directions: int = 15, of: str = "code") -> Array:
    """The leading right singular vectors of a trained autoencoder's Jacobian at each row, largest first (Rifai 2011).

    They are found in scaled units, where they are orthonormal, and are returned in input units: each is one scaled
    unit long. Jacobians with more than 128 rows and columns are not decomposed, but multiplied (subspace iteration).

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    X : array-like of shape (N, D)
    directions : int
        r.
    of : {"code", "reconstruction"}
        Of ∂z/∂x, as published, or of ∂x̂/∂x, which takes D passes a row: a denoising or contractive autoencoder's is
        near the projection on the manifold's tangents (Alain & Bengio 2014).

    Returns
    -------
    array of shape (N, r, D)

    Raises
    ------
    SettingError
        Where the Jacobian has fewer than so many singular vectors.
    DataError
        Where rows are not like those of training.
    """
    check_is_fitted(ae, "module_")
    rows, module = read_rows(ae, X, reset=False), ae.module_
    columns, size = rows.shape[1], module.code.size
    known: dict[str, Constraint] = {
        "directions": Number(1, min(size, columns), whole=True),
        "of": OneOf(("code", "reconstruction")),
    }
    check("tangents.learned", {"directions": directions, "of": of}, known)
    jacobian, width = (module.jacobian, size) if of == "code" else (partial(_of_reconstruction, module), columns)
    decomposed = min(width, columns) <= EXACT

    def leading(x: Tensor) -> Tensor:
        if decomposed:
            return torch.linalg.svd(jacobian(x), full_matrices=False).Vh[:, :directions]
        product = jacobians.product(module.encoder, module.code, x) if of == "code" else Product.of(jacobian(x))
        return _iterated(product, x, directions)

    found = batched(module, leading, rows, width, before=ae.scaler_)
    found *= ae.scaler_.scale.astype(found.dtype)
    return found


def _of_reconstruction(module: Any, x: Tensor) -> Tensor:
    """∂x̂/∂x at each row, (N, D, D)."""
    each = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
    return in_forward_mode(lambda x: module.decode(module.encode(x)), x, each)[1].mT


def _iterated(J: Product, x: Tensor, r: int) -> Tensor:
    """The r leading right singular vectors at rows x, (N, r, D), by subspace iteration."""
    rng = torch.Generator(device=x.device).manual_seed(0)
    some = torch.randn(x.shape[1], r + SPARE, generator=rng, dtype=x.dtype, device=x.device)
    Q = some.mT.expand(len(x), -1, -1)
    for _ in range(ROUNDS):
        Q = torch.linalg.qr(J.back(J.along(Q)).mT).Q.mT  # (N, r + spare, D)
    return (torch.linalg.svd(J.along(Q).mT, full_matrices=False).Vh @ Q)[:, :r]


def moved(X: ArrayLike, input_shape: tuple[int, ...], moves: Sequence[str] = tuple(MOVES)) -> Array:
    """How images change as they are moved: derivatives by central differences, bilinear between pixels (Simard 1992).

    Parameters
    ----------
    X : array-like of shape (N, D)
    input_shape : tuple of int
        (channels, height, width), D in all. What lies around an image goes on as its border does.
    moves : sequence of str
        Of "right", "down", "turn" (to the left) and "grow"; so many that the pixels in the middle of the left and the
        right border move by one pixel.

    Returns
    -------
    array of shape (N, moves, D)

    Raises
    ------
    SettingError
        Where there is no such move.
    DataError
        Where rows are no images of that shape.
    """
    check("tangents.moved", {"moves": tuple(moves)}, {"moves": Each(OneOf(tuple(MOVES)), least=1)})
    rows = _rows(X, "X")
    if len(input_shape) != 3 or rows.shape[1] != int(np.prod(input_shape)):
        raise DataError(f"rows of {rows.shape[1]} numbers", "in tangents.moved", f"images of shape {input_shape}")
    out = np.empty((len(rows), len(moves), rows.shape[1]), rows.dtype)
    for part in _parts(len(rows), rows.shape[1]):
        images = torch.from_numpy(rows[part].reshape(-1, *input_shape))
        for place, name in enumerate(moves):
            out[part, place] = ((_moved(images, name, STEP) - _moved(images, name, -STEP)) / (2 * STEP)).flatten(1)
    return out


def _moved(images: Tensor, name: str, pixels: float) -> Tensor:
    height, width = images.shape[2:]
    down, across = (warping.centred(side).to(images) for side in (height, width))
    h = torch.full((len(images),), pixels, dtype=images.dtype)
    matrix, offset = MOVES[name](h, across[-1].clamp(min=0.5))
    return warping.resampled(images, warping.affine(matrix, offset, down, across))


def _still(h: Tensor) -> Tensor:
    return torch.eye(2, dtype=h.dtype).expand(len(h), 2, 2)


def local(X: ArrayLike, at: ArrayLike | None = None, directions: int = 15, neighbours: int = 30) -> Array:
    """Principal directions, orthonormal, of the rows of X nearest to each row (local PCA), most variance first.

    Parameters
    ----------
    X : array-like of shape (N, D)
        Rows to find neighbours among.
    at : array-like of shape (M, D), optional
        Rows to find tangents at; None: X.
    directions, neighbours : int
        r, and how many neighbours; of a row of X it is itself one.

    Returns
    -------
    array of shape (M, r, D)

    Raises
    ------
    SettingError
        Where so few neighbours have fewer directions, or there are not as many rows.
    DataError
        Where rows are not finite numbers.
    """
    rows = _rows(X, "X")
    places = rows if at is None else _rows(at, "at")
    given = {"directions": directions, "neighbours": neighbours}
    check("tangents.local", given, {"directions": count(), "neighbours": Number(2, len(rows), whole=True)})
    if directions > (most := min(neighbours - 1, rows.shape[1])):
        raise SettingError(
            f"{neighbours} neighbours of {rows.shape[1]} numbers have {most} directions",
            "in tangents.local",
            f"at least {directions}",
        )
    nearest = NearestNeighbors(n_neighbors=neighbours).fit(rows).kneighbors(places, return_distance=False)
    out = np.empty((len(places), directions, rows.shape[1]), rows.dtype)
    for part in _parts(len(places), neighbours * rows.shape[1]):
        near = rows[nearest[part]]
        out[part] = np.linalg.svd(near - near.mean(axis=1, keepdims=True), full_matrices=False)[2][:, :directions]
    return out


def caught(true: ArrayLike, found: ArrayLike) -> Array:
    """The share of the energy, the squared length, of each true tangent that lies in the span of those found.

    Parameters
    ----------
    true : array-like of shape (N, m, D)
    found : array-like of shape (N, r, D)

    Returns
    -------
    array of shape (N, m)
        0 for a tangent of no length.
    """
    T, U = np.asarray(true, dtype=np.float64), np.asarray(found, dtype=np.float64)
    along = T @ U.swapaxes(1, 2)  # (N, m, r)
    within = ((along @ np.linalg.pinv(U @ U.swapaxes(1, 2), hermitian=True)) * along).sum(axis=2)
    energy = np.square(T).sum(axis=2)
    share: Array = np.divide(within, energy, out=np.zeros_like(energy), where=energy > 0)
    return share


def _rows(X: ArrayLike, name: str) -> Array:
    given = np.asarray(X)
    rows: Array = given if given.dtype in (np.float32, np.float64) else given.astype(np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise DataError(f"rows of shape {rows.shape}", f"in {name}", "finite numbers of shape (N, D)")
    return rows


def _parts(n: int, numbers: int) -> list[slice]:
    size = max(1, BLOCK // numbers)
    return [slice(start, start + size) for start in range(0, n, size)]
