"""A sweep of a kind into a folder: the table, a report, and the best member as a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isthmus._constraints import check, count
from isthmus._files import atomic_write_text
from isthmus.data import Dataset, load_data
from isthmus.errors import SettingError
from isthmus.estimators import Autoencoder
from isthmus.runs.examining import can_draw, write_evidence
from isthmus.runs.folder import REPORT, write_json
from isthmus.runs.record import write_metrics
from isthmus.runs.results import check_free, whole
from isthmus.runs.settings import build, find_kind, refuse_decided
from isthmus.runs.source import SWEEP, Load, describe, left_out
from isthmus.runs.training import write_run
from isthmus.sweeping import Point, Sweep, combinations, told, train_points
from isthmus.trials import Split, split

RESULT, BEST = "sweep.json", "best"
OWN = (RESULT, REPORT, BEST)


@dataclass(frozen=True)
class Plan:
    """What to sweep: lists of values to try of the kind's own arguments and the estimator's, by dotted name."""

    data: str
    kind: str
    grid: Mapping[str, Sequence[Any]]
    code_size: int | None = None
    seeds: int = 16

    def points(self, input_shape: tuple[int, ...] | None = None) -> list[Point]:
        """Every combination as an estimator, every setting checked."""
        return [
            Point(settings, build(self.kind, self.code_size, settings, input_shape=input_shape))
            for settings in combinations(self.grid)
        ]

    def label(self, settings: Mapping[str, Any]) -> str:
        """What tells a combination from the others."""
        varied = [name for name in settings if len(self.grid[name]) > 1] or list(settings)
        return " ".join(f"{name}={told(settings[name])}" for name in varied)

    def check(self) -> None:
        """Refuse what can be refused before the data are read.

        Raises
        ------
        SettingError
            Where a setting or a value does not fit, or is given in two ways.
        """
        check("sweep", {"seeds": self.seeds}, {"seeds": count()})
        find_kind(self.kind)
        refuse_decided(self.grid, but=("code_size",))
        if self.code_size is not None and "code_size" in self.grid:
            raise SettingError("code_size is set twice", "by --code-size and by --set", "one of them")
        if not self.grid:
            raise SettingError(
                "nothing to sweep", "in --set", "a setting with values to try", "such as --set learning_rate=1e-3,1e-2"
            )
        self.points()


def sweep(
    plan: Plan,
    out: Path,
    overwrite: bool = False,
    tick: Callable[[str], None] = lambda settings: None,
    load: Load = load_data,
) -> dict[str, Any]:
    """Train every combination with every seed; write `sweep.json`, `report.html` and the run `best` into `out`.

    Parameters
    ----------
    tick : callable
        Called with the settings, as text, of each training when it is done.
    load : callable
        Reads the data, as `load_data` does.

    Returns
    -------
    dict
        What `isthmus sweep --json` prints.

    Raises
    ------
    SettingError, DataError, RunError
        Bad settings, data, or folder; `out` is then as it was.
    """
    plan.check()
    check_free(out, RESULT, "sweep", overwrite)
    dataset = load(plan.data)
    points, rows = plan.points(dataset.input_shape), split(dataset)
    with whole(out, OWN) as folder:
        found = train_points(
            points,
            rows.train,
            rows.test,
            plan.seeds,
            lambda i: tick(plan.label(points[i // plan.seeds].settings)),
            rows.train_labels,
        )
        result = _result(plan, dataset, found) | {"report": str(out / REPORT) if can_draw() else None}
        result |= left_out(dataset)
        if found.best_estimator is not None:
            about = {"kind": plan.kind, "settings": found.best["settings"], "data": describe(dataset)}
            _write_best(folder / BEST, found.best_estimator, about, dataset, rows)
            result["best"]["run"] = str(out / BEST)
        _write(folder, result)
    return result


def _result(plan: Plan, dataset: Dataset, found: Sweep) -> dict[str, Any]:
    sizes = {one.code_size for members in found.estimators for one in members}
    code_size = sizes.pop() if len(sizes) == 1 else None
    return {"data": plan.data, "kind": plan.kind, "code_size": code_size} | found.to_dict()


def _write_best(folder: Path, ae: Autoencoder, about: dict[str, Any], dataset: Dataset, rows: Split) -> None:
    """The chosen member as `isthmus train` would have left it, judged on the rows that the sweep held out."""
    own_test = dataset.X_test is not None
    trained_on = replace(dataset, X=rows.train, y=rows.train_labels)
    folder.mkdir()
    write_metrics(folder, ae.history_)
    run, reference = write_run(folder, ae, trained_on, about if own_test else about | {"held_out": SWEEP})
    write_evidence(run, rows.test, rows.test_labels, reference, "the set's own test rows" if own_test else SWEEP)


def _write(folder: Path, result: Mapping[str, Any]) -> None:
    from isthmus.report import sweep_page

    if result["report"] is not None:
        title = f"Settings of {result['kind']} on {Path(result['data']).name}"
        atomic_write_text(folder / REPORT, sweep_page(result, title))
    write_json(folder / RESULT, result)
