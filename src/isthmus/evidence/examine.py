"""An examination: every measure on one autoencoder and its test rows, the verdicts on them, and what a report draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from isthmus.estimators import Autoencoder
from isthmus.evidence.aggregate import aggregate
from isthmus.evidence.code_usage import code_usage
from isthmus.evidence.convergence import convergence
from isthmus.evidence.distribution import distribution
from isthmus.evidence.generation import generation
from isthmus.evidence.geometry import geometry
from isthmus.evidence.intervals import Estimate
from isthmus.evidence.memorisation import memorisation
from isthmus.evidence.pictures import pictures
from isthmus.evidence.probes import probes
from isthmus.evidence.reconstruction import generalisation, reconstruction
from isthmus.evidence.reference import Reference
from isthmus.evidence.robustness import robustness
from isthmus.evidence.sizing import collapse, copied, sizing
from isthmus.evidence.subject import Subject
from isthmus.evidence.verdicts import Verdict, judge, number

Measures = dict[str, object]


@dataclass
class Evidence:
    """What was measured on a code, and the verdicts.

    Attributes
    ----------
    n : int
        Test rows.
    sections : dict
        Measures by section and name: numbers, `Estimate`s with intervals, or None where one could not be taken.
    verdicts : list of Verdict
        In the order of `isthmus.evidence.verdicts.CRITERIA`.
    pictures : dict
        Arrays for drawing.
    """

    n: int
    sections: dict[str, Measures]
    verdicts: list[Verdict]
    pictures: dict[str, object] = field(repr=False)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON types. A measure `name` with an interval has `name_interval`, [low, high], beside it."""
        sections = {name: _plain_section(section) for name, section in self.sections.items()}
        return {"n": self.n, **sections, "verdicts": [verdict.to_dict() for verdict in self.verdicts]}

    def to_html(self, title: str = "Evidence") -> str:
        """One page that opens offline; needs the `report` extra."""
        from isthmus import report

        page: str = report.evidence_page(self, title)
        return page

    def __str__(self) -> str:
        return "\n".join(f"{v.status:4}  {v.name:22} {v.sentence}" for v in self.verdicts)


def examine(
    ae: Autoencoder,
    X_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike | None = None,
    y_train: ArrayLike | None = None,
) -> Evidence:
    """Is the code any good? Measured on rows the net has not seen.

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    X_train, X_test : array-like of shape (N, D)
        The rows it was trained on, and rows held out, in input units.
    y_test, y_train : array-like of shape (N,), optional
        Classes of the rows, for the probes; those of training rows give the probes more to learn from.

    Returns
    -------
    Evidence

    Raises
    ------
    DataError
        Where there are not as many classes as rows.
    """
    return examine_with(ae, Reference.of(ae, X_train, y_train), X_test, y_test)


def examine_with(
    ae: Autoencoder, reference: Reference | None, X_test: ArrayLike, y_test: ArrayLike | None = None
) -> Evidence:
    """As `examine`, with the training rows in brief; without a reference, verdicts that need one say n/a."""
    subject = Subject.of(ae, reference, X_test, y_test)
    sections = _measures(subject)
    return Evidence(len(subject.x), sections, judge(sections), pictures(subject))


def _measures(subject: Subject) -> dict[str, Measures]:
    """All sections. Every float32 overflow of a net gone wrong is a number here, not a warning."""
    with np.errstate(all="ignore"):
        sections = {
            "reconstruction": reconstruction(subject),
            "generalisation": generalisation(subject),
            "memorisation": memorisation(subject),
            "code": code_usage(subject),
            "geometry": geometry(subject),
            "robustness": robustness(subject),
            "probes": probes(subject),
            "distribution": distribution(subject),
            "aggregate": aggregate(subject),
            "generation": generation(subject),
            "convergence": convergence(getattr(subject.ae, "history_", []), getattr(subject.ae, "stopped_", None)),
        }
    r2 = number(sections, "reconstruction.r2")
    sections["reconstruction"]["lost"] = None if r2 is None else 1 - r2
    for measure in (sizing, collapse, copied):  # made of other measures
        sections["code"] |= measure(subject, sections)
    return sections


def _plain_section(section: Measures) -> dict[str, object]:
    plain: dict[str, object] = {}
    for name, value in section.items():
        if isinstance(value, Estimate):
            plain[name] = _plain(value.value)
            plain[f"{name}_interval"] = None if value.interval is None else [_plain(end) for end in value.interval]
        else:
            plain[name] = _plain(value)
    return plain


def _plain(value: object) -> object:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
