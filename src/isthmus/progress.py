"""A progress bar on standard error with the loss and the time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.training.loop import Observer
from isthmus.training.state import State


@contextmanager
def bar(label: str = "training") -> Iterator[Observer]:
    """An observer that draws the bar; rich is imported here so that training without a bar does not pay for it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)  # a bar that is no terminal's would leave blank lines in a log
    with Progress(
        *columns,
        TextColumn("{task.fields[loss]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(label, total=None, loss="")

        def observe(state: State) -> None:
            row = state.history[-1]
            loss = row.get("validation_loss", row["loss"])
            progress.update(task, total=state.planned, completed=state.epoch, loss=f"loss {loss:.4g}")

        yield observe
