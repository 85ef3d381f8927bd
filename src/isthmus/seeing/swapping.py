"""Functions of torch that do something else while a network is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode

from isthmus.seeing.watching import function_name

Stand = Callable[..., Any]  # takes torch's own function, then its arguments


class Swap(TorchFunctionMode):
    """While it is entered, a function of torch that the table names is answered by its stand-in."""

    def __init__(self, table: Mapping[str, Stand]) -> None:
        super().__init__()
        self._table = table

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        stand = self._table.get(function_name(func))
        return func(*args, **(kwargs or {})) if stand is None else stand(func, *args, **(kwargs or {}))
