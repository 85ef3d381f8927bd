"""From specifications to a built composition: defaults filled in, every mismatch one clear error."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import codes, corruptions, decoders, encoders, foreign, likelihoods, penalties
from isthmus._spec import Spec, family
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
from isthmus.likelihoods.viewing import Viewed
from isthmus.penalties import Parts, Penalty, Term

SLOTS = ("encoder", "decoder", "code", "corruption", "likelihood", "penalty")
DEFAULTS: Mapping[str, Spec | None] = {
    "encoder": encoders.MLP(),
    "decoder": None,  # the encoder's mirror image
    "code": codes.Plain(),
    "corruption": corruptions.Nothing(),
    "likelihood": likelihoods.Gaussian(),
    "penalty": None,
}


FAMILIES = {
    "encoder": encoders,
    "decoder": decoders,
    "code": codes,
    "corruption": corruptions,
    "likelihood": likelihoods,
    "penalty": penalties,
}
NOTED = ("epoch", "loss", "reconstruction", "gradient", "gradient_norm", "validation_loss", "learning_rate", "seconds")


def family_of(slot: str) -> str:
    """The name of the module that has a slot's parts."""
    return FAMILIES[slot].__name__.removeprefix("isthmus.")


def check_slot(slot: str, part: Spec) -> None:
    """Refuse a specification of ours in a slot that is not its own; a user's class may stand anywhere.

    Raises
    ------
    SettingError
        Naming the part and the module that has the right ones.
    """
    home, right = family(part), family_of(slot)
    if home != right and type(part).__module__.startswith("isthmus.") and home in map(family_of, FAMILIES):
        raise SettingError(f"{home}.{part!r} is no {slot}", where=f"in the slot {slot}", expected=f"one of {right}")


@dataclass(frozen=True)
class Blueprint:
    """What a composition is built from: the slots, the sizes, and the columns' range in scaled units, (D,) each."""

    slots: Mapping[str, Any]
    code_size: int
    input_shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    shift: np.ndarray | None = None  # input units are shift + scale · scaled ones
    scale: np.ndarray | None = None
    groups: int = 0  # how many the training rows have

    def slot(self, name: str) -> Any:
        given = self.slots.get(name)
        return DEFAULTS[name] if given is None else given

    @property
    def mirrored(self) -> Any:
        """The decoder, which is the encoder's mirror image unless given."""
        part = self.slot("decoder")
        return getattr(self.slot("encoder"), "mirror", decoders.MLP)() if part is None else part


def assemble(blueprint: Blueprint, seed: int, dtype: torch.dtype, device: torch.device) -> Composition:
    """Build the module with its first random weights, which depend on the seed alone.

    Raises
    ------
    SettingError
        Where the parts do not fit each other.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed, which would reseed every GPU too
        module = _compose(blueprint)
    if not any(p.requires_grad for p in module.parameters()):
        raise SettingError(
            "no part has anything to learn",
            where="in the slots",
            expected="at least one parameter that requires a gradient",
        )
    return module.to(device=device, dtype=dtype)


def _compose(blueprint: Blueprint) -> Composition:
    likelihood = _likelihood(blueprint)
    code = _code(blueprint)
    encoder = _encoder(blueprint, code.width, likelihood)
    decoder = _decoder(blueprint, code.size, likelihood, encoder)
    code.settle(encoder, _tensor(blueprint.low), _tensor(blueprint.high))
    terms = _penalties(blueprint.slot("penalty"), Parts(encoder, code, decoder))
    module = Composition(_corruption(blueprint), encoder, code, decoder, likelihood, terms)
    for name, term in terms.items():
        if isinstance(term, nn.Module):  # a user's own: what it learns is trained, moved and saved with the rest
            module.add_module(f"own_{name}", term)
    return module


def _likelihood(blueprint: Blueprint) -> likelihoods.Likelihood:
    part = blueprint.slot("likelihood")
    if isinstance(part, Spec):
        return part.build(len(blueprint.low))
    network = foreign.instance(part, "likelihood", len(blueprint.low))
    if not isinstance(network, likelihoods.Likelihood):
        raise SettingError(
            f"{type(network).__name__} says no probability of a row",
            where="in the slot likelihood",
            expected="a subclass of likelihoods.Likelihood",
        )
    return network


def _code(blueprint: Blueprint) -> codes.Code:
    part = blueprint.slot("code")
    if isinstance(part, Spec):
        return part.build(blueprint.code_size)
    network = foreign.instance(part, "code", blueprint.code_size)
    if isinstance(network, codes.Code):
        return network
    code = foreign.ForeignCode(network, blueprint.code_size)
    foreign.check_width(code, "code", code.width, code.size)
    return code


def _encoder(blueprint: Blueprint, outputs: int, likelihood: likelihoods.Likelihood) -> nn.Module:
    """The encoder of rows as the likelihood shows them."""
    shape = likelihood.seen(blueprint.input_shape) if likelihood.views else blueprint.input_shape
    network = _network(blueprint.slot("encoder"), shape, outputs)
    return Viewed(likelihood, network) if likelihood.views else network


def _network(part: Any, shape: tuple[int, ...], outputs: int) -> nn.Module:
    if isinstance(part, Spec):
        return cast("nn.Module", part.build(shape, outputs))
    inputs = prod(shape)
    module = foreign.ForeignEncoder(foreign.instance(part, "encoder", inputs, outputs), shape)
    foreign.check_width(module, "encoder", inputs, outputs)
    return module


def _decoder(blueprint: Blueprint, inputs: int, likelihood: likelihoods.Likelihood, encoder: nn.Module) -> nn.Module:
    part, shape = blueprint.mirrored, likelihood.shape(blueprint.input_shape)
    if isinstance(part, Spec):
        part = _around_mirror(part, blueprint)
        _check_tied(part, likelihood)
        heard = {"groups": blueprint.groups} if part.needs_groups else {}
        return part.build(inputs, shape, encoder, **heard)
    module = foreign.ForeignDecoder(foreign.instance(part, "decoder", inputs, prod(shape)))
    foreign.check_width(module, "decoder", inputs, prod(shape))
    return module


def _check_tied(part: Any, likelihood: likelihoods.Likelihood) -> None:
    if likelihood.views and decoders.Tied in (type(part), type(getattr(part, "decoder", None))):
        raise SettingError(
            "decoders.Tied cannot transpose an encoder that sees counts as logarithms, or categories as bits",
            where="decoder",
            expected="a likelihood of real numbers",
            hint="give a decoder of its own",
        )


def _around_mirror(part: Spec, blueprint: Blueprint) -> Spec:
    """A decoder around another one, which is the encoder's mirror image unless given."""
    if getattr(part, "decoder", part) is not None:
        return part
    mirror = getattr(blueprint.slot("encoder"), "mirror", decoders.MLP)
    return copy.copy(part).set_params(decoder=mirror())


def _corruption(blueprint: Blueprint) -> corruptions.Corruption:
    part = blueprint.slot("corruption")
    if isinstance(part, Spec):
        low, high = _tensor(blueprint.low), _tensor(blueprint.high)
        shift, scale = (None if one is None else _tensor(one) for one in (blueprint.shift, blueprint.scale))
        return part.build(corruptions.Columns(low, high, blueprint.input_shape, shift, scale))
    network = foreign.instance(part, "corruption", len(blueprint.low))
    return network if isinstance(network, corruptions.Corruption) else foreign.ForeignCorruption(network)


def _penalties(part: Any, parts: Parts) -> dict[str, Term]:
    if part is None:
        return {}
    if isinstance(part, Penalty):
        terms = part.terms(parts)
        if taken := sorted(set(terms) & set(NOTED)):
            raise SettingError(
                f"a penalty cannot be called {taken[0]!r}",
                where="in the slot penalty",
                expected=f"a name other than {', '.join(NOTED)}, which the history uses",
            )
        return terms
    return {"penalty": foreign.instance(part, "penalty")}


def _tensor(column: np.ndarray) -> Tensor:
    return torch.as_tensor(np.array(column))
