"""Specifications: parts as plain parameters that compare, print, clone, save and can be searched over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

from isthmus._constraints import Constraint, check, check_names
from isthmus.errors import SettingError


class Spec:
    """A part before it is built. Subclasses are dataclasses; their `constraints` table says what each parameter admits.

    `get_params` and `set_params` follow scikit-learn, so `clone` and `GridSearchCV("penalty__strength")` work.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {}
    needs_groups: ClassVar[bool] = False  # whether rows must come with their groups

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """The built part; what it is given depends on its slot."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def _names(self) -> list[str]:
        return [field.name for field in fields(self)]  # type: ignore[arg-type]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self._names()}
        inner = {
            f"{name}__{key}": value
            for name, part in own.items()
            if deep and isinstance(part, Spec)
            for key, value in part.get_params().items()
        }
        return own | inner

    def set_params(self, **params: Any) -> Self:
        check_names(type(self).__name__, (key.partition("__")[0] for key in params), self._names())
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if rest:
                _inner(self, name).set_params(**{rest: value})
            else:
                setattr(self, name, value)
        return self

    def validate(self) -> None:
        """Check every parameter, inner specifications included.

        Raises
        ------
        SettingError
            Naming each value outside its constraint.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)
        for part in self.get_params(deep=False).values():
            if isinstance(part, Spec):
                part.validate()


def _inner(owner: Spec, name: str) -> Spec:
    part = getattr(owner, name)
    if not isinstance(part, Spec):
        raise SettingError(
            f"{name} is {part!r}, which has no parameters",
            where=f"in {type(owner).__name__}",
            hint=f"set {name} itself",
        )
    return part


def family(part: Spec | type[Spec]) -> str:
    """The module whose parts it belongs with, such as "codes"; of a user's own, the last name of its module."""
    home = part.__module__
    return home.split(".")[1] if home.startswith("isthmus.") else home.rpartition(".")[2]


class Several(Spec):
    """Parts of one family, each under a name that the user chooses: `Sum(sparsity=KL(0.05), size=L1(0.1))`.

    A subclass says in `member` what may be one, and in `noun` what to call it.
    """

    noun: ClassVar[str]
    member: ClassVar[Constraint]

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)

    def _names(self) -> list[str]:
        return list(self.__dict__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # equal by value and mutable, as the other specifications

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in self.__dict__.items())})"

    def validate(self) -> None:
        own = type(self)
        check(own.__name__, self.__dict__, dict.fromkeys(self.__dict__, own.member))
        if wrong := [name for name in self.__dict__ if "__" in name or hasattr(own, name)]:
            raise SettingError(
                f"a {own.noun} cannot be called {wrong[0]!r}",
                where=f"in {own.__name__}",
                expected="a name without '__' that no method has",
            )
        super().validate()
