"""One step: gather a batch, its losses and gradients, the optimiser; as it stands, or recorded and replayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from isthmus.errors import SettingError
from isthmus.recording import Program, Recorded, Unrecordable, compiled, record
from isthmus.training.ledger import Ledger
from isthmus.training.optimiser import Optimiser
from isthmus.training.pools import Pool, Terms, Unstackable
from isthmus.training.rows import Gather, Rows
from isthmus.training.surroundings import Attributes, Randomness

WORTH_RECORDING = 50  # steps of one shape; recording takes about as long as these save
TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}  # of the largest entry; a wrong replay is off by all of it
COARSE = 5e-2  # the same for products in bfloat16


@dataclass
class Replay:
    """A recorded step: `gathers` put rows into the program's memory, which turns them into `row` and gradients."""

    gathers: Sequence[Gather]
    program: Program
    row: Tensor  # the terms and the gradient's length
    made: Sequence[int]  # the parameters that it makes gradients of

    def run(self, index: Tensor) -> None:
        """The terms, and the gradients where it trains, of the rows of that number."""
        flat = index.reshape(-1)
        for gather in self.gathers:
            gather(flat)
        self.program.run()


class Steps:
    """Runs the steps of a pool.

    Attributes
    ----------
    names : list of str
        The terms of the loss, known after the first step.
    how : str
        How steps are run: "recorded, 14 operations", or "eager" and why.
    """

    def __init__(self, pool: Pool, optimiser: Optimiser, rngs: Sequence[Generator], engine: str) -> None:
        self.pool, self.optimiser, self.rngs, self.engine = pool, optimiser, rngs, engine
        self.names: list[str] = []
        self.how = ""
        self._replays: dict[tuple[bool, int], Replay | None] = {}
        self._recorded_of: Attributes | None = None

    def train_all(self, rows: Rows, batches: Sequence[Tensor], ledger: Ledger, times: Mapping[int, int]) -> None:
        """Train on each batch of row numbers in turn, and write what each lost.

        `times` is how many steps of each size the whole training has.
        """
        with torch.no_grad():
            for k, index in enumerate(batches):
                ledger.write(k, self.train(rows, index, times[index.shape[-1]]))

    def train(self, rows: Rows, index: Tensor, times: int) -> Tensor:
        """Train on the rows of that number; the terms and the gradient's length, (T + 1,) or (P, T + 1)."""
        row = self._run(rows, index, times, True)
        self._move(self._replays[True, index.shape[-1]], row)
        return row

    def _move(self, replay: Replay | None, row: Tensor) -> None:
        """Clip and move the parameters along the gradients of the step that gave `row`."""
        if replay is not None and len(replay.made) < len(self.optimiser.used):
            self.optimiser.clear(set(self.optimiser.used).difference(replay.made))
        self.optimiser.step(row[..., -1])

    def look(self, rows: Rows, index: Tensor, times: int) -> Tensor:
        """The terms on these rows without training, and a 0."""
        with torch.no_grad():
            return self._run(rows, index, times, False)

    def _run(self, rows: Rows, index: Tensor, times: int, training: bool) -> Tensor:
        replay = self.replay(rows, index, times, training)
        if replay is None:
            return self._eager(rows.take(index), training)
        replay.run(index)
        return replay.row

    def replay(self, rows: Rows, index: Tensor, times: int, training: bool) -> Replay | None:
        """The recorded step for batches of this size; None where it runs as it stands."""
        key = (training, index.shape[-1])
        if key not in self._replays:
            if training:
                self._compare_with_alone(rows.take(index))
            self._replays[key] = self._prepared(rows, index, times, training)
        return self._replays[key]

    def _eager(self, batch: Rows, training: bool) -> Tensor:
        """The step as it stands: the definition that a recording has to match."""
        answers = self._answers(batch, training)
        terms = [term for term in answers[: len(self.names)] if term is not None]
        gradients = answers[len(self.names) :]
        for own, gradient in zip(self.optimiser.gradients, gradients, strict=False):  # none where it only looks
            own.zero_() if gradient is None else own.copy_(gradient)
        return torch.stack([*terms, torch.zeros_like(terms[0])], dim=-1)

    def _terms(self, batch: Rows) -> Terms:
        terms = self.pool.objective(batch, self.rngs)
        self.names = [*terms]
        return terms

    def _note_used(self, gradients: Sequence[Tensor | None]) -> None:
        found = {i for i, gradient in enumerate(gradients) if gradient is not None}
        self.optimiser.use(sorted(found.union(self.optimiser.used)))

    def _prepared(self, rows: Rows, index: Tensor, times: int, training: bool) -> Replay | None:
        """A replay where recording pays and works; how steps run is a function of shapes, device and settings."""
        if self.engine == "eager" or (self.engine == "auto" and times < WORTH_RECORDING):
            self._say("eager", training)
            return None
        try:
            replay = self._recorded(rows, index, training)
        except Unrecordable as fault:
            if self.engine == "recorded":
                raise SettingError(
                    f"the step cannot be recorded ({fault})",
                    where="in engine='recorded'",
                    hint="use engine='auto', which runs such a step as it stands",
                ) from fault
            self._say(f"eager: {fault}", training)
            return None
        self._say(f"recorded, {len(replay.program)} operations", training)
        return replay

    def _say(self, how: str, training: bool) -> None:
        if training and not self.how:
            self.how = how

    def _recorded(self, rows: Rows, index: Tensor, training: bool) -> Replay:
        """Record the step on a batch, and check that the replay gives what the step itself gives."""
        room = rows.room(index)
        gathers = rows.gathers(room)
        for gather in gathers:
            gather(index.reshape(-1))
        with self._untouched(room, watch=True):
            expected = self._answers(room, training)
        with self._untouched(room):
            tape = record(lambda: self._answers(room, training))
        count, lead = len(self.names), () if self.pool.members is None else (self.pool.members,)
        row = self.pool.parameters[0].detach().new_zeros((*lead, count + 1))
        into = {i: row[..., i] for i in range(count)}
        made = [i for i, answer in enumerate(expected[count:]) if answer is not None]
        into |= {count + i: self.optimiser.gradients[i] for i in made}
        with self._untouched(room):
            program = self._first_run(tape, into)
            if _differ(expected, [into.get(i) for i in range(len(expected))], self.pool.half):
                raise Unrecordable("replayed, it gives other numbers")
        return Replay(gathers, program, row, made)

    @staticmethod
    def _first_run(tape: Recorded, into: Mapping[int, Tensor]) -> Program:
        """A program that has run once: what torch refuses of it, the step itself may not ask for."""
        try:
            program = compiled(tape, into)
            program.run()
        except (RuntimeError, TypeError, ValueError, IndexError, ArithmeticError) as fault:
            raise Unrecordable(str(fault).partition("\n")[0]) from fault
        return program

    def _compare_with_alone(self, batch: Rows) -> None:
        """Refuse a population of which a member is not what it is alone, as where a hook sees no gradient."""
        if self.pool.members is None:
            return
        with self._untouched(batch):
            together = self._answers(batch, training=True)
        for place in {0, self.pool.members // 3, 2 * self.pool.members // 3, self.pool.members - 1}:
            own = [None if t is None else t[place] for t in together]
            if _differ(self._alone(place, batch), own, self.pool.half):
                raise Unstackable("together they give other numbers")

    def _alone(self, place: int, batch: Rows) -> list[Tensor | None]:
        """A member's terms and gradients as its own module computes them."""
        with self._untouched(batch), torch.enable_grad():
            terms, parameters = self.pool.alone(place, batch, self.rngs[place])
            total = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        return [*(t.detach() for t in terms.values()), *gradients]

    def _answers(self, room: Rows, training: bool) -> list[Tensor | None]:
        """The terms, then the gradients of their sum where it trains."""
        with torch.set_grad_enabled(training):
            terms = list(self._terms(room).values())
            total = torch.stack(terms).sum() if training else None
        gradients: Sequence[Tensor | None] = ()
        if total is not None:
            gradients = torch.autograd.grad(total, self.pool.parameters, allow_unused=True)
            self._note_used(gradients)
        return [*(t.detach() for t in terms), *gradients]

    @contextmanager
    def _untouched(self, room: Rows, watch: bool = False) -> Iterator[None]:
        """Leave rows, parameters, random states, buffers and attributes as they were.

        `watch`: refuse a step that changes itself, or draws where no recording can follow.
        """
        randomness, attributes = Randomness(self.rngs, self.pool.device), Attributes(self.pool.holders())
        touched = (*room.tensors, *self.pool.parameters, *self.pool.buffers(), *attributes.tensors())
        kept = [(t.data, t.detach().clone()) for t in touched]
        try:
            yield
            if watch and attributes.changed():
                raise Unrecordable("a part changes itself from step to step")
            if watch and randomness.drawn_elsewhere():
                raise Unrecordable("a part draws from Python's or NumPy's generator")
        finally:
            attributes.restore()
            for tensor, was in kept:
                tensor.copy_(was)
            randomness.restore()

    def refresh(self) -> None:
        """Forget what was recorded of parts that were changed since, as an observer may do between epochs."""
        if self._recorded_of is not None and self._recorded_of.changed():
            self._replays.clear()
            self.optimiser.rebind()
            self._recorded_of = None
        if self._recorded_of is None:
            self._recorded_of = Attributes(self.pool.holders())


def _differ(expected: Sequence[Tensor | None], got: Sequence[Tensor | None], half: bool) -> bool:
    """Whether numbers differ by more than rounding, as they do where a step depends on a hidden state."""
    pairs = [(a, b) for a, b in zip(expected, got, strict=True) if a is not None and b is not None]
    return any(not _close(a, b, COARSE if half else TOLERANCE.get(a.dtype, COARSE)) for a, b in pairs)


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    finite = a[torch.isfinite(a)].abs()
    bound = tolerance * max(float(finite.max()) if finite.numel() else 0.0, 1e-3)
    return torch.allclose(a.double(), b.double(), rtol=0, atol=bound, equal_nan=True)
