"""Checkpoints: a run's state at an epoch's end as one safetensors file, written beside and renamed."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from isthmus._files import atomic
from isthmus.errors import RunError
from isthmus.training.state import State

KEPT = ("epoch", "best", "best_epoch", "progress", "stopped", "engine", "history")


def write_checkpoint(path: Path, state: State) -> None:
    """Save everything that continuing needs; an interrupted write leaves the file before it."""
    names = list(state.module.state_dict())
    tensors = {f"module.{name}": t.detach() for name, t in state.module.state_dict().items()}
    tensors |= {f"best.{name}": t for name, t in zip(names, state.best_weights.tensors(), strict=True)}
    tensors |= _moments(state)
    meta = {name: getattr(state, name) for name in KEPT}
    with atomic(path) as beside:
        # as bytes, so that a full disk is an OSError and not an error of the format
        beside.write_bytes(
            save(
                {k: v.clone(memory_format=torch.contiguous_format) for k, v in tensors.items()},
                metadata={"isthmus": json.dumps(meta)},
            )
        )


def read_checkpoint(path: Path, state: State) -> None:
    """Put a saved state into a fresh one of the same module and settings.

    Raises
    ------
    RunError
        Where the file is damaged, or belongs to another module.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads(file.metadata()["isthmus"])
            saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        kept = {name: meta[name] for name in KEPT}
        _restore(state, saved)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as fault:
        raise RunError(
            f"the checkpoint cannot be used ({str(fault).splitlines()[0]})",
            where=str(path),
            expected="a checkpoint of the same model",
            hint="start again with --overwrite",
        ) from fault
    for name, value in kept.items():
        setattr(state, name, value)


def _moments(state: State) -> dict[str, Tensor]:
    kept = {"optimiser.step": state.moments.step}
    for name in ("first", "second"):
        kept |= {f"optimiser.{name}.{i}": t for i, t in enumerate(getattr(state.moments, name))}
    return kept


def _restore(state: State, saved: dict[str, Tensor]) -> None:
    names = list(state.module.state_dict())
    state.module.load_state_dict({name: saved[f"module.{name}"] for name in names})
    state.good.take()
    state.latest.take()
    with torch.no_grad():
        for name, kept in zip(names, state.best_weights.tensors(), strict=True):
            kept.copy_(saved[f"best.{name}"])
        for name, moment in _moments(state).items():
            moment.copy_(saved[name])
