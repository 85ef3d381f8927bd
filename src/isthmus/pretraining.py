"""From trained encoders to a classifier: `finetune` one, or several that were trained layer by layer.

For a classifier alone `make_pipeline(zoo.denoising(200), zoo.denoising(100)).fit(X)` trains each on the codes of the
one before; `stack` makes one deep autoencoder of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus._constraints import Constraint, Each, Flag, Has, count
from isthmus._spec import Spec
from isthmus.classifier import Classifier
from isthmus.codes import Code
from isthmus.errors import SettingError
from isthmus.nn import Perceptron
from isthmus.nn.along import Along, along


@dataclass
class Level(Spec):
    """A trained encoder's structure: the parts it is built from, and the shape of its rows."""

    encoder: Any
    code: Any
    code_size: int
    shape: tuple[int, ...]
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "encoder": Has("build", "a specification such as encoders.MLP()"),
        "code": Has("build", "a specification such as codes.Plain()"),
        "code_size": count(),
        "shape": Each(count(), least=1),
    }

    def build(self) -> nn.Module:
        code = self.code.build(self.code_size)
        encoder = self.encoder.build(self.shape, code.width)
        code.settle(encoder, *torch.zeros(2, prod(self.shape)))  # its prior is not used here, only loaded
        return _Level(encoder, code, prod(self.shape))


class _Level(nn.Module):
    """Rows in the units of its training → codes."""

    shift: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, code: Code, columns: int) -> None:
        super().__init__()
        self.encoder, self.code = encoder, code
        self.register_buffer("shift", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self.encoder((x - self.shift) / self.scale))[0]

    def along(self, x: Tensor, u: Tensor) -> Along:
        """Codes, (N, K), and how they change along directions u, (N, r, D): (N, r, K)."""
        return along(self.code, *along(self.encoder, (x - self.shift) / self.scale, u / self.scale))


@dataclass
class Pretrained(Spec):
    """Trained encoders one after the other, and a linear layer that starts anew: what `finetune` gives a classifier.

    The weights lie beside the parameters, and a clone shares them. A saved classifier has its own.
    """

    levels: tuple[Level, ...]
    frozen: bool = False
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "levels": Each(Has("build", "a trained encoder"), least=1),
        "frozen": Flag(),
    }

    def __post_init__(self) -> None:
        self._weights: Sequence[Mapping[str, Tensor]] = ()

    def __sklearn_clone__(self) -> Self:
        return copy.copy(self)

    def build(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        levels = [level.build() for level in self.levels]
        for level, weights in zip(levels, self._weights, strict=False):  # none where the network is loaded again
            level.to(weights["shift"].dtype).load_state_dict(dict(weights))
        for level in levels:
            level.requires_grad_(not self.frozen)
        return nn.Sequential(nn.Flatten(), *levels, Perceptron((self.levels[-1].code_size, outputs), "identity"))

    def holding(self, weights: Sequence[Mapping[str, Tensor]]) -> Self:
        self._weights = weights
        return self


def finetune(
    trained: BaseEstimator | Pipeline | Sequence[BaseEstimator], *, frozen: bool = False, **settings: Any
) -> Classifier:
    """A classifier, not fitted yet, that begins with a trained encoder and a new linear layer.

    Parameters
    ----------
    trained : Autoencoder, stack of them or BoltzmannMachine, a sequence of these, or a Pipeline of them
        Fitted. Of several, each was trained on the codes of the one before (Hinton & Salakhutdinov 2006).
    frozen : bool
        Train the new layer alone.
    **settings
        Of the `Classifier`: `max_epochs`, `learning_rate` and so on.

    Raises
    ------
    SettingError
        Where an encoder is a network of your own: pass `network=` such as `nn.Sequential(ae.module_.encoder, …)` to a
        `Classifier` instead.
    """
    estimators = _stack(trained)
    levels = tuple(level(estimator, "in finetune") for estimator in estimators)
    weights = [weights_of(estimator) for estimator in estimators]
    network = Pretrained(levels, frozen).holding(weights)
    shape = getattr(estimators[0], "input_shape", None)
    own: dict[str, Any] = {"scaling": None, "input_shape": shape}
    return Classifier(network, **(own | settings))


def _stack(trained: Any) -> list[Any]:
    if isinstance(trained, Pipeline):
        trained = [step for _, step in trained.steps]
    estimators = list(trained) if isinstance(trained, list | tuple) else [trained]
    for estimator in estimators:
        if not hasattr(estimator, "encoding"):
            raise SettingError(
                f"{type(estimator).__name__} has no encoder",
                where="in finetune",
                expected="a fitted Autoencoder or BoltzmannMachine, or several of them",
            )
        check_is_fitted(estimator, "module_")
    return estimators


OWN = "pass the module itself: Classifier(network=nn.Sequential(ae.module_.encoder, ...))"


def level(estimator: Any, where: str, hint: str = OWN) -> Level:
    """The structure of a trained encoder.

    Raises
    ------
    SettingError
        Where a part is a network of one's own, or the encoder sees something else than rows.
    """
    encoder, code, size, shape, _ = estimator.encoding()
    if getattr(getattr(estimator.module_, "likelihood", None), "views", False):
        raise SettingError(
            "the encoder sees counts as logarithms, or categories as bits",
            where=where,
            expected="a likelihood of real numbers",
            hint=hint,
        )
    check_specs({"encoder": encoder, "code": code}, where, hint)
    return Level(encoder, code, size, shape)


def check_specs(parts: Mapping[str, Any], where: str, hint: str) -> None:
    """Refuse parts that are networks of one's own, whose structure cannot be told.

    Raises
    ------
    SettingError
        Naming the slot.
    """
    for slot, part in parts.items():
        if not isinstance(part, Spec):
            raise SettingError(
                f"the {slot} is a network of your own", where=where, expected="a specification", hint=hint
            )


def weights_of(estimator: Any) -> dict[str, Tensor]:
    """What a trained encoder's `Level` is loaded with."""
    like = next(estimator.module_.parameters())
    state = {name: t.detach().cpu().clone() for name, t in estimator.encoding()[-1].items()}
    scaler = estimator.scaler_
    return state | {
        "shift": torch.as_tensor(scaler.shift).to("cpu", like.dtype),
        "scale": torch.as_tensor(scaler.scale).to("cpu", like.dtype),
    }
