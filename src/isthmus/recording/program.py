"""A tape as a flat list of calls on memory made once: buffers are reused as soon as nothing reads them any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from isthmus.recording.algebra import Form, Rewriter
from isthmus.recording.fusing import fused, live
from isthmus.recording.kernels import Call, call
from isthmus.recording.simplify import simplified
from isthmus.recording.tape import Node, Recorded, Unrecordable, Value, replaced

aten = torch.ops.aten
TURNING = (aten.t.default, aten.transpose.int, aten.permute.default)  # views that any strides admit
SUMMING = (aten.sum.default, aten.sum.dim_IntList, aten.cat.default)
MATRIX = (aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default)
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
    finish = _Finish(nodes, forms)
    targets: list[Value | None] = [None if form is None else finish.answer(form) for form in forms]
    answers = [value for value in targets if value is not None]
    nodes = fused(live(finish.nodes, answers), answers)
    try:
        return _Layout(nodes, targets, into).program()
    except RuntimeError as fault:
        raise Unrecordable(str(fault).splitlines()[0]) from fault


class _Finish:
    """Turns the answers' forms into numbers; a matrix product takes the scale as its own alpha."""

    def __init__(self, nodes: list[Node], forms: Sequence[Form | None]) -> None:
        self.nodes = nodes
        self.wanted = Counter(_origin(form.base) for form in forms if form is not None and form.base is not None)

    def answer(self, form: Form) -> Value:
        rewriter = Rewriter(self.nodes)
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
        while value.node is not None and (value.node.alias or value.node.op is aten._to_copy.default):
            if len([node for node in self.nodes if value in node.inputs()]) > (value is not base):
                return None
            value = value.node.inputs()[0]
        readers = [node for node in self.nodes if value in node.inputs()]
        node = value.node
        alone = len(readers) == (value is not base) and self.wanted[value] == 1
        return node if node is not None and node.op in PRODUCTS and alone else None


def _any_strides(node: Node) -> bool:
    """Whether an operation is known to read memory that lies in any order."""
    return torch.Tag.pointwise in node.op.tags or node.op in (*TURNING, *MATRIX, *SUMMING)


def _origin(value: Value) -> Value:
    """What a value was before it was looked at in other ways, or in another precision."""
    while value.node is not None and (value.node.alias or value.node.op is aten._to_copy.default):
        value = value.node.inputs()[0]
    return value


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
        self.strides: dict[Value, tuple[int, ...]] = {}
        # read by what may need the strides recorded
        self.viewed = {self._root(value) for n in nodes if not _any_strides(n) for value in n.inputs()}
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
        """Answers that can be computed where they are wanted: those that read a whole buffer, in order or turned."""
        fixed: dict[Value, Tensor] = {}
        for i, target in into.items():
            answer = self.answers[i]
            root = None if answer is None else self._root(answer)
            if answer is None or root is None or root.node is None or root in fixed or not _fills(root, target):
                continue
            for strides in (_dense(root.shape), None if root in self.viewed else _turned(root.shape)):
                if strides is not None and _in_order(root, answer, strides) and not _slow(root.node, strides):
                    fixed[root] = target.as_strided(root.shape, strides)
                    break
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
        try:
            made = node.op(*args, **node.kwargs)
        except RuntimeError:  # memory that lies in another way than in the step itself
            dense = torch.empty(args[0].shape, dtype=args[0].dtype, device=args[0].device)
            self.calls.append(_copy(dense, args[0]))
            made = node.op(dense, *args[1:], **node.kwargs)
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
        self.strides[out] = self._own_strides(node, out)
        fitting = [b for b in self.free if size <= b.numel() <= 2 * size and b.device == out.device]
        flat = min(fitting, key=Tensor.numel) if fitting else torch.empty(size, dtype=torch.uint8, device=out.device)
        self.free = [b for b in self.free if b is not flat]
        self.owned[out] = flat
        return flat[:size].view(out.dtype).as_strided(out.shape, self.strides[out])

    def _own_strides(self, node: Node, out: Value) -> tuple[int, ...]:
        """As the step itself had them; narrow products, and what is computed from them place by place, by columns."""
        turned = _turned(out.shape)
        if turned is None or out in self.viewed:
            return _strides(out)
        if torch.Tag.pointwise in node.op.tags:
            like = [self.strides.get(self._root(v)) for v in node.inputs() if v.shape == out.shape and v in self.owned]
            return turned if like and all(one == turned for one in like) else _strides(out)
        return turned if _narrow(out) else _strides(out)

    def _in_place(self, i: int, node: Node, out: Value) -> Tensor | None:
        """The memory of an argument that is read for the last time, where entries depend on their own place only."""
        pointwise = torch.Tag.pointwise in node.op.tags
        if pointwise:
            candidates = node.inputs()
        elif node.op in PRODUCTS.values() and node.kwargs.get("beta", 1) != 0:
            candidates = node.inputs()[:1]
        else:
            return None
        for value in candidates:
            if value in self.owned and self.last[value] == i and self._fits(value, node, out):
                read = [v for v in node.inputs() if self._root(v) is value]
                if len(read) == 1 or (pointwise and all(v is value for v in read)):
                    self.owned[out] = self.owned.pop(value)
                    self.strides[out] = self.tensors[value].stride()
                    return self.tensors[value]
        return None

    def _fits(self, value: Value, node: Node, out: Value) -> bool:
        tensor = self.tensors[value]
        same = tensor.shape == out.shape and tensor.dtype == out.dtype
        return same and tensor.stride() == self._own_strides(node, out)

    def _release(self, i: int) -> None:
        for root in [root for root in self.owned if self.last[root] <= i]:
            self.free.append(self.owned.pop(root))


def _bytes(value: Value) -> int:
    return max(1, value.numel) * value.dtype.itemsize


def _dense(shape: Sequence[int]) -> tuple[int, ...]:
    return torch.empty(tuple(shape), device="meta").stride()


def _strides(value: Value) -> tuple[int, ...]:
    pairs = sorted((s, n) for s, n in zip(value.stride, value.shape, strict=True) if n != 1)
    expected = 1
    for stride, size in pairs:
        if stride != expected:
            return _dense(value.shape)
        expected *= size
    return value.stride


def _fills(root: Value, target: Tensor) -> bool:
    return root.numel == target.numel() and root.dtype == target.dtype and target.is_contiguous()


def _turned(shape: Sequence[int]) -> tuple[int, ...] | None:
    """Strides of a matrix, or many, that lies column by column."""
    if len(shape) < 2:
        return None
    *lead, m, n = shape
    return (*_dense((*lead, n, m))[:-2], 1, m)


def _in_order(root: Value, answer: Value, strides: tuple[int, ...]) -> bool:
    """Whether the views from root to answer read memory of these strides from its first number to its last."""
    chain: list[Node] = []
    value = answer
    while value is not root and value.node is not None:
        chain.append(value.node)
        value = value.node.inputs()[0]
    numbers = {root: torch.empty(root.numel, device="meta").as_strided(root.shape, strides)}
    try:
        for node in reversed(chain):
            made = node.op(*replaced(node.args, numbers.__getitem__), **node.kwargs)
            numbers.update(zip(node.outs, (made,) if isinstance(made, Tensor) else made, strict=True))
    except RuntimeError:
        return False
    return numbers[answer].is_contiguous() and numbers[answer].storage_offset() == 0


def _narrow(value: Value) -> bool:
    """Whether a product is so narrow that it is quicker column by column."""
    node = value.node
    if node is None or node.op not in MATRIX or value.device.type != "cpu":
        return False
    m, k = node.args[-2].shape[-2:]
    ratio, least = (2, 1 << 9) if value.shape[:-2] else (3, 1 << 12)  # as measured, for many and for one
    return value.shape[-1] <= 20 and m >= ratio * value.shape[-1] and m * k >= least


def _slow(node: Node, strides: tuple[int, ...]) -> bool:
    """Whether a product so narrow that turning it afterwards pays would be written row by row."""
    out = node.outs[0]
    return _narrow(out) and out.shape[-1] <= 12 and strides == _dense(out.shape)


def _copy(target: Tensor, source: Tensor) -> Call:
    return lambda: target.copy_(source)
