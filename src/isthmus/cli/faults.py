"""How a command ends: every fault becomes one line on standard error and an exit code, never a traceback."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import traceback
from types import TracebackType
from typing import Any, Self

from isthmus.errors import IsthmusError, nearest

DONE, NO, BAD_INPUT, OWN_FAULT, INTERRUPTED = 0, 1, 2, 3, 130
NO_VARIABLE = " (env var: 'None')"  # click 8.2 names it where an option has none


class Interrupted(Exception):  # noqa: N818  # no error: the user asked for it
    """Ctrl-C, with what can be done next."""


class Outcome:
    """A context manager that swallows what went wrong and holds the exit code, and the error that was told."""

    def __init__(self, as_json: bool) -> None:
        self.as_json, self.code = as_json, DONE
        self.error: IsthmusError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if fault is not None:
            self.code = self._judge(fault)
        return True

    def _judge(self, fault: BaseException) -> int:
        if isinstance(fault, SystemExit):
            return fault.code if isinstance(fault.code, int) else DONE
        if isinstance(fault, KeyboardInterrupt | Interrupted):
            _say("; ".join(["interrupted", *map(str, fault.args)]))
            return INTERRUPTED
        told = _as_bad_input(fault)
        self._tell(told or _own_fault(fault))
        return OWN_FAULT if told is None else BAD_INPUT

    def _tell(self, error: IsthmusError) -> None:
        self.error = error
        _say(str(error))
        if self.as_json:
            sys.stdout.write(json.dumps({"error": error.to_dict()}) + "\n")


def _say(line: str) -> None:
    sys.stderr.write("isthmus: " + " ".join(line.split()) + "\n")


def _as_bad_input(fault: BaseException) -> IsthmusError | None:
    """A fault that is the user's or the machine's, told in the four parts of an error; None where it is ours."""
    if isinstance(fault, IsthmusError):
        return fault
    if hasattr(fault, "format_message"):  # click's faults; where their classes lie depends on typer's version
        return _usage(fault)
    if isinstance(fault, ModuleNotFoundError) and fault.name:
        return _absent(fault.name)
    if isinstance(fault, MemoryError):
        return IsthmusError("not enough memory", hint="use fewer rows, a smaller network or a smaller batch_size")
    if isinstance(fault, OSError):
        place = f"at {fault.filename}" if fault.filename else ""
        what = fault.strerror or str(fault)
        return IsthmusError(
            what, place, "a place that can be read and written", "check the path and the room on the disk"
        )
    return None


def _absent(module: str) -> IsthmusError | None:
    """A package that is not there, be it typer's own need; a module of ours that is not there is our fault."""
    package = module.partition(".")[0]
    if package == "isthmus":
        return None
    return IsthmusError(f"{package} is not installed", "in this Python", hint="pip check tells what needs it")


def _own_fault(fault: BaseException) -> IsthmusError:
    text = "".join(traceback.format_exception(fault))
    with tempfile.NamedTemporaryFile("w", prefix="isthmus-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(text)
    return IsthmusError(
        f"a fault of isthmus itself ({type(fault).__name__})", f"the log lies at {log.name}", hint="please report it"
    )


def _usage(fault: Any) -> IsthmusError:
    """What typer says of a wrong command line, with the nearest name where one was mistyped."""
    context = getattr(fault, "ctx", None)
    place = context.command_path if context is not None else "isthmus"
    see = f"see {place} --help"
    text = fault.format_message().replace(NO_VARIABLE, "").strip()
    verb = re.match(r"No such command '(.*?)'", text)
    if verb and context is not None:
        return IsthmusError(f"no such verb: {verb[1]}", f"in {place}", hint=nearest(verb[1], context.command.commands))
    option = getattr(fault, "option_name", None)
    if option is not None and text.startswith("No such option") and context is not None:
        known = [name for param in context.command.params for name in param.opts if name.startswith("-")]
        return IsthmusError(f"no such option: {option}", f"in {place}", hint=nearest(option, [*known, "--help"]))
    return IsthmusError(text.rstrip("."), f"in {place}", hint=see)
