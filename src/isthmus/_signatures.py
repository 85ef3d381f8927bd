"""Constructors that lend settings of another: what `**settings` may be is said in their signature."""

from __future__ import annotations

from collections.abc import Callable, Collection
from inspect import Parameter, Signature, signature

Init = Callable[..., None]


def with_settings_of(base: type, without: Collection[str] = ()) -> Callable[[Init], Init]:
    """Say in a constructor's signature what its `**settings` are: scikit-learn reads parameters from there."""

    def told(init: Init) -> Init:
        own = [p for p in signature(init).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        known = {p.name for p in own} | set(without)
        lent = [p for p in signature(base).parameters.values() if p.name not in known]
        full = Signature([*own, *(p.replace(kind=Parameter.KEYWORD_ONLY) for p in lent)])
        vars(init)["__signature__"] = full
        return init

    return told
