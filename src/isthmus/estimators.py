"""The scikit-learn face of a composition: stores, validates, fits; no maths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from isthmus import _fitting as fitting
from isthmus._constraints import (
    AnyOf,
    Constraint,
    Each,
    Flag,
    Has,
    Number,
    OneOf,
    Text,
    check,
    check_names,
    count,
    non_negative,
    optional,
    positive,
    share,
)
from isthmus._fitting import Learned, Table
from isthmus._groups import known, numbered, read_groups
from isthmus._inputs import read_rows, read_weights
from isthmus._spec import Spec, family
from isthmus.assembly import SLOTS, Blueprint, assemble, check_slot
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
from isthmus.generative import Generative
from isthmus.likelihoods.base import demands_of, for_columns
from isthmus.likelihoods.support import Demands
from isthmus.scaling import HOW
from isthmus.training.loop import Observer

Array = NDArray[np.floating]
DTYPES = ("float32", "float64", "bfloat16", torch.float32, torch.float64, torch.bfloat16)
Part = Any  # a specification, a torch.nn.Module, or a callable that returns one


def _part(noun: str) -> Constraint:
    words = f"a specification such as {noun}, a torch.nn.Module, or a callable that returns one"
    return optional(Has("build", words, or_callable=True))


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Generative):
    """An autoencoder composed of parts, as a scikit-learn transformer.

    Parameters
    ----------
    code_size : int
        K, the numbers a row is coded as.
    encoder, decoder, code, corruption, likelihood, penalty : specification, torch.nn.Module or callable, optional
        The slots of the equation (see `isthmus.encoders` and its neighbours). None takes the default: a perceptron of
        one hidden layer of 128, its mirror image, a plain code, no corruption, the squared error, no penalty. A
        module of your own is copied before it is trained; a callable gets the sizes it asks for, `(inputs, outputs)`.
    scaling : {"auto", "standard", "minmax", "global", None}
        How columns are scaled before the network sees them; undone on the way out. "auto" is "global" where
        `input_shape` has more than one axis, else "standard"; for a likelihood on [0, 1] it is None where the rows
        lie in [0, 1] already, else "minmax"; counts, categories and bits are left alone. Of `likelihoods.Mixed`, any
        of these but None goes column by column, and names what becomes of real numbers.
    input_shape : tuple of int, optional
        The shape of a row, (channels, height, width) for images. Rows enter and leave flat.
    max_epochs, batch_size, learning_rate, weight_decay, schedule, clip_norm, optimizer, momentum
        Training: `max_epochs` "auto" makes about 6,000 steps, within 30 and 500 epochs; `batch_size` "auto" is the
        power of two nearest to a twentieth of the rows, within 16 and 128, None takes all rows at once;
        `schedule` "cosine" lets the rate fall to a hundredth, "constant" keeps it; `clip_norm` bounds the gradient;
        `optimizer` is "adamw" or "sgd", stochastic gradient descent with `momentum`.
    validation_fraction : float
        Share of rows held out to watch the loss, where that leaves at least 10 of them; else the training loss is
        watched.
    early_stopping : bool
        Stop after `patience` epochs without a lower watched loss. The best weights are kept in either case.
    random_state : int, numpy.random.RandomState or None
        Seed of weights, split, order and noise. The global generators are left untouched.
    device : str
        "auto", or a torch device such as "cpu" or "cuda:0".
    dtype : {None, "float32", "float64", "bfloat16"}
        Precision of the network; None follows the input. "bfloat16" trains with matrix products in that precision on
        weights kept in float32, which pays on a GPU; processors without instructions for it take longer than float32.
    engine : {"auto", "recorded", "eager"}
        How training steps run. "auto" records a step once and replays it into the same memory where it is taken often
        enough and can be recorded, which changes results by rounding only; "eager" never does, for networks of your own
        that change what they compute from step to step; "recorded" insists.
    verbose : int
        1 shows a progress bar with the time left.

    Attributes
    ----------
    module_ : torch.nn.Module
        The built composition.
    history_ : list of dict
        One entry an epoch: the loss, its terms, the loss on held-out rows, the gradient's norm, rate and seconds.
    stopped_ : {"patience", "max_epochs"}
        Why training ended.
    n_iter_ : int
        Epochs trained.
    engine_ : str
        How the steps were run, and where not as asked, why.
    n_features_in_ : int
        D, the columns of a row.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "code_size": count(),
        "encoder": _part("encoders.MLP((512, 256))"),
        "decoder": _part("decoders.MLP((256, 512))"),
        "code": _part("codes.TopK(8)"),
        "corruption": _part("corruptions.Masking(0.3)"),
        "likelihood": _part("likelihoods.Bernoulli()"),
        "penalty": _part("penalties.Contraction(0.1)"),
        "scaling": OneOf(("auto", *HOW)),
        "input_shape": optional(Each(count(), least=1)),
        "max_epochs": AnyOf((OneOf(("auto",)), count())),
        "batch_size": AnyOf((OneOf(("auto", None)), count())),
        "learning_rate": positive(),
        "weight_decay": non_negative(),
        "schedule": OneOf(("cosine", "constant")),
        "clip_norm": optional(positive()),
        "optimizer": OneOf(("adamw", "sgd")),
        "momentum": share(),
        "validation_fraction": share(),
        "early_stopping": Flag(),
        "patience": count(),
        "random_state": optional(
            AnyOf((Has("randint", "a numpy.random.RandomState"), Number(0, 2**63 - 1, whole=True)))
        ),
        "device": Text("'auto' or a device's name such as 'cpu'"),
        "dtype": OneOf((None, *DTYPES)),
        "engine": OneOf(("auto", "recorded", "eager")),
        "verbose": AnyOf((Flag(), Number(0, whole=True))),
    }

    def __init__(  # noqa: PLR0913  # the flat face that scikit-learn's users expect
        self,
        code_size: int = 8,
        encoder: Part = None,
        decoder: Part = None,
        code: Part = None,
        corruption: Part = None,
        likelihood: Part = None,
        penalty: Part = None,
        *,
        scaling: str | None = "auto",
        input_shape: tuple[int, ...] | None = None,
        max_epochs: int | str = "auto",
        batch_size: int | str | None = "auto",
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        clip_norm: float | None = None,
        optimizer: str = "adamw",
        momentum: float = 0.0,
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        patience: int = 20,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        dtype: str | None = None,
        engine: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.code_size = code_size
        self.encoder = encoder
        self.decoder = decoder
        self.code = code
        self.corruption = corruption
        self.likelihood = likelihood
        self.penalty = penalty
        self.scaling = scaling
        self.input_shape = input_shape
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.optimizer = optimizer
        self.momentum = momentum
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.engine = engine
        self.verbose = verbose

    module_: Composition

    def slots(self) -> dict[str, Part]:
        return {name: getattr(self, name) for name in SLOTS}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, those of a part as `penalty__strength`.

        Raises
        ------
        SettingError
            Where there is no such parameter, with the nearest name.
        """
        own = self.get_params(deep=False) | params
        check_names(type(self).__name__, (key.partition("__")[0] for key in params), self.get_params(deep=False))
        for key in params:
            name, nested, _ = key.partition("__")
            if nested and not hasattr(own[name], "set_params"):
                raise SettingError(
                    f"{key} cannot be set: {name} is {own[name]!r}",
                    where=f"in {type(self).__name__}",
                    expected="a specification, which has parameters of its own",
                )
        return super().set_params(**params)

    def validate(self) -> None:
        """Check every setting, those of the parts included.

        Raises
        ------
        SettingError
            Listing every value that does not fit.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)
        for name, part in self.slots().items():
            if isinstance(part, Spec):
                check_slot(name, part)
                part.validate()

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        watch: str | None = None,
        observers: Sequence[Observer] = (),
        resume: Path | None = None,
    ) -> Self:
        """Train on rows X.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Rows: an array, a torch tensor, a pandas or polars frame, or a sparse matrix (made dense).
        y : ignored
        sample_weight : array-like of shape (N,), optional
            A row of weight 2 counts as two rows, one of weight 0 as none.
        groups : array-like of shape (N,), optional
            A label for each row, where a part needs its group (`codes.Grouped`, `decoders.PerGroup`, …).
        watch : {"gradients"}, optional
            Look at what comes back through every layer, before the first epoch and after each; leaves `gradients_`, an
            `evidence.GradientMicroscope`.
        observers : sequence of callables
            Each is called with the training state at every epoch's end.
        resume : path, optional
            A checkpoint of the same estimator and rows to go on from.

        Raises
        ------
        SettingError
            Where a setting or a combination of parts does not fit.
        DataError
            Where rows cannot be learned from.
        DivergenceError
            Where a loss or a gradient is not finite; the estimator keeps its last good weights.
        """
        self.validate()
        X = read_rows(self, X, reset=True)
        fitting.fit(self, self.table(X, read_weights(sample_weight, X), groups), observers, resume, watch)
        return self

    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Train one epoch on rows X, (N, D), at the full learning rate; the first call learns the scaling too."""
        first = not hasattr(self, "module_")
        if first:
            self.validate()
        X = read_rows(self, X, reset=first)
        fitting.partial_fit(self, self.table(X, read_weights(sample_weight, X), groups, first))
        return self

    def _hearing(self) -> list[Part]:
        return [part for part in self.slots().values() if fitting.needs_groups(part)]

    @property
    def needs_groups(self) -> bool:
        """Whether a part needs the group of each row."""
        return bool(self._hearing())

    def table(
        self, X: Array, weight: Array | None = None, groups: ArrayLike | None = None, first: bool = True
    ) -> Table:
        """Rows to train on with their groups numbered; the `first` time the groups become known.

        Raises
        ------
        SettingError
            Where a part needs groups that are not given, or none does that are, or rows cannot be weighed.
        """
        wants = self._hearing()
        if not wants and groups is None:
            return Table(X, weight)
        if not wants or groups is None:
            raise _ungrouped(wants[0] if wants else None)
        labels = read_groups(groups, len(X))
        if first:
            self.groups_ = np.unique(labels)
        heard = known if fitting.needs_groups(self.decoder) else numbered
        table = Table(X, weight, heard(labels, self.groups_))
        if fitting.needs_groups(self.code) and table.weighing().weight is not None:
            raise SettingError(
                f"{family(self.code)}.{type(self.code).__name__} pools rows that all count alike",
                where="in sample_weight",
                expected="no weights, or such as only leave rows out",
            )
        return table

    def build_module(self, learned: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Composition:
        """The composition with its first weights; notes the blueprint it is built from."""
        units = (learned.low, learned.high, learned.scaler.shift, learned.scaler.scale)
        groups = len(self.groups_) if learned.rows.context is not None else 0
        slots = self.slots() | {"likelihood": self._likelihood_of_columns()}
        self.blueprint_ = Blueprint(slots, self.code_size, learned.shape, *units, groups)
        return assemble(self.blueprint_, seed, dtype, device)

    @property
    def unit_interval(self) -> bool:
        """Whether the likelihood needs rows in [0, 1]."""
        return bool(getattr(self.likelihood, "unit_interval", False))

    def demands(self, columns: int) -> Demands:
        """What the likelihood demands of the columns of rows, so many of them.

        Raises
        ------
        SettingError
            Where it speaks of columns that rows do not have.
        """
        return demands_of(self._likelihood_of_columns(), columns)

    def _likelihood_of_columns(self) -> Part:
        """The likelihood, with numbers where it calls columns by their names."""
        return for_columns(self.likelihood, getattr(self, "feature_names_in_", None))

    @property
    def _n_features_out(self) -> int:
        return self.module_.code.size

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags


def _ungrouped(part: Spec | None) -> SettingError:
    if part is None:
        return SettingError(
            "no part of this model hears of groups",
            where="in fit",
            expected="code=codes.Grouped(...), decoder=decoders.PerGroup() or decoders.Conditional()",
            hint="leave groups out",
        )
    return SettingError(
        f"{family(part)}.{type(part).__name__} needs the group of each row",
        where="in fit",
        hint="fit(X, groups=labels)",
    )
