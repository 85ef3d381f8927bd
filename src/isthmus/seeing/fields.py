"""Receptive fields, measured: the part of the input that a place of a layer can hear of.

Every convolution and matrix is run as a mean over what it reads, every maximum as a mean, activations and norms as
nothing: then a place answers to each input it can hear of, and no two ways cancel. Branches and shortcuts need no care.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.seeing.layers import run_to
from isthmus.seeing.pulling import pulled
from isthmus.seeing.swapping import Stand, Swap
from isthmus.seeing.watching import BENDS, NORMS, POOLS, PRODUCTS, at_rest, kindred

Box = tuple[slice, ...]


def field(network: nn.Module, name: str, shape: Sequence[int], place: Sequence[int] = ()) -> Box:
    """What a unit of a layer sees.

    Parameters
    ----------
    network : torch.nn.Module
        Maps rows (N, *shape).
    name : str
        A layer.
    shape : sequence of int
        (C, …) of a row.
    place : sequence of int
        Which place of the layer's map, as (y, x); nothing for a dense layer.

    Returns
    -------
    tuple of slice
        One for each axis of a row but the channels: (rows, columns) of an image. A row that is a table's, (D,), has no
        such axis, and the answer is ().

    Raises
    ------
    SettingError
        Where no such layer runs.
    """
    x = kindred(network, torch.zeros(1, *shape)).requires_grad_()
    with at_rest(network), torch.enable_grad():
        with Swap(MEANS):
            heard = run_to(network, x, name)
        spot: tuple[Any, ...] = (0, slice(None), *place)
        slopes = pulled(heard[spot].sum(), x)[0]
    spots = slopes.abs().sum(dim=0) if slopes.ndim > 1 else slopes.new_ones(())
    return _box(spots)


def _box(spots: Tensor) -> Box:
    """The smallest box with every spot that is not 0; all of it where there is none."""
    found = spots.nonzero() if bool(spots.any()) else torch.ones_like(spots).nonzero()
    return tuple(slice(int(found[:, axis].min()), int(found[:, axis].max()) + 1) for axis in range(found.shape[1]))


def _mean(func: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
    even = torch.full_like(weight, weight.shape[0] / weight.numel())
    return func(x, even, None, *args, **kwargs)


def _as_is(func: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return x


def _pooled(func: Any, x: Tensor, size: Any, *args: Any, **kwargs: Any) -> Any:
    """The maximum's own gradient, spread over all it was taken from by a mean of the same windows."""
    name = func.__name__.removesuffix("_with_indices")
    mean = getattr(nn.functional, name.replace("max", "avg"))
    if name.startswith("adaptive"):
        return _beside(func, mean(x, size), x, size, *args, **kwargs)
    names = ("stride", "padding", "dilation", "ceil_mode")
    how = dict(zip(names, args, strict=False)) | {key: kwargs[key] for key in names if key in kwargs}
    wide = _widened(size, how.pop("dilation", 1))
    how["stride"] = how.get("stride") or size
    return _beside(func, mean(x, wide, **how), x, size, *args, **kwargs)


def _beside(func: Any, mean: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The mean, with the maximum's switches where they were asked for."""
    result = func(*args, **kwargs)
    return (mean, *result[1:]) if isinstance(result, tuple) else mean


def _widened(size: Any, dilation: Any) -> Any:
    """A window with no gaps that holds the dilated one."""
    if isinstance(size, int) and isinstance(dilation, int):
        return dilation * (size - 1) + 1
    sizes = size if isinstance(size, tuple | list) else [size] * len(dilation)
    steps = dilation if isinstance(dilation, tuple | list) else [dilation] * len(sizes)
    return tuple(d * (k - 1) + 1 for k, d in zip(sizes, steps, strict=True))


MEANS: dict[str, Stand] = {
    **dict.fromkeys((name for name in PRODUCTS if name != "matmul"), _mean),
    **dict.fromkeys((*BENDS, *NORMS, "softmax", "log_softmax"), _as_is),
    **dict.fromkeys((name for name in POOLS if "max_pool" in name), _pooled),
}
