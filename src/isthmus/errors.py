"""What went wrong, where, what was expected and what to do: the one shape of every error a user causes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IsthmusError(ValueError):
    """Bad input or usage, told in one line.

    Parameters
    ----------
    what : str
        The fault, with the offending value.
    where : str
        The file, column, row, setting or slot it lies in.
    expected : str
        What would have been right.
    hint : str
        What to do about it.
    """

    def __init__(self, what: str, where: str = "", expected: str = "", hint: str = "") -> None:
        self.what, self.where, self.expected, self.hint = what, where, expected, hint
        super().__init__(what, where, expected, hint)

    def __str__(self) -> str:
        return "; ".join(part for part in (self.what, self.where, self.expected, self.hint) if part)

    def to_dict(self) -> dict[str, str]:
        return {"what": self.what, "where": self.where, "expected": self.expected, "hint": self.hint}


class SettingError(IsthmusError):
    """A setting that does not exist, lies outside its range, or does not fit another."""


class DataError(IsthmusError):
    """Data that cannot be read, or cannot be learned from."""


class RunError(IsthmusError):
    """A run folder that is missing, damaged, foreign or already taken."""


class DivergenceError(IsthmusError):
    """A loss or a gradient that is not finite; the estimator keeps its last good weights."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the likely intended word, else every word there is."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
