"""The scikit-learn face of a network that names classes, trained by the loop that trains autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d
from torch import Tensor

from isthmus import _fitting as fitting
from isthmus import corruptions, foreign, networks, saving
from isthmus._constraints import Constraint, Has, check, optional, share
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_rows, read_weights
from isthmus._spec import Spec
from isthmus.assembly import SLOTS
from isthmus.classification import Classification, OnMaps
from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.inference import batched
from isthmus.training.loop import Observer

Array = NDArray[np.floating]


class Classifier(ClassifierMixin, BaseEstimator):
    """A network that names classes, as a scikit-learn classifier.

    Parameters
    ----------
    network : specification of `isthmus.networks`, torch.nn.Module or callable, optional
        None takes a perceptron with one hidden layer of 128. A module of your own gets rows in `input_shape` and gives
        as many numbers as there are classes; it is copied before it is trained. A callable gets the sizes it asks
        for, `(inputs, classes)`.
    augmentation : specification of `isthmus.corruptions`, torch.nn.Module or callable, optional
        Applied to each batch in training only, such as `corruptions.Shift(2)`.
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
        "network": optional(Has("build", "a specification such as networks.LeNet5(), or a torch.nn.Module", True)),
        "augmentation": optional(Has("build", "a specification such as corruptions.Shift(2)", True)),
        "label_smoothing": share(),
        **{name: own for name, own in Autoencoder.constraints.items() if name not in ("code_size", *SLOTS)},
    }
    unit_interval = False

    def __init__(  # noqa: PLR0913  # the flat face that scikit-learn's users expect
        self,
        network: Any = None,
        augmentation: Any = None,
        *,
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

    def slots(self) -> dict[str, Any]:
        return {"network": self.network, "augmentation": self.augmentation}

    def validate(self) -> None:
        """Check every setting, those of the parts included.

        Raises
        ------
        SettingError
            Listing every value that does not fit.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)
        for part in self.slots().values():
            if isinstance(part, Spec):
                part.validate()

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        watch: str | None = None,
        observers: Sequence[Observer] = (),
        resume: Path | None = None,
    ) -> Self:
        """Train on rows X, (N, D), and their classes y, (N,): numbers or texts. `watch` is as in `Autoencoder.fit`.

        Raises
        ------
        SettingError
            Where a setting does not fit, or the network not the rows.
        DataError
            Where rows or classes cannot be learned from.
        DivergenceError
            Where a loss or a gradient is not finite; the estimator keeps its last good weights.
        """
        self.validate()
        rows = read_rows(self, X, reset=True)
        table = Table(rows, read_weights(sample_weight, rows), self.number_classes(y, len(rows)))
        fitting.fit(self, table, observers, resume, watch)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train one epoch on rows X, (N, D); the first call is given all `classes`, or learns them of y."""
        first = not hasattr(self, "module_")
        if first:
            self.validate()
        rows = read_rows(self, X, reset=first)
        known = classes if first else self.classes_
        table = Table(rows, read_weights(sample_weight, rows), self.number_classes(y, len(rows), known))
        fitting.partial_fit(self, table)
        return self

    def number_classes(self, y: ArrayLike, n: int, known: ArrayLike | None = None) -> NDArray[np.intp]:
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

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Classification:
        """The network with its first weights; notes the columns it is built for."""
        units = (known.low, known.high, known.scaler.shift, known.scaler.scale)
        low, high, shift, scale = (torch.as_tensor(np.array(column)) for column in units)
        return self.build(corruptions.Columns(low, high, known.shape, shift, scale), seed).to(
            device=device, dtype=dtype
        )

    def build(self, columns: corruptions.Columns, seed: int) -> Classification:
        """The network for rows of such columns, with its first random weights, which depend on the seed alone."""
        self.columns_ = columns
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = _network(self.network, columns.shape, len(self.classes_))
            return Classification(_augmentation(self.augmentation, columns), network, self.label_smoothing)

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probability of each class, (N, classes), in the order of `classes_`."""
        return self._apply(X, lambda logits: torch.softmax(logits, dim=-1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each row, (N,)."""
        logits = self._apply(X, lambda logits: logits)
        found: NDArray[Any] = self.classes_[np.argmax(logits, axis=1)]
        return found

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into a folder; `isthmus.load` reads them back.

        A network of your own is not in the files: pass it to `load` again, `load(folder, network=MyNet())`.
        """
        check_is_fitted(self, "module_")
        saving.save_classifier(self, Path(folder))

    def _apply(self, X: ArrayLike, function: Callable[[Tensor], Tensor]) -> Array:
        check_is_fitted(self, "module_")
        rows = read_rows(self, X, reset=False)
        return batched(self.module_, lambda x: function(self.module_(x).logits), rows, before=self.scaler_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = False
        return tags


def _read_labels(y: ArrayLike, n: int) -> NDArray[Any]:
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


def _network(part: Any, shape: tuple[int, ...], classes: int) -> OnMaps:
    part = networks.MLP() if part is None else part
    if isinstance(part, Spec):
        return OnMaps(part.build(shape, classes), shape)
    inputs = int(np.prod(shape))
    module = OnMaps(foreign.instance(part, "network", inputs, classes), shape)
    foreign.check_width(module, "network", inputs, classes)
    return module


def _augmentation(part: Any, columns: corruptions.Columns) -> corruptions.Corruption:
    if part is None:
        return corruptions.Corruption()
    if isinstance(part, Spec):
        built: corruptions.Corruption = part.build(columns)
        return built
    module = foreign.instance(part, "augmentation", len(columns.low))
    return module if isinstance(module, corruptions.Corruption) else foreign.ForeignCorruption(module)
