"""An experiment of the lab: a claim, how it is measured, and what the numbers must be for it to hold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Settings = Mapping[str, Any]
Expected = Mapping[str, tuple[str, float]]  # a measured key → an operator and a number
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Measured:
    """What an experiment found.

    Attributes
    ----------
    numbers : mapping
        A number by key; the verdict is computed of these alone.
    figures : mapping
        Functions that draw, each on an empty figure, by file name.
    series : mapping
        What the figures draw beside the numbers, in plain JSON types: no figure shows a number that is not told.
    samples : mapping
        Of numbers that are means over seeds, the value of each seed: what intervals in a table of results come from.
    """

    numbers: Mapping[str, float]
    figures: Mapping[str, Callable[[Figure], None]] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """A number of a paper's table, and the key of the measured one that stands beside it in the full protocol."""

    row: str
    key: str
    number: float


@dataclass(frozen=True)
class Experiment:
    """A claim of the lecture and its test.

    Attributes
    ----------
    name, part : str
        How it is called, and the part of the lecture it belongs to: "I" or "II".
    claim, lecture, reference : str
        What is claimed, in a sentence; the lecture's own words; who published it or its numbers.
    measure : callable
        From settings and seeds to what was found.
    expected : mapping
        What must hold of each measured number. Keys that are measured and not expected are only reported.
    settings : mapping
        The settings of the quick protocol with their defaults, all that `--set` may change.
    choices : mapping
        Of settings that are names: which there are.
    full : mapping
        Where the full protocol differs.
    expected_full : mapping, optional
        What must hold in the full protocol; None: the same.
    seeds : int
        How many are run unless asked otherwise.
    published : sequence of Published
        The paper's table, which `isthmus lab table` prints beside what the full protocol gave.
    unit : str
        Of the table's numbers, such as "test error, %".
    budget : str
        What the full protocol takes, such as "40 minutes on 2 cores".
    """

    name: str
    part: str
    claim: str
    lecture: str
    reference: str
    measure: Callable[[Settings, Sequence[int]], Measured]
    expected: Expected
    settings: Settings = field(default_factory=dict)
    choices: Mapping[str, Collection[Any]] = field(default_factory=dict)
    full: Settings = field(default_factory=dict)
    expected_full: Expected | None = None
    seeds: int = 5
    published: Sequence[Published] = ()
    unit: str = ""
    budget: str = ""

    def bounds(self, full: bool) -> Expected:
        """What must hold in a protocol."""
        return self.expected_full if full and self.expected_full is not None else self.expected


def holds(numbers: Mapping[str, float], expected: Expected) -> bool:
    """Whether every expected number was measured and is as expected."""
    return not missed(numbers, expected)


def missed(numbers: Mapping[str, float], expected: Expected) -> list[str]:
    """The keys of what is not as expected. What is not a number is as expected nowhere."""
    return [key for key, (op, bound) in expected.items() if not OPERATORS[op](numbers[key], bound)]
