"""What every penalty is: a specification that needs something of the code, and a term of the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from isthmus import codes
from isthmus._spec import Several, Spec
from isthmus.errors import SettingError
from isthmus.passes import Pass

Term = Callable[[Pass], Tensor]  # one with `differentiates = True` gets passes that can be differentiated by x̃


class Parts(NamedTuple):
    """The built modules a penalty may look at."""

    encoder: nn.Module
    code: codes.Code
    decoder: nn.Module


class Penalty(Spec):
    """Base of the specifications: `needs` names what the code must give, `cure` a code that gives it."""

    needs: ClassVar[str | None] = None
    cure: ClassVar[str] = ""

    def build(self, parts: Parts) -> Term:
        raise TypeError(f"{type(self).__name__} is abstract")

    def terms(self, parts: Parts) -> dict[str, Term]:
        """The built terms by name, each already multiplied by its strength."""
        if self.needs is not None and self.needs not in parts.code.gives:
            given = ", ".join(sorted(parts.code.gives)) or "no statistics"
            raise SettingError(
                f"penalties.{type(self).__name__} needs a code that gives '{self.needs}'",
                where=f"this code gives {given}",
                hint=f"use code={self.cure}",
            )
        return {type(self).__name__.lower(): self.build(parts)}


class _IsPenalty:
    def fits(self, value: object) -> bool:
        return isinstance(value, Penalty) and not isinstance(value, Sum)

    def __str__(self) -> str:
        return "a penalty such as penalties.Contraction(0.1)"


class Sum(Several, Penalty):
    """Several named penalties: `Sum(sparsity=KL(0.05), contraction=Contraction(0.1))`."""

    noun, member = "penalty", _IsPenalty()

    def terms(self, parts: Parts) -> dict[str, Term]:
        named: dict[str, Any] = self.__dict__
        return {name: term for name, part in named.items() for term in part.terms(parts).values()}
