"""A fitted estimator as one network on rows in their own shape and in the scaled units it was trained in."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from isthmus.estimators import Autoencoder
from isthmus.seeing.watching import at_rest, kindred
from isthmus.supervised import Supervised


def of(estimator: Autoencoder | Supervised) -> nn.Module:
    """What to look at in a fitted estimator.

    Returns
    -------
    torch.nn.Module
        Of an autoencoder its `Whole`; of a classifier or a regressor its own network, which maps rows (N, *shape),
        scaled, to logits (N, classes), or to the parameters of its likelihood.
    """
    if isinstance(estimator, Autoencoder):
        return Whole(estimator)
    network: nn.Module = estimator.module_.network.network
    return network


class Whole(nn.Module):
    """Encoder, code and decoder of an autoencoder, one behind the other.

    Its layers are named `encoder.…`, `code.…` and `decoder.…`. It maps rows (N, *shape), scaled, to reconstructions
    (N, *shape), scaled; `shape` is the estimator's `input_shape`, or (D,).
    """

    def __init__(self, ae: Autoencoder) -> None:
        super().__init__()
        module = ae.module_
        self.shape = tuple(ae.blueprint_.input_shape)
        self.encoder, self.code, self.decoder = module.encoder, module.code, module.decoder
        self.likelihood = module.likelihood

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.code(self.encoder(x.flatten(1)), None)[0]
        return self.likelihood.mean(self.decoder(z, None)).reshape(x.shape)

    def reconstructions(self, x: Tensor) -> Tensor:
        """The reconstructions of scaled rows (n, *shape), as they are used."""
        with at_rest(self), torch.no_grad():
            return cast("Tensor", self(kindred(self, x)))

    def codes(self, x: Tensor) -> Tensor:
        """The codes of scaled rows (n, *shape), (n, K)."""
        with at_rest(self), torch.no_grad():
            return cast("Tensor", self.code(self.encoder(kindred(self, x).flatten(1)), None)[0])
