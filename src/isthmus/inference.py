"""Inference: a function of a built module over many rows, in batches that stay in the cache, written in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.scaling import Scaler, staged

Array = NDArray[np.floating]
# Numbers a batch has in its widest layer. On a CPU 1 MiB of float32: layers stay in the cache, and malloc hands out the
# same pages again, where larger blocks come fresh from the system each time. A GPU is filled, at about half a GiB.
NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 25}
LEAST_ROWS = 512  # fewer wait for the weights of a wide layer,
LEAST_NUMBERS = 1 << 22  # but a batch is not brought above so many numbers for that
WORTH = 1 << 19  # multiply-adds that a thread must have to be of use


def batched(
    module: nn.Module,
    function: Callable[[Tensor], Tensor],
    X: Array,
    width_hint: int = 1,
    *,
    before: Scaler | None = None,
    after: Scaler | None = None,
) -> Array:
    """Apply `function` to slices of rows X, (N, D), on the module's device and dtype; the result has X's dtype.

    Parameters
    ----------
    function : callable
        Rows (n, D) → results (n, …). The rows lie in memory that the next slice overwrites; X itself is only read.
    width_hint : int
        How many times wider than the module's layers the function's work is (K for a Jacobian).
    before : Scaler, optional
        Scales rows on their way in: the same numbers as from `before.apply(X)`, which is never held whole.
    after : Scaler, optional
        Brings results, (N, D), back to input units: the same numbers as from `after.undo`.
    """
    parameters: list[Tensor] = list(module.parameters()) or [torch.zeros(())]
    size = batch_rows(parameters, X.shape[1], width_hint)
    out = np.empty(0, X.dtype)
    # Not inference_mode: no faster here, and what a user's network keeps from a call could not be trained with after.
    with torch.no_grad(), _threads(len(X) * width_hint * sum(p.numel() for p in parameters)):
        for rows, x in _fed(X, size, parameters[0], before):
            result = function(x)
            if rows.start == 0:
                out = np.empty((len(X), *result.shape[1:]), X.dtype)
            _write(torch.from_numpy(out[rows]), result, after)
    return out


def _fed(X: Array, size: int, like: Tensor, before: Scaler | None) -> Iterator[tuple[slice, Tensor]]:
    """Slices of rows X as the module takes them; rounded to X's dtype where they are scaled, as in training."""
    if before is None:
        for rows, x in staged(X, size, X.dtype):
            yield rows, x.to(like)
        return
    home, given = _home(like), torch.from_numpy(np.empty(0, X.dtype)).dtype
    for rows, x in staged(X, size, np.float64 if home.type == "cpu" else X.dtype):
        yield rows, before.scaled_(x.to(home, torch.float64)).to(given).to(like)


def _write(target: Tensor, result: Tensor, after: Scaler | None) -> None:
    if after is not None:
        wide = result.to(_home(result), target.dtype).to(torch.float64, copy=True)
        result = after.undone_(wide)
    target.copy_(result)


def _home(x: Tensor) -> torch.device:
    """Where x's numbers are scaled: in float64, which not every accelerator has."""
    return x.device if x.device.type == "cuda" else torch.device("cpu")


def batch_rows(parameters: Sequence[Tensor], columns: int, width_hint: int = 1) -> int:
    """Rows a batch for a network of these parameters on rows of D columns: a fixed function of widths and device.

    A matrix is taken to make as many numbers a row as its longer side, a convolution of c to C channels C/c times D.
    """
    matrices = [max(p.shape) for p in parameters if p.ndim == 2]
    filters = [columns * max(p.shape[:2]) // max(1, min(p.shape[:2])) for p in parameters if p.ndim > 2]
    width = width_hint * max([columns, *matrices, *filters])
    numbers = NUMBERS.get(parameters[0].device.type, NUMBERS["cpu"])
    return max(1, numbers // width, min(LEAST_ROWS, LEAST_NUMBERS // width))


@contextmanager
def _threads(work: int) -> Iterator[None]:
    """As many threads as so many multiply-adds are worth, of those there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, 1 + work // WORTH))
    try:
        yield
    finally:
        torch.set_num_threads(before)
