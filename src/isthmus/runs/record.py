"""An observer of training that keeps a run's folder up to date, epoch by epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus._files import atomic_write_text
from isthmus.runs.folder import CHECKPOINT, METRICS, PLAN, write_json
from isthmus.training import State, write_checkpoint


class Recorder:
    """Writes a line of metrics and the checkpoint at every epoch's end.

    The plan goes beside the first checkpoint, so that there is something to go on with exactly where both are there.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self.folder, self.plan, self._begun = folder, plan, False

    def __call__(self, state: State) -> None:
        if self._begun:
            with (self.folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(_line(state.history[-1]))
        else:
            self._begin(state)
        write_checkpoint(self.folder / CHECKPOINT, state)

    def _begin(self, state: State) -> None:
        """A resumed run may have lines beyond its checkpoint: they are written anew from the history."""
        (self.folder / CHECKPOINT).parent.mkdir(exist_ok=True)
        write_json(self.folder / PLAN, self.plan)
        write_metrics(self.folder, state.history)
        self._begun = True


def write_metrics(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """A line an epoch, of a whole history at once."""
    atomic_write_text(folder / METRICS, "".join(map(_line, history)))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
