"""The scikit-learn face of a network that names classes, trained by the loop that trains autoencoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d
from torch import Tensor, nn

from isthmus import _fitting as fitting
from isthmus import corruptions
from isthmus._constraints import Constraint, Has, optional, share
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_tangents, read_weights
from isthmus.classification import Classification, OnMaps
from isthmus.errors import DataError, SettingError
from isthmus.supervised import Supervised
from isthmus.tangents import Propagation
from isthmus.training.loop import Observer

Array = NDArray[np.floating]


class Classifier(ClassifierMixin, Supervised):
    """A network that names classes, as a scikit-learn classifier.

    Parameters
    ----------
    network : specification of `isthmus.networks`, torch.nn.Module or callable, optional
        None takes a perceptron with one hidden layer of 128. A module of your own gets rows in `input_shape` and gives
        as many numbers as there are classes; it is copied before it is trained. A callable gets the sizes it asks
        for, `(inputs, classes)`.
    augmentation : specification of `isthmus.corruptions`, torch.nn.Module or callable, optional
        Applied to each batch in training only, such as `corruptions.Shift(2)`.
    propagation : isthmus.tangents.Propagation, optional
        A penalty on change along the tangents of each row, which `fit` then has to be given.
    label_smoothing : float
        Share of each label's weight that is spread over all classes.
    scaling, input_shape, max_epochs, batch_size, learning_rate, weight_decay, schedule, clip_norm, optimizer, \
momentum, validation_fraction, early_stopping, patience, random_state, device, dtype, engine, verbose
        As in `Autoencoder`.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
    columns_ : corruptions.Columns
        The training rows' range, scaled, and their shape.
    module_ : torch.nn.Module
        The built network with its loss.
    history_ : list of dict
        One entry an epoch: the loss, its terms, the loss on held-out rows, the gradient's norm, rate and seconds.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "propagation": optional(Has("build", "a specification such as tangents.Propagation(0.1)")),
        "label_smoothing": share(),
        **Supervised.constraints,
    }

    def __init__(  # noqa: PLR0913  # the flat face that scikit-learn's users expect
        self,
        network: Any = None,
        augmentation: Any = None,
        *,
        propagation: Propagation | None = None,
        label_smoothing: float = 0.0,
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
        self.augmentation = augmentation
        self.propagation = propagation
        self.label_smoothing = label_smoothing
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

    module_: Classification

    @property
    def outputs(self) -> int:
        """One logit for each class."""
        return len(self.classes_)

    def targets(self, y: ArrayLike | None, n: int) -> NDArray[np.intp]:
        """The place of each of n rows' class in `classes_`, which are those that y, (N,), has."""
        return self.number_classes(y, n)

    def loss(self, augmentation: corruptions.Corruption, network: OnMaps) -> Classification:
        """−log p(class | x), and what propagates tangents."""
        make = Classification if self.propagation is None else self.propagation.build
        return make(augmentation, network, self.label_smoothing)

    def slots(self) -> dict[str, Any]:
        return super().slots() | {"propagation": self.propagation}

    def answers(self) -> dict[str, Any]:
        """The classes, and the type of their array."""
        return {"classes": self.classes_, "dtype": self.classes_.dtype.str}

    def hear(self, answers: Mapping[str, Any]) -> None:
        """Know the classes again."""
        self.classes_ = np.array(answers["classes"], dtype=np.dtype(answers["dtype"]))

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        tangents: ArrayLike | None = None,
        watch: str | None = None,
        observers: Sequence[Observer] = (),
        resume: Path | None = None,
    ) -> Self:
        """Train on rows X, (N, D), and their classes y, (N,). The other arguments are as in `Autoencoder.fit`, but for

        tangents : array-like of shape (N, r, D), optional
            Directions at each row, in input units, along which `propagation` punishes change: `tangents.learned`,
            `tangents.moved` and `tangents.local` find some.

        Raises
        ------
        SettingError
            Where a setting does not fit, or the network not the rows, or tangents are given and not used, or missing.
        DataError
            Where rows, classes or tangents cannot be learned from.
        DivergenceError
            Where a loss or a gradient is not finite; the estimator keeps its last good weights.
        """
        return self._fit(X, y, sample_weight, tangents, (observers, resume, watch))

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        tangents: ArrayLike | None = None,
    ) -> Self:
        """Train one epoch on rows X, (N, D); the first call is given all `classes`, or learns them of y."""
        rows, first = self._begin(X)
        known = classes if first else self.classes_
        numbers = self.number_classes(y, len(rows), known)
        table = Table(rows, read_weights(sample_weight, rows), numbers, read_tangents(tangents, rows))
        fitting.partial_fit(self, table)
        return self

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The network with its first weights; notes the columns it is built for.

        Raises
        ------
        SettingError
            Where tangents are given and not used, or the reverse.
        """
        if (known.rows.tangents is None) != (self.propagation is None):
            raise _unmatched(self.propagation)
        return super().build_module(known, seed, dtype, device)

    def number_classes(self, y: ArrayLike | None, n: int, known: ArrayLike | None = None) -> NDArray[np.intp]:
        """The place of each of n rows' class in `classes_`, which are the `known` ones, or all that there are.

        Raises
        ------
        DataError
            Where a class is not known, or there are not n.
        """
        labels = _read_labels(y, n)
        self.classes_ = np.unique(labels if known is None else np.asarray(known))
        places = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
        if np.any(strange := self.classes_[places] != labels):
            raise DataError(
                f"class {labels[strange][0]} was not there",
                "in y",
                "the classes of the first call",
                "name all classes in the first call: partial_fit(X, y, classes=...)",
            )
        return places

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probability of each class, (N, classes), in the order of `classes_`."""
        return self._apply(X, lambda x: torch.softmax(self._logits(x), dim=-1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each row, (N,)."""
        places = np.argmax(self._apply(X, self._logits), axis=1)
        found: NDArray[Any] = self.classes_[places]
        return found

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module_(x).logits
        return logits


def _unmatched(propagation: Propagation | None) -> SettingError:
    if propagation is None:
        return SettingError(
            "nothing hears of tangents",
            where="in Classifier",
            hint="set propagation=tangents.Propagation(0.1), or leave tangents out",
        )
    return SettingError(
        "propagation needs the tangents of each row", where="in fit", hint="fit(X, y, tangents=tangents.learned(ae, X))"
    )


def _read_labels(y: ArrayLike | None, n: int) -> NDArray[Any]:
    """Classes as an array (N,).

    Raises
    ------
    DataError
        Where they are no classes, or not as many as rows.
    """
    if y is None:
        raise DataError(
            "Classifier requires y to be passed, but the target y is None", hint="pass a class for each row"
        )
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    labels = column_or_1d(y, warn=True)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    if len(labels) != n:
        raise DataError(f"{len(labels)} classes for {n} rows", "in y", "one class a row")
    return labels
