"""Measurements in turn: every round asks each contender of a case once, in an order that rotates."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from speed.cases import Case
from speed.clock import UnableError
from speed.contenders import CONTENDERS
from speed.crew import Crew, environment


class Measured(TypedDict):
    """What one case gave.

    `seconds` are of an epoch (a call, a start), one number a round, None where a contender sat out; `calls` the seconds
    of whole measurements, set-up and first epoch included; `how` is what a contender says of its engine.
    """

    group: str
    widths: list[int]
    activation: str
    batch: int
    rows: int
    members: int
    dtype: str
    seconds: dict[str, list[float | None]]
    epochs: dict[str, int]
    calls: dict[str, list[float]]
    how: dict[str, str]
    absent: dict[str, str]


Say = Callable[[str], None]
SLOW = 1.0  # seconds an epoch, from which a contender takes part in every third round only


def blank(case: Case) -> Measured:
    return Measured(
        group=case.group,
        widths=list(case.widths),
        activation=case.activation,
        batch=case.batch,
        rows=case.rows,
        members=case.members,
        dtype=case.dtype,
        seconds={},
        epochs={},
        calls={},
        how={},
        absent={},
    )


def measure(crew: Crew, case: Case, rounds: int, seconds: float, say: Say) -> Measured:
    """One case: make each contender ready, then `rounds` rounds of about `seconds` each."""
    result = blank(case)
    entrants: list[str] = []
    slow: set[str] = set()
    for entrant in case.entrants:
        try:
            answer = crew.ask(entrant, "prepare", case=case.name, entrant=entrant, seconds=seconds)
            result["epochs"][entrant], result["seconds"][entrant] = answer["epochs"], []
            result["calls"][entrant] = []
            entrants.append(entrant)
            if answer["seconds"] > SLOW:
                slow.add(entrant)
        except UnableError as reason:
            result["absent"][entrant] = str(reason)
            say(f"    without {CONTENDERS[entrant].label}: {reason}")
    for i in range(rounds):
        for entrant in rotated(entrants, i):
            if entrant in slow and i % 3:
                result["seconds"].get(entrant, []).append(None)
            else:
                _once(crew, case, entrant, result, say)
    crew.forget()
    return result


def _once(crew: Crew, case: Case, entrant: str, result: Measured, say: Say) -> None:
    if entrant not in result["seconds"]:
        return  # it fell out in an earlier round
    time.sleep(0.02)  # the threads of whoever was last spin down
    try:
        answer = crew.ask(entrant, "measure", entrant=entrant)
    except UnableError as reason:
        del result["seconds"][entrant]
        result["absent"][entrant] = str(reason)
        say(f"    {CONTENDERS[entrant].label} fell out: {reason}")
        return
    times = case.members if CONTENDERS[entrant].alone else 1
    result["seconds"][entrant].append(answer["seconds"] * times)
    result["calls"][entrant].append(answer["call"])
    if answer["how"]:
        result["how"][entrant] = answer["how"]


def rotated(entrants: Sequence[str], i: int) -> list[str]:
    """The i-th order: each contender is first in turn, and every second order runs backwards."""
    start = i % max(len(entrants), 1)
    order = [*entrants[start:], *entrants[:start]]
    return order if i % 2 == 0 else order[::-1]


def starts(case: Case, rounds: int, device: str, threads: int) -> Measured:
    """Seconds from a process' start to its end; one start of each beforehand fills the disk's cache."""
    result = blank(case)
    result["seconds"] = {entrant: [] for entrant in case.entrants}
    for i in range(rounds + 1):
        for entrant in rotated(case.entrants, i):
            begin = time.perf_counter()
            subprocess.run(  # noqa: S603  # commands of the table in cases.py
                _command(entrant), check=True, capture_output=True, env=environment(device, threads)
            )
            if i:
                result["seconds"][entrant].append(time.perf_counter() - begin)
    return result


def _command(entrant: str) -> list[str]:
    if not entrant.startswith("isthmus"):
        return [sys.executable, "-c", entrant]
    script = Path(sys.executable).with_name("isthmus")
    return [str(script), "--help"] if script.exists() else [sys.executable, "-m", "isthmus", "--help"]
