"""Constraints on parameters as values: each knows whether a value fits and says in words what would."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from isthmus.errors import SettingError, nearest


class Constraint(Protocol):
    def fits(self, value: Any) -> bool: ...


@dataclass(frozen=True)
class Number:
    """A real number (or a whole one) between two bounds, each open or closed."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def fits(self, value: Any) -> bool:
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
            return False
        number = float(value)
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def __str__(self) -> str:
        noun = "a whole number" if self.whole else "a number"
        low = f"{'>' if self.open_low else '>='} {self.low:g}" if self.low > -math.inf else ""
        high = f"{'<' if self.open_high else '<='} {self.high:g}" if self.high < math.inf else ""
        return " ".join([noun, " and ".join(bound for bound in (low, high) if bound)]).strip()


@dataclass(frozen=True)
class OneOf:
    """One of the named values."""

    values: tuple[Any, ...]

    def fits(self, value: Any) -> bool:
        return any(value is known or (isinstance(value, type(known)) and value == known) for known in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.values)


@dataclass(frozen=True)
class Each:
    """A tuple or list whose every member fits."""

    member: Constraint
    least: int = 0

    def fits(self, value: Any) -> bool:
        return isinstance(value, tuple | list) and len(value) >= self.least and all(self.member.fits(v) for v in value)

    def __str__(self) -> str:
        return f"a sequence{f' of at least {self.least}' if self.least else ''}, each {self.member}"


@dataclass(frozen=True)
class AnyOf:
    """Whatever fits one of several constraints."""

    options: tuple[Constraint, ...]

    def fits(self, value: Any) -> bool:
        return any(option.fits(value) for option in self.options)

    def __str__(self) -> str:
        return " or ".join(str(option) for option in self.options)


@dataclass(frozen=True)
class Has:
    """An object that offers a method, or any callable where that will do: how parts are recognised."""

    method: str
    noun: str
    or_callable: bool = False

    def fits(self, value: Any) -> bool:
        offers = not isinstance(value, type) and callable(getattr(value, self.method, None))
        return offers or (self.or_callable and callable(value))

    def __str__(self) -> str:
        return self.noun


@dataclass(frozen=True)
class Flag:
    def fits(self, value: Any) -> bool:
        return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Text:
    """A text, described by a noun."""

    noun: str

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return self.noun


def count(low: int = 1, high: float = math.inf) -> Number:
    return Number(low, high, whole=True)


def positive() -> Number:
    return Number(0, open_low=True)


def non_negative() -> Number:
    return Number(0)


def share(open_low: bool = False, open_high: bool = True) -> Number:
    return Number(0, 1, open_low=open_low, open_high=open_high)


def optional(constraint: Constraint) -> AnyOf:
    return AnyOf((OneOf((None,)), constraint))


def check(owner: str, values: Mapping[str, Any], table: Mapping[str, Constraint]) -> None:
    """Raise one `SettingError` that lists every value its constraint does not admit."""
    faults = [
        f"{name} must be {table[name]}; got {value!r}"
        for name, value in values.items()
        if name in table and not table[name].fits(value)
    ]
    if faults:
        raise SettingError(" and ".join(faults), where=f"in {owner}")


def check_names(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise one `SettingError` for every name that does not exist, with the likely typo."""
    known = list(known)
    wrong = [name for name in given if name not in known]
    if wrong:
        raise SettingError(
            f"no such setting: {', '.join(wrong)}",
            where=f"in {owner}",
            hint="; ".join(nearest(name, known) for name in wrong),
        )
