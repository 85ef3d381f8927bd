"""The page on many kinds trained on the same split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from isthmus.report import curves, maps, rows
from isthmus.report.dots import Dot, dots
from isthmus.report.draw import OTHER, OURS, PCA
from isthmus.report.numbers import number, spread
from isthmus.report.page import label, render
from isthmus.report.view import Array, Verdict, array, branch, in_order

_BASELINES = {"pca", "mean"}


@dataclass(frozen=True)
class Judged:
    """One kind's verdicts, the worst first, and the same by name."""

    kind: str
    verdicts: list[Verdict]

    @property
    def by_name(self) -> dict[str, Verdict]:
        return {verdict["name"]: verdict for verdict in self.verdicts}


@dataclass(frozen=True)
class Trouble:
    """A verdict that did not pass, and whose it is."""

    kind: str
    verdict: Verdict


def page(result: Mapping[str, Any], pictures: Mapping[str, Any], title: str) -> str:
    """Gather the sections there are pictures for; kinds stand in the order of their R², the best first."""
    table = sorted(result.get("rows", []), key=_rank)
    judged = _judged(branch(pictures, "verdicts"), [str(row["kind"]) for row in table])
    return render(
        "compared.html",
        title=title,
        data=result.get("data"),
        code_size=result.get("code_size"),
        n_train=result.get("n_train"),
        n_test=result.get("n_test"),
        table=table,
        baselines=_BASELINES,
        findings=_findings(table),
        judged=judged,
        troubles={status: _troubles(judged, status) for status in ("fail", "warn")},
        names=list(dict.fromkeys(verdict["name"] for one in _given(branch(pictures, "verdicts")) for verdict in one)),
        scores=_scores(table),
        shown=_reconstructions(table, pictures),
        maps=_maps(table, pictures),
        legend=maps.legend(_labels(pictures)),
        losses=_losses(branch(pictures, "histories")),
    )


def _findings(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the table says, in sentences; two kinds are level where their spreads meet."""
    models = [row for row in table if row["kind"] not in _BASELINES]
    pca = next((row for row in table if row["kind"] == "pca"), None)
    if not models:
        return []
    best = models[0]
    told = [f"Best of the kinds: {label(best['kind'])}, R² {spread(_mean(best, 'r2'), _sd(best, 'r2'))}."]
    if pca is None:
        return told
    told.append(f"PCA of equal size: R² {spread(_mean(pca, 'r2'), _sd(pca, 'r2'))}.")
    sides: dict[str, list[str]] = {"Above PCA": [], "Level with PCA": [], "Below PCA": []}
    for row in models:
        apart, width = _mean(row, "r2") - _mean(pca, "r2"), _sd(row, "r2") + _sd(pca, "r2")
        side = "Level with PCA" if abs(apart) <= width else "Above PCA" if apart > 0 else "Below PCA"
        sides[side].append(label(row["kind"]))
    return told + [f"{side}: {', '.join(kinds)}." for side, kinds in sides.items() if kinds]


def _judged(verdicts: Mapping[str, Any], order: Sequence[str]) -> list[Judged]:
    """The kinds that were judged, in the table's order, then any others."""
    kinds = [kind for kind in order if kind in verdicts] + [kind for kind in verdicts if kind not in order]
    return [Judged(kind, in_order(verdicts[kind])) for kind in kinds if verdicts[kind]]


def _troubles(judged: Sequence[Judged], status: str) -> list[Trouble]:
    """Every kind's verdicts of one status; those of one name together, since one cure often serves all."""
    found = [Trouble(one.kind, verdict) for one in judged for verdict in one.verdicts if verdict["status"] == status]
    return sorted(found, key=lambda trouble: trouble.verdict["name"])


def _given(verdicts: Mapping[str, Any]) -> list[Sequence[Mapping[str, Any]]]:
    return [one for one in verdicts.values() if one]


def _scores(table: Sequence[Mapping[str, Any]]) -> Markup | None:
    named = [row for row in table if np.isfinite(_mean(row, "r2"))]
    found = [
        Dot(label(row["kind"]), mean, mean - sd, mean + sd, PCA if row["kind"] in _BASELINES else OURS)
        for row in named
        for mean, sd in [(_mean(row, "r2"), _sd(row, "r2"))]
    ]
    return dots([*found, Dot("the mean", 0.0, 0.0, 0.0, OTHER)], "scores", "R² on test rows") if found else None


def _reconstructions(table: Sequence[Mapping[str, Any]], pictures: Mapping[str, Any]) -> rows.Shown | None:
    kinds = sorted(_kinds(table, pictures, "reconstructions"), key=lambda kind: kind in _BASELINES)
    made = {kind: array(branch(pictures, "reconstructions"), kind) for kind in kinds}
    notes = {label(row["kind"]): f"R² {number(_mean(row, 'r2'))}" for row in table}
    return rows.shown(pictures, {label(k): v for k, v in made.items() if v is not None}, notes=notes)


def _maps(table: Sequence[Mapping[str, Any]], pictures: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    drawn = []
    for kind in _kinds(table, pictures, "maps"):
        points = array(branch(pictures, "maps"), kind)
        if points is not None and points.shape[1] >= 2:
            labels = _labels(pictures)
            fitting = labels if labels is not None and len(labels) == len(points) else None
            drawn.append((label(kind), maps.code_map(points[:, :2], fitting, f"map {kind}")))
    return drawn


def _labels(pictures: Mapping[str, Any]) -> maps.Labels | None:
    found = pictures.get("map_labels")
    return None if found is None else np.asarray(found)


def _losses(histories: Mapping[str, Any]) -> Markup | None:
    """The held-out loss of each kind where it has one, else its training loss."""
    watched: dict[str, list[Array]] = {}
    for kind, runs in histories.items():
        read = [curves.column(run, "validation_loss") for run in runs]
        read = read if all(len(run) for run in read) else [curves.column(run, "loss") for run in runs]
        if any(len(run) and run[0] > 0 for run in read):
            watched[label(kind)] = read
    return curves.falls(watched) if watched else None


def _kinds(table: Sequence[Mapping[str, Any]], pictures: Mapping[str, Any], name: str) -> list[str]:
    """The kinds a picture shows, in the table's order, then any others."""
    given, order = branch(pictures, name), [str(row["kind"]) for row in table]
    return [kind for kind in order if kind in given] + [kind for kind in given if kind not in order]


def _rank(row: Mapping[str, Any]) -> float:
    """The best R² first, what has none last."""
    r2 = _mean(row, "r2")
    return -r2 if np.isfinite(r2) else float("inf")


def _mean(row: Mapping[str, Any], key: str) -> float:
    value = branch(row, key).get("mean")
    return float("nan") if value is None else float(value)


def _sd(row: Mapping[str, Any], key: str) -> float:
    return float(branch(row, key).get("sd") or 0.0)
