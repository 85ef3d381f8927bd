"""The page on one autoencoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from isthmus.report import curves, maps, rows
from isthmus.report.dots import Dot, dots, grouped
from isthmus.report.draw import OTHER, OURS, PCA, THIRD
from isthmus.report.numbers import flat, interval, number
from isthmus.report.page import WORDS, render
from isthmus.report.view import STATUSES, Examined, History, Verdict, array, branch, in_order

_PROBES = {
    "knn": "k-NN classifier",
    "linear": "linear classifier",
    "ari": "clustering, ARI",
    "readable": "row itself, R²",
}
_VIEWS = {"": "this code", "_pca": "PCA", "_raw": "raw input", "_untrained": "untrained"}
_COLOURS = dict(zip(_VIEWS.values(), (OURS, PCA, OTHER, THIRD), strict=True))


def page(evidence: Examined, title: str) -> str:
    """Gather the sections that the evidence has pictures for, the verdicts first."""
    found, pictures = evidence.to_dict(), evidence.pictures
    verdicts = in_order(found.get("verdicts", []))
    return render(
        "examined.html",
        title=title,
        summary=tally(verdicts),
        verdicts=verdicts,
        rows=found.get("n"),
        tiles=_tiles(found, pictures),
        scores=_scores(branch(found, "reconstruction")),
        shown=_reconstructions(pictures),
        walks=rows.walks(pictures),
        samples=rows.samples(pictures),
        map=_map(pictures),
        legend=maps.legend(_labels(pictures)),
        losses=_losses(pictures.get("history") or ()),
        spectra=_spectra(pictures),
        units=_units(pictures, branch(found, "code")),
        probes=_probes(branch(found, "probes")),
        everything=flat({key: value for key, value in found.items() if key != "verdicts"}),
    )


def tally(verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    """How many of each status: ("fail", "2 fails")."""
    counts = Counter(verdict["status"] for verdict in verdicts)
    told = {status: (WORDS[status], counts[status]) for status in STATUSES if counts[status]}
    plural = {"fail": "fails", "warning": "warnings", "pass": "passes"}
    return [(s, f"{n} {word if n == 1 else plural.get(word, word)}") for s, (word, n) in told.items()]


def _tiles(found: Mapping[str, Any], pictures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The numbers asked for first: name, value, note."""
    told = branch(found, "reconstruction")
    size, width = array(pictures, "unit_std"), array(pictures, "originals")
    first = {"R²": "r2", "squared error": "mse"}
    tiles = [(name, number(told.get(key)), _beside(told, key)) for name, key in first.items()]
    if size is not None:
        note = f"for {number(width.shape[1])} inputs" if width is not None else ""
        tiles.append(("numbers in the code", number(len(size)), note))
    return [*tiles, *_variational(found), ("rows judged", number(found.get("n")), "")]


def _variational(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a code with a prior carries, and how well its samples are told from rows."""
    code, made = branch(found, "code"), branch(found, "generation")
    tiles = []
    if _known(code, "divergence"):
        note = f"in {number(code['informative'])} of {number(code['units'])} units" if "informative" in code else ""
        tiles.append(("nats in the code", number(code["divergence"]), note))
    if _known(made, "auc"):
        beside = f"0.5: not at all; reconstructions {number(made['auc_reconstructions'])}"
        tiles.append(("samples told from rows, AUC", number(made["auc"]), beside))
    return tiles


def _beside(told: Mapping[str, Any], key: str) -> str:
    """What to hold a number against: its interval, and PCA's number."""
    ends = f"95 % interval {interval(*_interval(told, key))}; " if told.get(f"{key}_interval") else ""
    pca = f"pca_{key}"
    return ends + (f"PCA {number(told[pca])}" if _known(told, pca) else "no PCA to hold it against")


def _scores(told: Mapping[str, Any]) -> Markup | None:
    """R² beside PCA's, and the mean's, which is 0 by definition."""
    named = (("this code", "r2", OURS), ("PCA", "pca_r2", PCA))
    known = [one for one in named if _known(told, one[1])]
    found = [Dot(name, float(told[key]), *_interval(told, key), colour) for name, key, colour in known]
    return dots([*found, Dot("the mean", 0.0, 0.0, 0.0, OTHER)], "scores", "R² on test rows") if found else None


def _known(told: Mapping[str, Any], key: str) -> bool:
    return told.get(key) is not None and bool(np.isfinite(float(told[key])))


def _interval(told: Mapping[str, Any], key: str) -> tuple[float, float]:
    low, high = told.get(f"{key}_interval") or (told[key], told[key])
    return float(low), float(high)


def _reconstructions(pictures: Mapping[str, Any]) -> rows.Shown | None:
    named = {"this code": array(pictures, "reconstructions"), "PCA": array(pictures, "pca_reconstructions")}
    return rows.shown(pictures, {name: made for name, made in named.items() if made is not None})


def _map(pictures: Mapping[str, Any]) -> Markup | None:
    points = array(pictures, "map")
    return None if points is None or points.shape[1] < 2 else maps.code_map(points[:, :2], _labels(pictures), "map")


def _labels(pictures: Mapping[str, Any]) -> maps.Labels | None:
    found, points = pictures.get("map_labels"), array(pictures, "map")
    labels = None if found is None else np.asarray(found)
    return labels if labels is not None and points is not None and len(labels) == len(points) else None


def _losses(history: History) -> list[tuple[str, Markup]]:
    if not len(curves.column(history, "loss")):
        return []
    drawn = [("Loss", curves.losses(history)), ("Terms", curves.terms(history))]
    return [(heading, svg) for heading, svg in drawn if svg is not None]


def _spectra(pictures: Mapping[str, Any]) -> list[tuple[str, str, Markup]]:
    """The code's own spread by direction, and how strongly it answers to the input."""
    named = (
        ("code_spectrum", "Spread of the code", "eigenvalue", "A fall to nothing means spare room in the code."),
        (
            "spectrum",
            "What moves the code",
            "singular value",
            "Few strong ones: the code follows few ways of varying.",
        ),
    )
    drawn = []
    for key, heading, axis, caption in named:
        values = array(pictures, key)
        if values is not None:
            drawn.append((heading, caption, curves.spectrum(np.sort(values.ravel())[::-1], key, axis, f"{heading}.")))
    return drawn


def _units(pictures: Mapping[str, Any], told: Mapping[str, Any]) -> Markup | None:
    std, mean = array(pictures, "unit_std"), array(pictures, "unit_mean")
    if std is None:
        return None
    dead = np.zeros(len(std), dtype=bool)
    dead[np.argsort(std, kind="stable")[: int(told.get("dead") or 0)]] = True  # the evidence says how many
    return curves.units(std, mean, dead)


def _probes(told: Mapping[str, Any]) -> Markup | None:
    """Scores of what reads labels off a code, this code's first."""
    groups = {
        name: {view: float(told[key + end]) for end, view in _VIEWS.items() if _known(told, key + end)}
        for key, name in _PROBES.items()
    }
    groups = {name: group for name, group in groups.items() if group}
    return grouped(groups, _COLOURS, "probes", "score on test rows") if groups else None
