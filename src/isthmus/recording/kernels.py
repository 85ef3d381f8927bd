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
    aten.dot.out: torch.dot,
    aten.sub.out: torch.sub,
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
    special = SPECIAL.get(op)
    if special is not None:
        return special(op, args, kwargs, outs[0])
    if op._schema.is_mutable:  # into an argument that lives on, or into its first, which it fills
        return functools.partial(op, *(outs or args[:1]), *args[1:], **kwargs)
    found = twin(op, outs[0].device.type) if all(out.numel() for out in outs) else None
    if found is None:
        return _copying(functools.partial(op, *args, **kwargs), outs)
    other, names = found
    if other in QUICK:
        return functools.partial(QUICK[other], *args, **kwargs, out=outs[0])
    return functools.partial(other, *args, **kwargs, **dict(zip(names, outs, strict=True)))


def _arithmetic(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    """Numbers become tensors made once: torch would make them anew at every call."""
    given = [torch.tensor(arg, dtype=out.dtype) if isinstance(arg, float | int) else arg for arg in args]
    if kwargs.get("alpha") == -1:
        return functools.partial(torch.sub, *given, out=out)
    return functools.partial(torch.mul if op is aten.mul.Tensor else torch.add, *given, **kwargs, out=out)


def _batched(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    """Products of many members; where they are wanted by columns, the transposed product, which lies by rows."""
    *start, a, b = args
    if out.stride(1) == 1 and out.stride(2) != 1:
        args = (*(t.expand(out.shape).mT for t in start), b.mT, a.mT)
        out = out.mT
    product = torch.bmm if op is aten.bmm.default else torch.baddbmm
    return functools.partial(product, *args, **kwargs, out=out)


def _cast(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    return functools.partial(out.copy_, args[0])


def _normal(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    return functools.partial(out.normal_, generator=kwargs.get("generator"))


def _uniform(op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Call:
    return functools.partial(out.uniform_, generator=kwargs.get("generator"))


def _copying(make: Callable[[], Any], outs: list[Tensor]) -> Call:
    """An operation that allocates its results."""

    def run() -> None:
        made = make()
        for out, result in zip(outs, (made,) if isinstance(made, Tensor) else made, strict=True):
            if result is not None:
                out.copy_(result)

    return run


SPECIAL: dict[OpOverload, Callable[..., Call]] = {
    aten.mul.Tensor: _arithmetic,
    aten.add.Tensor: _arithmetic,
    aten.bmm.default: _batched,
    aten.baddbmm.default: _batched,
    aten._to_copy.default: _cast,
    aten.randn.generator: _normal,
    aten.randn.default: _normal,
    aten.rand.generator: _uniform,
    aten.rand.default: _uniform,
}
