"""What each step of an epoch lost, kept on the device and read once at its end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isthmus.errors import DivergenceError

CAUSES = {
    "reconstruction": "lower learning_rate, or scale the data",
    "gradient": "lower learning_rate, or set clip_norm",
}


class Ledger:
    """One row a step: every term of the loss, then the gradient's norm; for P members, one such row each."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._rows: tuple[Tensor, ...] = ()
        self._table = torch.empty(0)

    def write(self, step: int, row: Tensor) -> None:
        self.table(row)
        self._rows[step].copy_(row)

    def table(self, row: Tensor) -> Tensor:
        """Where rows like this one are kept, (steps, …)."""
        if not self._rows:
            self._table = row.new_empty((self._steps, *row.shape))
            self._rows = self._table.unbind(0)
        return self._table

    def read(self, names: Sequence[str], sizes: Sequence[int]) -> Losses:
        """What an epoch of so many rows a step lost, of terms with these names."""
        return Losses(self._table[: len(sizes)].cpu().double(), names, sizes)


class Losses:
    """What an epoch lost: for each member the mean of each term over rows, and the mean norm.

    All members are read at once: small networks take less time than a few words of Python about each.
    """

    def __init__(self, table: Tensor, names: Sequence[str], sizes: Sequence[int]) -> None:
        self._names = tuple(names)
        self._table = table.view(len(sizes), -1, len(names) + 1)  # steps, members, terms and the norm
        share = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
        self._means = (share @ table.flatten(1)).view(self._table.shape[1:]).tolist()
        self._finite = torch.isfinite(self._table).all(0).all(-1).tolist()

    def of(self, member: int, epoch: int) -> tuple[dict[str, float], float]:
        """A member's means by the terms' names, and the norm's.

        Raises
        ------
        DivergenceError
            Naming the first term that was not finite, and the epoch.
        """
        if not self._finite[member]:
            _, term = (~torch.isfinite(self._table[:, member])).nonzero()[0].tolist()
            raise _diverged((*self._names, "gradient")[term], epoch)
        means = self._means[member]
        return dict(zip(self._names, means, strict=False)), means[-1]  # the norm comes last, without a name


def _diverged(name: str, epoch: int) -> DivergenceError:
    term = "the gradient" if name == "gradient" else f"the term {name!r} of the loss"
    return DivergenceError(
        f"{term} is not finite",
        where=f"in epoch {epoch + 1}",
        expected="a finite number; the last good weights are kept",
        hint=CAUSES.get(name, f"lower the strength of {name!r} or learning_rate"),
    )
