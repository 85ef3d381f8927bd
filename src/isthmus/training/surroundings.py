"""What a step may read or change besides its arguments: attributes of the parts, buffers, random states."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

SIMPLE = (bool, int, float, str, bytes, tuple, type(None))
DEPTH = 4  # an object of a part, what it holds, and what that holds
IGNORED = ("training",)  # switched between training and looking


class Attributes:
    """The attributes of some objects, and of what they hold, as they are now.

    Numbers, texts and arrays are compared by value, tensors by where their numbers lie, all else by identity.
    """

    def __init__(self, holders: Sequence[object]) -> None:
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []
        self._generators: list[tuple[Generator, Tensor]] = []
        self._seen: set[int] = set()
        for holder in holders:
            self._note(getattr(holder, "__dict__", None), DEPTH)
        self._places = [_place(value) for value in self._values()]

    def _note(self, value: Any, depth: int) -> None:
        """Remember what a value holds, some levels deep."""
        if id(value) in self._seen or depth == 0:
            return
        self._seen.add(id(value))
        inner: list[Any] = []
        if isinstance(value, dict):
            self._dicts.append((value, dict(value)))
            inner = list(value.values())
        elif isinstance(value, list):
            self._lists.append((value, list(value)))
            inner = list(value)
        elif isinstance(value, np.ndarray):
            self._arrays.append((value, value.copy()))
        elif isinstance(value, Generator):
            self._generators.append((value, value.get_state()))
        elif not isinstance(value, (*SIMPLE, Tensor, nn.Module, type)) and hasattr(value, "__dict__"):
            inner = [value.__dict__]
        for one in inner:
            self._note(one, depth - 1)

    def _values(self) -> Iterator[Any]:
        for _, kept in self._dicts:
            yield from kept.values()
        for _, items in self._lists:
            yield from items

    def changed(self) -> bool:
        """Whether any is another now."""
        for own, kept in self._dicts:
            if own.keys() != kept.keys() or any(not _same(own[name], kept[name], name) for name in kept):
                return True
        for now, items in self._lists:
            if len(now) != len(items) or any(not _same(a, b, "") for a, b in zip(now, items, strict=True)):
                return True
        if any(not np.array_equal(array, was) for array, was in self._arrays):
            return True
        return self._places != [_place(value) for value in self._values()]

    def tensors(self) -> list[Tensor]:
        """Those among them that nothing learns: buffers, and whatever else a part remembers."""
        return [v for v in self._values() if isinstance(v, Tensor) and not isinstance(v, nn.Parameter)]

    def restore(self) -> None:
        for own, kept in self._dicts:
            own.clear()
            own.update(kept)
        for now, items in self._lists:
            now[:] = items
        for array, was in self._arrays:
            array[...] = was
        for generator, state in self._generators:
            generator.set_state(state)


def _same(now: Any, before: Any, name: Any) -> bool:
    if name in IGNORED or now is before:
        return True
    return isinstance(before, SIMPLE) and type(now) is type(before) and bool(now == before)


def _place(value: Any) -> Any:
    if isinstance(value, Tensor):
        return (value.data_ptr(), tuple(value.shape))
    return len(value) if isinstance(value, set) else None


class Randomness:
    """The states of some generators, of torch's own, of NumPy's and of Python's."""

    def __init__(self, generators: Sequence[Generator], device: torch.device) -> None:
        own = [*generators, torch.default_generator]
        if device.type == "cuda":
            own.append(torch.cuda.default_generators[device.index or 0])
        self._states = [(generator, generator.get_state()) for generator in own]
        self._python, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # kept, not drawn from

    def drawn_elsewhere(self) -> bool:
        """Whether Python's or NumPy's global generator was drawn from, which no recording follows."""
        now: Any = np.random.get_state()  # noqa: NPY002
        moved = any(not np.array_equal(a, b) for a, b in zip(now, self._numpy, strict=True))
        return moved or random.getstate() != self._python

    def restore(self) -> None:
        for generator, state in self._states:
            generator.set_state(state)
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
