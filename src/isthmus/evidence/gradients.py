"""What comes back through a network: every layer's signal and gradient, which units are shut, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from isthmus.evidence.verdicts import Verdict
from isthmus.seeing.watching import BENDS, Event, Watch
from isthmus.training.loop import Observer
from isthmus.training.rows import Rows
from isthmus.training.state import State

SHUT = 0.0125  # a slope below a twentieth of the sigmoid's steepest: next to nothing passes back
SEEN = 256  # rows that are looked at, at most
DECOMPOSED = 16  # rows whose layers' Jacobians are decomposed
VANISHED, FADED, GROWN = 1e-5, 1e-2, 1e2  # of the last layer's signal, what reaches the first
MOSTLY = 0.5  # of a layer's units

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
        Mean singular value of ∂a/∂a′, a′ what the layer before gives: 1 passes signals on as they are. Of matrices.
    """

    name: str
    signal: float
    gradient: float
    shut: float | None = None
    dead: float | None = None
    singular: float | None = None


@dataclass(frozen=True)
class Look:
    """The layers, from the input's end, after so many looks or epochs."""

    step: int
    layers: tuple[Layer, ...]

    @property
    def ratio(self) -> float:
        """Of the last layer's signal, what reaches the first."""
        last = self.layers[-1].signal
        return self.layers[0].signal / last if last > 0 else math.nan


class GradientMicroscope:
    """Looks at the gradients of any network, as often as it is asked to.

    In a loop of your own:

        scope = evidence.GradientMicroscope(net)
        ...
        scope.look(x, lambda output: criterion(output, y))

    It runs a pass of its own and leaves the `.grad` of your parameters, and the network, as they were. With an
    estimator: `fit(X, watch="gradients")` looks before the first epoch and after every one, and leaves `gradients_`.

    Attributes
    ----------
    history : list of Look
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.history: list[Look] = []

    def look(self, x: Any, loss: Loss, step: int | None = None) -> Look:
        """Look at the network on rows x, (N, …), under a loss of its output that is a mean over rows."""
        found = Look(len(self.history) if step is None else step, _layers(self.network, x, loss))
        self.history.append(found)
        return found

    @property
    def verdict(self) -> Verdict:
        """What the last look says, and what to do about it."""
        return _judged(self.history[-1]) if self.history else Verdict("gradients", "n/a", "Nothing was looked at.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        looks = [{"step": look.step, "layers": [asdict(layer) for layer in look.layers]} for look in self.history]
        return {"history": looks, "verdict": self.verdict.to_dict()}

    def __str__(self) -> str:
        lines = ["layer                          signal   gradient   shut   dead   singular"]
        for layer in self.history[-1].layers if self.history else ():
            shares = "".join(f"{_cell(share):>7}" for share in (layer.shut, layer.dead))
            numbers = f"{layer.signal:10.2e} {layer.gradient:10.2e}{shares}{_cell(layer.singular):>11}"
            lines.append(f"{layer.name[-27:]:27} {numbers}")
        verdict = self.verdict
        advice = f" {verdict.suggestion}" if verdict.suggestion else ""
        return "\n".join([*lines, f"{verdict.status}: {verdict.sentence}{advice}"])


def watching(scope: GradientMicroscope, rows: Rows, seed: int) -> Observer:
    """An observer that looks at a module of ours on some of its rows, with the same noise every time."""
    some = rows.part(0, min(SEEN, len(rows)))

    def look(state: State) -> None:
        rng = Generator(device=some.x.device)
        rng.manual_seed(seed)
        module: Any = state.module
        with _as_trained(module):
            given = (some.x, some.context, rng, some.weight)
            scope.look(given, lambda record: sum(module.objective(record).values()), state.epoch)

    return look


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


class _Seen:
    """The layers of a pass in their order, each with the slopes of the activation that follows it."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.outputs: list[Tensor] = []
        self.weights: list[Tensor] = []
        self.slopes: list[Tensor | None] = []

    def visit(self, event: Event) -> Tensor | None:
        if event.weight is not None and event.output.requires_grad:
            self.names.append(event.name)
            self.outputs.append(event.output)
            self.weights.append(event.weight)
            self.slopes.append(None)
            return event.output.clone()  # what bends in place must not touch what is looked at
        if self.outputs and event.type.lower() in BENDS and event.output.shape == self.outputs[-1].shape:
            along = event.output.sum()
            self.slopes[-1] = torch.autograd.grad(along, self.outputs[-1], retain_graph=True, allow_unused=True)[0]
        return None


def _layers(network: nn.Module, x: Any, loss: Loss) -> tuple[Layer, ...]:
    given = x if isinstance(x, tuple) else (x,)
    seen = _Seen()
    with torch.enable_grad():
        with Watch(network, len(given[0]), seen.visit):
            output = network(*given)
        value = loss(output)
        wanted = [*seen.outputs, *seen.weights]
        found = torch.autograd.grad(value, wanted, allow_unused=True)
    signals, gradients = found[: len(seen.outputs)], found[len(seen.outputs) :]
    before = [None, *seen.slopes[:-1]]
    return tuple(
        _layer(*one) for one in zip(seen.names, signals, gradients, seen.slopes, seen.weights, before, strict=True)
    )


def _layer(
    name: str,
    signal: Tensor | None,
    gradient: Tensor | None,
    slope: Tensor | None,
    weight: Tensor,
    before: Tensor | None,
) -> Layer:
    flat = None if slope is None else slope.abs() < SHUT  # (N, …)
    return Layer(
        name,
        0.0 if signal is None else float(len(signal) * signal.flatten(1).norm(dim=1).mean()),
        0.0 if gradient is None else float(gradient.norm()),
        None if flat is None else float(flat.double().mean()),
        None if flat is None else float(flat.all(dim=0).double().mean()),
        _singular(weight, before),
    )


def _singular(weight: Tensor, slope: Tensor | None) -> float | None:
    """Mean singular value of W diag(s) over some rows' slopes s, (N, inputs)."""
    if weight.ndim != 2 or slope is None or slope.shape[1:] != weight.shape[1:]:
        return None
    return float(torch.linalg.svdvals(weight.detach() * slope[:DECOMPOSED, None, :]).mean())


def _judged(look: Look) -> Verdict:
    if len(look.layers) < 2 or not math.isfinite(look.ratio):
        return Verdict("gradients", "n/a", "There are not two layers that a gradient reaches.")
    if look.ratio < FADED:
        status = "fail" if look.ratio < VANISHED else "warn"
        sentence = f"The first layer receives {look.ratio:.0e} of the last layer's signal."
        return Verdict("gradients", status, sentence, "use ReLU with He initialisation, or fewer layers")
    if look.ratio > GROWN:
        sentence = f"The first layer receives {look.ratio:.0e} times the last layer's signal."
        return Verdict("gradients", "warn", sentence, "use smaller first weights, or clip_norm=1")
    worst = max(look.layers[:-1], key=lambda layer: layer.shut or 0.0)
    if (worst.shut or 0.0) > MOSTLY and (worst.dead or 0.0) > MOSTLY:
        sentence = f"{worst.dead:.0%} of the units of {worst.name} are shut for every row."
        return Verdict("gradients", "warn", sentence, "use smaller first weights or a lower learning rate")
    return Verdict("gradients", "pass", f"The first layer receives {look.ratio:.2g} of the last layer's signal.")


def _cell(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"
