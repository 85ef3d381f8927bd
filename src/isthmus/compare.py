"""Every kind and PCA on the same split of the same data, over several seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from isthmus._files import atomic_write_text
from isthmus.data import Dataset
from isthmus.errors import SettingError
from isthmus.estimators import Autoencoder
from isthmus.evidence import Reference, examine_with
from isthmus.evidence.pictures import code_map
from isthmus.plain import plain
from isthmus.runs.examining import can_draw
from isthmus.runs.folder import REPORT, make_folder, write_json
from isthmus.runs.results import check_free
from isthmus.runs.settings import build, find_kind, own_arguments
from isthmus.threads import ROWS, threads_for
from isthmus.trials import Split, fit_all, scores, seconds, split, spread
from isthmus.zoo import GROUPED, KINDS

Array = NDArray[np.floating]
Tick = Callable[[str], None]  # called with a kind's name when one of its seeds is done
SHOWN = 10  # rows drawn beside their reconstructions
RESULT = "comparison.json"
MAPPED = 1000  # rows drawn on a map of the code


@dataclass
class Comparison:
    """What `compare` found: `result` as `isthmus compare --json` prints it, `pictures` for the report."""

    result: dict[str, Any]
    pictures: dict[str, Any] = field(default_factory=dict)


def choose_kinds(text: str) -> list[str]:
    """Names of kinds from "all", which are those that need no groups, or "sparse,topk".

    Raises
    ------
    SettingError
        Where one does not exist.
    """
    free = [kind for kind in KINDS if kind not in GROUPED]
    names = free if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        find_kind(name)
    if not names:
        raise SettingError("no kinds", "in --kinds", "all, or names such as sparse,topk")
    return list(dict.fromkeys(names))


def compare(
    dataset: Dataset,
    kinds: Sequence[str],
    code_size: int,
    seeds: int,
    settings: Mapping[str, Any] | None = None,
    tick: Tick = lambda kind: None,
) -> Comparison:
    """Train each kind, all its seeds together, and score it on the test rows.

    Parameters
    ----------
    seeds : int
        Seeds 0 to seeds − 1 choose the first weights and the order of the rows.
    settings : mapping
        The estimator's parameters, by dotted name, for every kind.

    Raises
    ------
    SettingError, DataError, DivergenceError
        As `Autoencoder.fit`.
    """
    if seeds < 1:
        raise SettingError(f"seeds must be a whole number >= 1; got {seeds}", "in compare")
    for kind in kinds:  # refuse before training
        estimator(kind, dataset, code_size, 0, settings)
    rows = split(dataset)
    result = {"data": dataset.name, "code_size": code_size, "n_train": len(rows.train), "n_test": len(rows.test)}
    comparison = Comparison(result | {"rows": []}, _pictures(dataset, rows))
    for kind in kinds:
        untrained = [estimator(kind, dataset, code_size, seed, settings) for seed in range(seeds)]
        trials = _trials(untrained, rows, kind, tick)
        _note(comparison, kind, trials)
        _draw(comparison, kind, trials, rows)
    baseline = [_pca_trial(trials[0].ae, code_size, seed, rows) for seed in range(seeds)]
    _note(comparison, "pca", baseline)
    comparison.pictures["reconstructions"]["pca"] = baseline[0].shown
    return comparison


def estimator(
    kind: str, dataset: Dataset, code_size: int, seed: int, settings: Mapping[str, Any] | None = None
) -> Autoencoder:
    """A kind as it enters a comparison: equal code size, and no more units kept by a TopK than there are."""
    given = dict(settings or {})
    own = own_arguments(find_kind(kind))
    if "k" in own and "k" not in given:
        given["k"] = min(own["k"], max(1, code_size))
    return build(kind, code_size, given, seed, dataset.input_shape)


@dataclass(frozen=True)
class Trial:
    """One training: `mse` in input units and `r2` in scaled ones, both on test rows, and rows as it restores them.

    `seconds` is what its epochs took, its share where many were trained at once.
    """

    ae: Autoencoder
    mse: float
    r2: float
    seconds: float
    shown: Array


def _trials(estimators: Sequence[Autoencoder], rows: Split, kind: str, tick: Tick) -> list[Trial]:
    fit_all(estimators, rows.train, lambda place: tick(kind), rows.train_labels)
    return [
        Trial(ae, **scores(ae, rows.test), seconds=seconds(ae), shown=ae.reconstruct(rows.test[:SHOWN]))
        for ae in estimators
    ]


def _pca_trial(ae: Autoencoder, code_size: int, seed: int, rows: Split) -> Trial:
    """PCA of equal size on the same training rows, in the space that `ae` sees."""
    train, test = ae.scale(rows.train), ae.scale(rows.test)
    began = time.perf_counter()
    pca = PCA(min(code_size, *train.shape), random_state=seed).fit(train)
    took = time.perf_counter() - began
    restored = pca.inverse_transform(pca.transform(test))
    spread = float(np.square(test - ae.mean_).sum())
    r2 = 1 - float(np.square(test - restored).sum()) / spread if spread > 0 else 0.0
    rows_back = ae.unscale(restored)
    mse = float(np.mean(np.square(rows.test.astype(np.float64) - rows_back)))
    return Trial(ae, mse, r2, took, rows_back[:SHOWN])


def _note(comparison: Comparison, kind: str, trials: Sequence[Trial]) -> None:
    columns = {name: spread([getattr(trial, name) for trial in trials]) for name in ("mse", "r2", "seconds")}
    comparison.result["rows"].append({"kind": kind, "seeds": len(trials), **columns})


def _pictures(dataset: Dataset, rows: Split) -> dict[str, Any]:
    labels = rows.test_labels
    return {
        "originals": rows.test[:SHOWN],
        "input_shape": dataset.input_shape,
        "feature_names": dataset.feature_names,
        "map_labels": None if labels is None else labels[:MAPPED],
        "reconstructions": {},
        "maps": {},
        "histories": {},
        "verdicts": {},
    }


def _draw(comparison: Comparison, kind: str, trials: Sequence[Trial], rows: Split) -> None:
    """Rows, map and verdicts of the first seed's model; the losses of all."""
    ae, pictures = trials[0].ae, comparison.pictures
    pictures["reconstructions"][kind] = trials[0].shown
    pictures["maps"][kind] = code_map(ae.transform(rows.test[:MAPPED]))
    pictures["histories"][kind] = [trial.ae.history_ for trial in trials]
    with threads_for(rows.test.size, ROWS):
        evidence = examine_with(ae, Reference.of(ae, rows.train), rows.test, rows.test_labels)
    pictures["verdicts"][kind] = plain(evidence.to_dict())["verdicts"]


def prepare(out: Path, overwrite: bool) -> None:
    """Make the folder for a report, before the work.

    Raises
    ------
    RunError
        Where it cannot be written to, or holds something else already.
    """
    check_free(out, RESULT, "comparison", overwrite)
    make_folder(out)


def write_report(comparison: Comparison, out: Path) -> str | None:
    """Write comparison.json and report.html; None for the latter where the packages that draw it are missing."""
    from isthmus.report import compare_page

    result = comparison.result
    if not can_draw():
        write_json(out / RESULT, result)
        return None
    title = f"Autoencoders of {result['data']}, code size {result['code_size']}"
    page = compare_page(result, comparison.pictures, title)
    atomic_write_text(out / REPORT, page)
    write_json(out / RESULT, result)
    return str(out / REPORT)
