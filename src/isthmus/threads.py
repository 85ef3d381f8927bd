"""How many threads work is worth: below some size, a second one waits longer than it helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

STEP = 1 << 25  # multiply-adds; a step waits for its threads at every operation
ROWS = 1 << 21  # numbers that are gone through once, in few and large operations


@contextmanager
def threads_for(work: int, small: int = STEP) -> Iterator[None]:
    """Use one thread for small work, else as many as there are: a fixed function of the work, never of a clock.

    Below these bounds two threads are hardly quicker than one on a quiet machine, and many times slower beside other
    programs, where each waits for the other to be let run.

    Parameters
    ----------
    work : int
        Multiply-adds a step, such as rows a batch × parameters; or numbers, with `small` at `ROWS`.
    small : int
        What is less gets one thread.
    """
    if work >= small:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
