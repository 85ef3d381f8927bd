"""A user's own networks in the slots: `torch.nn.Module`s, or callables that return one."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Generator, Tensor, nn

from isthmus.codes import Code, Coded
from isthmus.corruptions import Corrupted, Corruption
from isthmus.errors import SettingError


def is_foreign(part: object) -> bool:
    """Whether a slot holds something of the user's: a module, or a callable that is no specification."""
    return isinstance(part, nn.Module) or callable(part)


def instance(part: Any, slot: str, *sizes: int) -> nn.Module:
    """A module of the user's: a copy of the one given, or what the callable returns for the sizes it asks for.

    Raises
    ------
    SettingError
        Where the callable takes other arguments, or returns something else.
    """
    if isinstance(part, nn.Module):
        return copy.deepcopy(part)
    module = part(*sizes[: _arity(part, slot, len(sizes))])
    if not isinstance(module, nn.Module):
        raise SettingError(
            f"{slot} returned {type(module).__name__}", where=f"in the slot {slot}", expected="a torch.nn.Module"
        )
    return module


def _arity(part: Callable[..., nn.Module], slot: str, most: int) -> int:
    """How many sizes a callable asks for: all for `*sizes`, else its arguments without a default."""
    parameters = [p for p in inspect.signature(part).parameters.values() if p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return most
    needed = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    if len(needed) > most or any(p.kind is p.KEYWORD_ONLY for p in parameters):
        raise SettingError(
            f"the {slot} asks for {', '.join(needed)}",
            where=f"in the slot {slot}",
            expected=f"a callable of at most {most} arguments by position",
        )
    return len(needed)


class ForeignEncoder(nn.Module):
    """Gives the user's network its rows in their own shape, and flattens what it returns."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.reshape(len(x), *self.shape)).flatten(1)


class ForeignDecoder(nn.Module):
    """Flattens what the user's network returns into rows."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.network(z).flatten(1)


class ForeignCode(Code):
    """z = network(a), or (z, stats). The network may have `width` (numbers it reads) and `gives`, as `codes.Code`."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__(size, int(getattr(network, "width", size)))
        self.network = network
        self.gives = frozenset(getattr(network, "gives", ()))

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        z = self.network(a)
        return z if isinstance(z, tuple) else (z, {})

    def slope(self, a: Tensor) -> Tensor | None:
        return None


class ForeignCorruption(Corruption):
    """x̃ = network(x), or (x̃, m)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        out = self.network(x)
        return out if isinstance(out, tuple) else (out, None)


def check_width(module: nn.Module, slot: str, inputs: int, outputs: int) -> None:
    """Run two rows of zeros through a user's network and compare the numbers that come out with those needed."""
    module.eval()
    like = next(module.parameters(), torch.zeros(0))
    try:
        with torch.no_grad():
            out = module(torch.zeros(2, inputs, dtype=like.dtype, device=like.device))
            got = prod((out[0] if isinstance(out, tuple) else out).shape[1:])
    except (RuntimeError, ValueError, IndexError, TypeError) as fault:
        raise SettingError(
            f"the {slot} cannot read rows of {inputs} numbers ({str(fault).splitlines()[0]})",
            where=f"in the slot {slot}",
            hint="check its first layer, and input_shape",
        ) from fault
    finally:
        module.train()
    if got != outputs:
        raise SettingError(
            f"the {slot} gives {got} numbers a row", where=f"in the slot {slot}", expected=f"{outputs} numbers a row"
        )
