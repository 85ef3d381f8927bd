"""One page of experiments in the lecture's order, with what each found and the code that found it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus._files import atomic_write_text
from isthmus.errors import RunError
from isthmus.lab.experiment import Experiment
from isthmus.lab.registry import PARTS, chosen
from isthmus.lab.running import stem
from isthmus.runs.examining import can_draw


def write_gallery(experiments: Sequence[Experiment], told: Sequence[Mapping[str, Any]], out: Path) -> str | None:
    """Write gallery.html into `out`.

    Parameters
    ----------
    experiments : sequence of Experiment
        Those of the page, in its order.
    told : sequence of dict
        For each what `run` returned, or `introduced` with an `error` where it could not be run.
    out : path
        A folder that is there.

    Returns
    -------
    str or None
        Where the page lies; None where the packages that draw are not installed.
    """
    if not can_draw():
        return None
    from isthmus.report import gallery_page

    path = out / "gallery.html"
    shown = [dict(one) | {"source": source(experiment)} for experiment, one in zip(experiments, told, strict=True)]
    atomic_write_text(path, gallery_page(shown, PARTS))
    return str(path)


def gathered(out: Path) -> tuple[list[Experiment], list[dict[str, Any]]]:
    """The experiments of which a folder holds a result, in the lecture's order, and these results.

    Raises
    ------
    RunError
        Where it holds none, or one that is damaged.
    """
    found = [(one, path) for one in chosen(["all"]) if (path := _latest(out, one.name)) is not None]
    if not found:
        raise RunError("no result of an experiment", f"in {out}", "what isthmus lab run wrote", "run one first")
    return [experiment for experiment, _ in found], [read_result(path) for _, path in found]


def _latest(out: Path, name: str) -> Path | None:
    """The result of whichever protocol was run last, if any was."""
    paths = [path for full in (False, True) if (path := out / f"{stem(name, full)}.json").is_file()]
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


def read_result(path: Path) -> dict[str, Any]:
    """What `run` wrote; its pictures lie beside it, wherever the folder was then.

    Raises
    ------
    RunError
        Where it is damaged.
    """
    out = path.parent
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for picture in told["pictures"]:
            picture["path"] = str(out / Path(picture["path"]).name)
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError("not the result of an experiment", f"at {path}", "what isthmus lab run wrote") from fault
    return told


def source(experiment: Experiment) -> str:
    """The file that an experiment is."""
    module = inspect.getmodule(experiment.measure)
    return "" if module is None else inspect.getsource(module)
