"""The times at which epochs ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

Epochs = Callable[[int], list[float]]  # trains n + 1 epochs; the seconds of each but the first


class Clock:
    """Ticks at every epoch's end. The first epoch, which compiles and warms up, lies before the first tick."""

    def __init__(self, device: str) -> None:
        self.ends: list[float] = []
        self.on_gpu = device != "cpu"

    def tick(self, *_: object, **__: object) -> None:
        """Note the time; takes whatever a library passes to its callbacks."""
        if self.on_gpu:
            import torch

            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def seconds(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.ends)]


class UnableError(Exception):
    """A contender cannot take part in a case, for the reason given."""
