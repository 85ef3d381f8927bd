"""A tape rewritten so that numbers known beforehand are carried to where they cost nothing.

Every value is written as scale·base + shift with numbers known when recorded. A gradient's factors, such as the 1/N of
a mean and the 2 of a square, then pass through products and sums, and end as the alpha of a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch._ops import OpOverload

from isthmus.recording.tape import Node, Value, replaced

aten = torch.ops.aten


@dataclass(frozen=True)
class Form:
    """scale·base + shift, broadcast to `like`'s shape; a constant where there is no base."""

    like: Value
    base: Value | None
    scale: float = 1.0
    shift: float = 0.0


class Rewriter:
    """Builds the new list of nodes; `forms` says what each value of the old one became."""

    def __init__(self, nodes: list[Node]) -> None:
        self._written = storages_written(nodes)
        self.nodes: list[Node] = []
        self.forms: dict[Value, Form] = {}
        self._made: dict[tuple[Any, ...], list[Value]] = {}

    def fleeting(self, node: Node) -> bool:
        """Whether it reads what is written into while the step runs, so that its result depends on when it does."""
        return any(self._given(value) in self._written for value in node.inputs())

    def _given(self, value: Value) -> int | None:
        """The memory a value looks into, where that was given."""
        while value.node is not None and value.node.alias:
            value = value.node.inputs()[0]
        return None if value.given is None else value.given.untyped_storage()._cdata

    def form(self, x: Value) -> Form:
        return self.forms.setdefault(x, Form(x, x))

    def number(self, x: Value) -> Value:
        """A value of the old list as one of the new."""
        return self.value(self.form(x))

    def emit(self, op: OpOverload, args: tuple[Any, ...], like: Value, **kwargs: Any) -> Value:
        """A computation's only result."""
        return self.add(Node(op, args, kwargs), [like])[0]

    def view(self, op: OpOverload, args: tuple[Any, ...], like: Value, **kwargs: Any) -> Value:
        """The result of an operation that only looks at memory in another way."""
        return self.add(Node(op, args, kwargs, alias=True), [like])[0]

    def add(self, node: Node, likes: list[Value]) -> list[Value]:
        """A node's results, or those made earlier where the same operation met the same arguments."""
        key = None if node.random or node.effect or self.fleeting(node) else _key(node)
        if key is not None and key in self._made:
            return self._made[key]
        node.outs = [Value(like.shape, like.stride, like.dtype, like.device, node) for like in likes]
        self.nodes.append(node)
        if key is not None:
            self._made[key] = node.outs
        return node.outs

    def value(self, form: Form) -> Value:
        """The numbers themselves."""
        if form.base is None:
            return _constant(form)
        base = self.broadcast(form)
        if form.scale != 1:
            base = self.emit(aten.mul.Tensor, (base, form.scale), form.like)
        return base if form.shift == 0 else self.emit(aten.add.Tensor, (base, form.shift), form.like)

    def broadcast(self, form: Form) -> Value:
        """The base in the form's own shape."""
        if form.base is None:
            return _constant(form)
        if form.base.shape == form.like.shape:
            return form.base
        shape = form.like.shape
        like = Value(shape, (0,) * len(shape), form.like.dtype, form.like.device)
        return self.view(aten.expand.default, (form.base, list(shape)), like)


def storages_written(nodes: list[Node]) -> set[int | None]:
    """The memory that lives on and is written into."""
    targets = [node.inputs()[0] for node in nodes if node.effect]
    return {value.given.untyped_storage()._cdata for value in targets if value.given is not None}


def _key(node: Node) -> tuple[Any, ...]:
    """Equal for operations that must agree."""
    kwargs = tuple(sorted((name, repr(_named(arg))) for name, arg in node.kwargs.items()))
    return (node.op, repr(_named(node.args)), kwargs)


def _named(tree: Any) -> Any:
    return replaced(tree, lambda value: f"%{id(value.given) if value.given is not None else id(value)}")


def _constant(form: Form) -> Value:
    like = form.like
    made = torch.full(like.shape, form.shift, dtype=like.dtype, device=like.device)
    return Value.like(made, given=made)
