"""Which layers a network has, in the order they run, and what one of them gives for rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import SettingError, nearest
from isthmus.seeing.watching import BENDS, Event, Reached, Watch, at_rest, kindred

Array = NDArray[np.floating]
NUMBERS = 1 << 22  # numbers that a batch has at the layer asked for, at the most
MOST_ROWS = 256  # rows a batch


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes
    ----------
    name : str
        Its dotted name in the network; a function has the name of the module that calls it and its own behind that.
    type : str
        The module's class, as "Conv2d", or the function, as "relu".
    shape : tuple of int
        Of a row's output: (units,), or (channels, *places).
    weight : Tensor or None
        The matrix (outputs, inputs), or kernels (outputs, inputs, k, …), those of a transposed convolution
        (inputs, outputs, k, …).
    """

    name: str
    type: str
    shape: tuple[int, ...]
    weight: Tensor | None = field(default=None, repr=False, compare=False)

    @property
    def units(self) -> int:
        """Units of a dense layer, channels of a convolution."""
        return self.shape[0]

    @property
    def transposed(self) -> bool:
        return "transpose" in self.type.lower()

    @property
    def bends(self) -> bool:
        """Whether it is an activation."""
        return self.type.lower() in BENDS


def layers(network: nn.Module, x: Any) -> list[Layer]:
    """The layers a network has, in the order they run on a row.

    Parameters
    ----------
    network : torch.nn.Module
        Maps (N, …) to anything; whatever runs counts, not what is declared.
    x : array or tensor of shape (N, …)
        Rows of which the first is run.

    Returns
    -------
    list of Layer
    """
    found: list[Layer] = []
    given: list[Tensor] = []

    def note(event: Event) -> None:
        weight = None if event.weight is None else event.weight.detach()
        if given and given[-1] is event.output and found[-1].name.startswith(f"{event.name}."):
            found.pop()  # a module that gives what a function of its own gave
            given.pop()
        found.append(Layer(event.name, event.type, tuple(event.output.shape[1:]), weight))
        given.append(event.output)

    one = kindred(network, x)[:1]
    two = torch.cat([one, one])  # so that a tensor of one row is told from a matrix
    with at_rest(network), torch.no_grad(), Watch(network, 2, note):
        network(two)
    return found


def find(known: list[Layer], name: str) -> Layer:
    """The layer of that name.

    Raises
    ------
    SettingError
        Where there is none, with the nearest name.
    """
    for layer in known:
        if layer.name == name:
            return layer
    raise no_such_layer(name, [layer.name for layer in known])


def no_such_layer(name: str, known: list[str]) -> SettingError:
    return SettingError(f"no layer called {name!r}", where="in the network", hint=nearest(name, known))


def run_to(network: nn.Module, x: Tensor, name: str) -> Tensor:
    """What the layer of that name gives for rows x, (n, units, *places); nothing after it is run.

    Raises
    ------
    SettingError
        Where no such layer runs, with the nearest name.
    """
    held: list[Tensor] = []
    passed: list[str] = []

    def stop(event: Event) -> None:
        passed.append(event.name)
        if event.name == name:
            held.append(event.output)
            raise Reached

    try:
        with Watch(network, len(x), stop):
            network(x)
    except Reached:
        return held[0]
    raise no_such_layer(name, passed)


def activations(network: nn.Module, name: str, X: Any) -> Array:
    """What a layer gives for rows X, (N, …): (N, units, *places).

    Raises
    ------
    SettingError
        Where no such layer runs.
    """
    return np.concatenate([part.cpu().numpy() for _, part in batches(network, name, X)])


def batches(network: nn.Module, name: str, X: Any) -> Iterator[tuple[slice, Tensor]]:
    """What a layer gives for rows X, a batch at a time, of a size that keeps within memory."""
    if not len(X):
        return
    with at_rest(network), torch.no_grad():
        row = run_to(network, kindred(network, X[:1]), name)
        size = max(1, min(MOST_ROWS, NUMBERS // max(1, prod(row.shape[1:]), prod(np.shape(X)[1:]))))
        for start in range(0, len(X), size):
            part = slice(start, min(start + size, len(X)))
            yield part, run_to(network, kindred(network, X[part]), name)
