"""What a report reads: the evidence's face, and its pictures by name, each there or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
History = Sequence[Mapping[str, float]]  # one entry an epoch

STATUSES = ("fail", "warn", "pass", "n/a")  # in the order a reader needs them


class Verdict(TypedDict):
    """One judgement, as the JSON has it."""

    name: str
    status: str
    sentence: str
    suggestion: str


class Examined(Protocol):
    """The face of `isthmus.evidence.Evidence` that a page is made from."""

    @property
    def pictures(self) -> Mapping[str, Any]: ...

    def to_dict(self) -> dict[str, Any]: ...


def array(pictures: Mapping[str, Any], name: str) -> Array | None:
    """A picture's numbers, or None where it is missing, empty or holds a value that cannot be drawn."""
    found = pictures.get(name)
    if found is None:
        return None
    numbers = np.asarray(found, dtype=np.float64)
    return numbers if numbers.size and np.isfinite(numbers).all() else None


def in_order(verdicts: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """Verdicts, the worst first; among equals the order they were given in."""
    read = [cast("Verdict", {key: str(v.get(key) or "") for key in Verdict.__annotations__}) for v in verdicts]
    return sorted(read, key=lambda verdict: rank(verdict["status"]))


def rank(status: str) -> int:
    return STATUSES.index(status) if status in STATUSES else len(STATUSES)


def branch(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """A part of a nested dictionary, empty where it is missing."""
    for key in path:
        found = tree.get(key)
        if not isinstance(found, Mapping):
            return {}
        tree = found
    return tree
