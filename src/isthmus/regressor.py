"""The scikit-learn face of a network that answers with numbers, trained by the loop that trains autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, check_array
from torch import Tensor, nn

from isthmus import _fitting as fitting
from isthmus import corruptions, likelihoods
from isthmus._constraints import Constraint, Has, OneOf, optional
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_weights
from isthmus._spec import Spec
from isthmus.assembly import check_slot
from isthmus.classification import OnMaps
from isthmus.errors import DataError
from isthmus.likelihoods.base import Distribution
from isthmus.likelihoods.support import check
from isthmus.regression import Regression
from isthmus.scaling import HOW, Scaler, scaler_for
from isthmus.supervised import Supervised

Array = NDArray[np.floating]


class Regressor(RegressorMixin, Supervised):
    """A network that answers with numbers, as a scikit-learn regressor: what it says are the parameters of p(y | x).

    With no hidden layer it is a generalized linear model: `Regressor(networks.MLP(()))` is least squares, with
    `likelihood=likelihoods.Bernoulli()` logistic regression, with `likelihoods.Poisson(size=None)` Poisson's.

    Parameters
    ----------
    network : specification of `isthmus.networks`, torch.nn.Module or callable, optional
        None takes a perceptron with one hidden layer of 128. A module of your own gets rows in `input_shape` and gives
        the likelihood's parameters; it is copied before it is trained. A callable gets the sizes it asks for,
        `(inputs, outputs)`.
    likelihood : specification of `isthmus.likelihoods`, optional
        p(y | θ). None: the squared error.
    augmentation : specification of `isthmus.corruptions`, torch.nn.Module or callable, optional
        Applied to each batch in training only.
    target_scaling : {"auto", "standard", "minmax", "global", None}
        How the answers' columns are scaled for training; undone on the way out. "auto" leaves alone what a likelihood
        wants as it is (counts, categories, numbers in [0, 1]) and makes real numbers "standard".
    scaling, input_shape, max_epochs, batch_size, learning_rate, weight_decay, schedule, clip_norm, optimizer, \
momentum, validation_fraction, early_stopping, patience, random_state, device, dtype, engine, verbose
        As in `Autoencoder`.

    Attributes
    ----------
    n_outputs_ : int
        T, the numbers of an answer.
    columns_ : corruptions.Columns
        The training rows' range, scaled, and their shape.
    module_ : torch.nn.Module
        The built network with its loss.
    history_ : list of dict
        One entry an epoch: the loss, its terms, the loss on held-out rows, the gradient's norm, rate and seconds.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "likelihood": optional(Has("build", "a specification such as likelihoods.Poisson(size=None)", False)),
        "target_scaling": OneOf(("auto", *HOW)),
        **Supervised.constraints,
    }

    def __init__(  # noqa: PLR0913  # the flat face that scikit-learn's users expect
        self,
        network: Any = None,
        likelihood: Any = None,
        augmentation: Any = None,
        *,
        target_scaling: str | None = "auto",
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
        self.network = network
        self.likelihood = likelihood
        self.augmentation = augmentation
        self.target_scaling = target_scaling
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

    module_: Regression

    def slots(self) -> dict[str, Any]:
        return super().slots() | {"likelihood": self.likelihood}

    def validate(self) -> None:
        """Check every setting, those of the parts included.

        Raises
        ------
        SettingError
            Listing every value that does not fit.
        """
        super().validate()
        if isinstance(self.likelihood, Spec):
            check_slot("likelihood", self.likelihood)

    @property
    def _specified(self) -> Distribution:
        given: Distribution = likelihoods.Gaussian() if self.likelihood is None else self.likelihood
        return given

    @property
    def outputs(self) -> int:
        """The likelihood's parameters for all numbers of an answer."""
        return prod(self._specified.build(self.n_outputs_).shape((self.n_outputs_,)))

    def targets(self, y: ArrayLike | None, n: int, wanted: int | None = None) -> Array:
        """The answers to n rows, (N, T), in their own units, each of the `wanted` size where one is known.

        Raises
        ------
        DataError
            Where they are no finite numbers, or not as many as rows, or of another size.
        """
        answers = _read_answers(y, n)
        flat, answers = answers.ndim == 1, answers.reshape(n, -1)
        if wanted not in (None, answers.shape[1]):
            raise DataError(f"answers have {answers.shape[1]} numbers", "in y", f"{wanted}, as in the first call")
        self._flat, self.n_outputs_ = flat, answers.shape[1]
        return answers

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The network with its first weights; learns the scaling of the answers.

        Raises
        ------
        DataError
            Where an answer has no probability under the likelihood.
        """
        demands = self._specified.demands(self.n_outputs_)
        y, weight = np.asarray(known.rows.context), known.rows.weight
        self.target_scaler_ = scaler_for(demands, y, self.target_scaling, weight=weight)
        where = f"in y under target_scaling={self.target_scaling!r}"
        scaled = self.target_scaler_.apply(y)
        check(demands, scaled, where)
        if known.held is not None:
            held = self.target_scaler_.apply(np.asarray(known.held.context))
            check(demands, held, where, discrete=bool(np.any(self.target_scaler_.scale != 1)))
        module: Any = super().build_module(known, seed, dtype, device)
        weights = None if weight is None else torch.as_tensor(weight / weight.mean())
        module.answer.settle(torch.as_tensor(scaled), weights)
        return module.to(device=device, dtype=dtype)

    def loss(self, augmentation: corruptions.Corruption, network: OnMaps) -> Regression:
        """−log p(y | network(x))."""
        return Regression(augmentation, network, self._specified.build(self.n_outputs_))

    def answers(self) -> dict[str, Any]:
        """How many numbers an answer has, whether they were given as one column, and their scaling."""
        scaler = self.target_scaler_
        return {"outputs": self.n_outputs_, "flat": self._flat, "shift": scaler.shift, "scale": scaler.scale}

    def hear(self, answers: Mapping[str, Any]) -> None:
        """Know again what an answer is."""
        self.n_outputs_, self._flat = int(answers["outputs"]), bool(answers["flat"])
        shift, scale = (np.array(answers[key], dtype=np.float64).reshape(self.n_outputs_) for key in ("shift", "scale"))
        self.target_scaler_ = Scaler(shift, scale)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train one epoch on rows X, (N, D), and answers y; the first call learns the scalings too."""
        rows, first = self._begin(X)
        wanted = None if first else self.n_outputs_
        answers = self.targets(y, len(rows), wanted)
        fitting.partial_fit(self, Table(rows, read_weights(sample_weight, rows), answers))
        return self

    def predict(self, X: ArrayLike) -> Array:
        """The mean of p(y | x) for each row: (N,) where answers were given so, else (N, T)."""
        found = self._apply(X, self._mean, after=getattr(self, "target_scaler_", None))
        return found[:, 0] if self._flat else found

    def _mean(self, x: Tensor) -> Tensor:
        return self.module_.answer.mean(self.module_(x).theta)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _read_answers(y: ArrayLike | None, n: int) -> Array:
    """Answers as floating-point numbers, (N,) or (N, T).

    Raises
    ------
    DataError
        Where they are no finite numbers, or not as many as rows.
    """
    if y is None:
        raise DataError(
            "Regressor requires y to be passed, but the target y is None", hint="pass an answer for each row"
        )
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    try:
        answers: Array = check_array(y, ensure_2d=False, dtype=(np.float64, np.float32), input_name="y")
    except ValueError as fault:
        raise DataError(str(fault).splitlines()[0], "in y", "finite numbers") from fault
    if len(answers) != n:
        raise DataError(f"{len(answers)} answers for {n} rows", "in y", "one answer a row")
    return answers
