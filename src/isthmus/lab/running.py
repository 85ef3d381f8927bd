"""The frame that runs an experiment: settings in, a verdict, figures and a JSON file out."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus._constraints import Each, OneOf, check, check_names
from isthmus._files import atomic
from isthmus.errors import IsthmusError, SettingError
from isthmus.lab.captions import caption, described
from isthmus.lab.drawing import STYLE, deny
from isthmus.lab.experiment import Experiment, Measured, missed
from isthmus.plain import plain
from isthmus.runs.examining import can_draw
from isthmus.runs.folder import make_folder, write_json

SIZE = (7.0, 4.0)  # inches
MOST = 3  # missed bounds that are named above a picture


@dataclass(frozen=True)
class Protocol:
    """How to run: quick or full, how many seeds (None: the experiment's own), and settings that differ."""

    full: bool = False
    seeds: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise SettingError(f"seeds must be a whole number >= 1; got {self.seeds}", "in the lab")


def run(experiment: Experiment, protocol: Protocol, out: Path) -> dict[str, Any]:
    """Measure an experiment; write its figures and NAME.json into `out`.

    Returns
    -------
    dict
        What `isthmus lab run --json` prints; `holds` is computed here, from `measured` and `expected` alone.

    Raises
    ------
    SettingError
        Where a setting does not exist, is of another type than its default, or is one it cannot be run with.
    """
    settings = _settings(experiment, protocol)
    seeds = experiment.seeds if protocol.seeds is None else protocol.seeds
    expected = experiment.bounds(protocol.full)
    make_folder(out)
    began = time.perf_counter()
    with _blamed(experiment, protocol):
        measured = experiment.measure(settings, range(seeds))
        seconds = time.perf_counter() - began
        numbers = {key: float(value) for key, value in measured.numbers.items()}
        failed = missed(numbers, expected)
        pictures = _draw(stem(experiment.name, protocol.full), measured, failed, out)
    result = introduced(experiment, protocol) | {
        "seeds": seeds,
        "settings": plain(settings),
        "measured": plain(numbers),
        "samples": plain(measured.samples),
        "series": plain(measured.series),
        "expected": {key: list(bound) for key, bound in expected.items()},
        "missed": failed,
        "holds": not failed,
        "seconds": seconds,
        "figures": [picture["path"] for picture in pictures],
        "pictures": pictures,
    }
    write_json(out / f"{stem(experiment.name, protocol.full)}.json", result)
    return result


def stem(name: str, full: bool) -> str:
    """What the files of a run are called: the full protocol's hours are not lost to a quick one."""
    return f"{name}-full" if full else name


@contextmanager
def _blamed(experiment: Experiment, protocol: Protocol) -> Iterator[None]:
    """A fault under settings or seeds that the experiment was not made for is theirs."""
    try:
        yield
    except IsthmusError:
        raise
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as fault:
        if not protocol.settings and protocol.seeds is None:
            raise
        was = {**experiment.settings, **(experiment.full if protocol.full else {}), "seeds": experiment.seeds}
        names = [*protocol.settings, *([] if protocol.seeds is None else ["seeds"])]
        like = ", ".join(f"{name}={_written(was[name])}" for name in names)
        words = " ".join(f"{type(fault).__name__}: {fault}".split())
        raise SettingError(f"{experiment.name} cannot be run so ({words})", "in the lab", f"near {like}") from fault


def introduced(experiment: Experiment, protocol: Protocol) -> dict[str, Any]:
    """What can be said of an experiment before it is run."""
    return {
        "name": experiment.name,
        "part": experiment.part,
        "claim": experiment.claim,
        "lecture": experiment.lecture,
        "reference": experiment.reference,
        "protocol": "full" if protocol.full else "quick",
        "command": command(experiment, protocol),
        "code": f"src/{experiment.measure.__module__.replace('.', '/')}.py",
    }


def command(experiment: Experiment, protocol: Protocol) -> str:
    """What to type to run it so again."""
    words = ["isthmus", "lab", "run", experiment.name]
    words += ["--full"] if protocol.full else []
    words += [] if protocol.seeds is None else ["--seeds", str(protocol.seeds)]
    for name, value in protocol.settings.items():
        words += ["--set", f"{name}={_written(value)}"]
    return shlex.join(words)


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    return value if isinstance(value, str) else json.dumps(value)


def _settings(experiment: Experiment, protocol: Protocol) -> dict[str, Any]:
    known = dict(experiment.settings) | (dict(experiment.full) if protocol.full else {})
    check_names(f"the experiment {experiment.name!r}", protocol.settings, known)
    settings = known | {name: _like(known[name], value, name) for name, value in protocol.settings.items()}
    named = {name: OneOf(tuple(values)) for name, values in experiment.choices.items()}
    check(experiment.name, settings, {name: Each(one) if _many(known[name]) else one for name, one in named.items()})
    return settings


def _many(default: Any) -> bool:
    return isinstance(default, tuple)


def _like(default: Any, value: Any, name: str) -> Any:
    """A value of the default's type; a whole number is a number too, and one value makes a sequence."""
    if isinstance(default, tuple):
        values = value if isinstance(value, tuple) else (value,)
        return tuple(_like(default[0], one, name) for one in values)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise SettingError(f"{name} must be like {default!r}; got {value!r}", "in --set")
    return value


def _draw(stem: str, measured: Measured, failed: Sequence[str], out: Path) -> list[dict[str, str]]:
    """One PNG a figure, and the picture in words; none where the packages that draw are not installed."""
    if not can_draw():
        return []
    import matplotlib as mpl
    from matplotlib.figure import Figure

    pictures = []
    with mpl.rc_context(STYLE):
        for name, draw in measured.figures.items():
            figure = Figure(figsize=SIZE, layout="constrained")
            draw(figure)
            words = caption(figure)
            if failed:  # for titles state the claim
                denied = _denied(failed)
                deny(figure, denied)
                words = f"{words} ({denied})"
            path = out / f"{stem}-{name}.png"
            with atomic(path) as beside:
                figure.savefig(beside, dpi=120)
            pictures.append({"path": str(path), "caption": words, "alt": described(figure)})
    return pictures


def _denied(failed: Sequence[str]) -> str:
    more = f" and {len(failed) - MOST} more" if len(failed) > MOST else ""
    return f"the claim fails in this run, which missed {', '.join(failed[:MOST])}{more}"
