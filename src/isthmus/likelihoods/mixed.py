"""A likelihood of tables whose columns are of different kinds: each part has columns and a likelihood of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import AnyOf, Constraint, Each, Has, Text, count, optional
from isthmus._spec import Several
from isthmus.errors import SettingError, nearest
from isthmus.likelihoods.base import Distribution, Likelihood, Shape
from isthmus.likelihoods.real import Gaussian
from isthmus.likelihoods.support import Demand, Demands

COLUMN = AnyOf((count(0), Text("a column's name")))
Numbers = tuple[int, ...]


class _IsPart:
    def fits(self, value: object) -> bool:
        return isinstance(value, Distribution) and not isinstance(value, Mixed | Columns)

    def __str__(self) -> str:
        return "a likelihood of ours such as likelihoods.Poisson(size=None)"


@dataclass
class Columns(Distribution):
    """A part of `Mixed`: some columns and their likelihood.

    Parameters
    ----------
    columns : int, str, sequence of these, or None
        Numbers from 0, or names where rows come as a table with names. None: all that no other part has.
    likelihood : specification
        Of these columns; not itself `Mixed`.
    """

    columns: Any = None
    likelihood: Any = field(default_factory=Gaussian)
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "columns": optional(AnyOf((COLUMN, Each(COLUMN, least=1)))),
        "likelihood": _IsPart(),
    }

    def asked(self) -> tuple[int | str, ...] | None:
        """The columns as they are called; None: the rest."""
        if self.columns is None or isinstance(self.columns, tuple | list):
            return None if self.columns is None else tuple(self.columns)
        return (self.columns,)

    def build(self, columns: int = 1) -> Likelihood:
        raise _alone()

    def demands(self, columns: int) -> Demands:
        raise _alone()


def _alone() -> SettingError:
    return SettingError(
        "likelihoods.Columns stands alone",
        where="in the slot likelihood",
        expected="several of them in one Mixed",
        hint="write likelihoods.Mixed(some=likelihoods.Columns(...), rest=likelihoods.Columns())",
    )


class Mixed(Several, Distribution):
    """p(x) = ∏ of parts' own likelihoods: `Mixed(sex=Columns(0, Bernoulli()), rest=Columns(None, Gaussian()))`.

    θ holds the parts' one after the other, and log p is the sum over all columns, so a part counts as much as it says.
    Where `scaling` is not None it scales the columns of parts for real numbers, and brings those on [0, 1] there;
    counts and categories stay as they are. A count's `size="row"` is the total over its part's columns.
    """

    noun, member = "part", Has("asked", "likelihoods.Columns(columns, likelihood)")

    def named(self, names: Sequence[str] | None) -> Self:
        """With numbers in place of names.

        Raises
        ------
        SettingError
            Where there is no such name, or the rows have none.
        """
        parts: dict[str, Columns] = self.get_params(deep=False)
        numbered = {name: Columns(_numbered(part.asked(), names), part.likelihood) for name, part in parts.items()}
        return type(self)(**numbered)

    def places(self, columns: int) -> dict[str, Numbers]:
        """Which of so many columns each part has, in the parts' order.

        Raises
        ------
        SettingError
            Where a column is in several parts, in none, or does not exist; where a part has none.
        """
        asked = {name: part.asked() for name, part in self.get_params(deep=False).items()}
        taken = [column for own in asked.values() for column in own or ()]
        _check_taken(taken, columns)
        left = tuple(column for column in range(columns) if column not in set(taken))
        rest = [name for name, own in asked.items() if own is None]
        if (left and len(rest) != 1) or (not left and rest):
            raise _unfair(left, rest)
        return {name: left if own is None else own for name, own in asked.items()}

    def build(self, columns: int = 1) -> Likelihood:
        places, parts = self.places(columns), self.get_params(deep=False)
        return _Mixed([parts[name].likelihood.build(len(own)) for name, own in places.items()], [*places.values()])

    def demands(self, columns: int) -> Demands:
        parts = self.get_params(deep=False)
        return tuple(
            Demand(demand.support, own)
            for name, own in self.places(columns).items()
            for demand in parts[name].likelihood.demands(len(own))
        )


def _numbered(asked: tuple[int | str, ...] | None, names: Sequence[str] | None) -> Numbers | None:
    if asked is None:
        return None
    known = None if names is None else list(names)
    unknown = [column for column in asked if isinstance(column, str) and column not in (known or ())]
    if unknown:
        raise _no_name(unknown[0], known)
    return tuple((known or []).index(column) if isinstance(column, str) else int(column) for column in asked)


def _check_taken(taken: Sequence[int | str], columns: int) -> None:
    named = [column for column in taken if isinstance(column, str)]
    if named:
        raise _no_name(named[0])
    beyond = [column for column in taken if int(column) >= columns]
    if beyond:
        raise SettingError(
            f"no column {beyond[0]}", where="in Mixed", expected=f"numbers from 0 to {columns - 1}, as rows have"
        )
    twice = [column for i, column in enumerate(taken) if column in taken[:i]]
    if twice:
        raise SettingError(f"column {twice[0]} is in two parts", where="in Mixed", expected="each column in one part")


def _no_name(column: str, known: list[str] | None = None) -> SettingError:
    return SettingError(
        f"no column called {column!r}",
        where="in Mixed",
        expected="" if known else "rows whose columns have names, as a data frame's",
        hint=nearest(column, known) if known else "give the column's number",
    )


def _unfair(left: Numbers, rest: Sequence[str]) -> SettingError:
    """Columns without a part, or a part without columns."""
    if not rest:
        what = f"column {left[0]} is in no part"
        return SettingError(what, where="in Mixed", hint="give one part columns=None, which takes the rest")
    if len(rest) > 1:
        what = f"the parts {' and '.join(rest)} both take the rest"
        return SettingError(what, where="in Mixed", expected="one part with columns=None at most")
    return SettingError(f"no columns are left for the part {rest[0]}", where="in Mixed", hint="leave that part out")


class Run(NamedTuple):
    """Neighbouring columns of rows that are neighbours in their part too."""

    part: int
    start: int  # in the part
    length: int
    column: int  # in the rows


class _Mixed(Likelihood):
    def __init__(self, parts: Sequence[Likelihood], places: Sequence[Numbers]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.sizes = [prod(part.shape((len(own),))) for part, own in zip(parts, places, strict=True)]
        self.shown = sum(prod(part.seen((len(own),))) for part, own in zip(parts, places, strict=True))
        self.runs = _runs(places)
        self.views = any(part.views for part in parts)
        self.width = max(part.width for part in parts)

    def _split(self, x: Tensor) -> list[Tensor]:
        """Rows, (N, D), as those of each part."""
        ordered = sorted(self.runs, key=lambda run: (run.part, run.start))
        pieces = [
            [x.narrow(-1, run.column, run.length) for run in own] for _, own in groupby(ordered, lambda r: r.part)
        ]
        return [torch.cat(own, dim=-1) for own in pieces]

    def _joined(self, found: Sequence[Tensor]) -> Tensor:
        """What each part has of its columns, as rows, (N, D)."""
        return torch.cat([found[run.part].narrow(-1, run.start, run.length) for run in self.runs], dim=-1)

    def _each(self, theta: Tensor) -> list[tuple[Any, Tensor]]:
        return list(zip(self.parts, theta.split(self.sizes, dim=-1), strict=True))

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        pairs = zip(self._each(theta), self._split(x), strict=True)
        return self._joined([part.nll(own, rows) for (part, own), rows in pairs])

    def mean(self, theta: Tensor) -> Tensor:
        return self._joined([part.mean(own) for part, own in self._each(theta)])

    def sample(self, theta: Tensor, rng: Generator) -> Tensor:
        return self._joined([part.sample(own, rng) for part, own in self._each(theta)])

    def shape(self, row: Shape) -> Shape:
        if len(row) > 1:
            raise SettingError(
                f"likelihoods.Mixed cannot read rows of shape {row}",
                where="in the slot likelihood",
                expected="tables, without input_shape",
            )
        return (1, sum(self.sizes))

    def view(self, x: Tensor) -> Tensor:
        """What each part shows of its columns, one after the other."""
        return torch.cat([part.view(rows) for part, rows in self._parts(x)], dim=-1)

    def seen(self, row: Shape) -> Shape:
        return (self.shown,) if self.views else row

    def settle(self, x: Tensor, weight: Tensor | None = None) -> None:
        for part, rows in self._parts(x):
            part.settle(rows, weight)

    def resized(self, x_hat: Tensor, x: Tensor) -> Tensor:
        pairs = zip(self._split(x_hat), self._parts(x), strict=True)
        return self._joined([part.resized(own, rows) for own, (part, rows) in pairs])

    def _parts(self, x: Tensor) -> list[tuple[Any, Tensor]]:
        return list(zip(self.parts, self._split(x), strict=True))


def _runs(places: Sequence[Numbers]) -> list[Run]:
    """The columns in order, as few pieces as can be."""
    home = {column: (part, at) for part, own in enumerate(places) for at, column in enumerate(own)}
    runs: list[Run] = []
    for column in range(len(home)):
        part, at = home[column]
        last = runs[-1] if runs else None
        if last is not None and last.part == part and last.start + last.length == at:
            runs[-1] = last._replace(length=last.length + 1)
        else:
            runs.append(Run(part, at, 1, column))
    return runs
