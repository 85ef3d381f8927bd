"""What `fit` does between the checks and the loop: split, scale, assemble, train, and note what was learned.

Every estimator of ours goes this way: one offers settings by the names that `Autoencoder` has, `build_module`, which
makes its module with the first weights, and `demands`, what that module needs rows to be, or `unit_interval`, whether
they have to lie in [0, 1].
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus._constraints import OneOf
from isthmus._constraints import check as check_settings
from isthmus.assembly import assemble
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
from isthmus.likelihoods import Likelihood
from isthmus.likelihoods.base import demands_of
from isthmus.likelihoods.support import Demands, check
from isthmus.progress import bar
from isthmus.scaling import Scaler, check_varies, scaler_for
from isthmus.training import Rows, Settings, State, read_checkpoint, train
from isthmus.training.loop import Audience, Member, Observer

if TYPE_CHECKING:
    from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]
Estimator = Any  # an Autoencoder, or what has its training settings, `build_module` and `demands` or `unit_interval`
STEPS = 6000
WATCHED = {"watch": OneOf((None, "gradients"))}
LEAST_HELD_OUT = 10  # fewer rows than this say too little about when to stop


class Table(NamedTuple):
    """Rows (N, D), and of each its weight, its context (a class, an answer, a group) and its tangents, (N, r, D).

    All but the rows may be None.
    """

    x: Array
    weight: Array | None = None
    context: NDArray[Any] | None = None
    tangents: Array | None = None

    def at(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Table:
        def own(given: NDArray[Any] | None) -> Any:
            return None if given is None else given[index]

        return Table(*map(own, self))

    def scaled(self, scaler: Scaler) -> Table:
        return self._replace(x=scaler.apply(self.x), tangents=scaler.turned(self.tangents))

    def weighing(self) -> Table:
        """The rows whose weight is positive; without weights where these are all alike."""
        if self.weight is None or np.all(self.weight > 0):
            return self
        left = self.at(self.weight > 0)
        alike = left.weight is not None and bool(np.all(left.weight == left.weight[0]))
        return left._replace(weight=None) if alike else left


@dataclass(frozen=True)
class Learned:
    """What is learned of the rows before any training: the split, the scaling, and the rows in scaled units."""

    scaler: Scaler
    shape: tuple[int, ...]
    low: Array  # (D,) in scaled units
    high: Array
    mean: Array
    rows: Table  # to train on
    held: Table | None  # to watch


@dataclass(frozen=True)
class Job:
    """An estimator about to be trained."""

    ae: Estimator
    member: Member
    rows: Rows
    held_out: Rows | None

    def finish(self) -> None:
        """Note on the estimator what training left."""
        ae, state = self.ae, self.member.state
        _note(ae, state)
        ae.n_train_, ae.n_validation_ = len(self.rows), 0 if self.held_out is None else len(self.held_out)
        ae.module_.eval()


def fit(
    ae: Estimator,
    table: Table,
    observers: Sequence[Observer] = (),
    resume: Path | None = None,
    watch: str | None = None,
) -> None:
    """Learn scaling and weights from rows; leaves the fitted attributes on `ae`."""
    check_settings("fit", {"watch": watch}, WATCHED)
    seed = seed_of(ae)
    job = prepared(ae, learned(ae, table, seed), seed, observers)
    if resume is not None:
        read_checkpoint(resume, job.member.state)
    if watch:
        observers = [*observers, listener(microscopes([job]))]
    with ExitStack() as stack:
        stack.callback(job.finish)
        shown = [stack.enter_context(bar())] if ae.verbose else []
        train(job.member.state, job.rows, job.member.settings, job.held_out, [*observers, *shown])


def microscopes(jobs: Sequence[Job], when: Collection[int] | None = None) -> Audience:
    """What looks at the gradients of estimators, now at their first weights and after epochs; leaves `gradients_`.

    `when`: numbers of epochs, 0 before the first; None: every one.
    """
    from isthmus.evidence.gradients import GradientMicroscope, watching

    for job in jobs:
        job.ae.gradients_ = GradientMicroscope(job.ae.module_)
    look = watching(
        [job.ae.gradients_ for job in jobs], [job.rows for job in jobs], [job.member.settings.seed for job in jobs]
    )

    def look_in_time(states: Sequence[State]) -> None:
        due = [state for state in states if when is None or state.epoch in when]
        if due:
            look(due)

    look_in_time([job.member.state for job in jobs])
    return look_in_time


def listener(audience: Audience) -> Observer:
    """An audience of one."""
    return lambda state: audience([state])


def learned(ae: Estimator, table: Table, seed: int) -> Learned:
    """Split rows, learn their scaling from the part to train on, and apply it."""
    table = table.weighing()
    check_varies(table.x)
    kept, held = split(len(table.x), ae.validation_fraction, seed)
    return _learned(ae, table.at(kept), table.at(held)) if len(held) else _learned(ae, table, None)


def prepared(ae: Estimator, known: Learned, seed: int, observers: Sequence[Observer] = ()) -> Job:
    """Assemble the module with its first weights; all that is left is to train it."""
    _assemble(ae, known, seed)
    rows = _rows(ae, known.rows)
    held_out = None if known.held is None else _rows(ae, known.held)
    settings = _settings(ae, len(rows), seed)
    return Job(ae, Member(State.begin(ae.module_, settings), settings, observers), rows, held_out)


def partial_fit(ae: Estimator, table: Table) -> None:
    """One epoch on rows at the full learning rate, going on from whatever `ae` has learned."""
    table = table.weighing()
    if not hasattr(ae, "module_"):
        check_varies(table.x)
        _assemble(ae, _learned(ae, table, None), seed_of(ae))
    settings = _settings(ae, len(table.x), ae.seed_)
    check_discrete(ae, table.x, "in partial_fit")
    state = ae.__dict__.pop("_state", None) or _continued(ae, settings)
    state.stopped = ""
    own = {"max_epochs": state.epoch + 1, "began": state.epoch, "schedule": "constant", "early_stopping": False}
    once = Settings(**vars(settings) | own)
    train(state, _rows(ae, table.scaled(ae.scaler_)), once)
    ae._state = state  # not where training diverged: the optimiser's moments are spoiled
    _note(ae, state)


def _continued(ae: Estimator, settings: Settings) -> State:
    """A fresh optimiser for weights that may have epochs behind them."""
    state = State.begin(ae.module_, settings)
    state.epoch, state.history = getattr(ae, "n_iter_", 0), list(getattr(ae, "history_", ()))
    return state


def untrained(ae: Autoencoder) -> Autoencoder:
    """A copy of a fitted estimator whose module has its first random weights."""
    twin = copy.copy(ae)
    like = next(ae.module_.parameters())
    twin.module_ = assemble(ae.blueprint_, ae.seed_, like.dtype, like.device).eval()
    own, learned = twin.module_.likelihood.buffers(), ae.module_.likelihood.buffers()
    for buffer, settled in zip(own, learned, strict=True):  # what it heard of the rows, not what training made
        buffer.copy_(settled)
    twin.n_iter_, twin.history_, twin.stopped_ = 0, [], ""
    twin.__dict__.pop("_state", None)
    return twin


def sample_codes(module: Composition, n: int, random_state: int | None) -> Array:
    """n codes drawn from the prior, (n, K)."""
    like = next(module.parameters())
    rng = torch.Generator(device=like.device)
    rng.manual_seed(seed_from(random_state))
    z = module.code.sample(n, rng)
    if z is None:
        raise SettingError(
            "this code has no prior to sample from",
            where="in sample",
            expected="a code with a prior",
            hint="train a variational kind, code=codes.Gaussian()",
        )
    return z.detach().to(like.dtype).cpu().numpy()


def needs_groups(part: Any) -> bool:
    """Whether a part has to hear of each row's group."""
    return bool(getattr(part, "needs_groups", False))


def split(n: int, fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers to train on and to watch, a random share of each; all to train on where few would be watched."""
    held = int(n * fraction)
    if held < LEAST_HELD_OUT:
        return np.arange(n), np.arange(0)
    order = np.random.default_rng([seed, 1]).permutation(n)
    return np.sort(order[held:]), np.sort(order[:held])


def seed_of(ae: Estimator) -> int:
    """The number that decides everything random of a fit; a new one each time where `random_state` is None."""
    return seed_from(ae.random_state)


def seed_from(random_state: int | np.random.RandomState | None) -> int:
    """A whole number from what scikit-learn takes for one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)


def _learned(ae: Estimator, table: Table, held: Table | None) -> Learned:
    X, weight = table.x, table.weight
    shape = tuple(ae.input_shape) if ae.input_shape is not None else (X.shape[1],)
    if int(np.prod(shape)) != X.shape[1]:
        raise SettingError(
            f"input_shape {shape} has {int(np.prod(shape))} numbers",
            where="in input_shape",
            expected=f"{X.shape[1]}, a row's width",
        )
    scaler = scaler_for(demands(ae, X.shape[1]), X, ae.scaling, len(shape) > 1, weight)
    low, high = scaler.apply(X.min(axis=0)[None])[0], scaler.apply(X.max(axis=0)[None])[0]
    scaled = table.scaled(scaler)
    mean = np.average(scaled.x, axis=0, weights=weight)
    return Learned(scaler, shape, low, high, mean, scaled, None if held is None else held.scaled(scaler))


def _assemble(ae: Estimator, known: Learned, seed: int) -> None:
    """The module with its first weights, and what was learned of the rows, as attributes of `ae`."""
    module = ae.build_module(known, seed, _dtype(ae.dtype, known.rows.x.dtype), _device(ae.device))
    _hear(ae, getattr(module, "likelihood", None), known)
    ae.scaler_, ae.module_, ae.seed_, ae.mean_ = known.scaler, module, seed, known.mean
    for name in ("_state", "n_iter_", "history_", "stopped_", "engine_", "bound_", "gradients_"):  # of an earlier fit
        ae.__dict__.pop(name, None)


def demands(ae: Estimator, columns: int) -> Demands:
    """What the model demands of the columns of rows."""
    own = getattr(ae, "demands", None)
    return demands_of(ae, columns) if own is None else own(columns)


def _hear(ae: Estimator, likelihood: Likelihood | None, known: Learned) -> None:
    """Refuse rows that have no probability, and let the likelihood hear of the others.

    Rows to watch may reach beyond those that the scaling was learned from, but not off a grid.
    """
    columns, where = len(known.low), f"under scaling={ae.scaling!r}"
    asked = (*demands(ae, columns), *demands_of(likelihood, columns))
    check(asked, known.rows.x, where)
    if known.held is not None:
        check(asked, known.held.x, where, discrete=bool(np.any(known.scaler.scale != 1)))
    if likelihood is not None:
        weight = known.rows.weight
        weights = None if weight is None else torch.as_tensor(weight / weight.mean())
        likelihood.settle(torch.as_tensor(known.rows.x), weights)


def check_discrete(ae: Estimator, X: Array, where: str) -> None:
    """Refuse rows X, (N, D), in input units, off the grid that a fitted model's likelihood has probabilities for."""
    if is_discrete(ae):
        check(demands(ae, X.shape[1]), ae.scaler_.apply(X), where, discrete=True)


def is_discrete(ae: Estimator) -> bool:
    """Whether a fitted model's likelihood has probabilities for whole numbers or levels alone in some column."""
    return any(demand.support.discrete for demand in demands(ae, ae.n_features_in_))


def _note(ae: Estimator, state: State) -> None:
    ae.n_iter_, ae.history_, ae.stopped_ = state.epoch, state.history, state.stopped
    terms = getattr(ae.module_, "penalties", {})
    said = {name: getattr(term, "estimated", None) for name, term in terms.items()}
    ae.engine_ = "; ".join([state.engine, *(f"{name} by {how}" for name, how in said.items() if how)])


def _rows(ae: Estimator, table: Table) -> Rows:
    like = next(ae.module_.parameters())
    x = torch.as_tensor(table.x).to(like.device, like.dtype)
    w = None if table.weight is None else torch.as_tensor(table.weight / table.weight.mean()).to(x)
    context = None if table.context is None else _context(ae, table.context, like)
    return Rows(x, w, context, None if table.tangents is None else torch.as_tensor(table.tangents).to(like))


def _context(ae: Estimator, context: NDArray[Any], like: Tensor) -> Tensor:
    """What is heard of rows beside them: a thing's number as it is, real answers in the units they are learned in."""
    if not np.issubdtype(context.dtype, np.floating):
        return torch.as_tensor(context).to(like.device)
    return torch.as_tensor(ae.target_scaler_.apply(context)).to(like)


def _settings(ae: Estimator, n: int, seed: int) -> Settings:
    rows = batch_size(ae.batch_size, n)
    return Settings(
        max_epochs=epochs(ae.max_epochs, -(-n // rows)),
        batch_size=rows,
        learning_rate=ae.learning_rate,
        weight_decay=ae.weight_decay,
        schedule=ae.schedule,
        clip_norm=ae.clip_norm,
        early_stopping=ae.early_stopping,
        patience=ae.patience,
        seed=seed,
        company=getattr(getattr(ae.module_, "code", None), "company", 1),
        engine=ae.engine,
        half=_half(ae.dtype),
        momentum=ae.momentum if getattr(ae, "optimizer", "adamw") == "sgd" else None,
    )


def batch_size(asked: int | str | None, n: int) -> int:
    """Rows a batch: as asked; all where None; "auto" is the power of two nearest n / 20, within 16 and 128."""
    if asked is None:
        return n
    if isinstance(asked, str):
        return int(2 ** np.clip(np.round(np.log2(max(n, 1) / 20)), 4, 7))
    return asked


def epochs(asked: int | str, steps: int) -> int:
    """Epochs at most: as asked; "auto" makes about 6,000 steps of so many an epoch, within 30 and 500 epochs."""
    return int(np.clip(STEPS // steps, 30, 500)) if isinstance(asked, str) else asked


def _half(asked: str | torch.dtype | None) -> bool:
    return str(asked).removeprefix("torch.") == "bfloat16"


def _dtype(asked: str | torch.dtype | None, given: np.dtype) -> torch.dtype:
    """Of the weights; those of a network in bfloat16 are kept in float32."""
    if _half(asked):
        return torch.float32
    if isinstance(asked, torch.dtype):
        return asked
    return torch.float32 if str(asked or given) == "float32" else torch.float64


def _device(asked: str) -> torch.device:
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as fault:
        raise SettingError(
            f"device {asked!r} cannot be used ({str(fault).splitlines()[0]})",
            where="in device",
            expected="'auto', 'cpu', or a GPU that is there such as 'cuda:0'",
        ) from fault
    return device
