"""What each step of an epoch lost, kept on the device and read once at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.errors import DivergenceError

CAUSES = {
    "reconstruction": "lower learning_rate, or scale the data",
    "gradient": "lower learning_rate, or set clip_norm",
}


class Ledger:
    """One row a step: every term of the loss, then the gradient's norm."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[Tensor] = []

    def write(self, terms: dict[str, Tensor], norm: Tensor) -> None:
        self.names = [*terms, "gradient"]
        self.rows.append(torch.stack([*(t.detach() for t in terms.values()), norm]))

    def read(self, epoch: int, sizes: list[int]) -> dict[str, float]:
        """The epoch's mean of each term over rows, and the mean norm.

        Raises
        ------
        DivergenceError
            Naming the first term that was not finite, and the epoch.
        """
        table = torch.stack(self.rows).cpu().double()  # (steps, terms + 1)
        finite = torch.isfinite(table)
        if not bool(finite.all()):
            step = int((~finite.all(dim=1)).nonzero()[0, 0])
            self._diverged(self.names[int((~finite[step]).nonzero()[0, 0])], epoch)
        share = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
        return dict(zip(self.names, (share @ table).tolist(), strict=True))

    @staticmethod
    def _diverged(name: str, epoch: int) -> None:
        term = "the gradient" if name == "gradient" else f"the term {name!r} of the loss"
        raise DivergenceError(
            f"{term} is not finite",
            where=f"in epoch {epoch + 1}",
            expected="a finite number; the last good weights are kept",
            hint=CAUSES.get(name, f"lower the strength of {name!r} or learning_rate"),
        )
