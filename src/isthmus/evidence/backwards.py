"""One pass forth and back through a network, or through many of one structure: what comes back to each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from isthmus.seeing.watching import BENDS, Event, Visit, Watch
from isthmus.training.pools import Unstackable
from isthmus.training.rows import Rows
from isthmus.training.stacked import differing, live, substituted

SHUT = 0.0125  # a slope below a twentieth of the sigmoid's steepest: next to nothing passes back
DECOMPOSED = 16  # rows whose layers' Jacobians are decomposed

Loss = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Layer:
    """One layer at one moment.

    Attributes
    ----------
    name : str
    signal : float
        Mean over rows of ‖∂L/∂a‖, L a row's loss and a what the layer gives before it bends.
    gradient : float
        ‖∂L/∂W‖, L the mean loss. It may stay level where the signal fades (Glorot & Bengio 2010).
    shut : float or None
        Share of units and rows at which the activation is almost flat: saturated, or silent.
    dead : float or None
        Share of units at which it is flat for every row.
    singular : float or None
        Mean singular value of ∂a/∂a′, a′ what the layer before gives, and for the first what it reads: 1 passes
        signals on as they are. Of matrices.
    """

    name: str
    signal: float
    gradient: float
    shut: float | None = None
    dead: float | None = None
    singular: float | None = None


Layers = tuple[Layer, ...]  # from the input's end


def layers(network: nn.Module, x: Any, loss: Loss) -> Layers:
    """The layers of a network on rows x, (N, …), or on a tuple of arguments that begins with them."""
    given = x if isinstance(x, tuple) else (x,)
    heard = _Heard()
    with torch.enable_grad():
        with Watch(network, len(given[0]), heard.visit):
            output = network(*given)
        found = _back(heard, loss(output))
    return _told(heard.names, [_Back(*(cast("Any", None if t is None else t[None]) for t in one)) for one in found])[0]


def layers_together(modules: Sequence[nn.Module], rows: Sequence[Rows], seeds: Sequence[int]) -> list[Layers]:
    """The layers of each module of ours in training, on rows of its own and with noise of its own seed.

    Modules of one structure go through one pass, which is the same to rounding; where that cannot be, as where they
    draw noise, each goes through its own.
    """
    if len(modules) > 1:
        try:
            with _as_trained(modules[0]), torch.enable_grad():
                return _at_once(modules, rows)
        except (Unstackable, RuntimeError):
            pass
    return [_alone(*one) for one in zip(modules, rows, seeds, strict=True)]


def _alone(module: nn.Module, rows: Rows, seed: int) -> Layers:
    rng = Generator(device=rows.x.device)
    rng.manual_seed(seed)
    with _as_trained(module):
        return layers(module, (rows.x, rows.context, rng, rows.weight), lambda record: _total(module, record))


@contextmanager
def _as_trained(network: nn.Module) -> Iterator[None]:
    """A network in training mode; its buffers and its mode are afterwards as they were."""
    training, kept = network.training, [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.train()
    try:
        yield
    finally:
        network.train(training)
        with torch.no_grad():
            for buffer, was in kept:
                buffer.copy_(was)


class _Heard:
    """The layers of a pass in their order: a probe of zeros added to what each gives, its weight, and what bends it.

    Where `names` are given, the layers so called count, and get these `probes` in turn.
    """

    def __init__(self, names: Sequence[str] | None = None, probes: Sequence[Tensor] = ()) -> None:
        self._wanted, self._given = names, iter(probes)
        self.names: list[str] = []
        self.weights: list[Tensor] = []
        self.probes: list[Tensor] = []
        self.bent: list[Tensor | None] = []

    def visit(self, event: Event) -> Tensor | None:
        if event.weight is not None and self._counts(event):
            self.names.append(event.name)
            self.weights.append(event.weight)
            self.probes.append(self._probe(event.output))
            self.bent.append(None)
            return event.output + self.probes[-1]  # a copy, which may bend in place
        if self.probes and event.type.lower() in BENDS and event.output.shape == self.probes[-1].shape:
            self.bent[-1] = event.output
        return None

    def _counts(self, event: Event) -> bool:
        return event.output.requires_grad if self._wanted is None else event.name in self._wanted

    def _probe(self, output: Tensor) -> Tensor:
        return torch.zeros_like(output, requires_grad=True) if self._wanted is None else next(self._given)


# --- many at once ------------------------------------------------------------------------------------------------


class _Objective(nn.Module):
    """The loss of a module of ours as a forward pass, in which the layers of the pass alone are heard."""

    def __init__(self, module: nn.Module, rng: Generator) -> None:
        super().__init__()
        self.module, self.rng = module, rng

    def forward(self, given: Mapping[str, Tensor], visit: Visit) -> Tensor:
        with Watch(self.module, len(given["x"]), visit):
            record = self.module(given["x"], given.get("context"), self.rng, given.get("weight"))
        return _total(self.module, record)


def _total(module: nn.Module, record: object) -> Tensor:
    terms: Mapping[str, Tensor] = cast("Any", module).objective(record)
    return torch.stack(list(terms.values())).sum()


def _at_once(modules: Sequence[nn.Module], rows: Sequence[Rows]) -> list[Layers]:
    """One pass of all, with their weights and their rows stacked on a leading axis."""
    whole = _Objective(modules[0], Generator(device=rows[0].x.device))
    each = [{name: t for name, t in vars(one).items() if t is not None} for one in rows]
    given = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    own, numbers = _stacked(modules), differing(modules, next(modules[0].parameters()))
    first = _Heard()
    whole(each[0], first.visit)

    def one(
        own: Mapping[str, Tensor], numbers: Mapping[str, Tensor], given: Mapping[str, Tensor], probes: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        heard = _Heard(first.names, probes)
        with substituted(whole.module, numbers):
            value: Tensor = functional_call(whole, dict(own), (given, heard.visit))
        return value, [bent for bent in heard.bent if bent is not None]

    all_ = _Heard()
    all_.probes = [p.detach().expand(len(modules), *p.shape).clone().requires_grad_() for p in first.probes]
    all_.weights = [own[name] for name in _names(whole, first.weights)]
    values, bent = torch.vmap(one)(own, numbers, given, all_.probes)
    all_.bent = [None if none is None else bent.pop(0) for none in first.bent]
    return _told(first.names, _back(all_, values.sum()))


def _stacked(modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Copies of all parameters and buffers by their names in an `_Objective`, (P, …) each."""
    own = [live(module) for module in modules]
    return {
        f"module.{name}": torch.stack([one[name].detach() for one in own]).requires_grad_(t.requires_grad)
        for name, t in own[0].items()
    }


def _names(whole: nn.Module, weights: Sequence[Tensor]) -> list[str]:
    names = {id(parameter): name for name, parameter in whole.named_parameters()}
    if any(id(weight) not in names for weight in weights):
        raise Unstackable("a layer multiplies with what is made of a parameter")
    return [names[id(weight)] for weight in weights]


# --- what was found ----------------------------------------------------------------------------------------------


class _Back(NamedTuple):
    """Of one layer what comes back to each row, and to the weight; the slopes of what bends it; its weight."""

    signal: Tensor | None
    gradient: Tensor | None
    slope: Tensor | None
    weight: Tensor


def _back(heard: _Heard, total: Tensor) -> list[_Back]:
    trained = [weight for weight in heard.weights if weight.requires_grad]
    found = torch.autograd.grad(total, [*heard.probes, *trained], retain_graph=True, allow_unused=True)
    signals, gradients = found[: len(heard.probes)], iter(found[len(heard.probes) :])
    own = [next(gradients) if weight.requires_grad else None for weight in heard.weights]
    slopes = [
        None if bent is None else torch.autograd.grad(bent.sum(), probe, retain_graph=True, allow_unused=True)[0]
        for bent, probe in zip(heard.bent, heard.probes, strict=True)
    ]
    return [_Back(*one) for one in zip(signals, own, slopes, heard.weights, strict=True)]


def _told(names: Sequence[str], found: Sequence[_Back]) -> list[Layers]:
    """The layers of each member, from tensors with a leading axis for these."""
    before = [torch.ones_like(found[0].weight[:, :1].flatten(2)), *(one.slope for one in found[:-1])] if found else []
    columns = [_column(*one) for one in zip(names, found, before, strict=True)]
    return list(zip(*columns, strict=True))


def _column(name: str, one: _Back, before: Tensor | None) -> list[Layer]:
    """One layer of each member; `before` are the slopes of what bends the layer before it, (P, N, inputs)."""
    zeros, nothing = [0.0] * len(one.weight), [None] * len(one.weight)
    flat = None if one.slope is None else one.slope.abs() < SHUT  # (P, N, …)
    return [
        Layer(name, *numbers)
        for numbers in zip(
            zeros if one.signal is None else (one.signal.shape[1] * _norms(one.signal, 2).mean(dim=1)).tolist(),
            zeros if one.gradient is None else _norms(one.gradient, 1).tolist(),
            nothing if flat is None else flat.double().flatten(1).mean(dim=1).tolist(),
            nothing if flat is None else flat.all(dim=1).double().flatten(1).mean(dim=1).tolist(),
            _singular(one.weight, before) or nothing,
            strict=True,
        )
    ]


def _norms(t: Tensor, axis: int) -> Tensor:
    return t.flatten(axis).norm(dim=axis)


def _singular(weight: Tensor, slope: Tensor | None) -> list[float] | None:
    """Mean singular value of W diag(s) over some rows' slopes s: (P, outputs, inputs) and (P, N, inputs)."""
    if weight.ndim != 3 or slope is None or slope.shape[2:] != weight.shape[2:]:
        return None
    jacobians = (weight.detach()[:, None] * slope.detach()[:, :DECOMPOSED, None, :]).double()  # (P, n, outputs, inputs)
    if jacobians.shape[2] > jacobians.shape[3]:
        jacobians = jacobians.mT
    squares = torch.linalg.eigvalsh(jacobians @ jacobians.mT)  # quicker than the singular values themselves
    found: list[float] = squares.clamp_min(0).sqrt().mean(dim=(1, 2)).tolist()
    return found
