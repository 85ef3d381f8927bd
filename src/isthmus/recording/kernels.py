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
    aten.sum.IntList_out: torch.sum,
    aten.cat.out: torch.cat,
    aten.where.self_out: torch.where,
    aten.clamp.out: torch.clamp,
}
BATCHED: dict[OpOverload, Callable[..., Any]] = {
    aten.bmm.default: torch.bmm,
    aten.baddbmm.default: torch.baddbmm,
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
        if (
            len(outs) == len(op._schema.returns)
            and outs
            and rest == own
            and (other in QUICK or _has_kernel(other, device))
        ):
            return other, outs
    return None


def _has_kernel(op: OpOverload, device: str) -> bool:
    key = "CUDA" if device == "cuda" else "CPU"
    return torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), key)


def call(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], outs: list[Tensor]) -> Call:
    """An operation on fixed tensors, its results written into `outs`."""
    if not outs:  # it writes into one of its arguments
        return functools.partial(op, *args, **kwargs)
    if op in BATCHED:
        return _batched(op, args, kwargs, outs[0])
    if op is aten._to_copy.default:
        return functools.partial(outs[0].copy_, args[0])
    if op in FILLING:
        return functools.partial(FILLING[op], outs[0], generator=kwargs.get("generator"))
    if op in ARITHMETIC:
        args = tuple(_number(arg, outs[0]) for arg in args)
    if op is aten.add.Tensor and kwargs.get("alpha") == -1:
        return functools.partial(torch.sub, *args, out=outs[0])
    found = twin(op, outs[0].device.type) if all(out.numel() for out in outs) else None
    if found is None:
        return _copying(functools.partial(op, *args, **kwargs), outs)
    other, names = found
    if other in QUICK:
        return functools.partial(QUICK[other], *args, **kwargs, out=outs[0])
    return functools.partial(other, *args, **kwargs, **dict(zip(names, outs, strict=True)))


def _number(arg: Any, like: Tensor) -> Any:
    """A number as a tensor made once: torch would make it anew at every call."""
    return torch.tensor(arg, dtype=like.dtype) if isinstance(arg, float | int) else arg


def _batched(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    """Products of many members; where they are wanted by columns, the transposed product, which lies by rows."""
    *start, a, b = args
    if out.stride(1) == 1 and out.stride(2) != 1:
        args = (*(t.mT for t in start), b.mT, a.mT)
        out = out.mT
    return functools.partial(BATCHED[op], *args, **kwargs, out=out)


def _copying(make: Callable[[], Any], outs: list[Tensor]) -> Call:
    """An operation that allocates its results."""

    def run() -> None:
        made = make()
        for out, result in zip(outs, (made,) if isinstance(made, Tensor) else made, strict=True):
            if result is not None:
                out.copy_(result)

    return run


def _normal(out: Tensor, generator: torch.Generator | None) -> None:
    out.normal_(generator=generator)


def _uniform(out: Tensor, generator: torch.Generator | None) -> None:
    out.uniform_(generator=generator)


ARITHMETIC = (aten.mul.Tensor, aten.add.Tensor)
FILLING: dict[OpOverload, Callable[..., None]] = {
    aten.randn.generator: _normal,
    aten.randn.default: _normal,
    aten.rand.generator: _uniform,
    aten.rand.default: _uniform,
}
