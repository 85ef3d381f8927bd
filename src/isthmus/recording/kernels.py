"""How an operation is called so that it writes into memory made before: its `out=` twin, by the quickest way there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten
Call = Callable[[], object]

# torch's own functions parse arguments quicker than the dispatcher's overloads do.
QUICK: dict[OpOverload, Callable[..., Any]] = {
    aten.mm.out: torch.mm,
    aten.addmm.out: torch.addmm,
    aten.bmm.out: torch.bmm,
    aten.baddbmm.out: torch.baddbmm,
    aten.dot.out: torch.dot,
    aten.add.out: torch.add,
    aten.sub.out: torch.sub,
    aten.mul.out: torch.mul,
    aten.div.out: torch.div,
    aten.sigmoid.out: torch.sigmoid,
    aten.tanh.out: torch.tanh,
    aten.exp.out: torch.exp,
    aten.log.out: torch.log,
    aten.index_select.out: torch.index_select,
}


@functools.cache
def twin(op: OpOverload, device: str) -> tuple[OpOverload, tuple[str, ...]] | None:
    """The overload that writes its results into given tensors, and the names it takes them by; None without one.

    Overloads that only copy an ordinary result are no twins.
    """
    own = [(a.name, str(a.type)) for a in op._schema.arguments]
    for name in op.overloadpacket.overloads():
        other = getattr(op.overloadpacket, name)
        outs = tuple(a.name for a in other._schema.arguments if a.is_out)
        rest = [(a.name, str(a.type)) for a in other._schema.arguments if not a.is_out]
        if len(outs) == len(op._schema.returns) and outs and rest == own and (other in QUICK or _has_kernel(other, device)):
            return other, outs
    return None


def _has_kernel(op: OpOverload, device: str) -> bool:
    key = "CUDA" if device == "cuda" else "CPU"
    return torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), key)


def call(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], outs: list[Tensor]) -> Call:
    """An operation on fixed tensors, its results written into `outs`."""
    if not outs:  # it writes into one of its arguments
        return functools.partial(op, *args, **kwargs)
    if op in FILLING:
        return functools.partial(FILLING[op], outs[0], generator=kwargs.get("generator"))
    if op is aten.mul.Tensor and isinstance(args[1], float | int):
        return functools.partial(torch.mul, args[0], args[1], out=outs[0])
    if op is aten.add.Tensor and kwargs.get("alpha") == -1:
        return functools.partial(torch.sub, *args, out=outs[0])
    found = twin(op, outs[0].device.type)
    if found is None:
        return _copying(functools.partial(op, *args, **kwargs), outs)
    other, names = found
    if other in QUICK:
        return functools.partial(QUICK[other], *args, **kwargs, out=outs[0])
    return functools.partial(other, *args, **kwargs, **dict(zip(names, outs, strict=True)))


def _copying(make: Callable[[], Any], outs: list[Tensor]) -> Call:
    """An operation that allocates its results."""

    def run() -> None:
        made = make()
        for out, result in zip(outs, (made,) if isinstance(made, Tensor) else made, strict=True):
            out.copy_(result)

    return run


def _normal(out: Tensor, generator: torch.Generator | None) -> None:
    out.normal_(generator=generator)


def _uniform(out: Tensor, generator: torch.Generator | None) -> None:
    out.uniform_(generator=generator)


FILLING: dict[OpOverload, Callable[..., None]] = {
    aten.randn.generator: _normal,
    aten.randn.default: _normal,
    aten.rand.generator: _uniform,
    aten.rand.default: _uniform,
}
