"""A recorded computation, replayed on other numbers, against the same computation run as it stands."""

import contextlib
from collections import Counter

import expressions
import pytest
import torch
import torch.nn.functional as F
from expressions import LARGE, SMALL, answers
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.recording import Unrecordable, compiled, record

D = torch.float64
REPLAYS = 3


def drawn(shapes, seed=0, requires_grad=False):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=D, generator=rng).requires_grad_(requires_grad) for shape in shapes]


def renew(inputs, seed):
    """Other numbers in the same tensors, as a batch that is gathered into its room."""
    with torch.no_grad():
        for tensor, fresh in zip(inputs, drawn([x.shape for x in inputs], seed), strict=True):
            tensor.copy_(fresh)


def agree(got, want):
    for place, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a is None) == (b is None), f"answer {place}"
        if b is not None:
            assert (a.shape, a.dtype) == (b.shape, b.dtype), f"answer {place}"
            scale = 1 + (b.abs().max() if b.numel() else 0)
            torch.testing.assert_close(a / scale, b / scale, rtol=0, atol=1e-10, equal_nan=True, msg=f"answer {place}")


def check(function, inputs, given=False):
    """Record, then compare replays on other numbers; `given`: every answer is written into a tensor given for it."""
    first = function(*inputs)
    tape = record(lambda: function(*inputs))
    into = {i: torch.full(a.shape, 7.0, dtype=a.dtype) for i, a in enumerate(first) if given and a is not None}
    program = compiled(tape, into)
    for seed in range(1, 1 + REPLAYS):
        renew(inputs, seed)
        with torch.no_grad():
            program.run()
        agree([into.get(i, a) for i, a in enumerate(program.answers)], function(*inputs))
    return program


# --- properties over random expressions --------------------------------------------------------------------------

NUMBERS = st.integers(0, 200)
GRAPHS = st.lists(
    st.tuples(st.integers(0, len(expressions.OPERATIONS) - 1), NUMBERS, NUMBERS, NUMBERS), min_size=5, max_size=14
)


@pytest.mark.parametrize(("shapes", "examples"), [(SMALL, 150), (LARGE, 60)], ids=["small", "large"])
@pytest.mark.filterwarnings("ignore:var")
def test_replays_of_random_expressions_equal_direct_evaluation(shapes, examples):
    seen = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(GRAPHS, st.lists(st.integers(0, 11), min_size=1, max_size=4), st.booleans(), st.booleans())
    def every(graph, picks, differentiate, into):
        inputs = drawn(shapes, requires_grad=differentiate)
        try:
            check(lambda *x: answers(x, graph, picks, differentiate), inputs, into)
        except Unrecordable as refused:
            seen[str(refused)] += 1
        else:
            seen["recorded"] += 1

    every()
    assert seen["recorded"] > 0.95 * seen.total(), seen


# --- expressions that went wrong, or might -----------------------------------------------------------------------


def gradient(function, *wanted):
    """Answers and gradients of a function's sum with respect to some of its arguments."""

    def both(*inputs):
        out = function(*inputs)
        return [out.detach(), *torch.autograd.grad(out.sum(), [inputs[i] for i in wanted])]

    return both


one = torch.ones((), dtype=D)
KNOTS = {
    # a product that several answers scale
    "a product twice": ([(4, 5), (5, 6)], lambda a, b: [a @ b, a @ b]),
    "a product and its double": ([(4, 5), (5, 6)], lambda a, b: [a @ b, 2 * (a @ b)]),
    "a product in two scales": ([(4, 5), (5, 6)], lambda a, b: [3 * (a @ b), 2 * (a @ b)]),
    "a scaled product and a view of it": ([(4, 5), (5, 6)], lambda a, b: [2 * (a @ b), 3 * (a @ b).T]),
    "a scaled product read through a view": ([(4, 5), (5, 6)], lambda a, b: [3 * (a @ b), (a @ b).T.sigmoid()]),
    "a scaled product read by a sum": ([(4, 5), (5, 6)], lambda a, b: [3 * (a @ b), (a @ b).sum()]),
    "the same answer twice": ([(4, 5)], lambda a: [(a.tanh() * 2), (a.tanh() * 2)]),
    # what is added to a product
    "linear + vector": ([(6, 3), (5, 3), (5,), (5,)], lambda x, w, b, v: [F.linear(x, w, b) + v]),
    "linear - vector": ([(6, 3), (6, 3), (6,), (6,)], lambda x, w, b, v: [F.linear(x, w, b) - v]),
    "vector - linear": ([(6, 3), (6, 3), (6,), (6,)], lambda x, w, b, v: [v - F.linear(x, w, b)]),
    "linear + number": ([(6, 3), (6, 3), (6,), ()], lambda x, w, b, v: [F.linear(x, w, b) + v]),
    "linear + column": ([(6, 3), (5, 3), (5,), (6, 1)], lambda x, w, b, v: [F.linear(x, w, b) + v]),
    "rows - linear": ([(6, 3), (5, 3), (5,), (6, 5)], lambda x, w, b, v: [v - F.linear(x, w, b)]),
    "linear + wider rows": ([(6, 3), (5, 3), (5,), (2, 6, 5)], lambda x, w, b, v: [F.linear(x, w, b) + v]),
    "products added": ([(6, 3), (3, 5), (6, 4), (4, 5)], lambda a, b, c, d: [a @ b - 2 * (c @ d), (a @ b).sum()]),
    "product + itself": ([(5, 5)], lambda a: [a @ a + a, a - a @ a, (a @ a) + (a @ a)]),
    "product + its factor": ([(5, 5)], lambda a: [(t := a.tanh()) @ t + t, (u := a.sigmoid()) - u.T @ u]),
    "bmm + its factor": ([(4, 5, 5)], lambda a: [(t := a.tanh()) @ t.mT + t, (u := a.sigmoid()) - u @ u]),
    "bmm + vector": ([(4, 6, 3), (4, 3, 5), (5,)], lambda a, b, v: [torch.bmm(a, b) + v]),
    "bmm + matrix": ([(4, 6, 3), (4, 3, 5), (6, 5)], lambda a, b, v: [torch.bmm(a, b) + v]),
    "bmm + member's row": ([(4, 6, 3), (4, 3, 5), (4, 1, 5)], lambda a, b, v: [torch.bmm(a, b) - v]),
    "baddbmm + vector": ([(4, 6, 3), (4, 3, 6), (4, 1, 6), (6,)], lambda a, b, c, v: [torch.baddbmm(c, a, b) + v]),
    "looped bmm": ([(32, 64, 32), (32, 32, 32)], lambda a, b: [torch.bmm(a, b), torch.bmm(a, b.mT) * 2]),
    "looped bmm + vector": ([(32, 64, 32), (32, 32, 32), (32,)], lambda a, b, v: [torch.bmm(a, b) + v]),
    "looped bmm + matrix": ([(64, 64, 32), (64, 32, 32), (64, 32)], lambda a, b, v: [torch.bmm(a, b) + v]),
    "looped bmm + number": ([(32, 64, 32), (32, 32, 32), ()], lambda a, b, v: [torch.bmm(a, b) + v]),
    "looped bmm of one matrix": ([(32, 64, 32), (32, 32)], lambda a, b: [a @ b + 1]),
    "narrow bmm + vector": ([(3, 256, 32), (3, 32, 8), (8,)], lambda a, b, v: [torch.bmm(a, b) + v]),
    # narrow products lie by columns
    "narrow": ([(256, 64), (64, 8), (8,)], lambda a, b, v: [(a @ b + v).tanh().T @ a, (a @ b + v).tanh().sum(0)]),
    "narrow, viewed": ([(256, 64), (64, 8)], lambda a, b: [(a @ b).view(-1)[::3], ((a @ b) ** 2).sum()]),
    "narrow, turned and squared": ([(256, 64), (64, 8)], lambda a, b: [(a @ b).T, ((a @ b) ** 2).sum()]),
    "narrow, made contiguous": ([(256, 64), (64, 8)], lambda a, b: [(2 * (a @ b).T).contiguous().view(-1)]),
    "narrow of many": ([(5, 64, 16), (5, 16, 8)], lambda a, b: [(a @ b).tanh().mT, (a @ b).tanh().reshape(5, -1)]),
    "weights of unit length": (
        [(64, 256), (64, 8), (8, 256), (8, 1)],
        gradient(lambda a, b, v, g: (torch._weight_norm(v, g) * (2 * (a.T @ b).T).tanh()).sum(), 0, 2, 3),
    ),
    # numbers known beforehand
    "zero": ([(4, 8), (4, 8)], lambda a, b: [a * 0.0 + b, b + a * 0.0, (a * 0.0).exp(), 0.0 * (a @ b.T)]),
    "scales far apart": ([(4, 8), (4, 8)], lambda a, b: [a * 1e-200 + b, b * 1e200 * 1e-200, a * 1e-300 * 1e-300 + b]),
    "divided by nothing": ([(4, 8)], lambda a: [a / 0.0, a / torch.zeros_like(a), a.sum() / 0]),
    "the mean of nothing": ([(4, 8)], lambda a: [a[:0].mean() + a.sum(), a[:0].sum(0)]),
    "constants": ([(4, 8)], lambda a: [torch.ones(3, dtype=D), a.new_zeros(2) * 3 + 1, torch.full_like(a, 2) - 1]),
    "inputs": ([(4, 8)], lambda a: [a, a * 1.0, a + 0, a.clone(), a.T, -a]),
    "spread, then viewed": (
        [(4, 1)],
        lambda a: [(a.expand(4, 5) * 2.0).view(20), (a.sum(1) / 4)[:, None].expand(4, 5)],
    ),
    "spread, gradient": ([(4, 8)], gradient(lambda a: (a.view(4, 2, 4).mean(-1) * 3).repeat(1, 4), 0)),
    "squares of a spread": ([(4, 1)], lambda a: [(a.expand(4, 5) ** 2).sum(), ((a.expand(4, 5) * 3) ** 2).mean()]),
    "dot of a spread": ([(7,)], lambda a: [torch.dot(a[:1].expand(7) * 2, a)]),
    "sums of sums": (
        [(4, 5, 6)],
        lambda a: [a.sum(1).sum(0), a.sum((0, 2)).sum(), a.mean(-1).sum(0), a.sum(1, True).sum(0)],
    ),
    "a choice scaled": (
        [(4, 8), (8,)],
        lambda a, b: [torch.where(a > 0, b * 2, 0.0), torch.where(b > 0, a * 3 + 1, 0.0)],
    ),
    "joined": (
        [(4, 8)] * 2,
        lambda a, b: [torch.stack([a * 2, b * 2]), torch.cat([a * 2, b * 3]), torch.cat([a + 1, b])],
    ),
    # other kinds of numbers
    "truth as numbers": (
        [(4, 5), (5, 6)],
        lambda a, b: [((a > 0) * one) @ b, ((a > 0) * one).square().sum(), (a > 0) * one],
    ),
    "whole numbers": ([(4, 5)], lambda a: [(a * 4).long() * one, ((a * 4).long() * one) ** 2, (a * 4).long() + a]),
    "another precision": (
        [(4, 5)],
        lambda a: [(a.half().double() * 2).sum(0), (a.float() * one.float()).double() @ a.T],
    ),
    "mixed precision": ([(4, 5)], lambda a: [a.float() * torch.ones(4, 5, dtype=D), a.float() + a]),
    "complex numbers": (
        [(4, 8)],
        lambda a: [torch.fft.rfft(a).abs(), (torch.fft.rfft(a) * torch.fft.rfft(a).conj()).real],
    ),
    # views
    "strides": ([(4, 8)], lambda a: [(a * 2).unfold(1, 3, 1).sum(-1), (a.T * 2.0).as_strided((2, 2), (1, 4))]),
    "strides of a spread": ([(4, 1)], lambda a: [(a.expand(4, 8) * 2.0).as_strided((2, 2), (1, 8))]),
    "sorted": ([(4, 8)], lambda a: [a.sort().values, a.topk(3).values, a.cumsum(0), a.flip(0), a.roll(1, 1)]),
    "parts joined again": ([(4, 8)], lambda a: [torch.cat(a.chunk(2, -1)[::-1], -1) * 2 + a, sum(a.unbind(0))]),
    "written into": (
        [(4, 8)],
        lambda a: [torch.zeros_like(a).index_put((torch.tensor([0]),), a[0]), a.clone().relu_()],
    ),
}


@pytest.mark.parametrize("given", [False, True], ids=["own memory", "given memory"])
@pytest.mark.parametrize("knot", KNOTS)
def test_knots(knot, given):
    shapes, function = KNOTS[knot]
    check(function, drawn(shapes, requires_grad=function.__name__ == "both"), given)


def test_memory_is_made_once():
    """Answers are the same tensors in every replay, and what nothing reads any more makes room for what follows."""
    (a,) = drawn([(64, 64)])

    def deep(a):
        for _ in range(30):
            a = torch.sin(a @ a / 64)
        return [a]

    program = check(deep, [a])
    places = {t.data_ptr() for call in program.calls for t in call.keywords.values() if isinstance(t, torch.Tensor)}
    assert len(places) <= 3


# --- what a step writes into -------------------------------------------------------------------------------------


def old_then_new(x, kept):
    before = x * 2 + kept
    kept.add_(1)
    return [before, x * 2 + kept]


def copied(x, kept):
    before = kept.clone()
    kept.add_(1)
    return [before, x + before]


def scaled(x, kept):
    before = kept * 2
    kept.add_(1)
    return [x + before]


def viewed(x, kept):
    view = kept[:3]
    before = view.sum() * x
    kept.add_(1)
    return [before + view.sum() * x]


def viewed_copy(x, kept):
    before = kept.detach().clone().view(2, 3)
    kept.add_(1)
    return [before * 2, kept.view(2, 3) * 2]


def spread(x, kept):
    before = kept.expand(4, 6) * 1.0
    kept.add_(1)
    return [x * before]


def running_mean(x, kept):
    kept.mul_(0.9).add_(x.mean(0), alpha=0.1)
    return [x - kept]


def replaced(x, kept):
    kept.copy_(0.9 * kept + 0.1 * x.mean(0))
    return [x - kept]


def begun(x, kept):
    product = torch.addmm(kept, x, torch.eye(6, dtype=D))
    kept.add_(1.0)
    return [product + kept, product]


def forgotten(x, kept):
    before = kept.tanh()
    kept.zero_()
    return [x * before, kept.tanh()]


EFFECTS = [old_then_new, copied, scaled, viewed, viewed_copy, spread, running_mean, replaced, begun, forgotten]


@pytest.mark.parametrize("effect", EFFECTS)
def test_what_lives_on_is_written_at_each_replay_in_the_order_of_the_step(effect):
    (x,), kept = drawn([(4, 6)]), torch.arange(6, dtype=D)
    start = kept.clone()
    tape = record(lambda: effect(x, kept))
    program = compiled(tape, {})
    kept.copy_(start)
    for seed in range(1, 1 + REPLAYS):
        renew([x], seed)
        with torch.no_grad():
            program.run()
        agree([*program.answers, kept], [*effect(x, start), start])


# --- draws -------------------------------------------------------------------------------------------------------

DRAWS = {
    "randn": lambda x, rng: torch.randn(x.shape, dtype=D, generator=rng),
    "rand": lambda x, rng: torch.rand(x.shape, dtype=D, generator=rng),
    "twice": lambda x, rng: torch.rand(4, 6, dtype=D, generator=rng) - torch.rand(4, 6, dtype=D, generator=rng),
    "global rand": lambda x, rng: torch.rand_like(x),
    "global randn": lambda x, rng: torch.randn(x.shape, dtype=D),
    "bernoulli": lambda x, rng: torch.bernoulli(torch.sigmoid(x), generator=rng),
    "dropout": lambda x, rng: F.dropout(x, 0.4),
    "feature dropout": lambda x, rng: F.dropout1d(x, 0.4),
    "normal_": lambda x, rng: torch.empty_like(x).normal_(generator=rng),
    "bernoulli_": lambda x, rng: torch.empty_like(x).bernoulli_(0.4, generator=rng),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_are_those_of_the_step(draw):
    (x,) = drawn([(4, 6)])
    rng = torch.Generator()

    def function():
        return [x + DRAWS[draw](x, rng), DRAWS[draw](x, rng)]

    program = compiled(record(function), {})
    with torch.random.fork_rng():
        for seed in range(REPLAYS):
            renew([x], seed)
            rng.manual_seed(seed)
            torch.default_generator.manual_seed(seed)
            program.run()
            got = [answer.clone() for answer in program.answers]
            rng.manual_seed(seed)
            torch.default_generator.manual_seed(seed)
            agree(got, function())
            assert not torch.equal(got[0] - x, got[1])


# --- what cannot be recorded -------------------------------------------------------------------------------------


def in_place_on_a_view(x):
    y = x.clone()
    y[:, 0].mul_(2)
    return y


REFUSED = {
    "aten._local_scalar_dense.default depends on values": lambda x: x * x.sum().item(),
    "aten.nonzero.default depends on values": lambda x: torch.nonzero(x > 0),
    "aten.index.Tensor depends on values": lambda x: x[x > 0],
    "aten.equal.default depends on values": lambda x: x * torch.equal(x, x),
    "aten.masked_select.default depends on values": lambda x: x.masked_select(x > 0),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_depends_on_values_is_refused(reason):
    (x,) = drawn([(4, 6)])
    with pytest.raises(Unrecordable) as caught:
        record(lambda: [REFUSED[reason](x)])
    assert str(caught.value) == reason


PAST_TORCH = {
    "numpy": lambda x: x * torch.from_numpy(x.numpy() ** 2),
    "asarray": lambda x: x * float(__import__("numpy").asarray(x).mean()),
    "tolist": lambda x: x * max(x.flatten().tolist()),
    "dlpack": lambda x: x * torch.from_dlpack(__import__("numpy").from_dlpack(x).copy()),
}


@pytest.mark.parametrize("way", PAST_TORCH)
def test_values_read_past_torch_are_refused(way):
    """They would be frozen as they were when recorded."""
    (x,) = drawn([(4, 6)])
    with pytest.raises(Unrecordable, match=r" depends on values$"):
        record(lambda: [PAST_TORCH[way](x)])


SUPPORTED_OR_REFUSED = {
    "in place on a view": in_place_on_a_view,
    "sparse": lambda x: torch.sparse.mm(torch.eye(4, dtype=D).to_sparse(), x),
    "squeezed in place": lambda x: (x[None] * 2).squeeze_(0),
    "transposed in place": lambda x: (x * 2).t_(),
    "filled view": lambda x: torch.ones_like(x).fill_diagonal_(3.0) * x,
    "out": lambda x: torch.mul(x, 2, out=torch.empty_like(x)),
    "unfolded": lambda x: F.unfold(x[None, None], 2),
}


@pytest.mark.parametrize("name", SUPPORTED_OR_REFUSED)
def test_the_rest_is_right_or_refused(name):
    with contextlib.suppress(Unrecordable):
        check(lambda x: [SUPPORTED_OR_REFUSED[name](x)], drawn([(4, 6)]))
