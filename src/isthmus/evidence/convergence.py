"""Had training come to rest? Read from the history alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

LEAST_EPOCHS = 5


def convergence(history: Sequence[Mapping[str, float]], stopped: str | None) -> dict[str, object]:
    """Parts of the whole fall of the watched loss: what fell in the last quarter, what was lost again, what jumps.

    `falling` is what the best loss fell by in the last quarter of the training, in steps weighted by the learning rate,
    so that a rate that fades out does not pass for a net that came to rest; `regret` how far the end lies above the
    best where the end's weights were kept (no rows held out); `jump` the greatest rise from one epoch to the next
    after the first quarter. A loss that never fell at all, or had no time to, has `falling` 1.
    """
    watched = "validation_loss" if history and "validation_loss" in history[-1] else "loss"
    losses = np.array([epoch[watched] for epoch in history if watched in epoch])
    epochs = len(losses)
    found: dict[str, object] = {"epochs": epochs, "stopped": stopped, "falling": None, "regret": None, "jump": None}
    if epochs == 0:
        return found
    fall = float(losses[0] - losses.min())
    if epochs < LEAST_EPOCHS or fall <= 0:
        return found | {"falling": 1.0}
    travelled = np.cumsum([float(epoch.get("learning_rate", 1.0)) for epoch in history])
    early = np.flatnonzero(travelled <= 0.75 * travelled[-1])
    before = float(losses[: early[-1] + 1].min()) if len(early) else float(losses[0])
    rises = np.diff(losses)[epochs // 4 :]
    return found | {
        "falling": 0.0 if stopped == "patience" else max(0.0, before - float(losses.min())) / fall,
        "regret": float(losses[-1] - losses.min()) / fall if watched == "loss" else 0.0,
        "jump": max(0.0, float(rises.max())) / fall,
    }
