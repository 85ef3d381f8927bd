"""Autoencoders trained layer by layer, each on the codes of the one before, then unrolled and trained on as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import Any, ClassVar, cast

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from isthmus import _fitting as fitting
from isthmus import codes
from isthmus._constraints import AnyOf, Constraint, Each, Flag, Has, OneOf, check_names, count
from isthmus._fitting import Learned
from isthmus._signatures import with_settings_of
from isthmus._spec import Spec
from isthmus.assembly import DEFAULTS, Blueprint, assemble
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
from isthmus.estimators import Autoencoder
from isthmus.likelihoods import Likelihood
from isthmus.likelihoods.support import Demands
from isthmus.pretraining import Level, check_specs, level, weights_of

OF_LAYERS = ("code_size", "encoder", "decoder", "code", "scaling", "input_shape")  # settings that the layers decide
HINT = "write it as a specification, such as encoders.MLP()"


@dataclass
class Chain(Spec):
    """f = f_L ∘ c_{L−1} ∘ f_{L−1} ∘ … ∘ c₁ ∘ f₁: encoders one after the other; the last code is the composition's."""

    levels: tuple[Level, ...]
    constraints: ClassVar[Mapping[str, Constraint]] = {"levels": Each(Has("build", "a trained encoder"), least=1)}

    def build(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(*(one.build() for one in self.levels))


@dataclass
class Back(Spec):
    """A trained decoder's structure: its parts, the size of its codes and the shape of its rows.

    `mean`: it gives the mean of its rows in the units that they came in; else its likelihood's parameters.
    """

    decoder: Any
    likelihood: Any
    code_size: int
    shape: tuple[int, ...]
    mean: bool = True
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "decoder": Has("build", "a specification such as decoders.MLP()"),
        "likelihood": Has("build", "a specification such as likelihoods.Gaussian()"),
        "code_size": count(),
        "shape": Each(count(), least=1),
        "mean": Flag(),
    }

    def build(self, encoder: nn.Module) -> nn.Module:
        likelihood = self.likelihood.build(prod(self.shape))
        decoder = self.decoder.build(self.code_size, likelihood.shape(self.shape), encoder)
        return _Back(decoder, likelihood, prod(self.shape), bool(self.mean))


class _Back(nn.Module):
    """Codes → rows in the units of its training, or their likelihood's parameters."""

    shift: Tensor
    scale: Tensor

    def __init__(self, decoder: nn.Module, likelihood: Likelihood, columns: int, mean: bool) -> None:
        super().__init__()
        self.decoder, self.likelihood, self.mean = decoder, likelihood, mean
        self.register_buffer("shift", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))

    def forward(self, z: Tensor) -> Tensor:
        theta = self.decoder(z)
        return self.shift + self.scale * self.likelihood.mean(theta) if self.mean else theta


@dataclass
class Unrolled(Spec):
    """g = g₁ ∘ … ∘ g_L: the decoders of a chain, from the code outwards, each giving the mean of its own rows."""

    levels: tuple[Back, ...]
    constraints: ClassVar[Mapping[str, Constraint]] = {"levels": Each(Has("build", "a trained decoder"), least=1)}

    def build(self, inputs: int, shape: tuple[int, ...], encoder: nn.Module) -> nn.Module:
        inwards = [cast("nn.Module", one.encoder) for one in cast("nn.Sequential", encoder)]
        return _Unrolled([one.build(own) for one, own in zip(self.levels, reversed(inwards), strict=True)])


class _Unrolled(nn.Module):
    def __init__(self, levels: Sequence[nn.Module]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)

    @property
    def reader(self) -> Any:
        """The layer that reads the code, where the innermost decoder says which it is."""
        return getattr(self.levels[0].decoder, "reader", None)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        for one in self.levels:
            z = one(z)
        return z


def stack(layers: Sequence[Any], **settings: Any) -> StackedAutoencoder:
    """A deep autoencoder of these layers, not fitted yet: `stack([zoo.denoising(200), zoo.denoising(50)]).fit(X)`.

    Parameters
    ----------
    layers : sequence of Autoencoder or BoltzmannMachine
        From the rows inwards.
    **settings
        Of `StackedAutoencoder`.
    """
    return StackedAutoencoder(tuple(layers), **settings)


class StackedAutoencoder(Autoencoder):
    """Layers trained one by one, each on the codes of the one before, then unrolled and fine-tuned as one autoencoder.

    x → c_L(f_L(… c₁(f₁(x)))), and back through g_L … g₁, each of which gives the mean of its rows. A Boltzmann
    machine's decoder is its matrix transposed with its visible biases, free to differ from then on (Hinton &
    Salakhutdinov 2006); denoising layers make a stacked denoising autoencoder (Vincent 2010). `finetune` makes a
    classifier of it.

    Parameters
    ----------
    layers : sequence of Autoencoder or BoltzmannMachine
        From the rows inwards; each is cloned and trained by its own settings. One without a `random_state` is seeded
        by that of the stack. Parts have to be specifications, and none may need groups. The first one says how rows
        are scaled and shaped.
    corruption, penalty : optional
        As in `Autoencoder`, of the fine-tuning alone.
    likelihood : optional
        Of the fine-tuning; None takes the first layer's. Another has to be of real numbers whose mean is the
        parameter, such as `likelihoods.Gaussian()`: the squared error of the means of the first layer.
    max_epochs : int or "auto"
        Of the fine-tuning; 0 leaves the layers as they are.
    **settings
        Those of `Autoencoder` that training has.

    Attributes
    ----------
    layers_ : list
        The layers as they were before the fine-tuning; the first one takes rows as the stack does. Not saved.
    module_, history_, …
        As in `Autoencoder`, of the whole.
    """

    saved_as: ClassVar[str] = "StackedAutoencoder"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        **{name: own for name, own in Autoencoder.constraints.items() if name not in OF_LAYERS},
        "layers": Each(Has("encoding", "an Autoencoder or a BoltzmannMachine"), least=1),
        "max_epochs": AnyOf((OneOf(("auto",)), count(0))),
    }
    encoder, decoder, code = None, None, None  # what the layers are made of
    layers_: list[Any]

    @with_settings_of(Autoencoder, without=OF_LAYERS)
    def __init__(
        self,
        layers: Sequence[Any] = (),
        *,
        corruption: Any = None,
        likelihood: Any = None,
        penalty: Any = None,
        **settings: Any,
    ) -> None:
        lent = {p.name: p.default for p in signature(Autoencoder).parameters.values() if p.name not in OF_LAYERS}
        check_names("StackedAutoencoder", settings, ["layers", *lent])
        parts = {"layers": layers, "corruption": corruption, "likelihood": likelihood, "penalty": penalty}
        for name, value in (lent | settings | parts).items():
            setattr(self, name, value)

    layers: Sequence[Any]

    @property
    def code_size(self) -> int:  # type: ignore[override]
        """K, the size of the last layer's code."""
        last = self.layers[-1]
        return int(last.code_size if hasattr(last, "code_size") else last.n_hidden)

    @property
    def scaling(self) -> str | None:  # type: ignore[override]
        """How rows are scaled: as the first layer says."""
        return cast("str | None", self.layers[0].scaling)

    @property
    def input_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The shape of a row: as the first layer says."""
        return cast("tuple[int, ...] | None", self.layers[0].input_shape)

    def slots(self) -> dict[str, Any]:
        """The parts of the fine-tuning, and the layers, which tell this estimator's modules from others."""
        return super().slots() | {"likelihood": self._own_likelihood(), "layers": tuple(self.layers)}

    def validate(self) -> None:
        """Check every setting, those of the layers included.

        Raises
        ------
        SettingError
            Listing every value that does not fit, or where layers cannot be stacked.
        """
        super().validate()
        for place, layer in enumerate(self.layers):
            layer.validate()
            parts = {slot: getattr(layer, slot, None) for slot in ("encoder", "decoder", "code", "likelihood")}
            check_specs({slot: part for slot, part in parts.items() if part is not None}, _where(place), HINT)
            if getattr(layer, "needs_groups", False):
                raise SettingError("a part needs the group of each row", where=_where(place), expected="none that does")
        own, first = self._own_likelihood(), _likelihood_of(self.layers[0])
        if own != first and not _is_location(own):
            raise SettingError(
                f"likelihoods.{own!r} cannot follow layers whose rows are likelihoods.{first!r}",
                where=f"in {type(self).__name__}",
                expected="the first layer's, or likelihoods.Gaussian()",
                hint=f"give the first layer likelihood=likelihoods.{own!r}",
            )

    def build_module(self, learned: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Composition:
        """The layers, trained, as one composition; notes the blueprint it is built from.

        Raises
        ------
        SettingError
            Where a layer's encoder sees something else than rows, or the last code has a prior made of rows.
        """
        self.layers_ = self._trained(learned, seed)
        top = self.layers_[-1]
        slots = {**self.slots(), "code": top.encoding()[1], "encoder": self._chain(), "decoder": self._unrolled()}
        del slots["layers"]
        units = (learned.low, learned.high, learned.scaler.shift, learned.scaler.scale)
        self.blueprint_ = Blueprint(slots, top.encoding()[2], learned.shape, *units)
        module = assemble(self.blueprint_, seed, dtype, device)
        self._load(module)
        self.layers_[0].set_params(scaling=self.scaling).scaler_ = learned.scaler
        return module

    @property
    def unit_interval(self) -> bool:
        """Whether the likelihood, or the first layer, needs rows in [0, 1]."""
        return super().unit_interval or bool(self.layers[0].unit_interval)

    def demands(self, columns: int) -> Demands:
        """What the likelihood and the first layer demand of the columns of rows."""
        return (*super().demands(columns), *fitting.demands(self.layers[0], columns))

    def _own_likelihood(self) -> Any:
        return _likelihood_of(self.layers[0]) if self.likelihood is None else self.likelihood

    def _likelihood_of_columns(self) -> Any:
        return self._own_likelihood()

    def _trained(self, learned: Learned, seed: int) -> list[Any]:
        """The layers, each trained on the codes of the one before; the first on scaled rows."""
        rows, found = learned.rows.x, []
        for place, layer in enumerate(self.layers):
            own = clone(layer) if place else clone(layer).set_params(scaling=None)
            if own.random_state is None:
                own.set_params(random_state=int(np.random.SeedSequence([seed, place]).generate_state(1)[0]))
            own.fit(rows, sample_weight=learned.rows.weight)
            rows = own.transform(rows)
            found.append(own)
        return found

    def _chain(self) -> Chain:
        *below, top = (level(own, _where(place), HINT) for place, own in enumerate(self.layers_))
        width = top.code.build(top.code_size).width
        return Chain((*below, Level(top.encoder, codes.Plain(), width, top.shape)))

    def _unrolled(self) -> Unrolled:
        same = self._own_likelihood() == _likelihood_of(self.layers_[0])
        backs = [Back(*own.decoding()[:2], *own.encoding()[2:4]) for own in self.layers_]
        backs[0].mean = not same
        return Unrolled(tuple(reversed(backs)))

    def _load(self, module: Composition) -> None:
        """Give the composition the layers' weights."""
        chain, back = cast("Any", module.encoder), cast("Any", module.decoder).levels
        for one, other, own in zip(chain, reversed(back), self.layers_, strict=True):
            inwards, outwards = weights_of(own), own.decoding()[-1]
            code = _under("code.", inwards)
            if own is self.layers_[-1]:  # its code is the composition's
                inwards = {name: t for name, t in inwards.items() if not name.startswith("code.")}
                _load_code(module.code, code)
            one.load_state_dict(inwards)
            other.load_state_dict(outwards | {name: inwards[name] for name in ("shift", "scale")})
        if not back[-1].mean:
            module.likelihood.load_state_dict(back[-1].likelihood.state_dict())


def _load_code(code: nn.Module, state: Mapping[str, Tensor]) -> None:
    try:
        code.load_state_dict(dict(state))
    except RuntimeError as fault:  # pseudo-rows of a prior, which now would have to be rows of the first layer
        raise SettingError(
            "the last layer's code has a prior made of its own rows",
            where="in layers",
            expected="another prior, such as priors.Standard()",
        ) from fault


def _likelihood_of(layer: Any) -> Any:
    return DEFAULTS["likelihood"] if layer.likelihood is None else layer.likelihood


def _is_location(likelihood: Any) -> bool:
    """Whether the mean of rows is the parameter itself."""
    built = likelihood.build(1) if isinstance(likelihood, Spec) else None
    return built is not None and built.width == 1 and type(built).mean is Likelihood.mean


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}


def _where(place: int) -> str:
    return f"in layers[{place}]"
