"""Many settings, each with many seeds, measured on the same rows: a table with means and spreads, and the best."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from isthmus import _fitting as fitting
from isthmus import saving
from isthmus._constraints import check, count
from isthmus._groups import read_groups
from isthmus._inputs import read_rows
from isthmus.errors import DataError, DivergenceError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.foreign import is_foreign
from isthmus.plain import plain
from isthmus.populations import fit_together
from isthmus.trials import hold_out, scores, seconds, spread

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.floating]
Settings = Mapping[str, Any]
Grid = Mapping[str, Sequence[Any]]
MEASURES = ("mse", "r2", "epochs", "seconds")
EXAMPLE = "{'penalty__strength': [0.01, 0.1, 1]}"


@dataclass(frozen=True)
class Point:
    """One combination of a grid: its settings, and an estimator that has them."""

    settings: Settings
    estimator: Autoencoder


@dataclass(repr=False, eq=False)
class Sweep:
    """What a sweep found.

    Attributes
    ----------
    rows : list of dict
        One a combination, in the order of scikit-learn's ParameterGrid: its `settings`; `seeds`, how many were trained;
        `diverged`, how many of those failed, and `fault`, why the first of them did; `mse` (a number, in input units),
        `r2` (in scaled units), `epochs` and `seconds`, each with `mean` and `sd` over the seeds that did not diverge,
        NaN where all did.
    best : dict
        The row with the lowest mean mse, with `member`: the `seed` of `best_estimator`, and its own `mse` and `r2`.
        Empty where every training diverged.
    best_estimator : Autoencoder or None
        Of the best settings, the seed whose lowest watched loss was lowest, on the validation rows that training
        holds out (its last training loss where it holds out none): the measured rows have no say in it.
    estimators : list of lists of Autoencoder
        All that were trained: one list a row, one estimator a seed. One that diverged has its last good weights.
    n_train, n_test : int
        Rows trained on, and rows measured on.
    """

    rows: list[dict[str, Any]]
    best: dict[str, Any]
    best_estimator: Autoencoder | None
    estimators: list[list[Autoencoder]]
    n_train: int
    n_test: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, as `isthmus sweep --json` prints it; what is not a number becomes null."""
        rows, best = [_plain_row(row) for row in self.rows], _plain_row(self.best) if self.best else {}
        return {"n_train": self.n_train, "n_test": self.n_test, "rows": rows, "best": best}

    def to_frame(self) -> pd.DataFrame:
        """One row a combination: its settings by name, then `seeds`, `diverged`, `mse_mean`, `mse_sd`, `r2_mean`, …

        Raises
        ------
        DataError
            Where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as fault:
            raise DataError("pandas is not installed", "to make a frame", hint="pip install pandas") from fault
        return pd.DataFrame([row["settings"] | _flat(row) for row in self.rows])

    def __repr__(self) -> str:
        shown = [_cells(row) for row in self.rows]
        names = list(dict.fromkeys(name for cells in shown for name in cells))
        lines = [names, *([cells.get(name, "–") for name in names] for cells in shown)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
        marks = ["  ", *("* " if row["settings"] is self.best.get("settings") else "  " for row in self.rows)]
        table = [
            (mark + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip()
            for mark, line in zip(marks, lines, strict=True)
        ]
        return "\n".join([f"Sweep, mean ± sd over seeds on {self.n_test:,} rows; * has the lowest mse", *table])


def sweep(
    estimator: Autoencoder,
    X: ArrayLike,
    grid: Grid | Sequence[Grid],
    seeds: int = 16,
    X_test: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Sweep:
    """Train every combination of a grid with many seeds, all together, and measure each on the same rows.

    Parameters
    ----------
    estimator : Autoencoder
        Copied for each training; it stays as it is.
    X : array-like of shape (N, D)
    grid : mapping or sequence of mappings
        Lists of values to try by the name of a parameter, as `set_params` takes it (`"penalty__strength"`) or with
        dots (`"penalty.strength"`). Every combination of a mapping is trained, one mapping after the other.
    seeds : int
        Trainings of each combination. Their `random_state` is r, r + 1, …, where r is the estimator's own, 0 where
        that is None.
    X_test : array-like of shape (M, D), optional
        Rows to measure on; all of X is then trained on. Without it 30 % of X are held out, the same rows every time,
        for every combination and seed. Pass it where rows must not be mixed by chance: later days, other people.
    groups : array-like of shape (N,), optional
        Groups of the rows of X, where a part needs them.

    Returns
    -------
    Sweep

    Raises
    ------
    SettingError
        Where the grid is empty, or a setting does not exist or does not fit: before anything is trained.
    DataError
        Where rows cannot be learned from, or those of `X_test` are of another width.

    Notes
    -----
    A training that diverges is counted in its row and left out of the means; it stops no other.

    The best of many on the same rows is optimistic: part of what made it the best is chance, the more so the more
    combinations and the wider their spreads. For an error to report, keep rows that no sweep sees and measure
    `best_estimator` on those: `X_test`, once it has chosen, is no such set either.
    """
    if not isinstance(estimator, Autoencoder):
        raise SettingError(f"sweep cannot train a {type(estimator).__name__}", "in estimator", "an isthmus.Autoencoder")
    check("sweep", {"seeds": seeds}, {"seeds": count()})
    points = [Point(settings, _with(estimator, settings)) for settings in combinations(grid)]
    reader = clone(estimator)
    rows = read_rows(reader, X, reset=True)
    if X_test is None:
        kept, held = hold_out(len(rows), "X")
        train, test = rows[kept], rows[held]
    else:
        kept, train, test = np.arange(len(rows)), rows, _read_test(reader, X_test)
    labels = None if groups is None else read_groups(groups, len(rows))[kept]
    found = train_points(points, train, test, seeds, groups=labels)
    if hasattr(reader, "feature_names_in_"):
        for ae in (ae for members in found.estimators for ae in members):
            ae.feature_names_in_ = reader.feature_names_in_
    return found


def train_points(
    points: Sequence[Point],
    train: Array,
    test: Array,
    seeds: int,
    tick: Callable[[int], None] | None = None,
    groups: ArrayLike | None = None,
) -> Sweep:
    """Train each point with each seed on rows `train`, (N, D), and measure it on rows `test`, (M, D).

    `tick` is called with a training's number when it is done: seed by seed, point after point.

    Raises
    ------
    SettingError, DataError
        As `Autoencoder.fit`, before anything is trained.
    """
    members = [_seeded(point.estimator, seeds) for point in points]
    faults = fit_together([ae for one in members for ae in one], train, tick, groups=groups)
    ends = [faults[start : start + seeds] for start in range(0, len(faults), seeds)]
    good = [[ae for ae, end in zip(*pair, strict=True) if end is None] for pair in zip(members, ends, strict=True)]
    with np.errstate(all="ignore"):  # a net gone wrong may restore what no float32 holds: a number here, no warning
        rows = [_row(*found, test) for found in zip(points, good, ends, strict=True)]
        best, chosen = _choose(rows, good, test)
    return Sweep(rows, best, chosen, members, len(train), len(test))


def combinations(grid: Grid | Sequence[Grid]) -> list[dict[str, Any]]:
    """Every combination of settings, by the names given.

    Raises
    ------
    SettingError
        Where the grid is empty or no grid, a name comes twice or is the seed's, or values come twice.
    """
    mappings: list[Any] = list(grid) if isinstance(grid, list | tuple) else [grid]
    for mapping in mappings:
        if not isinstance(mapping, Mapping):
            raise SettingError(f"{mapping!r} is no grid", "in sweep", f"lists of values by name, such as {EXAMPLE}")
    if not mappings or not all(mappings):
        raise SettingError("the grid is empty", "in sweep", f"at least one list of values by name, such as {EXAMPLE}")
    return [
        {name: point[name] for name in mapping}  # in the order given, not in ParameterGrid's
        for mapping in mappings
        for point in ParameterGrid(_checked(mapping))
    ]


def _checked(mapping: Grid) -> dict[str, list[Any]]:
    twice = [name for name, n in Counter(map(_flat_name, mapping)).items() if n > 1]
    if twice:
        raise SettingError(f"{twice[0]} comes twice", "in the grid", "each name once, with '__' or with '.'")
    if "random_state" in mapping:
        raise SettingError(
            "random_state cannot be swept", "in the grid", "a setting other than the seed", "ask for more seeds"
        )
    return {name: _values(name, values) for name, values in mapping.items()}


def _values(name: str, values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise SettingError(f"{name} is {values!r}", "in the grid", "a list of the values to try", f"[{values!r}]")
    found = [saving.plain(value) if isinstance(value, np.generic) else value for value in values]
    if not found:
        raise SettingError(f"{name} has no values", "in the grid", "at least one to try")
    twice = [value for i, value in enumerate(found) if any(value is one or _same(value, one) for one in found[:i])]
    if twice:
        raise SettingError(f"{name} has the value {told(twice[0])} twice", "in the grid", "each value once")
    return found


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(np.all(one == other))


def _flat_name(name: str) -> str:
    return str(name).replace(".", "__")


def _with(estimator: Autoencoder, settings: Settings) -> Autoencoder:
    """A copy with these settings, every one checked. Parts are copied too: what is set of them stays their own."""
    ae: Autoencoder = clone(estimator)
    ae.set_params(**{_flat_name(name): clone(value, safe=False) for name, value in settings.items()})
    ae.validate()
    return ae


def _seeded(estimator: Autoencoder, seeds: int) -> list[Autoencoder]:
    first = 0 if estimator.random_state is None else fitting.seed_of(estimator)
    return [clone(estimator).set_params(random_state=first + i) for i in range(seeds)]


def _read_test(reader: Autoencoder, X_test: ArrayLike) -> Array:
    try:
        return read_rows(reader, X_test, reset=False)
    except DataError as fault:
        what, where = (re.sub(r"\bX\b", "X_test", text.rstrip(".")) for text in (fault.what, fault.where))
        raise DataError(what, where, fault.expected, fault.hint) from fault


def _row(
    point: Point, good: Sequence[Autoencoder], ends: Sequence[DivergenceError | None], test: Array
) -> dict[str, Any]:
    measured = [scores(ae, test) | {"epochs": ae.n_iter_, "seconds": seconds(ae)} for ae in good]
    spreads = {name: spread([one[name] for one in measured]) for name in MEASURES}
    faults = [str(end) for end in ends if end is not None]
    counts = {"seeds": len(ends), "diverged": len(faults), "fault": faults[0] if faults else None}
    return {"settings": dict(point.settings), **counts, **spreads}


def _choose(
    rows: Sequence[dict[str, Any]], good: Sequence[Sequence[Autoencoder]], test: Array
) -> tuple[dict[str, Any], Autoencoder | None]:
    """The row with the lowest mean mse, and one of its estimators, chosen without the test rows."""
    able = [i for i, row in enumerate(rows) if math.isfinite(row["mse"]["mean"])]
    if not able:
        return {}, None
    best = min(able, key=lambda i: rows[i]["mse"]["mean"])
    ae = min(good[best], key=_watched)
    return rows[best] | {"member": {"seed": ae.seed_, **scores(ae, test)}}, ae


def _watched(ae: Autoencoder) -> float:
    """The loss of the weights that were kept: the lowest on validation rows, else the last on training rows."""
    losses = [row["validation_loss"] for row in ae.history_ if "validation_loss" in row]
    return float(min(losses) if losses else ae.history_[-1]["loss"])


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: saving.encode(value) for name, value in row["settings"].items()}
    return plain({**row, "settings": settings})


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    spreads = {f"{name}_{part}": row[name][part] for name in MEASURES for part in ("mean", "sd")}
    return {"seeds": row["seeds"], "diverged": row["diverged"], **spreads}


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of the printed table; the column of failures only where there are any."""
    settings = {name: told(value) for name, value in row["settings"].items()}
    spreads = {name: _cell(**row[name]) for name in MEASURES}
    counts = {name: str(row[name]) for name in ("seeds", "diverged") if row[name]}
    return settings | spreads | counts


def _cell(mean: float, sd: float) -> str:
    if math.isnan(mean):
        return "–"
    return f"{mean:.4g}" if sd == 0 else f"{mean:.4g} ± {sd:.{0 if sd >= 99 else 2}{'f' if sd >= 99 else 'g'}}"


def told(value: Any) -> str:
    """A setting's value in few characters."""
    if isinstance(value, float):
        return f"{value:g}"
    if is_foreign(value):
        return str(saving.encode(value)["own"])
    return value if isinstance(value, str) else repr(value)
