"""Sums that swallow matrix products: what is added to a product becomes the start of its accumulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch

from isthmus.recording.tape import Node, Value

aten = torch.ops.aten
ACCUMULATING = {aten.mm.default: aten.addmm.default, aten.bmm.default: aten.baddbmm.default}
WITH_BIAS = tuple(ACCUMULATING.values())


def live(nodes: list[Node], answers: Iterable[Value]) -> list[Node]:
    """The nodes that an answer needs, those that draw and those that write into what lives on."""
    wanted = set(answers)
    kept = []
    for node in reversed(nodes):
        if node.random or node.effect or wanted.intersection(node.outs):
            kept.append(node)
            wanted.update(node.inputs())
    return kept[::-1]


def fused(nodes: list[Node], answers: list[Value]) -> list[Node]:
    """Additions to a product that nothing else reads, done by the product: a + α·x@w, and x − (b + h@w)."""
    uses = Counter(value for node in nodes for value in node.inputs())
    uses.update(answers)
    if any(node.effect for node in nodes):  # what a sum would wait for may be written into meanwhile
        return nodes
    result: list[Node] = []
    for node in nodes:
        result.extend(_accumulated(node, uses) or [node])
    return live(result, answers)


def _accumulated(node: Node, uses: Counter[Value]) -> list[Node] | None:
    if node.op is not aten.add.Tensor or not all(isinstance(arg, Value) for arg in node.args):
        return None
    a, b = node.args
    if a.dtype != b.dtype:
        return None
    alpha = node.kwargs.get("alpha", 1)
    out = node.outs[0]
    if _product(b, out, uses):
        return _merged(out, a, 1, b.node, alpha)
    return _merged(out, b, alpha, a.node, 1) if _product(a, out, uses) else None


def _product(value: Value, out: Value, uses: Counter[Value]) -> bool:
    """Whether a value is a matrix product of the sum's own shape that is read once."""
    node = value.node
    return (
        node is not None
        and (node.op in ACCUMULATING or node.op in WITH_BIAS)
        and value.shape == out.shape
        and uses[value] == 1
    )


def _merged(out: Value, start: Value, beta: float, product: Node | None, alpha: float) -> list[Node] | None:
    """beta·start + alpha·product as one accumulation into `out`."""
    if product is None:
        return None
    if product.op in ACCUMULATING:
        if len(start.shape) > len(out.shape):
            return None
        return [_node(ACCUMULATING[product.op], (start, *product.args), out, beta, alpha)]
    bias, x, w = product.args
    if bias.shape == out.shape or start.shape != out.shape:  # nothing is saved
        return None
    weight = alpha * product.kwargs.get("beta", 1)
    if beta == 1:
        begun = _node(aten.add.Tensor, (start, bias), _another(out), 1, weight)
    elif weight == 1:
        begun = _node(aten.add.Tensor, (bias, start), _another(out), 1, beta)
    else:
        return None
    return [begun, _node(product.op, (begun.outs[0], x, w), out, 1, alpha * product.kwargs.get("alpha", 1))]


def _another(value: Value) -> Value:
    return Value(value.shape, value.stride, value.dtype, value.device)


def _node(op: Any, args: tuple[Any, ...], out: Value, beta: float, alpha: float) -> Node:
    numbers = {name: number for name, number in (("beta", beta), ("alpha", alpha)) if number != 1}
    node = Node(op, args, numbers, outs=[out])
    out.node = node
    return node
