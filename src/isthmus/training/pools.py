"""What one step trains: the module of one state, or those of many with their numbers stacked on a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from isthmus.training.rows import Rows
from isthmus.training.state import State

Terms = dict[str, Tensor]


class Unstackable(Exception):  # noqa: N818  # no error of the user's: such networks are trained one by one
    """Networks that cannot be one population."""


class Pool:
    """One module as it is: its parameters and their moments, and the objective of a batch.

    Attributes
    ----------
    states : list of State
    members : int or None
        P, the length of the leading axis of every tensor; None where there is no such axis.
    parameters, first, second : list of Tensor
        What is trained, and the optimiser's two moments of it.
    step : Tensor
        The steps done so far, as a float, ().
    """

    members: int | None = None

    def __init__(self, states: Sequence[State], half: bool = False) -> None:
        self.states, self.half = list(states), half
        self.module = states[0].module
        self.parameters: list[Tensor] = [p for p in self.module.parameters() if p.requires_grad]
        self.first, self.second = states[0].moments.first, states[0].moments.second
        self.step = states[0].moments.step

    @property
    def device(self) -> torch.device:
        return self.parameters[0].device

    def mode(self, training: bool) -> None:
        self.module.train(training)

    def begin_epoch(self, epochs: Sequence[int], rows: Sequence[Tensor]) -> None:
        """Tell each member which of its epochs begins, and some of its rows to train on."""
        for state, epoch, x in zip(self.states, epochs, rows, strict=True):
            begin(state.module, epoch, x)

    def draws(self, training: bool) -> bool:
        """Whether a step may draw random numbers."""
        return True

    def keep(self, places: Sequence[int]) -> None:
        """After a finite epoch of these members: see `State.keep`."""
        for i in places:
            self.states[i].keep()

    def keep_best(self, places: Sequence[int]) -> None:
        """Keep the weights of these members as their best so far."""
        for i in places:
            self.states[i].best_weights.take()

    def buffers(self) -> list[Tensor]:
        return list(self.module.buffers())

    def holders(self) -> list[object]:
        """What may hold settings: the module's parts, and the terms of its penalties."""
        return holders(self.module)

    def decays(self, i: int) -> bool:
        """Whether weight decay is for the i-th parameter: matrices, not biases."""
        return self.parameters[i].ndim > (1 if self.members is None else 2)

    def objective(self, batch: Rows, rngs: Sequence[Generator]) -> Terms:
        """The terms of the loss, () each, or (P,)."""
        module = self.module
        own = cast("Callable[[object], Terms]", module.objective)
        with self.precision():
            return own(module(batch.x, batch.context, rngs[0], batch.weight, **batch.more))

    def precision(self) -> torch.autocast:
        """Matrix products in bfloat16 where that is asked for."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half, cache_enabled=False)

    def thin(self, active: int) -> bool:
        """Whether so few members are left that they should be pooled anew."""
        return False

    def alone(self, place: int, batch: Rows, rng: Generator) -> tuple[Terms, list[Tensor]]:
        """A member's terms as its module alone computes them, and the parameters they are of."""
        return self.objective(batch, [rng]), self.parameters

    def release(self) -> None:
        """Give every module memory of its own again."""


def begin(module: nn.Module, epoch: int, x: Tensor) -> None:
    """Tell a module that wants to hear of it which epoch begins, and some rows to train on."""
    told = cast("Callable[[int, Tensor], None] | None", getattr(module, "begin_epoch", None))
    if told is not None:
        told(epoch, x)


def holders(module: nn.Module) -> list[object]:
    """What may hold settings: a module's parts, and the terms of its penalties."""
    terms = getattr(module, "penalties", {})
    return [*module.modules(), *(terms.values() if isinstance(terms, dict) else ())]
