"""The command line. Nothing here imports torch or NumPy before a verb is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from isthmus.cli.app import app
from isthmus.cli.faults import DONE, INTERRUPTED, Interrupted, Outcome

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1, 2, 3 or 130, as the README lists them."""
    # Threads that spin while they wait starve other programs of the machine, and one another. Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if argv is None else argv)
    with Outcome(as_json="--json" in arguments) as outcome:
        outcome.code = _run(arguments)
    return outcome.code


def _run(arguments: list[str]) -> int:
    from typer.main import get_command

    code = get_command(app)(args=arguments, prog_name="isthmus", standalone_mode=False)
    if code == INTERRUPTED:  # typer turns Ctrl-C into this
        raise Interrupted
    return code if isinstance(code, int) else DONE
