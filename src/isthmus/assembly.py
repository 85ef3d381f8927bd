"""From specifications to a built composition: defaults filled in, every mismatch one clear error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import codes, corruptions, decoders, encoders, foreign, likelihoods
from isthmus._spec import Spec
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
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


@dataclass(frozen=True)
class Blueprint:
    """What a composition is built from: the slots, the sizes, and the columns' range in scaled units, (D,) each."""

    slots: Mapping[str, Any]
    code_size: int
    input_shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray

    def slot(self, name: str) -> Any:
        given = self.slots.get(name)
        return DEFAULTS[name] if given is None else given


def assemble(blueprint: Blueprint, seed: int, dtype: torch.dtype, device: torch.device) -> Composition:
    """Build the module with its first random weights, which depend on the seed alone.

    Raises
    ------
    SettingError
        Where the parts do not fit each other.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _compose(blueprint)
    return module.to(device=device, dtype=dtype)


def _compose(blueprint: Blueprint) -> Composition:
    width = len(blueprint.low)
    likelihood = _likelihood(blueprint)
    code = _code(blueprint)
    encoder = _encoder(blueprint, width, code.width)
    decoder = _decoder(blueprint, code.size, width * likelihood.width, encoder)
    terms = _penalties(blueprint.slot("penalty"), Parts(encoder, code, decoder))
    return Composition(_corruption(blueprint), encoder, code, decoder, likelihood, terms)


def _likelihood(blueprint: Blueprint) -> likelihoods.Likelihood:
    part = blueprint.slot("likelihood")
    if isinstance(part, Spec):
        return part.build()
    network = foreign.instance(part, "likelihood")
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
    return network if isinstance(network, codes.Code) else foreign.ForeignCode(network, blueprint.code_size)


def _encoder(blueprint: Blueprint, inputs: int, outputs: int) -> nn.Module:
    part = blueprint.slot("encoder")
    if isinstance(part, Spec):
        return part.build(inputs, outputs)
    module = foreign.ForeignEncoder(foreign.instance(part, "encoder", inputs, outputs), blueprint.input_shape)
    foreign.check_width(module, "encoder", inputs, outputs)
    return module


def _decoder(blueprint: Blueprint, inputs: int, outputs: int, encoder: nn.Module) -> nn.Module:
    part = blueprint.slot("decoder")
    if part is None:
        mirror = getattr(blueprint.slot("encoder"), "mirror", decoders.MLP)
        part = mirror()
    if isinstance(part, Spec):
        return part.build(inputs, outputs, encoder)
    module = foreign.ForeignDecoder(foreign.instance(part, "decoder", inputs, outputs))
    foreign.check_width(module, "decoder", inputs, outputs)
    return module


def _corruption(blueprint: Blueprint) -> corruptions.Corruption:
    part = blueprint.slot("corruption")
    if isinstance(part, Spec):
        return part.build(_tensor(blueprint.low), _tensor(blueprint.high))
    network = foreign.instance(part, "corruption", len(blueprint.low))
    return network if isinstance(network, corruptions.Corruption) else foreign.ForeignCorruption(network)


def _penalties(part: Any, parts: Parts) -> dict[str, Term]:
    if part is None:
        return {}
    if isinstance(part, Penalty):
        return part.terms(parts)
    return {"penalty": foreign.instance(part, "penalty")}


def _tensor(column: np.ndarray) -> Tensor:
    return torch.as_tensor(np.array(column))
