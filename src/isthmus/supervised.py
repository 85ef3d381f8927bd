"""What estimators that learn an answer of each row have in common: one network, the one loop, the same settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus import _fitting as fitting
from isthmus import corruptions, foreign, networks, saving
from isthmus._constraints import Constraint, Has, check, optional
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_rows, read_tangents, read_weights
from isthmus._spec import Spec
from isthmus.assembly import SLOTS
from isthmus.classification import OnMaps
from isthmus.estimators import Autoencoder
from isthmus.inference import batched
from isthmus.scaling import Scaler
from isthmus.training.loop import Observer

Array = NDArray[np.floating]


class Supervised(BaseEstimator):
    """Base of estimators of an answer. A subclass says what an answer is, in what units it is learned, and the loss."""

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "network": optional(Has("build", "a specification such as networks.LeNet5(), or a torch.nn.Module", True)),
        "augmentation": optional(Has("build", "a specification such as corruptions.Shift(2)", True)),
        **{name: own for name, own in Autoencoder.constraints.items() if name not in ("code_size", *SLOTS)},
    }
    unit_interval = False
    network: Any
    augmentation: Any
    module_: Any

    @property
    def outputs(self) -> int:
        """How many numbers the network gives."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def targets(self, y: ArrayLike | None, n: int) -> NDArray[Any]:
        """The answers to n rows, as the loss hears them once they are scaled; the first axis is n long."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def loss(self, augmentation: corruptions.Corruption, network: OnMaps) -> nn.Module:
        """The module that is trained."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def answers(self) -> dict[str, Any]:
        """What was learned of the answers, in plain JSON types."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def hear(self, answers: Mapping[str, Any]) -> None:
        """Learn of the answers what `answers` said."""
        raise TypeError(f"{type(self).__name__} is abstract")

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
        """Train on rows X, (N, D), and their answers y. The other arguments are as in `Autoencoder.fit`.

        Raises
        ------
        SettingError
            Where a setting does not fit, or the network not the rows.
        DataError
            Where rows or answers cannot be learned from.
        DivergenceError
            Where a loss or a gradient is not finite; the estimator keeps its last good weights.
        """
        return self._fit(X, y, sample_weight, None, (observers, resume, watch))

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        tangents: ArrayLike | None,
        how: tuple[Sequence[Observer], Path | None, str | None],
    ) -> Self:
        self.validate()
        rows = read_rows(self, X, reset=True)
        weights, targets = read_weights(sample_weight, rows), self.targets(y, len(rows))
        fitting.fit(self, Table(rows, weights, targets, read_tangents(tangents, rows)), *how)
        return self

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The network with its first weights; notes the columns it is built for."""
        units = (known.low, known.high, known.scaler.shift, known.scaler.scale)
        low, high, shift, scale = (torch.as_tensor(np.array(column)) for column in units)
        columns = corruptions.Columns(low, high, known.shape, shift, scale)
        return self.build(columns, seed).to(device=device, dtype=dtype)

    def build(self, columns: corruptions.Columns, seed: int) -> nn.Module:
        """The network for rows of such columns, with its first random weights, which depend on the seed alone."""
        self.columns_ = columns
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = _network(self.network, columns.shape, self.outputs)
            return self.loss(_augmentation(self.augmentation, columns), network)

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into a folder; `isthmus.load` reads them back.

        A network of your own is not in the files: pass it to `load` again, `load(folder, network=MyNet())`.
        """
        check_is_fitted(self, "module_")
        saving.save_supervised(self, Path(folder))

    def _begin(self, X: ArrayLike) -> tuple[Array, bool]:
        """Rows to go on training with, and whether they are the first."""
        first = not hasattr(self, "module_")
        if first:
            self.validate()
        return read_rows(self, X, reset=first), first

    def _apply(self, X: ArrayLike, function: Callable[[Tensor], Tensor], after: Scaler | None = None) -> Array:
        """A function of scaled rows, over X, brought back to other units by `after`."""
        check_is_fitted(self, "module_")
        rows = read_rows(self, X, reset=False)
        return batched(self.module_, function, rows, before=self.scaler_, after=after)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.non_deterministic = False
        return tags


def _network(part: Any, shape: tuple[int, ...], outputs: int) -> OnMaps:
    part = networks.MLP() if part is None else part
    if isinstance(part, Spec):
        return OnMaps(part.build(shape, outputs), shape)
    inputs = int(np.prod(shape))
    module = OnMaps(foreign.instance(part, "network", inputs, outputs), shape)
    foreign.check_width(module, "network", inputs, outputs)
    return module


def _augmentation(part: Any, columns: corruptions.Columns) -> corruptions.Corruption:
    if part is None:
        return corruptions.Corruption()
    if isinstance(part, Spec):
        built: corruptions.Corruption = part.build(columns)
        return built
    module = foreign.instance(part, "augmentation", len(columns.low))
    return module if isinstance(module, corruptions.Corruption) else foreign.ForeignCorruption(module)
