"""The floor: a step's matrix products and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from speed import nets
from speed.cases import Case, Rows
from speed.clock import Clock, Epochs

Step = Callable[[], None]
CHUNK = 4096  # rows at a time where only the encoder runs: the results stay in the caches


@torch.no_grad()
def prepare(case: Case, X: Rows, device: str) -> Epochs:
    if case.group == "transform":
        steps, step = case.rows // CHUNK, forward(case, X, device)
    elif case.group == "convolution":
        steps, step = case.steps, convolutions(case, device)
    else:
        steps, step = case.steps, products(case, device)
    given = torch.get_num_threads()

    @torch.no_grad()
    def epochs(n: int) -> list[float]:
        torch.set_num_threads(given)
        if device == "cpu":  # asked in every round: another program may have been at work in the one before
            torch.set_num_threads(quicker(step))
        clock = Clock(device)
        for _ in range(n + 1):
            for _ in range(steps):
                step()
            clock.tick()
        return clock.seconds()

    return epochs


def products(case: Case, device: str) -> Step:
    """Forward, and backward from a gradient of the output, each layer's three products into buffers.

    Of a population the products of all members at once, (P, N, M).
    """
    multiply, lead = (torch.bmm, (case.members,)) if case.members > 1 else (torch.mm, ())

    def filled(*size: int) -> Tensor:
        return torch.randn(*lead, *size, device=device).mul_(0.03).to(getattr(torch, case.dtype))

    calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def product(a: Tensor, b: Tensor) -> Tensor:
        calls.append((a, b, result_of(multiply, a, b)))
        return calls[-1][2]

    h, layers = filled(case.batch, case.widths[0]), []
    for n, m in case.layers:
        layers.append((filled(m, n), h))
        h = product(h, layers[-1][0].mT)
    gradient = filled(*h.shape[-2:])
    for i, (weight, inputs) in reversed(list(enumerate(layers))):
        product(gradient.mT, inputs)
        gradient = product(gradient, weight) if i else gradient

    def step() -> None:
        for a, b, out in calls:
            multiply(a, b, out=out)

    return step


def result_of(multiply: Callable[..., Tensor], a: Tensor, b: Tensor) -> Tensor:
    """A buffer for the product, its rows or its columns in one piece, whichever is quicker to fill."""
    *lead, n, _ = a.shape
    rows, columns = a.new_empty(*lead, n, b.shape[-1]), a.new_empty(*lead, b.shape[-1], n).mT
    return min((rows, columns), key=lambda out: least_time(lambda: multiply(a, b, out=out)))


def forward(case: Case, X: Rows, device: str) -> Step:
    """The encoder's products over the rows, a chunk a step."""
    rows = torch.from_numpy(X).to(device)
    weights = [torch.randn(n, m, device=device) * 0.03 for n, m in case.layers[: len(case.widths) - 1]]
    buffers = [torch.empty(CHUNK, weight.shape[1], device=device) for weight in weights[:-1]]
    codes = torch.empty(len(rows), case.widths[-1], device=device)
    chunks = [slice(start, start + CHUNK) for start in range(0, len(rows) - CHUNK + 1, CHUNK)]
    place = iter(())

    def step() -> None:
        nonlocal place
        where = next(place, None)
        if where is None:
            place = iter(chunks)
            where = next(place)
        h = rows[where]
        for weight, out in zip(weights, [*buffers, codes[where]], strict=True):
            h = torch.mm(h, weight, out=out)

    return step


def convolutions(case: Case, device: str) -> Step:
    """The convolutions and dense products of the convolutional net, forward and backward; no `out=` is offered."""
    modules = [m for half in nets.halves(case) for m in half.to(device)]
    x = torch.randn(case.batch, *nets.shape(case), device=device)
    recorded = []
    for module in modules:
        y = module(x)
        if next(module.parameters(), None) is not None:
            recorded.append((module, x, torch.randn_like(y)))
        x = y

    def step() -> None:
        for i, (module, x, gradient) in enumerate(recorded):
            if isinstance(module, torch.nn.Linear):
                torch.mm(x, module.weight.t())
                torch.mm(gradient.t(), x)
                torch.mm(gradient, module.weight)
            else:
                _convolve(module, x, gradient, first=i == 0)

    return step


def _convolve(module: torch.nn.Module, x: Tensor, gradient: Tensor, first: bool) -> None:
    transposed = isinstance(module, torch.nn.ConvTranspose2d)
    settings = (module.stride, module.padding, module.dilation, transposed, module.output_padding, 1)
    torch.ops.aten.convolution(x, module.weight, None, *settings)
    torch.ops.aten.convolution_backward(gradient, x, module.weight, None, *settings, (not first, True, False))


def quicker(step: Step) -> int:
    """The number of threads, all that were given or 1, with which the step is quicker."""
    spent = {}
    for threads in (torch.get_num_threads(), 1):
        torch.set_num_threads(threads)
        spent[threads] = least_time(step)
    return min(spent, key=lambda threads: spent[threads])


def least_time(call: Callable[[], object]) -> float:
    """The least time of a few calls, after one that warms up."""
    call()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        for _ in range(5):
            call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
