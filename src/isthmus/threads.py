"""How many threads work is worth: below some size, a second one waits longer than it helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

SMALL = 1 << 21  # multiply-adds of a step; two threads and one are equally quick there


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """Use one thread for small work, else as many as there are: a fixed function of the work, never of a clock.

    Parameters
    ----------
    work : int
        Multiply-adds a step, such as rows a batch × parameters.
    """
    if work >= SMALL:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
