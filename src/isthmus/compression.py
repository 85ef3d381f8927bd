"""Rates and distortions: what coded rows cost in bits, and how far from the rows they decode."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from isthmus import distortion
from isthmus.coding import EntropyCoder, Symbols
from isthmus.data.photos import Photo, tiles, untiled
from isthmus.estimators import Autoencoder

Array = NDArray[np.floating]
PEAK = 255.0


class Point(NamedTuple):
    """Bits a pixel, and peak signal-to-noise ratio in dB."""

    rate: float
    psnr: float


@dataclass(frozen=True)
class Curve:
    """Points of one way to compress, of rising rate: rates and psnr, (P,) each."""

    rates: Array
    psnr: Array

    @classmethod
    def through(cls, points: Sequence[Point]) -> Curve:
        rates, psnr = np.array(sorted(points)).T
        return cls(rates, psnr)

    def at(self, rates: Array | Sequence[float]) -> Array:
        """PSNR at rates, on straight lines between the points; NaN beyond the first and the last."""
        return np.interp(rates, self.rates, self.psnr, left=np.nan, right=np.nan)


def above(points: Sequence[Point], curves: Sequence[Curve]) -> Array:
    """Rates, and dB above the best of the curves there, (2, P)."""
    rates, psnr = np.array(sorted(points)).T
    return np.stack([rates, psnr - np.max([curve.at(rates) for curve in curves], axis=0)])


def psnr(X: Array, X_hat: Array) -> float:
    """In dB, of rows in [0, 255] and what they decode to, cut to that range."""
    return distortion.psnr(X, np.clip(X_hat, 0, PEAK), PEAK)


def quantised(Z: Array, step: float, threshold: float = 0.5) -> Symbols:
    """Whole steps of numbers, those of less than threshold · step being 0: sign(z) ⌊|z|/Δ + 1 − τ⌋."""
    return (np.sign(Z) * np.floor(np.abs(Z) / step + 1 - threshold)).astype(np.int64)


class Codec(Protocol):
    """A way from rows X, (N, D), to whole steps Q, (N, K), and back."""

    def steps(self, X: Array) -> Symbols: ...

    def rows(self, Q: Symbols) -> Array: ...


@dataclass(frozen=True)
class Learned:
    """An autoencoder with `codes.Rounded` that sees rows in the coordinates of a PCA which keeps all of them."""

    ae: Autoencoder
    turned: PCA

    def steps(self, X: Array) -> Symbols:
        return np.rint(self.ae.transform(self.turned.transform(X)) / self.ae.code.step).astype(np.int64)

    def rows(self, Q: Symbols) -> Array:
        return np.asarray(self.turned.inverse_transform(self.ae.inverse_transform(Q * np.float32(self.ae.code.step))))


@dataclass(frozen=True)
class Principal:
    """PCA and the same quantiser; `nearer`, (K,), is how far short of its step a number lies on the average, in steps.

    That is learned from training rows, component by component, since fewer numbers are large than small.
    """

    pca: PCA
    step: float
    threshold: float
    nearer: Array

    @classmethod
    def of(cls, pca: PCA, step: float, threshold: float, X: Array) -> Principal:
        """Learn from rows X, (N, D), what `nearer` is."""
        Z = pca.transform(X)
        Q = quantised(Z, step, threshold)
        short = np.where(Q != 0, np.abs(Q) - np.abs(Z) / step, 0).sum(axis=0)
        return cls(pca, step, threshold, short / np.maximum((Q != 0).sum(axis=0), 1))

    def steps(self, X: Array) -> Symbols:
        return quantised(self.pca.transform(X), self.step, self.threshold)

    def rows(self, Q: Symbols) -> Array:
        return np.asarray(self.pca.inverse_transform((Q - np.sign(Q) * self.nearer) * self.step))


def point(codec: Codec, train: Array, test: Array) -> Point:
    """What test rows, (N, D), cost in bytes of a coder whose tables are of train rows, and what the bytes decode to."""
    coder = EntropyCoder().fit(codec.steps(train))
    written = coder.encode(codec.steps(test))
    return Point(8 * len(written) / test.size, psnr(test, codec.rows(coder.decode(written, len(test)))))


def decoded(codec: Codec, photo: Photo, side: int) -> Array:
    """What a photo's tiles decode to, put together again, without what they leave over."""
    return untiled(codec.rows(codec.steps(tiles(photo, side))), photo, side)


def jpeg_curve(photos: Sequence[Photo], qualities: Sequence[int]) -> Curve:
    """Of JPEG through Pillow, whole photos with all that their files say, tables and headers included.

    It codes photos where the others code patches: each 8 × 8 block's mean is told as a difference from the last one's.
    """
    from PIL import Image

    def at(quality: int) -> Point:
        files = [io.BytesIO() for _ in photos]
        for photo, file in zip(photos, files, strict=True):
            Image.fromarray(photo).save(file, "JPEG", quality=quality, optimize=True)
        decoded = np.concatenate([np.asarray(Image.open(file)).ravel() for file in files])
        bits = 8 * sum(len(file.getvalue()) for file in files)
        return Point(bits / decoded.size, psnr(np.concatenate([photo.ravel() for photo in photos]), decoded))

    return Curve.through([at(quality) for quality in qualities])
