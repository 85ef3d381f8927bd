"""What becomes of each operation when numbers known beforehand are carried past it.

A rule gives the form of its node's result, or None to keep the operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch._ops import OpOverload

from isthmus.recording.algebra import Form, Rewriter
from isthmus.recording.tape import Node, Value, replaced

aten = torch.ops.aten
Number = int | float
Rule = Callable[[Rewriter, Node], Form | None]


def _same(rewriter: Rewriter, node: Node) -> Form | None:
    """An operation that leaves the numbers as they are."""
    x, out = node.args[0], node.outs[0]
    if not isinstance(x, Value):
        return None
    form = rewriter.form(x)
    if x.device != out.device:
        return None
    if x.dtype != out.dtype:
        return _cast(rewriter, form, node)
    if form.base is not None and (x.shape != out.shape or x.stride != out.stride):
        return None
    return Form(out, form.base, form.scale, form.shift)


def _cast(rewriter: Rewriter, form: Form, node: Node) -> Form | None:
    """Another precision; what is set aside keeps its own."""
    out = node.outs[0]
    if form.base is None or not form.like.dtype.is_floating_point:
        return Form(out, None, shift=form.shift) if form.base is None else None
    base = rewriter.emit(node.op, (rewriter.broadcast(form),), out, **node.kwargs)
    return Form(out, base, form.scale, form.shift)


def view(rewriter: Rewriter, node: Node) -> Form | None:
    form, out = rewriter.form(node.args[0]), node.outs[0]
    if len(node.inputs()) != 1:
        return None
    if form.base is None or (node.args[0].shape == out.shape and node.op in RESHAPING):
        return Form(out, form.base, form.scale, form.shift)
    base = rewriter.view(node.op, (rewriter.broadcast(form), *node.args[1:]), out, **node.kwargs)
    return Form(out, base, form.scale, form.shift)


def _filled(number: Callable[[Node], Number]) -> Callable[[Rewriter, Node], Form | None]:
    return lambda rewriter, node: Form(node.outs[0], None, shift=float(number(node)))


def _scaled(rewriter: Rewriter, x: Value | Number, factor: Number, out: Value) -> Form | None:
    if isinstance(x, Number):
        return None
    form = rewriter.form(x)
    return Form(out, form.base, form.scale * factor, form.shift * factor)


def _mul(rewriter: Rewriter, node: Node) -> Form | None:
    x, y = node.args
    out = node.outs[0]
    for a, b in ((x, y), (y, x)):
        if isinstance(b, Number):
            return _scaled(rewriter, a, b, out)
        form = rewriter.form(b)
        if form.base is None:
            return _scaled(rewriter, a, form.shift, out)
    return _product(rewriter, x, y, out)


def _product(rewriter: Rewriter, x: Value, y: Value, out: Value) -> Form:
    """Entry by entry, the scales set aside."""
    (a, s), (b, t) = _factored(rewriter, x), _factored(rewriter, y)
    return Form(out, rewriter.emit(aten.mul.Tensor, (a, b), out), s * t)


def _factored(rewriter: Rewriter, x: Value) -> tuple[Value, float]:
    """A value as numbers times a scale."""
    form = rewriter.form(x)
    if form.base is None or form.shift != 0:
        return rewriter.value(form), 1.0
    return rewriter.broadcast(form), form.scale


def _div(rewriter: Rewriter, node: Node) -> Form | None:
    x, y = node.args
    if isinstance(y, Number):
        return _scaled(rewriter, x, 1 / y, node.outs[0]) if y else None
    form = rewriter.form(y)
    constant = form.base is None and form.shift != 0
    return _scaled(rewriter, x, 1 / form.shift, node.outs[0]) if constant else None


def _neg(rewriter: Rewriter, node: Node) -> Form | None:
    return _scaled(rewriter, node.args[0], -1.0, node.outs[0])


def _add(rewriter: Rewriter, node: Node, sign: float = 1.0) -> Form | None:
    x, y = node.args
    alpha = sign * node.kwargs.get("alpha", 1)
    out = node.outs[0]
    if isinstance(x, Number):
        return None
    a = rewriter.form(x)
    b = Form(out, None, shift=float(y)) if isinstance(y, Number) else rewriter.form(y)
    shift = a.shift + alpha * b.shift
    if a.base is None:
        return Form(out, b.base, alpha * b.scale, shift)
    if b.base is None or b.base is a.base:
        return Form(out, a.base, a.scale + (0 if b.base is None else alpha * b.scale), shift)
    weight = alpha * b.scale / a.scale if a.scale else math.nan
    if not math.isfinite(weight):
        return None
    p, q = rewriter.broadcast(a), rewriter.broadcast(b)
    args, more = ((p, q), {}) if weight == 1 else ((p, q), {"alpha": weight})
    return Form(out, rewriter.emit(aten.add.Tensor, args, out, **more), a.scale, shift)


def _sub(rewriter: Rewriter, node: Node) -> Form | None:
    return _add(rewriter, node, -1.0)


def _pow(rewriter: Rewriter, node: Node) -> Form | None:
    x, exponent = node.args
    if exponent == 1:
        return _scaled(rewriter, x, 1.0, node.outs[0])
    return _product(rewriter, x, x, node.outs[0]) if exponent == 2 else None


def _sum(rewriter: Rewriter, node: Node, mean: bool = False) -> Form | None:
    x, out = node.args[0], node.outs[0]
    form = rewriter.form(x)
    if node.kwargs.get("dtype") not in (None, x.dtype):
        return None
    dims = _dims(node, len(x.shape))
    keep = len(node.args) > 2 and bool(node.args[2])
    count = math.prod(x.shape[d] for d in dims)
    if not count:
        return None
    share = 1 / count if mean else 1.0
    if form.base is None:
        return Form(out, None, shift=form.shift * count * share)
    base = _summed(rewriter, rewriter.broadcast(form), dims, keep, out)
    return Form(out, base, form.scale * share, form.shift * count * share)


def _dims(node: Node, ndim: int) -> list[int]:
    given = node.args[1] if len(node.args) > 1 and node.args[1] else range(ndim)
    return sorted(d % ndim for d in given) if ndim else []


def _summed(rewriter: Rewriter, base: Value, dims: list[int], keep: bool, out: Value) -> Value:
    """A sum; a sum of sums in one, and that of squares as a product of the numbers with themselves."""
    inner = base.node
    if inner is not None and inner.op is aten.sum.dim_IntList and len(inner.args) == 2 and not keep:
        source = inner.args[0]
        first = _dims(inner, len(source.shape))
        left = [d for d in range(len(source.shape)) if d not in first]
        return _summed(rewriter, source, sorted([*first, *(left[d] for d in dims)]), False, out)
    if len(dims) == len(base.shape) and not keep:
        squared = _squared(base)
        if squared is not None and _is_contiguous(squared):
            flat = rewriter.view(aten.view.default, (squared, [-1]), _flat(squared))
            return rewriter.emit(aten.dot.default, (flat, flat), out)
        return rewriter.emit(aten.sum.default, (base,), out)
    return rewriter.emit(aten.sum.dim_IntList, (base, dims, True) if keep else (base, dims), out)


def _squared(value: Value) -> Value | None:
    node = value.node
    if node is None or node.op is not aten.mul.Tensor or node.args[0] is not node.args[1]:
        return None
    return node.args[0]


def _is_contiguous(value: Value) -> bool:
    return value.stride == torch.empty(value.shape, device="meta").stride()


def _flat(value: Value) -> Value:
    return Value((value.numel,), (1,), value.dtype, value.device)


def _mean(rewriter: Rewriter, node: Node) -> Form | None:
    return _sum(rewriter, node, mean=True)


def _matmul(rewriter: Rewriter, node: Node) -> Form | None:
    (a, s), (b, t) = _factored(rewriter, node.args[0]), _factored(rewriter, node.args[1])
    return Form(node.outs[0], rewriter.emit(node.op, (a, b), node.outs[0]), s * t)


def _addmm(rewriter: Rewriter, node: Node) -> Form | None:
    bias = rewriter.form(node.args[0])
    (a, s), (b, t) = (_factored(rewriter, x) for x in node.args[1:])
    beta, alpha = node.kwargs.get("beta", 1), node.kwargs.get("alpha", 1) * s * t
    if bias.base is None or bias.shift:
        return None
    numbers = _unless_one(beta=beta * bias.scale, alpha=alpha)
    return Form(node.outs[0], rewriter.emit(node.op, (rewriter.broadcast(bias), a, b), node.outs[0], **numbers))


def _unless_one(**numbers: float) -> dict[str, float]:
    return {name: number for name, number in numbers.items() if number != 1}


def _linear_in_gradient(rewriter: Rewriter, node: Node) -> Form | None:
    """A backward operation: its first argument's scale is its result's."""
    gradient, scale = _factored(rewriter, node.args[0])
    rest = replaced(node.args[1:], rewriter.number)
    return Form(node.outs[0], rewriter.emit(node.op, (gradient, *rest), node.outs[0], **node.kwargs), scale)


def _where(rewriter: Rewriter, node: Node) -> Form | None:
    """Linear in what it chooses from where the other choice is 0."""
    condition, x, y = node.args
    a, b = rewriter.form(x), rewriter.form(y)
    if a.base is None or b.base is not None or b.shift != 0 or a.shift != 0:
        return None
    zero = torch.zeros((), dtype=b.like.dtype, device=b.like.device)
    args = (rewriter.number(condition), rewriter.broadcast(a), Value.like(zero, given=zero))
    return Form(node.outs[0], rewriter.emit(node.op, args, node.outs[0]), a.scale)


def _joined(rewriter: Rewriter, node: Node) -> Form | None:
    """Parts of one scale are joined before they are scaled."""
    parts = [_factored(rewriter, part) for part in node.args[0]]
    scales = {scale for _, scale in parts}
    if len(scales) > 1:
        return None
    args = ([part for part, _ in parts], *node.args[1:])
    return Form(node.outs[0], rewriter.emit(node.op, args, node.outs[0], **node.kwargs), scales.pop())


def _overload(name: str) -> OpOverload:
    packet, _, overload = name.partition(".")
    return getattr(getattr(aten, packet), overload or "default")


RESHAPING = (aten.view.default, aten._unsafe_view.default, aten.expand.default)
GRADIENTS = (
    "sigmoid_backward",
    "tanh_backward",
    "silu_backward",
    "threshold_backward",
    "softplus_backward",
    "leaky_relu_backward",
    "elu_backward",
    "gelu_backward",
    "hardtanh_backward",
)
# these take their precision from elsewhere
CASTING = (
    aten._to_copy.default,
    aten.ones_like.default,
    aten.zeros_like.default,
    aten.full_like.default,
    aten.new_zeros.default,
    aten.new_full.default,
)
RULES: dict[OpOverload, Rule] = {
    aten.detach.default: _same,
    aten.alias.default: _same,
    aten.clone.default: _same,
    aten._to_copy.default: _same,
    aten.lift_fresh.default: _same,
    aten.ones_like.default: _filled(lambda node: 1),
    aten.zeros_like.default: _filled(lambda node: 0),
    aten.full_like.default: _filled(lambda node: node.args[1]),
    aten.full.default: _filled(lambda node: node.args[1]),
    aten.zeros.default: _filled(lambda node: 0),
    aten.ones.default: _filled(lambda node: 1),
    aten.new_zeros.default: _filled(lambda node: 0),
    aten.new_full.default: _filled(lambda node: node.args[2]),
    aten.scalar_tensor.default: _filled(lambda node: node.args[0]),
    aten.mul.Tensor: _mul,
    aten.mul.Scalar: _mul,
    aten.div.Tensor: _div,
    aten.div.Scalar: _div,
    aten.neg.default: _neg,
    aten.add.Tensor: _add,
    aten.add.Scalar: _add,
    aten.sub.Tensor: _sub,
    aten.sub.Scalar: _sub,
    aten.pow.Tensor_Scalar: _pow,
    aten.sum.default: _sum,
    aten.sum.dim_IntList: _sum,
    aten.mean.default: _mean,
    aten.mean.dim: _mean,
    aten.mm.default: _matmul,
    aten.bmm.default: _matmul,
    aten.mv.default: _matmul,
    aten.dot.default: _matmul,
    aten.addmm.default: _addmm,
    aten.baddbmm.default: _addmm,
    aten.where.self: _where,
    aten.cat.default: _joined,
    aten.stack.default: _joined,
    **{_overload(name): _linear_in_gradient for name in GRADIENTS},
}
