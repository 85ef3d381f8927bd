"""The one training loop, for one network or many: an epoch of steps, held-out rows, then each member's own record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from isthmus.errors import DivergenceError
from isthmus.threads import threads_for
from isthmus.training.adam import Adam, Pace
from isthmus.training.ledger import Ledger, means
from isthmus.training.pools import Pool
from isthmus.training.rows import Rows, sizes
from isthmus.training.stacked import Stacked
from isthmus.training.state import Settings, State
from isthmus.training.steps import Steps

Observer = Callable[[State], None]
LOOKED = 1024  # held-out rows a batch, at least


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
    run(Pool([state]), [member], Shared(rows, held_out))
    if member.fault is not None:
        raise member.fault
    return state


def train_together(members: Sequence[Member], data: Shared) -> None:
    """Train networks of one structure as one population; each stops by itself, and its fault is its own.

    Raises
    ------
    Unstackable
        Where they cannot be one; nothing is trained then.
    """
    places = list(range(len(members)))
    while places:
        crew = [members[i] for i in places]
        pool = Stacked([member.state for member in crew]) if len(crew) > 1 else Pool([crew[0].state])
        try:
            run(pool, crew, data.of(places))
        finally:
            pool.release()
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

    def pace(self) -> Pace:
        rate = self.settings.rate(self.state.epoch) if self.active else None
        return Pace(rate, self.settings.weight_decay)

    def close(self, losses: Mapping[str, float], held: Mapping[str, float], seconds: float) -> None:
        """Write down an epoch, keep the weights worth keeping, and stop where it is time."""
        state = self.state
        state.keep()
        losses = dict(losses)
        norm = losses.pop("gradient")
        row = {"epoch": state.epoch + 1, "loss": sum(losses.values())} | losses | dict(held)
        state.watch(row.get("validation_loss", row["loss"]))
        rate = self.settings.rate(state.epoch)
        state.history.append(row | {"learning_rate": rate, "gradient_norm": norm, "seconds": seconds})
        spent = state.patience_spent(self.settings)
        state.epoch += 1
        if spent:
            state.stopped = "patience"
        elif state.epoch == self.settings.max_epochs:
            state.stopped = "max_epochs"
        for observer in self.observers:
            observer(state)

    def end(self, held_out: bool) -> None:
        """Leave the best weights watched on held-out rows."""
        if held_out and self.state.best_epoch >= 0 and self.fault is None:
            self.state.best_weights.restore()
        self.state.module.eval()


@dataclass(frozen=True)
class Shared:
    """The rows of a pool; for members with rows of their own, one set after the other, and where each begins."""

    rows: Rows
    held_out: Rows | None
    starts: Sequence[int] | None = None  # of each member's rows within `rows`
    held_starts: Sequence[int] | None = None
    n: int | None = None  # rows of a member, where sets lie one after the other
    n_held: int | None = None

    def of(self, places: Sequence[int]) -> Shared:
        """The same for some of the members only; a single one gets its own rows."""
        starts = None if self.starts is None else [self.starts[i] for i in places]
        held = None if self.held_starts is None else [self.held_starts[i] for i in places]
        if len(places) > 1 or starts is None:
            return Shared(self.rows, self.held_out, starts, held, self.n, self.n_held)
        own = self.rows.part(starts[0], len(self))
        return Shared(own, None if self.held_out is None or held is None else self.held_out.part(held[0], self.held))

    def __len__(self) -> int:
        return len(self.rows) if self.n is None else self.n

    @property
    def held(self) -> int:
        return (len(self.held_out) if self.held_out is not None else 0) if self.n_held is None else self.n_held


def run(pool: Pool, members: Sequence[Member], data: Shared) -> None:
    """Train a pool until every member has stopped or diverged."""
    first = members[0].settings
    rngs = [torch.Generator(device=pool.device) for _ in members]
    adam = Adam(pool, [member.settings.clip_norm for member in members])
    steps = Steps(pool, adam, rngs, first.engine)
    epoch = Epoch(steps, data, first)
    with own_randomness(pool.device), threads_for(_work(pool, len(data), first)):
        while any(member.active for member in members) and not pool.thin(members):
            began = time.perf_counter()
            adam.pace([member.pace() for member in members])
            tables = epoch.train(members)
            held = epoch.look(members)
            seconds = (time.perf_counter() - began) / sum(member.active for member in members)
            for i, member in enumerate(members):
                if member.active:
                    _close(member, steps, tables[i], held[i], seconds)
    for member in members:
        member.state.engine = steps.how or member.state.engine
        if not member.active:
            member.end(data.held_out is not None)


Table = tuple[Tensor, Sequence[int]]


def _close(member: Member, steps: Steps, trained: Table, held: Table | None, seconds: float) -> None:
    epoch = member.state.epoch
    try:
        losses = means(trained[0], steps.names, trained[1], epoch)
        looked = {} if held is None else {"validation_loss": _total(means(held[0], steps.names, held[1], epoch))}
    except DivergenceError as fault:
        member.fault = fault
        member.state.good.restore()
        return
    member.close(losses, looked, seconds)


def _total(losses: Mapping[str, float]) -> float:
    return sum(value for name, value in losses.items() if name != "gradient")


def _work(pool: Pool, n: int, settings: Settings) -> int:
    """Multiply-adds of a step, about."""
    return min(settings.batch_size, n) * sum(p.numel() for p in pool.parameters)


class Epoch:
    """An epoch of a pool: every member's rows in an order of its own, then its held-out rows with the same noise."""

    def __init__(self, steps: Steps, data: Shared, settings: Settings) -> None:
        self.steps, self.data, self.settings = steps, data, settings
        self.sizes = sizes(len(data), settings.batch_size)
        self.looked = _even(data.held, max(settings.batch_size, LOOKED))
        self.ledger, self.held = Ledger(len(self.sizes)), Ledger(len(self.looked))

    def train(self, members: Sequence[Member]) -> list[Table]:
        steps, rows = self.steps, self.data.rows
        steps.pool.mode(training=True)
        reseed(steps.rngs, [(member.settings.seed, member.state.epoch) for member in members])
        for k, index in enumerate(self._order()):
            self.ledger.write(k, steps.train(rows, index, self._times(self.sizes, index)))
        return [(table, self.sizes) for table in self.ledger.read(self.sizes)]

    def look(self, members: Sequence[Member]) -> Sequence[Table | None]:
        steps, rows = self.steps, self.data.held_out
        if rows is None:
            return [None] * len(members)
        steps.pool.mode(training=False)
        reseed(steps.rngs, [(member.settings.seed, -1) for member in members])
        batches = torch.arange(self.data.held, device=rows.x.device).split(self.looked)
        for k, index in enumerate(batches):
            own = _from(index.expand(len(members), -1), self.data.held_starts) if steps.pool.members else index
            self.held.write(k, steps.look(rows, own, self._times(self.looked, index)))
        return [(table, self.looked) for table in self.held.read(self.looked)]

    def _order(self) -> Sequence[Tensor]:
        """Each batch's row numbers, (B,) or (P, B)."""
        own = [self._own_order(rng) for rng in self.steps.rngs]
        if self.steps.pool.members is None:
            return own[0].split(self.sizes)
        return _from(torch.stack(own), self.data.starts).split(self.sizes, dim=1)

    def _own_order(self, rng: Generator) -> Tensor:
        n, device = len(self.data), rng.device
        if len(self.sizes) == 1:
            return torch.arange(n, device=device)
        return torch.randperm(n, generator=rng, device=device)

    def _times(self, among: Sequence[int], index: Tensor) -> int:
        """How many steps of this size the whole training has."""
        return self.settings.max_epochs * sum(size == index.shape[-1] for size in among)


def _even(n: int, most: int) -> list[int]:
    return [min(most, n - start) for start in range(0, n, most)]


def _from(index: Tensor, starts: Sequence[int] | None) -> Tensor:
    """Row numbers (P, B) counted from each member's first row."""
    if starts is None:
        return index.contiguous()
    return index + torch.tensor(starts, device=index.device)[:, None]


def reseed(rngs: Sequence[Generator], moments: Sequence[tuple[int, int]]) -> None:
    """Randomness as a function of seed and epoch, so that a resumed run draws what an unbroken one would have."""
    mixed = [(seed * 0x9E3779B97F4A7C15 + (epoch + 2) * 0xBF58476D1CE4E5B9) % 2**63 for seed, epoch in moments]
    for rng, number in zip(rngs, mixed, strict=True):
        rng.manual_seed(number)
    # A user's own layers (dropout) draw from the device's global generator, which is put back.
    torch.default_generator.manual_seed(mixed[0])
    if rngs[0].device.type == "cuda":
        with torch.cuda.device(rngs[0].device):
            torch.cuda.manual_seed(mixed[0])


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Put the global generators back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
