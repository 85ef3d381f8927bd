"""What the first layer looks for and what the last one paints: rows, columns and kernels as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import SettingError
from isthmus.seeing.layers import Layer, layers

Array = NDArray[np.floating]


def filters(network: nn.Module, x: Any) -> tuple[Layer, Array]:
    """The first layer that multiplies, and what each of its units looks for.

    Parameters
    ----------
    network : torch.nn.Module
        Maps rows (N, C, …), or whatever its first layer reads.
    x : array or tensor of shape (N, C, …)
        A row, for the shapes.

    Returns
    -------
    layer : Layer
    filters : array of shape (units, C, k, …), or (units, C, …) where the layer is dense
        The kernels of a convolution; the rows of a matrix in the shape of an input.

    Raises
    ------
    SettingError
        Where nothing in the network multiplies.
    """
    layer = _weighted(network, x)[0]
    return layer, receptive(layer, np.shape(x)[1:])


def columns(network: nn.Module, x: Any, shape: Sequence[int]) -> tuple[Layer, Array]:
    """The last layer that multiplies, and what each number that it reads adds to the output: a decoder's strokes.

    Parameters
    ----------
    network : torch.nn.Module
        A decoder, or a network that ends in one.
    x : array or tensor of shape (N, …)
        A row of its input, for the shapes.
    shape : sequence of int
        (C, …), of an output as people see it; further numbers an output has (a variance) are left out.

    Returns
    -------
    layer : Layer
    columns : array of shape (inputs, C, k, …), or (inputs, C, …) where the layer is dense
        The columns of a matrix; the kernels of a convolution as an impulse draws them.

    Raises
    ------
    SettingError
        Where nothing in the network multiplies.
    """
    layer = _weighted(network, x)[-1]
    return layer, projective(layer, shape)


def receptive(layer: Layer, shape: Sequence[int]) -> Array:
    """By what each unit of a layer multiplies its input, whose shape is (C, …): (units, C, …)."""
    weight = _weight(layer)
    if weight.ndim == 2:
        return _shaped(weight, shape)
    return _turned(weight.transpose(0, 1)) if layer.transposed else weight.numpy()


def projective(layer: Layer, shape: Sequence[int]) -> Array:
    """What each input of a layer adds to its output, whose shape is (C, …): (inputs, C, …)."""
    weight = _weight(layer)
    if weight.ndim == 2:
        return _shaped(weight.T, shape)
    kernels = weight.numpy() if layer.transposed else _turned(weight.transpose(0, 1))
    return kernels[:, : shape[0]]


def _shaped(rows: Tensor, shape: Sequence[int]) -> Array:
    """Rows as pictures where they are as long, or longer by what a likelihood wants beside its mean."""
    size = prod(shape)
    fits = rows.shape[1] >= size and rows.shape[1] % size == 0
    found: Array = rows[:, :size].numpy()
    return found.reshape(-1, *shape) if fits else rows.numpy()[:, None, :]


def _turned(kernels: Tensor) -> Array:
    """A kernel as its impulse response, which a convolution as networks have it gives turned about."""
    return kernels.flip(*range(2, kernels.ndim)).numpy()


def _weight(layer: Layer) -> Tensor:
    if layer.weight is None:
        raise SettingError(f"the layer {layer.name!r} multiplies by nothing", where="in filters", expected="a product")
    return layer.weight.detach().cpu().contiguous()


def _weighted(network: nn.Module, x: Any) -> list[Layer]:
    found = [layer for layer in layers(network, x) if layer.weight is not None]
    if not found:
        raise SettingError(
            "nothing multiplies", where="in the network", expected="a convolution or a dense layer among those that run"
        )
    return found
