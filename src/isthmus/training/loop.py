"""The one training loop: gather a batch, forward, backward, clip, step; losses are read once an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Generator, Tensor

from isthmus.errors import DivergenceError
from isthmus.threads import threads_for
from isthmus.training.ledger import Ledger
from isthmus.training.rows import Rows
from isthmus.training.state import Settings, State

Observer = Callable[[State], None]


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
    rng = torch.Generator(device=rows.x.device)
    with own_randomness(rows.x.device), threads_for(_work(state, rows, settings)):
        while state.epoch < settings.max_epochs and not state.stopped:
            began = time.perf_counter()
            rate = settings.rate(state.epoch)
            for group in state.optimiser.param_groups:
                group["lr"] = rate
            reseed(rng, settings.seed, state.epoch)
            try:
                losses = _epoch(state, rows, settings, rng)
                held = {} if held_out is None else _held_out(state, held_out, settings, rng)
            except DivergenceError:
                state.good.restore()
                raise
            state.keep()
            norm = losses.pop("gradient")
            row = {"epoch": state.epoch + 1, "loss": sum(losses.values())} | losses | held
            state.watch(row.get("validation_loss", row["loss"]))
            row |= {"learning_rate": rate, "gradient_norm": norm, "seconds": time.perf_counter() - began}
            state.history.append(row)
            spent = state.patience_spent(settings)
            state.epoch += 1
            if spent:
                state.stopped = "patience"
            elif state.epoch == settings.max_epochs:
                state.stopped = "max_epochs"
            for observer in observers:
                observer(state)
    if held_out is not None and state.best_epoch >= 0:
        state.best_weights.restore()
    state.module.eval()
    return state


def _work(state: State, rows: Rows, settings: Settings) -> int:
    """Multiply-adds of a step, about."""
    return min(settings.batch_size, len(rows)) * sum(p.numel() for p in state.module.parameters())


def _epoch(state: State, rows: Rows, settings: Settings, rng: Generator) -> dict[str, float]:
    ledger, module, objective = Ledger(), state.module.train(), _objective(state)
    parameters = [p for group in state.optimiser.param_groups for p in group["params"]]
    order = rows.order(settings.batch_size, rng)
    for index in order:
        batch = rows if len(index) == len(rows) else rows.take(index)
        terms = objective(module(batch.x, batch.context, rng, batch.weight))
        state.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, settings.clip_norm, norm)
        state.optimiser.step()
        ledger.write(terms, norm)
    return ledger.read(state.epoch, [len(index) for index in order])


def _objective(state: State) -> Callable[[object], dict[str, Tensor]]:
    """What is trained names its own loss: a mapping of terms, for a pass of its own."""
    return cast("Callable[[object], dict[str, Tensor]]", state.module.objective)


@torch.no_grad()
def _held_out(state: State, rows: Rows, settings: Settings, rng: Generator) -> dict[str, float]:
    """The objective on held-out rows, with the same noise every epoch, in batches as large as training's or 1,024."""
    module, objective = state.module.eval(), _objective(state)
    reseed(rng, settings.seed, -1)
    ledger = Ledger()
    batches = torch.arange(len(rows), device=rows.x.device).split(max(settings.batch_size, 1024))
    for index in batches:
        part = rows.take(index)
        terms = objective(module(part.x, part.context, rng, part.weight))
        ledger.write(terms, torch.zeros_like(next(iter(terms.values()))))
    means = ledger.read(state.epoch, [len(index) for index in batches])
    return {"validation_loss": sum(means.values())}


def reseed(rng: Generator, seed: int, epoch: int) -> None:
    """Randomness as a function of seed and epoch, so that a resumed run draws what an unbroken one would have."""
    mixed = (seed * 0x9E3779B97F4A7C15 + (epoch + 2) * 0xBF58476D1CE4E5B9) % 2**63
    rng.manual_seed(mixed)
    # A user's own layers (dropout) draw from the device's global generator, which is put back.
    torch.default_generator.manual_seed(mixed)
    if rng.device.type == "cuda":
        with torch.cuda.device(rng.device):
            torch.cuda.manual_seed(mixed)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Put the global generators back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
