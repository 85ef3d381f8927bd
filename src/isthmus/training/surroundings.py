"""What a step may read or change besides its arguments: attributes of the parts, buffers, random states."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

SIMPLE = (bool, int, float, str, bytes, tuple, type(None))
IGNORED = ("training",)  # switched between training and looking


class Attributes:
    """The attributes of some objects as they are now.

    Numbers and texts are compared by value, tensors by where their numbers lie, all else by identity.
    """

    def __init__(self, holders: Sequence[object]) -> None:
        self._kept = [(own, dict(own)) for holder in holders for own in _dictionaries(holder)]
        self._places = [_place(value) for value in self._values()]

    def _values(self) -> Iterator[Any]:
        for _, kept in self._kept:
            yield from kept.values()

    def changed(self) -> bool:
        """Whether any is another now."""
        for own, kept in self._kept:
            if own.keys() != kept.keys() or any(not _same(own[name], kept[name], name) for name in kept):
                return True
        return self._places != [_place(value) for value in self._values()]

    def tensors(self) -> list[Tensor]:
        """Those among them that nothing learns: buffers, and whatever else a part remembers."""
        return [v for v in self._values() if isinstance(v, Tensor) and not isinstance(v, nn.Parameter)]

    def restore(self) -> None:
        for own, kept in self._kept:
            own.clear()
            own.update(kept)


def _dictionaries(holder: object) -> Iterator[dict[str, Any]]:
    own = getattr(holder, "__dict__", {})
    yield own
    if isinstance(holder, nn.Module):
        yield own["_parameters"]
        yield own["_buffers"]


def _same(now: Any, before: Any, name: str) -> bool:
    if name in IGNORED or now is before:
        return True
    return isinstance(before, SIMPLE) and type(now) is type(before) and bool(now == before)


def _place(value: Any) -> Any:
    if isinstance(value, Tensor):
        return (value.data_ptr(), tuple(value.shape))
    return len(value) if isinstance(value, list | dict | set) else None


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
