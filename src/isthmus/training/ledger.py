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

    def read(self, sizes: Sequence[int]) -> list[Tensor]:
        """The steps' rows, (steps, terms + 1), for each member."""
        table = self._table[: len(sizes)].cpu().double()
        return [table] if table.ndim == 2 else list(table.unbind(1))


def means(table: Tensor, names: Sequence[str], sizes: Sequence[int], epoch: int) -> dict[str, float]:
    """The epoch's mean of each term over rows, and the mean norm.

    Raises
    ------
    DivergenceError
        Naming the first term that was not finite, and the epoch.
    """
    names = [*names, "gradient"]
    finite = torch.isfinite(table)
    if not bool(finite.all()):
        step = int((~finite.all(dim=1)).nonzero()[0, 0])
        raise _diverged(names[int((~finite[step]).nonzero()[0, 0])], epoch)
    share = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
    return dict(zip(names, (share @ table).tolist(), strict=True))


def _diverged(name: str, epoch: int) -> DivergenceError:
    term = "the gradient" if name == "gradient" else f"the term {name!r} of the loss"
    return DivergenceError(
        f"{term} is not finite",
        where=f"in epoch {epoch + 1}",
        expected="a finite number; the last good weights are kept",
        hint=CAUSES.get(name, f"lower the strength of {name!r} or learning_rate"),
    )
