"""A tape of one computation: every operation that torch dispatches, in order, in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

OPAQUE = ("mkldnn_rnn", "cudnn_rnn", "miopen_rnn")
Leaf = TypeVar("Leaf")
NOTHING = torch.empty(0)
SAME = (torch.ops.aten.detach.default, torch.ops.aten.alias.default)
SHAPES_FROM_VALUES = (torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output)


class Unrecordable(Exception):  # noqa: N818  # no error of the user's: the step is then run as it stands
    """The computation depends on values in a way that a list of operations cannot hold."""


@dataclass(eq=False)
class Value:
    """A tensor on the tape: of shape, strides and dtype; `given` where it exists already, else made by `node`."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    node: Node | None = None
    given: Tensor | None = None

    @classmethod
    def like(cls, tensor: Tensor, node: Node | None = None, given: Tensor | None = None) -> Value:
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device, node, given)

    @property
    def numel(self) -> int:
        return int(torch.Size(self.shape).numel())


@dataclass(eq=False)
class Node:
    """An operation; Values stand where its arguments held tensors. `alias`: its result is a view of an argument."""

    op: OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outs: list[Value] = field(default_factory=list)
    alias: bool = False

    def inputs(self) -> list[Value]:
        return list(leaves((self.args, tuple(self.kwargs.values())), Value))

    @property
    def random(self) -> bool:
        return torch.Tag.nondeterministic_seeded in self.op.tags

    @property
    def effect(self) -> bool:
        """Whether it writes into a tensor that lives on after the step, as a running mean does."""
        return self.op._schema.is_mutable and not self.outs


def leaves(tree: Any, kind: type[Leaf]) -> Iterator[Leaf]:
    """Whatever of a kind lies in nested sequences."""
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from leaves(part, kind)


def replaced(tree: Any, change: Callable[[Value], Any]) -> Any:
    """The same nesting with every Value changed."""
    if isinstance(tree, Value):
        return change(tree)
    if isinstance(tree, tuple | list):
        return type(tree)(replaced(part, change) for part in tree)
    return tree


class Tape(TorchDispatchMode):
    """Runs what it records. Tensors it has not seen made are `given`: weights, batches, constants."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to skip it torch would import its compiler, which takes seconds."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self._known: dict[int, Value] = {}
        self._kept: list[Tensor] = []  # an id means something only while its tensor lives
        self._viewed: set[int] = set()  # storages of the tape's own that have views

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if any(tag in func.tags for tag in SHAPES_FROM_VALUES):
            raise Unrecordable(f"{func} depends on values")
        if any(name in func.name() for name in OPAQUE):
            raise Unrecordable(f"{func} keeps a workspace of its own")
        out = func(*args, **kwargs)
        self._note(func, args, kwargs, out)
        return out

    def value(self, tensor: Tensor) -> Value:
        """What stands for a tensor; one not made on the tape is given."""
        known = self._known.get(id(tensor))
        return known if known is not None else self._learn(tensor, Value.like(tensor, given=tensor.detach()))

    def _learn(self, tensor: Tensor, value: Value) -> Value:
        self._kept.append(tensor)
        self._known[id(tensor)] = value
        return value

    def _note(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if any(t.layout is not torch.strided for t in leaves((args, tuple(kwargs.values()), out), Tensor)):
            raise Unrecordable(f"{func} is of sparse tensors")
        outs = [out] if isinstance(out, Tensor) else list(out) if isinstance(out, tuple | list) else []
        outs = [NOTHING if o is None else o for o in outs]  # a gradient that was not asked for
        if not outs or not all(isinstance(o, Tensor) for o in outs):
            if next(leaves((args, tuple(kwargs.values())), Tensor), None) is None:
                return  # a constant, such as the wider of two types
            raise Unrecordable(f"{func} gives no tensor")
        if func in SAME:  # another tensor on the same numbers
            self._learn(outs[0], self.value(args[0]))
            return
        node = Node(func, self._read(args), {key: self._read(arg) for key, arg in kwargs.items()})
        if func._schema.is_mutable:
            self._mutation(node, args, outs)
            return
        sources = {_storage(t) for t in leaves((args, tuple(kwargs.values())), Tensor)}
        node.alias = bool(outs) and all(_storage(o) in sources for o in outs)
        if node.alias:
            self._viewed.update(_storage(o) for o in outs)
        node.outs = [self._learn(o, Value.like(o, node)) for o in outs]
        self.nodes.append(node)

    def _mutation(self, node: Node, args: tuple[Any, ...], outs: list[Tensor]) -> None:
        """Writing into what was made here is making it anew; into what was given, an effect that every replay has."""
        target = args[0] if args else None
        if len(outs) != 1 or outs[0] is not target or not isinstance(target, Tensor):
            raise Unrecordable(f"{node.op} writes in place")
        made = self.value(target)
        if made.given is not None:
            node.outs = []
        else:
            functional = node.op if _fills(node) else _out_of_place(node.op)
            if functional is None or _storage(target) in self._viewed or made.node is None or made.node.alias:
                raise Unrecordable(f"{node.op} writes into a view")
            node.op = functional
            if _fills(node):
                node.args = (None, *node.args[1:])
            node.outs = [Value.like(target, node)]
            for name in [name for name, value in self._known.items() if value is made]:
                self._known[name] = node.outs[0]
        self.nodes.append(node)

    def _read(self, tree: Any) -> Any:
        if isinstance(tree, Tensor):
            return self.value(tree)
        if isinstance(tree, tuple | list):
            return type(tree)(self._read(part) for part in tree)
        return tree


def _fills(node: Node) -> bool:
    """Whether it draws numbers into a tensor whatever that held."""
    return node.random and node.op._schema.is_mutable and len(node.inputs()) <= 1


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _out_of_place(op: OpOverload) -> OpOverload | None:
    """`add_.Tensor` → `add.Tensor`."""
    name = op._schema.name.partition("::")[2]
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None) if name.endswith("_") else None
    return getattr(packet, op._overloadname, None) if packet is not None else None


class _Guard(TorchFunctionMode):
    """Refuses the ways by which numbers leave torch without an operation."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in LEAVING:
            raise Unrecordable(f"Tensor.{func.__name__} depends on values")
        return func(*args, **(kwargs or {}))


LEAVING = (Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__dlpack__)


@dataclass
class Recorded:
    """A computation's nodes in order, and the values it answered with; None where an answer was no tensor."""

    nodes: list[Node]
    answers: list[Value | None]


def record(function: Callable[[], Sequence[Tensor | None]]) -> Recorded:
    """Run `function` once and write down what it did.

    Raises
    ------
    Unrecordable
        Where it reads values, or writes in place what has views.
    """
    tape = Tape()
    with _Guard(), tape:
        answers = function()
    return Recorded(tape.nodes, [None if a is None else tape.value(a) for a in answers])
