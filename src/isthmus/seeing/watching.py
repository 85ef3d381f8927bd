"""What runs inside a network, one layer after another: modules without parts of their own, and functions between them.

Modules are heard through hooks, functions (our perceptrons bend with `F.silu`, not with a module) through a mode that
torch asks before every call. A function is a layer where no layer of torch's or of ours calls it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

BENDS = (  # functions of one number, by torch's names
    *("relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("hardswish", "hardtanh", "hardsigmoid", "threshold", "sigmoid", "tanh", "softsign"),
)
NORMS = ("batch_norm", "group_norm", "layer_norm", "instance_norm", "local_response_norm", "rms_norm")
POOLS = tuple(
    f"{kind}{dims}d{end}"
    for kind in ("max_pool", "adaptive_max_pool", "avg_pool", "adaptive_avg_pool", "max_unpool")
    for dims in (1, 2, 3)
    for end in ("", "_with_indices")
)
PRODUCTS = (
    "linear",
    "matmul",
    *(f"conv{dims}d" for dims in (1, 2, 3)),
    *(f"conv_transpose{dims}d" for dims in (1, 2, 3)),
)
FUNCTIONS = frozenset((*BENDS, *NORMS, *POOLS, *PRODUCTS, "interpolate", "softmax", "log_softmax"))


@dataclass(frozen=True)
class Event:
    """A layer that has just run on n rows: its output, (n, …), and the matrix or kernels it multiplied with, if any."""

    name: str
    type: str
    output: Tensor
    weight: Tensor | None


Visit = Callable[[Event], Tensor | None]  # what it returns takes the output's place


class Reached(Exception):  # noqa: N818  # no error: what was wanted has been seen
    """The layer that was asked for has run, and what follows need not."""


@dataclass(frozen=True)
class _Open:
    """A module that is running; the functions of a `whole` one are its own affair."""

    name: str
    whole: bool


class Watch(TorchFunctionMode):
    """While it is entered, `visit` hears of every layer of a network that is called on `rows` rows.

    A module's layer has the module's dotted name; a function's the name of the module that calls it and its own, as
    `encoder.silu`. A layer that runs again has its number behind: `encoder.silu.2`.
    """

    def __init__(self, network: nn.Module, rows: int, visit: Visit) -> None:
        super().__init__()
        self._network, self._rows, self._visit = network, rows, visit
        self._open: list[_Open] = []
        self._runs: Counter[str] = Counter()
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, module in self._network.named_modules():
            self._handles.append(module.register_forward_pre_hook(self._entering(name)))
            self._handles.append(module.register_forward_hook(self._leaving(name)))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, fault, trace)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = function_name(func)
        if kind not in FUNCTIONS or not self._open or self._open[-1].whole:
            return result
        name = ".".join(part for part in (self._open[-1].name, kind) if part)
        return self._told(name, kind, result, _matrix(kind, args, kwargs or {}))

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, args: Any) -> None:
            self._open.append(_Open(name, is_layer(module) and _is_known(module)))

        return enter

    def _leaving(self, name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def leave(module: nn.Module, args: Any, result: Any) -> Any:
            self._open.pop()
            if not is_layer(module) or isinstance(module, nn.Identity | nn.Dropout | nn.Sequential):
                return None
            kind = type(module).__name__.removeprefix("Parametrized")
            weight = getattr(module, "weight", None)
            return self._told(name or kind, kind, result, weight)

        return leave

    def _told(self, name: str, kind: str, result: Any, weight: Any) -> Any:
        """The result of a layer once it is told of, its first tensor replaced where `visit` gives another."""
        output = result[0] if isinstance(result, tuple) else result
        if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != self._rows:
            return result
        self._runs[name] += 1
        name = name if self._runs[name] == 1 else f"{name}.{self._runs[name]}"
        weight = weight if isinstance(weight, Tensor) and weight.ndim > 1 else None
        other = self._visit(Event(name, kind, output, weight))
        if other is None:
            return result
        return (other, *result[1:]) if isinstance(result, tuple) else other


def function_name(func: Any) -> str:
    """torch's name of a function, the same for its in-place form and for an operator."""
    return str(getattr(func, "__name__", "")).strip("_")


def is_layer(module: nn.Module) -> bool:
    """Whether a module has no parts but parameters."""
    parts = (part for name, part in module.named_children() if name != "parametrizations")
    return all(isinstance(part, nn.ParameterList | nn.ParameterDict) for part in parts)


def _is_known(module: nn.Module) -> bool:
    """Whether a layer is torch's, or one of ours that is a single matrix."""
    return type(module).__module__.startswith("torch.nn") or isinstance(getattr(module, "weight", None), Tensor)


def _matrix(kind: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    if kind not in PRODUCTS:
        return None
    if kind == "matmul":
        return args[1].T if len(args) > 1 and args[1].ndim == 2 else None
    return args[1] if len(args) > 1 else kwargs.get("weight")


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """A network as it is used, not as it is trained: no dropout, running statistics; afterwards as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def kindred(network: nn.Module, x: Any) -> Tensor:
    """A copy of rows x as the network takes them: on its device, in its dtype, or as they are where it has none.

    A copy, since the first layer may work in place.
    """
    rows = torch.as_tensor(x)
    rows = rows if rows.is_floating_point() else rows.to(torch.float32)
    like = next((p for p in network.parameters() if p.is_floating_point()), rows)
    return rows.to(device=like.device, dtype=like.dtype, copy=True)
