"""The one training loop, for one network or many: an epoch of steps, held-out rows, then each member's own record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from isthmus.errors import DivergenceError
from isthmus.threads import threads_for
from isthmus.training.epochs import Epoch, Shared
from isthmus.training.graphs import Graphed
from isthmus.training.ledger import Losses
from isthmus.training.optimiser import SGD, AdamW, Optimiser, Pace
from isthmus.training.pools import Pool, Unstackable
from isthmus.training.randomness import own_randomness
from isthmus.training.rows import Rows
from isthmus.training.stacked import Stacked
from isthmus.training.state import Settings, State
from isthmus.training.steps import Steps

Row = dict[str, float]  # of a history
Observer = Callable[[State], None]
Audience = Callable[[Sequence[State]], None]


def train(
    state: State, rows: Rows, settings: Settings, held_out: Rows | None = None, observers: Sequence[Observer] = ()
) -> State:
    """Train until the epochs are spent or patience is; leave the best weights where rows were held out.

    Parameters
    ----------
    state : State
        Fresh from `State.begin`, or read from a checkpoint: training goes on from `state.epoch`.
    rows, held_out : Rows
        Training rows, and rows the loss is watched on. Without the latter the training loss is watched.
    observers : sequence of callables
        Each is called with the state at every epoch's end.

    Raises
    ------
    DivergenceError
        Where a loss or a gradient is not finite; the module then has the last weights known to give finite ones.
    """
    member = Member(state, settings, observers)
    run(Pool([state], settings.half), [member], Shared(rows, held_out))
    if member.fault is not None:
        raise member.fault
    return state


def train_together(members: Sequence[Member], data: Shared, audiences: Sequence[Audience] = ()) -> None:
    """Train networks of one structure as one population; each stops by itself, and its fault is its own.

    Each audience is called with the states of the members that ended an epoch, and leaves them as they are.

    Raises
    ------
    Unstackable
        Where they cannot be one; nothing is trained then.
    """
    places = list(range(len(members)))
    while places:
        crew = [members[i] for i in places]
        fresh = False  # what cannot be stacked must be as it was
        pool = (Stacked if len(crew) > 1 else Pool)([member.state for member in crew], crew[0].settings.half)
        try:
            run(pool, crew, data.of(places), audiences)
        except Unstackable:
            fresh = True
            raise
        finally:
            pool.release()
            if fresh:
                for member in crew:
                    member.state.rewind()
        places = [i for i in places if members[i].active]


@dataclass
class Member:
    """One network in training: its state, its settings, and the fault that ended it."""

    state: State
    settings: Settings
    observers: Sequence[Observer] = ()
    fault: DivergenceError | None = None

    @property
    def active(self) -> bool:
        return not self.state.stopped and self.fault is None and self.state.epoch < self.settings.max_epochs

    def pace(self, active: bool) -> Pace:
        return Pace(self.settings.rate(self.state.epoch) if active else None, self.settings.weight_decay)

    def losses(self, trained: Losses, held: Losses | None, place: int, rate: float) -> Row | None:
        """What the epoch lost, at that rate; where one diverged, nothing: it gets its last good weights and a fault."""
        epoch = self.state.epoch
        try:
            losses, norm = trained.of(place, epoch)
            looked = {} if held is None else {"validation_loss": sum(held.of(place, epoch)[0].values())}
        except DivergenceError as fault:
            self.fault = fault
            self.state.good.restore()
            return None
        row = {"epoch": epoch + 1, "loss": sum(losses.values()), **losses, **looked}
        row["learning_rate"], row["gradient_norm"] = rate, norm
        return row

    def close(self, row: Row, seconds: float) -> bool:
        """Write down an epoch, and stop where it is time; whether it is the best so far."""
        state = self.state
        row["seconds"] = seconds
        state.history.append(row)
        best = state.watch(row["validation_loss"] if "validation_loss" in row else row["loss"])
        spent = state.patience_spent(self.settings)
        state.epoch += 1
        if spent:
            state.stopped = "patience"
        elif state.epoch == self.settings.max_epochs:
            state.stopped = "max_epochs"
        return best

    def end(self, held_out: bool) -> None:
        """Leave the best weights watched on held-out rows."""
        if held_out and self.state.best_epoch >= 0 and self.fault is None:
            self.state.best_weights.restore()
        self.state.module.eval()


def run(pool: Pool, members: Sequence[Member], data: Shared, audiences: Sequence[Audience] = ()) -> None:
    """Train a pool until every member has stopped or diverged."""
    first = members[0].settings
    rngs = [torch.Generator(device=pool.device) for _ in members]
    optimiser = _optimiser(pool, members)
    steps = (Graphed if pool.device.type == "cuda" else Steps)(pool, optimiser, rngs, first.engine)
    epoch = Epoch(steps, data, first)
    with own_randomness(pool.device), threads_for(_work(pool, len(data), first)):
        while any(active := [member.active for member in members]) and not pool.thin(sum(active)):
            began = time.perf_counter()
            paces = [member.pace(still) for member, still in zip(members, active, strict=True)]
            optimiser.pace(paces)
            trained, held = epoch.train(members), epoch.look(members)
            seconds = (time.perf_counter() - began) / sum(active)
            found = [
                None if pace.rate is None else member.losses(trained, held, i, pace.rate)
                for i, (member, pace) in enumerate(zip(members, paces, strict=True))
            ]
            for member, still in zip(members, active, strict=True):
                if still:
                    member.state.engine = steps.how
            sound = _close(pool, members, {i: row for i, row in enumerate(found) if row is not None}, seconds)
            for audience in audiences:
                audience([member.state for member in sound])
    for member in members:
        if not member.active:
            member.end(data.held_out is not None)


def _optimiser(pool: Pool, members: Sequence[Member]) -> Optimiser:
    clips, momentum = [member.settings.clip_norm for member in members], members[0].settings.momentum
    return AdamW(pool, clips) if momentum is None else SGD(pool, clips, momentum)


def _close(pool: Pool, members: Sequence[Member], rows: Mapping[int, Row], seconds: float) -> list[Member]:
    """Write down an epoch and keep the weights worth keeping, all at once; the members that it was finite for."""
    pool.keep([*rows])
    pool.keep_best([i for i, row in rows.items() if members[i].close(row, seconds)])
    sound = [members[i] for i in rows]
    for member in sound:
        for observer in member.observers:
            observer(member.state)
    return sound


def _work(pool: Pool, n: int, settings: Settings) -> int:
    """Multiply-adds of a step, about."""
    return min(settings.batch_size, n) * sum(p.numel() for p in pool.parameters)
