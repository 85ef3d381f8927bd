"""Steps on a GPU: gather, losses, gradients, clipping and optimiser as one CUDA graph, replayed without the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Generator, Tensor

from isthmus.training.ledger import Ledger
from isthmus.training.optimiser import Optimiser
from isthmus.training.pools import Pool
from isthmus.training.rows import Rows
from isthmus.training.steps import Replay, Steps

Capture = Callable[[Callable[[], None], Sequence[Generator]], Callable[[], None]]
WARM_UP = 3  # runs before a capture, so that libraries have made what they make once


def cuda_graph(step: Callable[[], None], rngs: Sequence[Generator]) -> Callable[[], None]:
    """Capture a function that touches the same memory every time; the result replays it."""
    graph = torch.cuda.CUDAGraph()
    for rng in rngs:
        graph.register_generator_state(rng)
    with torch.cuda.graph(graph):
        step()
    return graph.replay


@dataclass
class Captured:
    """A replayable step: `batches` (steps, …) holds the row numbers, `turn` which of them is next."""

    run: Callable[[], None]
    batches: Tensor
    turn: Tensor
    version: int  # of the optimiser's calls that it contains


class Graphed(Steps):
    """Steps whose batches, losses and learning rates lie on the device, so that an epoch is a row of replays."""

    def __init__(
        self, pool: Pool, optimiser: Optimiser, rngs: Sequence[Generator], engine: str, capture: Capture = cuda_graph
    ) -> None:
        super().__init__(pool, optimiser, rngs, engine)
        self._capture = capture
        self._captured: dict[int, Captured] = {}

    def train_all(self, rows: Rows, batches: Sequence[Tensor], ledger: Ledger, times: Mapping[int, int]) -> None:
        with torch.no_grad():
            self._train_all(rows, batches, ledger, times)

    def _train_all(self, rows: Rows, batches: Sequence[Tensor], ledger: Ledger, times: Mapping[int, int]) -> None:
        done = 0
        for size, group in groupby(batches, lambda index: int(index.shape[-1])):
            run = list(group)
            replay = self.replay(rows, run[0], times[size], training=True)
            if replay is None:
                for k, index in enumerate(run):
                    ledger.write(done + k, self.train(rows, index, times[size]))
            else:
                self._replay_all(run, replay, ledger, done)
            done += len(run)

    def _replay_all(self, run: Sequence[Tensor], replay: Replay, ledger: Ledger, done: int) -> None:
        size = int(run[0].shape[-1])
        batches = torch.stack([index.reshape(-1) for index in run])
        captured = self._captured.get(size)
        if captured is None or captured.version != self.optimiser.version:
            captured = self._captured[size] = self._recaptured(batches, replay, ledger.table(replay.row), done)
        captured.batches.copy_(batches)
        captured.turn.zero_()
        for _ in run:
            captured.run()

    def _recaptured(self, batches: Tensor, replay: Replay, table: Tensor, done: int) -> Captured:
        own, turn = batches.clone(), torch.zeros(1, dtype=torch.long, device=batches.device)
        index = own.new_empty((1, own.shape[1]))

        def step() -> None:
            torch.index_select(own, 0, turn, out=index)
            replay.run(index)
            self._move(replay, replay.row)
            table.index_copy_(0, turn + done, replay.row.unsqueeze(0))
            turn.add_(1)

        self._warm_up(step, turn)
        captured = Captured(self._capture(step, self.rngs), own, turn, self.optimiser.version)
        self.how = self.how.replace("recorded,", "one CUDA graph of")
        return captured

    def _warm_up(self, step: Callable[[], None], turn: Tensor) -> None:
        """Run a step some times over, and put back all that it changed."""
        pool = self.pool
        changed = [t.detach() for t in (*pool.parameters, *pool.first, *pool.second, pool.step)]
        kept = [t.clone() for t in changed]
        with self._untouched(Rows(turn)):
            for _ in range(WARM_UP):
                turn.zero_()
                step()
        for tensor, was in zip(changed, kept, strict=True):
            tensor.copy_(was)
