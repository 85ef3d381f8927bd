"""A trained network on maps of another size: the same weights, where no layer has a fixed size."""

from __future__ import annotations

import copy
from math import prod
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.assembly import Blueprint, assemble
from isthmus.autoencoder import Composition
from isthmus.errors import SettingError
from isthmus.estimators import Autoencoder
from isthmus.nn import ConvolutionalDecoder, ConvolutionalEncoder
from isthmus.nn.convolutional import halvings
from isthmus.scaling import Scaler

Array = NDArray[np.floating]
Shape = tuple[int, ...]


def at(ae: Autoencoder, shape: Shape) -> Autoencoder:
    """A fitted estimator for maps of `shape`, (C, *extents), with a copy of the same weights.

    Its code is a map of as many channels as before, so `code_size` grows with the extents. What was learned of each
    place (the corruption's range, the mean) becomes the channel's.

    Raises
    ------
    SettingError
        Where a layer has a fixed size, pixels of a channel are scaled differently, or C differs.
    """
    check_is_fitted(ae, "module_")
    before = ae.blueprint_
    _check(ae, shape)
    encoder = cast("ConvolutionalEncoder", ae.module_.encoder)
    places = [prod(extents) for extents in (encoder.extents[-1], halvings(shape[1:], len(encoder.levels))[-1])]
    twin = copy.copy(ae)
    twin.__dict__.pop("_state", None)
    twin.input_shape, twin.code_size = shape, before.code_size // places[0] * places[1]

    def spread(column: Array) -> Array:
        return np.repeat(column.reshape(shape[0], -1).mean(axis=1), prod(shape[1:]))

    twin.scaler_ = Scaler(spread(ae.scaler_.shift), spread(ae.scaler_.scale))
    units = (spread(before.low), spread(before.high), twin.scaler_.shift, twin.scaler_.scale)
    twin.blueprint_ = Blueprint(before.slots, twin.code_size, shape, *units)
    twin.mean_, twin.n_features_in_ = spread(ae.mean_), prod(shape)
    twin.module_ = _with_weights_of(ae, twin.blueprint_)
    return twin


def can_be_enlarged(ae: Autoencoder) -> bool:
    """Whether `at` takes a fitted estimator to larger maps."""
    try:
        _check(ae, ae.blueprint_.input_shape)
    except SettingError:
        return False
    return True


def _check(ae: Autoencoder, shape: Shape) -> None:
    encoder, decoder, own = ae.module_.encoder, ae.module_.decoder, ae.blueprint_.input_shape
    place = f"for pictures of {shape}"
    parts = isinstance(encoder, ConvolutionalEncoder) and isinstance(decoder, ConvolutionalDecoder)
    if not (parts and encoder.spatial and decoder.spatial):
        raise SettingError(
            "the network has layers of a fixed size",
            place,
            "a spatial code",
            "use encoders.Convolutional(spatial=True)",
        )
    if len(shape) != len(own) or shape[0] != own[0]:
        raise SettingError(
            f"pictures of {shape}", f"for a network of {own}", f"{own[0]} channels and {len(own) - 1} extents"
        )
    for column in (ae.scaler_.shift, ae.scaler_.scale):
        if np.ptp(column.reshape(own[0], -1), axis=1).max() > 0:
            raise SettingError(
                "columns of a channel are scaled differently", place, "one scale a channel", "train with scaling=None"
            )


def _with_weights_of(ae: Autoencoder, blueprint: Blueprint) -> Composition:
    like = next(ae.module_.parameters())
    module = assemble(blueprint, ae.seed_, like.dtype, like.device)
    own = {name: t for name, t in module.state_dict().items() if name.startswith("corruption.")}  # sized by the map
    weights = {name: t for name, t in ae.module_.state_dict().items() if name not in own}
    module.load_state_dict(weights | own)
    return module.eval()
