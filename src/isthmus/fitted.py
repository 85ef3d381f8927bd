"""What a fitted autoencoder does with rows: encode, decode, reconstruct, score."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus import _fitting as fitting
from isthmus import saving
from isthmus._groups import known, numbered, read_groups
from isthmus._inputs import read_rows, read_weights
from isthmus.assembly import Blueprint
from isthmus.autoencoder import Composition
from isthmus.errors import DataError, SettingError
from isthmus.inference import batched
from isthmus.scaling import Scaler

if TYPE_CHECKING:
    from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]
Decoded = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
Part = Any  # a specification, a torch.nn.Module, or a callable that returns one


class Fitted(BaseEstimator):
    """The methods that need a built module and the learned scaling.

    `groups`, where a part needs them, are labels of the rows, (N,), as in `fit`. A code pools all rows of a group that
    are passed together; a decoder takes those it was trained with.
    """

    saved_as: ClassVar[str] = "Autoencoder"  # the name of its reader in `loading`
    module_: Composition
    scaler_: Scaler
    blueprint_: Blueprint
    groups_: NDArray[Any]
    mean_: Array
    seed_: int
    bound_: object  # the one group whose decoder is used, where `for_group` chose it

    def transform(self, X: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """The code of each row, (N, K). Deterministic: a code with a distribution gives its mean."""
        if groups is None:
            return self._apply(X, self._module().encode)
        module, rows = self._module(), read_rows(self, X, reset=False)
        context = numbered(read_groups(groups, len(rows)), self.groups_)
        spread = batched(module, module.encoder, rows, before=self.scaler_)
        with torch.no_grad():
            like = next(module.parameters())
            z = module.code(torch.as_tensor(spread).to(like), torch.as_tensor(context).to(like.device))[0]
        return cast("Array", z.cpu().numpy().astype(rows.dtype))

    def inverse_transform(self, X: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """Decode codes X, (N, K), to rows in input units, (N, D)."""
        module, size = self._module(), self._module().code.size
        Z = np.asarray(X if not isinstance(X, torch.Tensor) else X.detach().cpu())
        if Z.ndim != 2 or Z.shape[1] != size:
            raise DataError(f"codes of shape {Z.shape}", where="in inverse_transform", expected=f"(N, {size})")
        Z = Z if Z.dtype in (np.float32, np.float64) else Z.astype(np.float64)
        if groups is None:
            return batched(module, module.decode, Z, after=self.scaler_)
        beside = np.column_stack([Z, self._for_decoder(read_groups(groups, len(Z)))]).astype(Z.dtype)
        return batched(module, lambda z: module.decode(z[:, :size], _whole(z[:, size])), beside, after=self.scaler_)

    def reconstruct(self, X: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """Each row encoded and decoded, in input units, (N, D)."""
        module = self._module()
        restored = module.likelihood.resized
        return self._each(X, lambda x, z, c: restored(module.decode(z, c), x), groups, after=self.scaler_)

    def score(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> float:
        """R² of the reconstruction in scaled units: 1 is perfect, 0 is what predicting the training mean gives."""
        module = self._module()

        def squares(x: torch.Tensor, z: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
            """Of each row its distance from its reconstruction and from the training mean, (n, 2)."""
            mean = torch.tensor(self.mean_, dtype=x.dtype, device=x.device)
            missed, spread = x - module.likelihood.resized(module.decode(z, context), x), x - mean
            return torch.stack([missed.square().sum(dim=1), spread.square().sum(dim=1)], dim=1)

        error, spread = self._each(X, squares, groups).T.astype(np.float64)
        weight = read_weights(sample_weight, error)
        total = float(np.average(spread, weights=weight))
        return 1.0 - float(np.average(error, weights=weight)) / total if total > 0 else 0.0

    def score_samples(self, X: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """log p(x | x̂) of each row in scaled units, (N,); higher is more like the training rows. Deterministic.

        Raises
        ------
        DataError
            Where the likelihood has probabilities for whole numbers or levels alone, and rows hold others.
        """
        module = self._module()
        self._check_grid(X, "in score_samples")
        return self._each(X, lambda x, z, c: -module.likelihood.nll(module.decoder(z, c), x).sum(dim=-1), groups)

    def for_group(self, group: object) -> Autoencoder:
        """The same estimator with its decoder bound to one group, which then needs no groups to decode.

        Raises
        ------
        DataError
            Where it was not trained with that group.
        """
        number = int(self._for_decoder(np.asarray([group]))[0])
        twin = copy.copy(self)
        twin.module_, twin.bound_ = self._module().decoding_as(number), group
        return cast("Autoencoder", twin)

    def encoding(self) -> tuple[Part, Part, int, tuple[int, ...], dict[str, torch.Tensor]]:
        """Encoder and code as they were given, K, the shape of a row, and the weights of `encoder.…` and `code.…`."""
        state = {k: t for k, t in self._module().state_dict().items() if k.startswith(("encoder.", "code."))}
        built = self.blueprint_
        return built.slot("encoder"), built.slot("code"), built.code_size, built.input_shape, state

    def decoding(self) -> tuple[Part, Part, dict[str, torch.Tensor]]:
        """Decoder and likelihood as they were given, and the weights of `decoder.…` and `likelihood.…` as they act."""
        module = self._module()
        state = {k: t for k, t in module.state_dict().items() if k.startswith(("decoder.", "likelihood."))}
        for name, part in module.decoder.named_modules(prefix="decoder"):
            if getattr(part, "unit_columns", False):  # a penalty's wish, which the matrix itself does not know
                state[f"{name}.matrix"] = part.weight.detach()
        return self.blueprint_.mirrored, self.blueprint_.slot("likelihood"), state

    def jacobian(self, X: ArrayLike) -> Array:
        """∂z/∂x of the deterministic code with respect to the scaled row, (N, K, D)."""
        module = self._module()
        return self._apply(X, module.jacobian, width_hint=module.code.size)

    def untrained(self) -> Autoencoder:
        """The same estimator with its first random weights: fitted, never trained."""
        return fitting.untrained(self)

    def scale(self, X: ArrayLike) -> Array:
        """Rows in the units the network sees, (N, D)."""
        check_is_fitted(self, "module_")
        return self.scaler_.apply(read_rows(self, X, reset=False))

    def unscale(self, X: Array) -> Array:
        """Scaled rows back in input units, (N, D)."""
        check_is_fitted(self, "module_")
        return self.scaler_.undo(X)

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into a folder; `isthmus.load` reads them back.

        Networks of your own are not in the files: pass them to `load` again, by the name of their slot.
        """
        check_is_fitted(self, "module_")
        if hasattr(self, "bound_"):
            raise SettingError(
                f"this estimator is bound to the group {self.bound_!r}",
                where="in save",
                hint="save the one that for_group was called on, and bind it again when it is loaded",
            )
        saving.save_autoencoder(self, Path(folder))

    def _module(self) -> Composition:
        check_is_fitted(self, "module_")
        return self.module_

    def _apply(
        self,
        X: ArrayLike,
        function: Callable[[torch.Tensor], torch.Tensor],
        width_hint: int = 1,
        after: Scaler | None = None,
    ) -> Array:
        """`function` of rows X, scaled a batch at a time."""
        rows = read_rows(self, X, reset=False)
        return batched(self.module_, function, rows, width_hint, before=self.scaler_, after=after)

    def _each(self, X: ArrayLike, function: Decoded, groups: ArrayLike | None, after: Scaler | None = None) -> Array:
        """`function` of each scaled row, its code and its group's number."""
        module = self._module()
        if groups is None:
            return self._apply(X, lambda x: function(x, module.encode(x), None), after=after)
        rows, Z = read_rows(self, X, reset=False), self.transform(X, groups)
        columns, size = rows.shape[1], Z.shape[1]
        beside = np.column_stack([self.scaler_.apply(rows), Z, self._for_decoder(np.asarray(groups))])

        def split(row: torch.Tensor) -> torch.Tensor:
            x, z, group = row.split([columns, size, 1], dim=1)
            return function(x, z, _whole(group[:, 0]))

        return batched(module, split, beside.astype(rows.dtype), after=after)

    def _check_grid(self, X: ArrayLike, where: str) -> None:
        if fitting.is_discrete(self):
            fitting.check_discrete(self, read_rows(self, X, reset=False), where)

    def _for_decoder(self, labels: NDArray[Any]) -> NDArray[np.integer]:
        """Numbers of groups, which have to be known where the decoder hears them."""
        if fitting.needs_groups(self.blueprint_.slots.get("decoder")):
            return known(labels, self.groups_)
        return numbered(labels, self.groups_)


def _whole(column: torch.Tensor) -> torch.Tensor:
    """Groups' numbers that travelled beside rows as floats, which hold them exactly up to 2²⁴."""
    return column.round().long()
