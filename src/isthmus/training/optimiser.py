"""Moving a pool along its gradients, AdamW or SGD: torch's fused kernels, one call for members of one rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isthmus.training.pools import Pool

Call = Callable[[], object]
BETAS, EPSILON = (0.9, 0.999), 1e-8


class Pace(NamedTuple):
    """A member's learning rate and weight decay in an epoch; a rate of None leaves it as it is."""

    rate: float | None
    decay: float


class Optimiser:
    """What AdamW and SGD share: matrices decay, biases do not. `gradients` are filled before each `step`.

    A member's gradient longer than its `clip` is scaled to that length (Pascanu 2013). On a GPU rates are tensors, so
    that a captured step follows them; `version` changes where a captured one would not.
    """

    def __init__(self, pool: Pool, clips: Sequence[float | None]) -> None:
        self.pool = pool
        self.version = 0
        self._rates: list[Tensor] = []  # of each run of members, on a GPU
        self.gradients = _gradient_buffers(pool)
        self.used: list[int] = []  # parameters that the loss depends on
        self._norms = pool.parameters[0].new_zeros((len(self.gradients), *self._lead()))
        limits = [math.inf if clip is None else clip for clip in clips]
        self._limits = None if all(map(math.isinf, limits)) else self._norms.new_tensor(limits).view(self._lead())
        self._paces: list[Pace] = []
        self._calls: list[Call] = []

    def _lead(self) -> tuple[int, ...]:
        return () if self.pool.members is None else (self.pool.members,)

    def use(self, parameters: list[int]) -> None:
        """Name the parameters that get gradients; the others are never moved."""
        if parameters != self.used:
            self.used = parameters
            self._bind()

    def rebind(self) -> None:
        """Look the parameters up again, whose numbers may lie elsewhere now."""
        self._bind()

    def clear(self, parameters: Iterable[int]) -> None:
        """Set gradients to 0 that this step does not make."""
        for i in parameters:
            self.gradients[i].zero_()

    def pace(self, paces: Sequence[Pace]) -> None:
        """Each member's rate and decay from now on."""
        before, self._paces = self._paces, list(paces)
        if self._paces == before:
            return
        if self._rates and _outline(before) == _outline(self._paces):
            for rate, (_, _, pace) in zip(self._rates, _runs(self._paces), strict=True):
                rate.fill_(pace.rate or 0.0)
            return
        self._bind()

    def _bind(self) -> None:
        self.version += 1
        runs = list(_runs(self._paces))
        rates: list[Any] = [pace.rate for _, _, pace in runs]
        if self.pool.device.type == "cuda" or self.rates_as_tensors:
            rates = self._rates = [torch.tensor(rate, device=self.pool.device) for rate in rates]
        self._calls = [functools.partial(self.pool.step.add_, 1)]
        for (a, b, pace), rate in zip(runs, rates, strict=True):
            self._calls.extend(self._updates(a, b, rate, pace.decay))

    rates_as_tensors = False  # on a CPU too

    def _updates(self, a: int, b: int, rate: Any, weight_decay: float) -> Iterator[Call]:
        """The calls for members a to b − 1."""
        pool = self.pool
        groups = [(self.used, 0.0)]
        if weight_decay:
            groups = [([i for i in self.used if pool.decays(i) == kind], weight_decay * kind) for kind in (True, False)]
        for group, decay in groups:
            if group:
                lists = [
                    [_part(tensors[i], a, b, pool.members) for i in group]
                    for tensors in (pool.parameters, self.gradients, pool.first, pool.second)
                ]
                yield self._kernel(lists, rate, decay)

    def _kernel(self, lists: Sequence[list[Tensor]], rate: Any, decay: float) -> Call:
        """The call that moves parameters by gradients and two kinds of moments, a list of each."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def step(self, norm: Tensor) -> None:
        """Move the parameters; `norm`, () or (P,), receives the gradient's length before clipping."""
        self._measure(norm)
        if self._limits is not None:
            self._clip(norm, self._limits)
        for call in self._calls:
            call()

    def _measure(self, norm: Tensor) -> None:
        if self.pool.members is None and self._flat is not None:
            torch.linalg.vector_norm(self._flat, out=norm)
            return
        for i in self.used:
            torch.linalg.vector_norm(self.gradients[i].flatten(1), dim=1, out=self._norms[i])
        torch.linalg.vector_norm(self._norms, dim=0, out=norm)

    def _clip(self, norm: Tensor, limits: Tensor) -> None:
        share = (limits / (norm + 1e-6)).clamp_(max=1)
        for i in self.used:
            gradient = self.gradients[i]
            gradient.mul_(share if self.pool.members is None else share.view(-1, *[1] * (gradient.ndim - 1)))

    @property
    def _flat(self) -> Tensor | None:
        return self.gradients[0]._base if self.pool.members is None else None


class AdamW(Optimiser):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    def _kernel(self, lists: Sequence[list[Tensor]], rate: Any, decay: float) -> Call:
        steps = [self.pool.step] * len(lists[0])
        return functools.partial(
            torch._fused_adamw_,
            *lists,
            [],
            steps,
            lr=rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )


class SGD(Optimiser):
    """w ← w − ηv, v ← μv + g + λw: stochastic gradient descent, with momentum μ where it is not 0 (Polyak 1964)."""

    def __init__(self, pool: Pool, clips: Sequence[float | None], momentum: float) -> None:
        super().__init__(pool, clips)
        self.momentum = momentum

    def _kernel(self, lists: Sequence[list[Tensor]], rate: Any, decay: float) -> Call:
        parameters, gradients, first, _ = lists
        return functools.partial(
            torch._fused_sgd_,
            parameters,
            gradients,
            first if self.momentum else [],
            weight_decay=decay,
            momentum=self.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )


def _outline(paces: Sequence[Pace]) -> list[tuple[int, int, float]]:
    """All of the runs but their rates."""
    return [(a, b, pace.decay) for a, b, pace in _runs(paces)]


def _gradient_buffers(pool: Pool) -> list[Tensor]:
    """A tensor like each parameter; those of a single module lie in one block, so that one call measures them all.

    The kernel walks over memory, so a gradient's numbers lie in the order of its parameter's, channels last or not.
    """
    if pool.members is not None:
        return [torch.zeros_like(p, requires_grad=False) for p in pool.parameters]
    sizes = [p.numel() for p in pool.parameters]
    flat = pool.parameters[0].new_zeros(sum(sizes))
    return [
        part.as_strided(p.shape, p.stride(), part.storage_offset())
        for part, p in zip(flat.split(sizes), pool.parameters, strict=True)
    ]


def _part(tensor: Tensor, a: int, b: int, members: int | None) -> Tensor:
    tensor = tensor.detach()
    return tensor if members is None or (a, b) == (0, members) else tensor[a:b]


def _runs(paces: Sequence[Pace]) -> Iterator[tuple[int, int, Pace]]:
    """Neighbours of one pace as (first, one past the last, pace), the resting ones left out."""
    start = 0
    for i in range(1, len(paces) + 1):
        if i == len(paces) or paces[i] != paces[start]:
            if paces[start].rate is not None:
                yield start, i, paces[start]
            start = i
