"""The pass over a tape that applies the rules."""

from __future__ import annotations

import torch

from isthmus.recording.algebra import Form, Rewriter
from isthmus.recording.rules import CASTING, RULES, view
from isthmus.recording.tape import Node, Recorded, replaced


def simplified(tape: Recorded) -> tuple[list[Node], list[Form | None]]:
    """The tape rewritten, and the forms of its answers."""
    rewriter = Rewriter(tape.nodes)
    for node in tape.nodes:
        form = _ruled(rewriter, node)
        if form is None:
            _keep(rewriter, node)
        else:
            rewriter.forms[node.outs[0]] = form
    return rewriter.nodes, [None if answer is None else rewriter.form(answer) for answer in tape.answers]


def _ruled(rewriter: Rewriter, node: Node) -> Form | None:
    """What a rule makes of a node; rules speak of single results, in floating point of one precision."""
    if len(node.outs) != 1 or not node.outs[0].dtype.is_floating_point or rewriter.fleeting(node):
        return None
    numbers = node.inputs()[1:] if node.op is torch.ops.aten.where.self else node.inputs()
    if node.op not in CASTING and any(value.dtype != node.outs[0].dtype for value in numbers):
        return None
    rule = RULES.get(node.op, view if node.alias else None)
    return None if rule is None else rule(rewriter, node)


def _keep(rewriter: Rewriter, node: Node) -> None:
    """The operation as it was, on the numbers themselves."""
    args = replaced(node.args, rewriter.number)
    kwargs = {key: replaced(arg, rewriter.number) for key, arg in node.kwargs.items()}
    made = rewriter.add(Node(node.op, args, kwargs, alias=node.alias), node.outs)
    rewriter.forms.update({old: Form(old, new) for old, new in zip(node.outs, made, strict=True)})
