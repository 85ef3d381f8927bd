"""The state of a training run: optimiser, epoch, history, and the weights worth keeping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

PROGRESS = 1e-6  # a relative fall of the loss below this is no reason to wait longer


@dataclass(frozen=True)
class Settings:
    """How to train. `batch_size` in rows; `patience` in epochs; `seed` decides order, noise and dropout.

    `engine`: "auto" records the step where it is taken often enough, "recorded" always, "eager" never.
    `half`: matrix products in bfloat16, on weights kept in float32. `began`: epochs that another call has trained.
    `company`: rows of one context that are put into a batch together, where the context has as many.
    `momentum`: of SGD; None: AdamW.
    """

    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    schedule: str = "cosine"
    clip_norm: float | None = None
    early_stopping: bool = True
    patience: int = 20
    seed: int = 0
    engine: str = "auto"
    half: bool = False
    began: int = 0
    company: int = 1
    momentum: float | None = None

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch: constant, or half a cosine from full to a hundredth."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * epoch / self.max_epochs)) / 2)


class Snapshot:
    """A copy of a module's parameters and buffers in memory made once.

    The module is asked for its tensors each time: views of them would not survive a pickle or a deep copy.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._kept = [t.clone() for t in self._live()]

    def _live(self) -> list[Tensor]:
        return [t.detach() for t in self._module.state_dict(keep_vars=True).values()]

    def take(self) -> None:
        torch._foreach_copy_(self._kept, self._live())

    def restore(self) -> None:
        torch._foreach_copy_(self._live(), self._kept)

    def tensors(self) -> list[Tensor]:
        return self._kept

    def own(self) -> None:
        """Give what was stacked memory of its own again."""
        self._kept = [t.clone() for t in self._kept]

    @staticmethod
    def stacked(snapshots: Sequence[Snapshot]) -> list[Tensor]:
        """What is kept of modules of one structure as one tensor for all, (P, …), which each keeps as a view."""
        stacks = [torch.stack(parts) for parts in zip(*(one.tensors() for one in snapshots), strict=True)]
        for i, one in enumerate(snapshots):
            one._kept = [stack[i] for stack in stacks]
        return stacks


def _close_gaps(module: nn.Module) -> None:
    """Give parameters that are part of something larger memory of their own: kernels of optimisers walk over it."""
    for p in module.parameters():
        if torch.empty_like(p).stride() != p.stride():
            p.data = p.data.contiguous()


@dataclass
class Moments:
    """What an optimiser remembers: steps done, and two running means for each parameter; SGD uses the first alone."""

    step: Tensor
    first: list[Tensor]
    second: list[Tensor]

    @classmethod
    def of(cls, module: nn.Module) -> Moments:
        parameters = [p for p in module.parameters() if p.requires_grad]
        first, second = ([torch.zeros_like(p, requires_grad=False) for p in parameters] for _ in range(2))
        return cls(torch.zeros((), device=parameters[0].device), first, second)


@dataclass
class State:
    """What continuing needs: `epoch` is the next one; `best` the lowest watched loss, reached at `best_epoch`.

    `good` are weights that gave a finite loss and gradient; `latest` are newer ones, not tried yet.
    """

    module: nn.Module
    moments: Moments
    good: Snapshot
    latest: Snapshot
    best_weights: Snapshot
    planned: int  # epochs at most
    epoch: int = 0
    best: float = math.inf
    best_epoch: int = -1
    progress: tuple[float, int] = (math.inf, -1)  # the last loss lower by more than rounding, and its epoch
    stopped: str = ""
    engine: str = ""  # how its steps were run
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(cls, module: nn.Module, settings: Settings) -> State:
        """Fresh state for a module."""
        _close_gaps(module)
        good, latest, best = (Snapshot(module) for _ in range(3))
        return cls(module, Moments.of(module), good, latest, best, settings.max_epochs)

    def rewind(self) -> None:
        """As the last epoch's end left it; before the first, as fresh as `begin` did."""
        if self.epoch:
            self.latest.restore()
            return
        self.good.restore()
        for moment in (self.moments.step, *self.moments.first, *self.moments.second):
            moment.zero_()

    def keep(self) -> None:
        """After a finite epoch: the weights it began with are good, those it ended with are yet to be tried."""
        self.good, self.latest = self.latest, self.good
        self.latest.take()

    def watch(self, loss: float) -> bool:
        """Note an epoch's watched loss; whether it is the best so far."""
        best = loss < self.best
        if best:
            self.best, self.best_epoch = loss, self.epoch
        if loss < self.progress[0] - PROGRESS * abs(loss):
            self.progress = (loss, self.epoch)
        return best

    def patience_spent(self, settings: Settings) -> bool:
        """Whether so many epochs went by without progress, those left out in which the loss itself still changes."""
        if not settings.early_stopping or self.epoch - self.progress[1] < settings.patience:
            return False
        return self.epoch - (getattr(self.module, "settles", 0) - 1) >= settings.patience
