"""The frame that runs experiments: settings in, a verdict, figures and a JSON file out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus._constraints import check_names
from isthmus._files import atomic, atomic_write_text
from isthmus.errors import SettingError
from isthmus.lab.drawing import STYLE
from isthmus.lab.experiment import Experiment, Measured, holds
from isthmus.lab.registry import EXPERIMENTS
from isthmus.plain import plain
from isthmus.runs.examining import can_draw
from isthmus.runs.folder import make_folder, write_json

SIZE = (7.0, 4.0)  # inches


@dataclass(frozen=True)
class Protocol:
    """How to run: quick or full, how many seeds (None: the experiment's own), and settings that differ."""

    full: bool = False
    seeds: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def run(experiment: Experiment, protocol: Protocol, out: Path) -> dict[str, Any]:
    """Measure an experiment; write its figures and NAME.json into `out`.

    Returns
    -------
    dict
        What `isthmus lab run --json` prints; `holds` is computed here, from `measured` and `expected` alone.

    Raises
    ------
    SettingError
        Where a setting does not exist or is of another type than its default.
    """
    settings, seeds = _settings(experiment, protocol), _seeds(experiment, protocol)
    expected = experiment.bounds(protocol.full)
    make_folder(out)
    began = time.perf_counter()
    measured = experiment.measure(settings, range(seeds))
    seconds = time.perf_counter() - began
    numbers = {key: float(value) for key, value in measured.numbers.items()}
    result = {
        "name": experiment.name,
        "part": experiment.part,
        "claim": experiment.claim,
        "lecture": experiment.lecture,
        "reference": experiment.reference,
        "protocol": "full" if protocol.full else "quick",
        "seeds": seeds,
        "settings": plain(settings),
        "measured": plain(numbers),
        "series": plain(measured.series),
        "expected": {key: list(bound) for key, bound in expected.items()},
        "holds": holds(numbers, expected),
        "seconds": seconds,
        "figures": _draw(experiment, measured, out),
    }
    write_json(out / f"{experiment.name}.json", result)
    return result


def run_all(protocol: Protocol, out: Path, remark: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Run every experiment in the lecture's order and write one gallery page.

    Raises
    ------
    SettingError
        Where settings are given: each experiment has its own.
    """
    from isthmus.report import gallery_page

    if protocol.settings:
        raise SettingError("--set with all", "in lab run", "the name of one experiment, whose settings they are")
    results = []
    for experiment in EXPERIMENTS:
        results.append(run(experiment, protocol, out))
        remark(f"{experiment.name}: {'holds' if results[-1]['holds'] else 'does not hold'}")
    gallery = None
    if can_draw():
        gallery = str(out / "gallery.html")
        shown = [result | {"command": f"isthmus lab run {result['name']}"} for result in results]
        atomic_write_text(gallery, gallery_page(shown))
    return {"experiments": results, "holds": all(result["holds"] for result in results), "gallery": gallery}


def _settings(experiment: Experiment, protocol: Protocol) -> dict[str, Any]:
    known = dict(experiment.settings) | (dict(experiment.full) if protocol.full else {})
    check_names(f"the experiment {experiment.name!r}", protocol.settings, known)
    return known | {name: _like(known[name], value, name) for name, value in protocol.settings.items()}


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


def _seeds(experiment: Experiment, protocol: Protocol) -> int:
    seeds = experiment.seeds if protocol.seeds is None else protocol.seeds
    if seeds < 1:
        raise SettingError(f"seeds must be a whole number >= 1; got {seeds}", f"in the experiment {experiment.name!r}")
    return seeds


def _draw(experiment: Experiment, measured: Measured, out: Path) -> list[str]:
    """One PNG a figure; none where the packages that draw are not installed."""
    if not can_draw():
        return []
    import matplotlib as mpl
    from matplotlib.figure import Figure

    paths = []
    with mpl.rc_context(STYLE):
        for name, draw in measured.figures.items():
            figure = Figure(figsize=SIZE, layout="constrained")
            draw(figure)
            path = out / f"{experiment.name}-{name}.png"
            with atomic(path) as beside:
                figure.savefig(beside, dpi=120)
            paths.append(str(path))
    return paths
