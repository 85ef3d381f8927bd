"""Many networks of one shape trained as one: parameters stacked on a leading axis, every product batched over it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from isthmus.recording import Unrecordable, record
from isthmus.training.pools import Pool, Terms, Unstackable, begin, holders
from isthmus.training.rows import Rows
from isthmus.training.state import Snapshot, State
from isthmus.training.surroundings import Attributes, Randomness

NUMBERS = (int, float, np.integer, np.floating)
Draw = tuple[Callable[..., Tensor], tuple[Any, ...], dict[str, Any]]


class Stacked(Pool):
    """Modules of one structure, whose weights may differ and every number that their parts hold as a float.

    While it lives, the modules' parameters, buffers and moments are views of its own; `release` ends that.
    """

    def __init__(self, states: Sequence[State], half: bool = False) -> None:
        self.states, self.half = list(states), half
        self.members = len(states)
        modules = [state.module for state in states]
        self.module = modules[0]
        self._refuse()
        own = [live(module) for module in modules]
        self._numbers = differing(modules, next(self.module.parameters()))
        self._tensors = {f"module.{name}": _stacked([one[name] for one in own]) for name in own[0]}
        learned = [f"module.{name}" for name, p in self.module.named_parameters() if p.requires_grad]
        self.parameters = [self._tensors[name].requires_grad_() for name in learned]
        self._stack_moments()
        self._stack_snapshots()
        self._restarts = [getattr(module, "restarts", None) for module in modules]
        self._loss = _Loss(self.module)
        self._draws: dict[tuple[bool, int], list[Draw]] = {}

    def _refuse(self) -> None:
        """What is known to fail, before anything is stacked."""
        if any(getattr(holder, "differentiates", False) for holder in self.holders()):
            raise Unstackable("a penalty differentiates the pass")
        if len(list(self.module.named_parameters(remove_duplicate=False))) > len(list(self.module.parameters())):
            raise Unstackable("parts share a parameter")

    def _stack_moments(self) -> None:
        self.step = self.states[0].moments.step
        for name in ("first", "second"):
            own = [getattr(state.moments, name) for state in self.states]
            stacked = [torch.stack(parts) for parts in zip(*own, strict=True)]
            setattr(self, name, stacked)
            for i, state in enumerate(self.states):
                setattr(state.moments, name, [t[i] for t in stacked])

    def _stack_snapshots(self) -> None:
        """What the states keep, so that it is taken of all members at once."""
        by_id = {id(t): self._tensors[f"module.{name}"] for name, t in live(self.module).items()}
        self._live = [by_id[id(t)].detach() for t in self.module.state_dict(keep_vars=True).values()]
        names = ("good", "latest", "best_weights")
        self._kept = {name: Snapshot.stacked([getattr(state, name) for state in self.states]) for name in names}

    def keep(self, places: Sequence[int]) -> None:
        self._take(places, self._kept["good"], self._kept["latest"])
        self._take(places, self._kept["latest"], self._live)

    def keep_best(self, places: Sequence[int]) -> None:
        self._take(places, self._kept["best_weights"], self._live)

    def _take(self, places: Sequence[int], into: list[Tensor], source: list[Tensor]) -> None:
        if len(places) == self.members:
            torch._foreach_copy_(into, source)
        elif places:
            index = torch.tensor(places, device=self.device)
            for kept, now in zip(into, source, strict=True):
                kept.index_copy_(0, index, now.index_select(0, index))

    def begin_epoch(self, epochs: Sequence[int], rows: Sequence[Tensor]) -> None:
        clock = self._tensors.get("module.epoch")
        if clock is None or None in self._restarts:
            return super().begin_epoch(epochs, rows)
        clock.copy_(clock.new_tensor(epochs))
        for i, epoch in enumerate(epochs):
            if 0 < epoch == self._restarts[i]:
                begin(self.states[i].module, epoch, rows[i])
        return None

    def draws(self, training: bool) -> bool:
        """Whether a step draws, as the first of its kind did."""
        known = [draws for (mode, _), draws in self._draws.items() if mode == training]
        return not known or any(known)

    def buffers(self) -> list[Tensor]:
        return [t for name, t in self._tensors.items() if not t.requires_grad]

    def thin(self, active: int) -> bool:
        """Half of the members rest: the others are better pooled anew."""
        return 0 < active <= len(self.states) // 2

    def objective(self, batch: Rows, rngs: Sequence[Generator]) -> Terms:
        given = {name: t for name, t in vars(batch).items() if t is not None}
        key = (self.module.training, batch.x.shape[1])
        if key not in self._draws:
            self._draws[key] = self._found(batch)
        noise = [torch.stack([draw(*args, **kw, generator=g) for g in rngs]) for draw, args, kw in self._draws[key]]
        try:
            with self.precision(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="There is a performance drop")  # and no loss
                return torch.vmap(self._one)(self._tensors, self._numbers, given, noise)
        except RuntimeError as fault:
            raise Unstackable(str(fault).partition("\n")[0]) from fault

    def _one(
        self, tensors: dict[str, Tensor], numbers: dict[str, Tensor], given: dict[str, Tensor], noise: list[Tensor]
    ) -> Terms:
        """A member's terms, as the module alone would compute them."""
        rng = torch.Generator(device=self.device)
        with substituted(self.module, numbers), _Given(rng, noise):
            return cast("Terms", functional_call(self._loss, tensors, (given, rng)))

    def alone(self, place: int, batch: Rows, rng: Generator) -> tuple[Terms, list[Tensor]]:
        """A member's terms as its module alone computes them, and the parameters they are of."""
        given = {name: t[place] for name, t in vars(batch).items() if t is not None}
        own = {name: t[place].detach().clone().requires_grad_(t.requires_grad) for name, t in self._tensors.items()}
        module = self.states[place].module
        module.train(self.module.training)
        with self.precision():
            terms = cast("Terms", functional_call(_Loss(module), own, (given, rng)))
        return terms, [tensor for tensor in own.values() if tensor.requires_grad]

    def _found(self, batch: Rows) -> list[Draw]:
        """What a member draws in a pass, found by one pass of the first."""
        rng = torch.Generator(device=self.device)
        listener = _Listening(rng)
        first = {name: t[0] for name, t in vars(batch).items() if t is not None}
        tensors = {name: t[0].clone() for name, t in self._tensors.items()}

        def once() -> list[Tensor]:
            with listener:
                terms = functional_call(self._loss, tensors, (first, rng))
            return list(cast("Terms", terms).values())

        attributes, randomness = Attributes(self.holders()), Randomness([], self.device)
        try:
            tape = record(once)
            if attributes.changed() or randomness.drawn_elsewhere():
                raise Unstackable(
                    "a part changes itself from step to step, or draws from Python's or NumPy's generator"
                )
        except Unrecordable as fault:
            raise Unstackable(str(fault)) from fault
        finally:
            attributes.restore()
            randomness.restore()
        if any(node.random and node.kwargs.get("generator") is None for node in tape.nodes):
            raise Unstackable("a part draws from the global generator")
        return listener.draws

    def release(self) -> None:
        for state in self.states:
            for tensor in live(state.module).values():
                tensor.data = tensor.data.clone()
            state.moments.step = self.step.clone()
            state.moments.first = [t.clone() for t in state.moments.first]
            state.moments.second = [t.clone() for t in state.moments.second]
            for kept in (state.good, state.latest, state.best_weights):
                kept.own()


class _Loss(nn.Module):
    """A module's objective as a forward pass, so that a functional call covers both."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, given: Mapping[str, Tensor], rng: Generator) -> Terms:
        module = self.module
        buffers = list(module.buffers())
        more = {name: given[name] for name in ("tangents",) if name in given}
        one = module(given["x"], given.get("context"), rng, given.get("weight"), **more)
        terms = cast("Callable[[object], Terms]", module.objective)(one)
        if any(now is not before for now, before in zip(module.buffers(), buffers, strict=True)):
            raise Unstackable("a part puts another buffer in place of its own")
        return terms


def live(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by their names."""
    return dict([*module.named_parameters(), *module.named_buffers()])


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """One tensor of those of all modules, which each keeps as a view."""
    stacked = torch.stack([part.detach() for part in parts])
    for part, own in zip(parts, stacked.unbind(0), strict=True):
        part.data = own
    return stacked


# --- numbers that differ between members -------------------------------------------------------------------------


def _floats(module: nn.Module) -> dict[str, Any]:
    return {
        f"{i}.{name}": value
        for i, holder in enumerate(holders(module))
        for name, value in vars(holder).items()
        if isinstance(value, NUMBERS) and not isinstance(value, bool)
    }


def differing(modules: Sequence[nn.Module], like: Tensor) -> dict[str, Tensor]:
    """The floats that are not the same in all modules, (P,) each."""
    found = [_floats(module) for module in modules]
    if any(set(one) != set(found[0]) for one in found):
        raise Unstackable("the parts hold different numbers")
    columns = {name: [one[name] for one in found] for name in found[0]}
    return {name: like.detach().new_tensor(column) for name, column in columns.items() if len(set(column)) > 1}


@contextmanager
def substituted(module: nn.Module, numbers: Mapping[str, Tensor]) -> Iterator[None]:
    """For a while, tensors stand where the module's parts hold floats."""
    parts = holders(module)
    split = [(*key.partition("."), number) for key, number in numbers.items()]
    places = [(vars(parts[int(i)]), name, number) for i, _, name, number in split]
    before = [own[name] for own, name, _ in places]
    for own, name, number in places:
        own[name] = number
    try:
        yield
    finally:
        for (own, name, _), value in zip(places, before, strict=True):
            own[name] = value


# --- draws -------------------------------------------------------------------------------------------------------


class _Listening(TorchFunctionMode):
    """Writes down what is drawn from a generator."""

    def __init__(self, rng: Generator) -> None:
        super().__init__()
        self.rng = rng
        self.draws: list[Draw] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is self.rng:
            rest = {name: value for name, value in kwargs.items() if name != "generator"}
            if any(isinstance(value, Tensor) for value in (*args, *rest.values())):
                raise Unstackable("a part draws from a distribution that depends on the rows")
            self.draws.append((func, args, rest))
        return func(*args, **kwargs)


class _Given(TorchFunctionMode):
    """Answers what is drawn from a generator with numbers drawn before, in the same order."""

    def __init__(self, rng: Generator, noise: Sequence[Tensor]) -> None:
        super().__init__()
        self.rng, self.noise = rng, iter(noise)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is self.rng:
            return next(self.noise)
        return func(*args, **kwargs)
