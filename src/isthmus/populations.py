"""Many estimators fitted at once: those of one shape share every product."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd

from isthmus import _fitting as fitting
from isthmus._constraints import Number, check
from isthmus._fitting import Job, Table
from isthmus._inputs import read_rows
from isthmus._spec import Spec
from isthmus.errors import DataError, DivergenceError
from isthmus.estimators import Autoencoder
from isthmus.supervised import Supervised
from isthmus.training import Rows, Shared, Unstackable, train, train_together
from isthmus.training.loop import Audience

Array = NDArray[np.floating]
Tick = Callable[[int], None]
LARGE = 256  # numbers of a row above which convolutions are 1.2 to 1.5 × slower in company, on a CPU
FIRST_WEIGHTS = ("initialisation",)  # settings of parts that these alone depend on
MOST_NUMBERS = 1 << 27  # in the rows of a population, and in what a step of it holds: half a GiB of float32 each


def fit_together(
    estimators: Sequence[Autoencoder | Supervised],
    X: Array | Sequence[Array],
    tick: Tick | None = None,
    y: ArrayLike | Sequence[ArrayLike] | None = None,
    groups: ArrayLike | None = None,
    *,
    watch: str | None = None,
    when: Collection[int] | None = None,
) -> list[DivergenceError | None]:
    """Fit each estimator as its own `fit` would, to rounding; those that diverge keep their last good weights.

    Estimators whose settings differ only in seeds, in initialisations and in numbers that leave every shape as it is
    (rates, strengths, amounts) are trained as one population; what cannot be stacked, such as networks that draw from
    the global generator, is trained one by one, which `engine_` then says.

    Parameters
    ----------
    estimators : sequence of Autoencoder, of Classifier or of Regressor
    X : array of shape (N, D), or one array for each estimator
    tick : callable, optional
        Called with an estimator's place in the sequence when it is done.
    y : array of shape (N,) or (N, T), or one for each estimator where X has so many, optional
        Classes of the rows, for classifiers; answers, also of shape (N, T), for regressors.
    groups : array of shape (N,), optional
        Groups of the rows, for autoencoders with a part that needs them.
    watch : {"gradients"}, optional
        As in `Autoencoder.fit`; a population is looked at in one pass.
    when : collection of int, optional
        After which epochs to look, 0 being before the first. None: after every one.

    Returns
    -------
    list of DivergenceError or None
        For each estimator why it diverged, where it did.

    Raises
    ------
    SettingError, DataError
        As `Autoencoder.fit`, before anything is trained.
    """
    check("fit_together", {"watch": watch}, fitting.WATCHED)
    jobs = _jobs(estimators, X, y, groups)
    for places in _groups(jobs):
        company = [jobs[i] for i in places]
        _train(company, [fitting.microscopes(company, when)] if watch else [])
        for i in places:
            jobs[i].finish()
            if tick is not None:
                tick(i)
    return [job.member.fault for job in jobs]


def _jobs(
    estimators: Sequence[Autoencoder | Supervised],
    X: Array | Sequence[Array],
    y: ArrayLike | Sequence[ArrayLike] | None,
    groups: ArrayLike | None,
) -> list[Job]:
    """All that is left is to train them; what several learn alike of the same rows is learned once."""
    given, answers = _each(X, len(estimators), "X"), [y] * len(estimators)
    if isinstance(X, list | tuple) and isinstance(y, list | tuple) and all(np.ndim(one) for one in y):
        answers = _each(y, len(estimators), "y")
    known: dict[Hashable, Any] = {}
    jobs = []
    for ae, own, answer in zip(estimators, given, answers, strict=True):
        ae.validate()
        rows = known.setdefault(("rows", id(own)), read_rows(ae, own, reset=True))
        seed = fitting.seed_of(ae)
        table = _table(ae, rows, answer, groups)
        asked, grouped = fitting.demands(ae, rows.shape[1]), table.context is not None
        split = (seed, ae.validation_fraction) if ae.validation_fraction else None
        key = (id(own), id(answer), split, ae.scaling, ae.input_shape, asked, grouped)
        if key not in known:
            known[key] = fitting.learned(ae, table, seed)
        jobs.append(fitting.prepared(ae, known[key], seed))
    return jobs


def _each(given: Any, n: int, name: str) -> list[Any]:
    """One array for each of n estimators."""
    arrays = list(given) if isinstance(given, list | tuple) else [given] * n
    if len(arrays) != n:
        raise DataError(
            f"{len(arrays)} arrays for {n} estimators",
            where=f"in {name}",
            expected="one array, or one for each estimator",
        )
    return arrays


def _table(ae: Autoencoder | Supervised, rows: Array, y: Any, groups: ArrayLike | None) -> Table:
    """Rows with what the estimator needs to hear of each: its answer, or its group."""
    if isinstance(ae, Supervised):
        return Table(rows, context=ae.targets(y, len(rows)))
    return ae.table(rows, groups=groups if ae.needs_groups else None)


def _groups(jobs: Sequence[Job]) -> Iterator[list[int]]:
    """Places of the jobs that can be one population, no more at once than memory holds."""
    alike: dict[Hashable, list[int]] = {}
    for i, job in enumerate(jobs):
        alike.setdefault(_shape(job), []).append(i)
    for places in alike.values():
        most = _most(jobs[places[0]])
        yield from (places[start : start + most] for start in range(0, len(places), most))


def _shape(job: Job) -> Hashable:
    """Equal for estimators whose modules have the same structure: their settings with every float left out."""
    ae, settings = job.ae, job.member.settings
    held = 0 if job.held_out is None else len(job.held_out)
    slots = tuple((name, _structure(part)) for name, part in ae.slots().items())
    answers = getattr(ae, "code_size", None), getattr(ae, "outputs", None)
    sizes = (*answers, ae.input_shape, job.rows.x.shape, held, settings.batch_size)
    how = (settings.engine, settings.half, settings.momentum)
    return (slots, sizes, str(job.rows.x.dtype), str(job.rows.x.device), *how)


def _structure(part: Any) -> Hashable:
    if isinstance(part, Spec):
        own = part.get_params(deep=False)
        return (type(part), tuple((name, float if _is_free(part, name) else _structure(own[name])) for name in own))
    if isinstance(part, tuple):
        return tuple(_structure(inner) for inner in part)
    return part if isinstance(part, int | str | None) else id(part)


def _is_free(part: Spec, name: str) -> bool:
    """Whether a setting shapes nothing: any number of a range, or how weights begin."""
    constraint = part.constraints.get(name)
    return name in FIRST_WEIGHTS or (isinstance(constraint, Number) and not constraint.whole)


def _most(job: Job) -> int:
    """How many members a population may have."""
    if job.rows.x.device.type == "cpu" and job.rows.x.shape[1] > LARGE and _convolves(job.ae.module_):
        return 1
    rows = job.rows.x.numel() + (0 if job.held_out is None else job.held_out.x.numel())
    weights = sum(p.numel() for p in job.ae.module_.parameters())
    batch = max(job.member.settings.batch_size, 1024 if job.held_out is not None else 0)
    step = 8 * (weights + batch * job.rows.x.shape[1])
    return max(1, MOST_NUMBERS // max(rows, step))


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(part, _ConvNd) for part in module.modules())


def _train(jobs: Sequence[Job], audiences: Sequence[Audience]) -> None:
    if len(jobs) > 1:
        try:
            train_together([job.member for job in jobs], _shared(jobs), audiences)
        except Unstackable as fault:
            reason = f", one by one: {fault}"
        else:
            return
    else:
        reason = ""
    for job in jobs:
        _alone(job, audiences)
        job.member.state.engine += reason


def _alone(job: Job, audiences: Sequence[Audience]) -> None:
    try:
        train(job.member.state, job.rows, job.member.settings, job.held_out, [*map(fitting.listener, audiences)])
    except DivergenceError as fault:
        job.member.fault = fault


def _shared(jobs: Sequence[Job]) -> Shared:
    """The jobs' rows as one set, those that several have once."""
    rows, starts = _joined([job.rows for job in jobs])
    watched = [job.held_out for job in jobs if job.held_out is not None]
    if not watched:
        return Shared(rows, None, starts, None, len(jobs[0].rows), 0)
    held, held_starts = _joined(watched)
    return Shared(rows, held, starts, held_starts, len(jobs[0].rows), len(watched[0]))


def _joined(sets: Sequence[Rows]) -> tuple[Rows, list[int]]:
    """Sets one after the other, and where each begins."""
    known: dict[int, list[tuple[Rows, int]]] = {}
    distinct: list[Rows] = []
    starts = []
    for one in sets:
        alike = known.setdefault(one.x.data_ptr(), [])
        start = next((start for other, start in alike if _same_answers(one, other)), None)
        if start is None:
            start = sum(map(len, distinct))
            alike.append((one, start))
            distinct.append(one)
        starts.append(start)
    if len(distinct) == 1:
        return distinct[0], starts
    contexts = [one.context for one in distinct if one.context is not None]
    return Rows(torch.cat([one.x for one in distinct]), None, torch.cat(contexts) if contexts else None), starts


def _same_answers(one: Rows, other: Rows) -> bool:
    if one.context is None or other.context is None:
        return one.context is other.context
    return torch.equal(one.context, other.context)
