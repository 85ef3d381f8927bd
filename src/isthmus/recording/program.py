"""A tape as a flat list of calls on memory made once: buffers are reused as soon as nothing reads them any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from isthmus.recording.algebra import Form, simplified
from isthmus.recording.fusing import fused, live
from isthmus.recording.kernels import Call, call
from isthmus.recording.tape import Node, Recorded, Unrecordable, Value, replaced

aten = torch.ops.aten
PRODUCTS = {aten.mm.default: aten.addmm.default, aten.bmm.default: aten.baddbmm.default}


class Program:
    """Calls in order. `answers` are tensors that every run fills anew."""

    def __init__(self, calls: list[Call], answers: list[Tensor | None]) -> None:
        self.calls, self.answers = calls, answers

    def __len__(self) -> int:
        return len(self.calls)

    def run(self) -> None:
        for one in self.calls:
            one()


def compiled(tape: Recorded, into: Mapping[int, Tensor]) -> Program:
    """The tape, rewritten, with memory of its own; the i-th answer is written into `into[i]` where that is given.

    Raises
    ------
    Unrecordable
        Where a view cannot be made of the memory as it lies now.
    """
    nodes, forms = simplified(tape)
    finish = _Finish(nodes)
    targets: list[Value | None] = [None if form is None else finish.answer(form) for form in forms]
    answers = [value for value in targets if value is not None]
    nodes = fused(live(finish.nodes, answers), answers)
    try:
        return _Layout(nodes, targets, into).program()
    except RuntimeError as fault:
        raise Unrecordable(str(fault).splitlines()[0]) from fault


class _Finish:
    """Turns the answers' forms into numbers; a matrix product takes the scale as its own alpha."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def answer(self, form: Form) -> Value:
        from isthmus.recording.algebra import Rewriter

        rewriter = Rewriter()
        product = None if form.base is None or form.shift or form.scale == 1 else self._product(form.base)
        if product is None or form.base is None:
            value = rewriter.value(form)
            self.nodes.extend(rewriter.nodes)
            return value
        product.op = PRODUCTS[product.op]
        product.args = (_nothing(product.outs[0]), *product.args)
        product.kwargs = {"beta": 0, "alpha": form.scale}
        return rewriter.broadcast(form)

    def _product(self, base: Value) -> Node | None:
        """The matrix product behind a value, through views, that nothing else reads."""
        value = base
        while value.node is not None and value.node.alias:
            value = value.node.inputs()[0]
        readers = [node for node in self.nodes if value in node.inputs() and not node.alias]
        node = value.node
        return node if node is not None and node.op in PRODUCTS and not readers else None


def _nothing(like: Value) -> Value:
    """What a product with beta = 0 is told to start from; it is not read."""
    empty = torch.zeros((), dtype=like.dtype, device=like.device).expand(like.shape)
    return Value.like(empty, given=empty)


class _Layout:
    """Gives each value its tensor: given, a view, or a buffer from the pool."""

    def __init__(self, nodes: list[Node], answers: Sequence[Value | None], into: Mapping[int, Tensor]) -> None:
        self.nodes, self.answers = nodes, answers
        self.tensors: dict[Value, Tensor] = {}
        self.roots: dict[Value, Value] = {}  # a value and its views share memory
        for node in nodes:
            for out in node.outs:
                self.roots[out] = self._root(node.inputs()[0]) if node.alias else out
        self.last = self._last_uses()
        self.fixed = self._fixed(into)
        self.free: list[Tensor] = []  # flat buffers
        self.owned: dict[Value, Tensor] = {}  # roots and the flat buffers they lie in
        self.calls: list[Call] = []

    def _root(self, value: Value) -> Value:
        return self.roots.get(value, value)

    def _last_uses(self) -> dict[Value, int]:
        last: dict[Value, int] = {}
        for i, node in enumerate(self.nodes):
            for value in (*node.inputs(), *node.outs):
                last[self._root(value)] = i
        last.update({self._root(a): len(self.nodes) for a in self.answers if a is not None})
        return last

    def _fixed(self, into: Mapping[int, Tensor]) -> dict[Value, Tensor]:
        """Answers that can be computed where they are wanted: those that are a whole buffer, read as it lies."""
        fixed: dict[Value, Tensor] = {}
        for i, target in into.items():
            answer = self.answers[i]
            root = None if answer is None else self._root(answer)
            if root is None or root.node is None or root in fixed or not _whole(root, answer, target):
                continue
            fixed[root] = target.as_strided(root.shape, _dense(root.shape))
        self.copied = {i: t for i, t in into.items() if not self._lies_in(i, t, fixed)}
        return fixed

    def _lies_in(self, i: int, target: Tensor, fixed: Mapping[Value, Tensor]) -> bool:
        answer = self.answers[i]
        kept = None if answer is None else fixed.get(self._root(answer))
        return kept is not None and kept.data_ptr() == target.data_ptr()

    def program(self) -> Program:
        for i, node in enumerate(self.nodes):
            if node.alias:
                self._view(node)
            else:
                self._compute(i, node)
            self._release(i)
        answers: list[Tensor | None] = [None if a is None else self._tensor(a) for a in self.answers]
        for i, target in self.copied.items():
            source = answers[i]
            if source is not None:
                self.calls.append(_copy(target, source))
        return Program(self.calls, answers)

    def _tensor(self, value: Value) -> Tensor:
        if value.given is not None:
            return value.given
        return self.tensors[value]

    def _view(self, node: Node) -> None:
        args = replaced(node.args, self._tensor)
        made = node.op(*args, **node.kwargs)
        for out, tensor in zip(node.outs, (made,) if isinstance(made, Tensor) else made, strict=True):
            self.tensors[out] = tensor

    def _compute(self, i: int, node: Node) -> None:
        args = replaced(node.args, self._tensor)
        kwargs = {key: replaced(arg, self._tensor) for key, arg in node.kwargs.items()}
        outs = [self._buffer(i, node, out) for out in node.outs]
        self.tensors.update(zip(node.outs, outs, strict=True))
        self.calls.append(call(node.op, args, kwargs, outs))

    def _buffer(self, i: int, node: Node, out: Value) -> Tensor:
        if out in self.fixed:
            return self.fixed[out]
        reused = self._in_place(i, node, out)
        if reused is not None:
            return reused
        size = _bytes(out)
        fitting = [b for b in self.free if size <= b.numel() <= 2 * size and b.device == out.device]
        flat = min(fitting, key=Tensor.numel) if fitting else torch.empty(size, dtype=torch.uint8, device=out.device)
        self.free = [b for b in self.free if b is not flat]
        self.owned[out] = flat
        return _shaped(flat, out)

    def _in_place(self, i: int, node: Node, out: Value) -> Tensor | None:
        """The memory of an argument that is read for the last time, where entries depend on their own place only."""
        if torch.Tag.pointwise in node.op.tags:
            candidates = node.inputs()
        elif node.op in PRODUCTS.values() and node.kwargs.get("beta", 1) != 0:
            candidates = node.inputs()[:1]
        else:
            return None
        for value in candidates:
            if value in self.owned and self.last[value] == i and _alike(self.tensors[value], out):
                others = [v for v in node.inputs() if v is not value and self._root(v) is value]
                if not others:
                    self.owned[out] = self.owned.pop(value)
                    return self.tensors[value]
        return None

    def _release(self, i: int) -> None:
        for root in [root for root in self.owned if self.last[root] <= i]:
            self.free.append(self.owned.pop(root))


def _bytes(value: Value) -> int:
    return max(1, value.numel) * value.dtype.itemsize


def _dense(shape: Sequence[int]) -> tuple[int, ...]:
    return torch.empty(tuple(shape), device="meta").stride()


def _shaped(flat: Tensor, value: Value) -> Tensor:
    """A flat buffer as a value's tensor, with the strides it had where those fill the memory, else dense."""
    numbers = flat[: _bytes(value)].view(value.dtype)
    return numbers.as_strided(value.shape, _strides(value))


def _strides(value: Value) -> tuple[int, ...]:
    pairs = sorted((s, n) for s, n in zip(value.stride, value.shape, strict=True) if n != 1)
    expected = 1
    for stride, size in pairs:
        if stride != expected:
            return _dense(value.shape)
        expected *= size
    return value.stride


def _alike(tensor: Tensor, value: Value) -> bool:
    return (
        tensor.shape == value.shape and tensor.dtype == value.dtype and tensor.stride() == _strides(value)
    )


def _whole(root: Value, answer: Value | None, target: Tensor) -> bool:
    """Whether an answer is all of its root, in the target's own order."""
    if answer is None or root.numel != target.numel() or root.dtype != target.dtype or not target.is_contiguous():
        return False
    return _strides(root) == _dense(root.shape) and (answer is root or _flat_order(root, answer))


def _flat_order(root: Value, answer: Value) -> bool:
    """Whether a chain of views reads the root's memory in its order."""
    if answer.node is None:
        return False
    memory = torch.empty(root.numel, device="meta")
    numbers = {root: memory.as_strided(root.shape, _dense(root.shape))}
    chain = []
    value = answer
    while value is not root and value.node is not None:
        chain.append(value.node)
        value = value.node.inputs()[0]
    for node in reversed(chain):
        args = replaced(node.args, lambda v: numbers[v])
        made = node.op(*args, **node.kwargs)
        for out, tensor in zip(node.outs, (made,) if isinstance(made, Tensor) else made, strict=True):
            numbers[out] = tensor
    return numbers[answer].is_contiguous() and numbers[answer].storage_offset() == 0


def _copy(target: Tensor, source: Tensor) -> Call:
    return lambda: target.copy_(source)


__all__ = ["Any", "Program", "compiled"]
