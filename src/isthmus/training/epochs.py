"""An epoch: each member's rows in an order of its own, then its held-out rows with the same noise every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from isthmus.training.ledger import Ledger, Losses
from isthmus.training.randomness import reseed
from isthmus.training.rows import Rows, sizes
from isthmus.training.state import Settings
from isthmus.training.steps import Steps

if TYPE_CHECKING:
    from isthmus.training.loop import Member

LOOKED = 1024  # held-out rows a batch, at least
HEARD = 10_000  # rows that a module hears of when an epoch begins, at most


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


class Epoch:
    """An epoch of a pool: every member's rows in an order of its own, then its held-out rows with the same noise."""

    def __init__(self, steps: Steps, data: Shared, settings: Settings) -> None:
        self.steps, self.data, self.settings = steps, data, settings
        self.sizes = sizes(len(data), settings.batch_size)
        self.looked = _even(data.held, max(settings.batch_size, LOOKED))
        self.ledger, self.held = Ledger(len(self.sizes)), Ledger(len(self.looked))
        # how many steps of each size the whole training has
        self.times, self.held_times = (
            {size: (settings.max_epochs - settings.began) * times for size, times in Counter(among).items()}
            for among in (self.sizes, self.looked)
        )
        self._heard = [self._some_rows(i) for i in range(len(steps.rngs))]

    def train(self, members: Sequence[Member]) -> Losses:
        steps, rows = self.steps, self.data.rows
        steps.pool.mode(training=True)
        if any(member.observers for member in members):
            steps.refresh()
        if len(self.sizes) > 1 or steps.pool.draws(training=True):
            reseed(steps.rngs, [(member.settings.seed, member.state.epoch) for member in members])
        steps.pool.begin_epoch([member.state.epoch for member in members], self._heard)
        steps.train_all(rows, self._order(), self.ledger, self.times)
        return self.ledger.read(steps.names, self.sizes)

    def _some_rows(self, member: int) -> Tensor:
        """A member's rows, at most so many, evenly spread."""
        start, n = 0 if self.data.starts is None else self.data.starts[member], len(self.data)
        return self.data.rows.x[start : start + n : -(-n // HEARD)]

    def look(self, members: Sequence[Member]) -> Losses | None:
        steps, rows = self.steps, self.data.held_out
        if rows is None:
            return None
        steps.pool.mode(training=False)
        if steps.pool.draws(training=False):
            reseed(steps.rngs, [(member.settings.seed, -1) for member in members])
        batches = torch.arange(self.data.held, device=rows.x.device).split(self.looked)
        for k, index in enumerate(batches):
            own = _from(index.expand(len(members), -1), self.data.held_starts) if steps.pool.members else index
            self.held.write(k, steps.look(rows, own, self.held_times[len(index)]))
        return self.held.read(steps.names, self.looked)

    def _order(self) -> Sequence[Tensor]:
        """Each batch's row numbers, (B,) or (P, B)."""
        if len(self.sizes) == 1:
            own = torch.arange(len(self.data), device=self.data.rows.x.device).expand(len(self.steps.rngs), -1)
        else:
            own = torch.stack([self._own_order(rng, i) for i, rng in enumerate(self.steps.rngs)])
        if self.steps.pool.members is None:
            return own[0].split(self.sizes)
        return _from(own, self.data.starts).split(self.sizes, dim=1)

    def _own_order(self, rng: Generator, member: int) -> Tensor:
        n, context = len(self.data), self.data.rows.context
        if context is not None and self.settings.company > 1:
            start = 0 if self.data.starts is None else self.data.starts[member]
            return in_company(context[start : start + n], self.settings.company, rng)
        return torch.randperm(n, generator=rng, device=rng.device)


def _even(n: int, most: int) -> list[int]:
    return [min(most, n - start) for start in range(0, n, most)]


def _from(index: Tensor, starts: Sequence[int] | None) -> Tensor:
    """Row numbers (P, B) counted from each member's first row."""
    if starts is None:
        return index.contiguous()
    return index + torch.tensor(starts, device=index.device)[:, None]


def in_company(context: Tensor, company: int, rng: Generator) -> Tensor:
    """A random order of rows, (N,), in which so many of a context follow one another, and the rest of it alone."""
    order = torch.randperm(len(context), generator=rng, device=rng.device)
    order = order[torch.sort(context[order], stable=True).indices]
    place = torch.arange(len(order), device=rng.device)
    fresh = torch.ones_like(place, dtype=torch.bool)
    fresh[1:] = context[order][1:] != context[order][:-1]
    within = place - torch.cummax(torch.where(fresh, place, 0), dim=0).values  # from the context's first row
    piece = (within % company == 0).cumsum(0) - 1
    key = torch.rand(len(order), generator=rng, device=rng.device, dtype=torch.float64)[piece]
    return order[torch.sort(key, stable=True).indices]
