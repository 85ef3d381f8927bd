"""What comes back through a network: every layer's signal and gradient, which units are shut, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from isthmus.evidence.backwards import Layers, Loss, layers, layers_together
from isthmus.evidence.verdicts import Verdict
from isthmus.training.loop import Audience
from isthmus.training.rows import Rows
from isthmus.training.state import State

SEEN = 256  # rows that are looked at, at most
VANISHED, FADED, GROWN = 1e-5, 1e-2, 1e2  # of the last layer's signal, what reaches the first
MOSTLY = 0.5  # of a layer's units


@dataclass(frozen=True)
class Look:
    """The layers, from the input's end, after so many looks or epochs."""

    step: int
    layers: Layers

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
        found = Look(len(self.history) if step is None else step, layers(self.network, x, loss))
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


def watching(scopes: Sequence[GradientMicroscope], rows: Sequence[Rows], seeds: Sequence[int]) -> Audience:
    """An audience that looks at modules of ours on some of their rows, with the same noise every time."""
    own = {
        id(scope.network): (scope, some.part(0, min(SEEN, len(some))), seed)
        for scope, some, seed in zip(scopes, rows, seeds, strict=True)
    }

    def look(states: Sequence[State]) -> None:
        parts = zip(*(own[id(state.module)] for state in states), strict=True)
        heard, some, seeds = (list(part) for part in parts)
        found = layers_together([state.module for state in states], some, seeds)
        for scope, state, one in zip(heard, states, found, strict=True):
            scope.history.append(Look(state.epoch, one))

    return look


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
