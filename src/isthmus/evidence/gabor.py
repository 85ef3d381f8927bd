"""How well filters are Gabor functions: what cells of the visual cortex, and sparse codes of photos, respond to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.seeing import along, filters, of

Array = NDArray[np.float64]
STARTS = 4  # orientations that the search begins with, beside that of the spectrum's peak
NARROWEST = 0.6  # pixels, of an envelope's standard deviation: below it a Gabor is a point
FASTEST = 0.5  # cycles a pixel
LEAST_SIDE = 4  # pixels: a smaller filter has hardly more numbers than the function


@dataclass(frozen=True)
class Gabor:
    """A fitted Gabor function, in pixels from the filter's middle, right and downwards, and radians.

    A exp(−u²/2σ_u² − v²/2σ_v²) cos(2π f u + φ), with u and v the coordinates along and across `angle`, from `centre`.

    Attributes
    ----------
    r2 : float
        Share of the filter's variance about its mean that the function explains.
    centre : tuple of float
        Right and down.
    angle, frequency, phase, amplitude : float
        `frequency` in cycles a pixel.
    widths : tuple of float
        σ_u, σ_v.
    fitted : ndarray of shape (H, W)
    """

    r2: float
    centre: tuple[float, float]
    angle: float
    frequency: float
    phase: float
    amplitude: float
    widths: tuple[float, float]
    fitted: Array


def preferred(ae: Autoencoder, shape: Sequence[int]) -> Array:
    """What each unit of the first layer would like best to see: (K, H, W), of rows of a shape (H, W) or (C, H, W).

    Of all images of norm 1 it is x = w / ‖w‖, in scaled units; of several channels their mean.

    Raises
    ------
    DataError
        Where a row has another shape.
    """
    columns = ae.n_features_in_
    if len(shape) not in (2, 3) or prod(shape) != columns:
        raise DataError(f"rows of shape {tuple(shape)}", "in preferred", f"(H, W) or (C, H, W), {columns} numbers")
    weights = filters(of(ae), np.zeros((1, columns), dtype=np.float32))[1]
    best = along(np.asarray(weights, dtype=np.float64).reshape(len(weights), -1))
    return best.reshape(len(best), -1, *shape[-2:]).mean(axis=1)


def fit_gabors(filters: ArrayLike) -> list[Gabor]:
    """The best Gabor function for each of filters (K, H, W), by least squares from several first orientations.

    Amplitude and phase are solved for exactly at every step (variable projection, Golub & Pereyra 1973).

    Raises
    ------
    DataError
        Where filters are no finite numbers of shape (K, H, W), or smaller than 4 × 4.
    """
    stack = np.asarray(filters, dtype=np.float64)
    if stack.ndim != 3 or min(stack.shape[1:]) < LEAST_SIDE:
        wanted = f"(K, H, W) with sides of {LEAST_SIDE} pixels or more"
        raise DataError(f"filters of shape {stack.shape}", "in fit_gabors", wanted)
    if not np.isfinite(stack).all():
        raise DataError("filters that are not finite", "in fit_gabors", "finite numbers")
    return [_fitted(one) for one in stack]


def _fitted(filter_: Array) -> Gabor:
    down, across = (np.arange(extent) - (extent - 1) / 2 for extent in filter_.shape)
    x, y = np.meshgrid(across, down)  # H W
    size = float(np.linalg.norm(filter_)) or 1.0
    target = filter_.ravel() / size
    far, widest = max(filter_.shape) / 2, float(max(filter_.shape))
    low = [-far, -far, -np.inf, 0.0, NARROWEST, NARROWEST]
    high = [far, far, np.inf, FASTEST, widest, widest]

    def residual(p: Array) -> Array:
        waves = _waves(p, x, y)
        error: Array = waves @ _solved(waves, target) - target
        return error

    found = [least_squares(residual, start, bounds=(low, high), max_nfev=60) for start in _starts(filter_, x, y)]
    best: Array = min(found, key=lambda result: float(result.cost)).x
    waves = _waves(best, x, y)
    cosine, sine = size * _solved(waves, target)
    fitted = (waves @ np.array([cosine, sine])).reshape(filter_.shape)
    spread = float(np.square(filter_ - filter_.mean()).sum())
    return Gabor(
        r2=1 - float(np.square(filter_ - fitted).sum()) / spread if spread > 0 else 0.0,
        centre=(float(best[0]), float(best[1])),
        angle=float(best[2] % pi),
        frequency=float(best[3]),
        phase=float(np.arctan2(-sine, cosine)),
        amplitude=float(np.hypot(cosine, sine)),
        widths=(float(best[4]), float(best[5])),
        fitted=fitted,
    )


def _waves(p: Array, x: Array, y: Array) -> Array:
    """The even and the odd Gabor function of such a centre, angle, frequency and widths, (H·W, 2)."""
    right, down, angle, frequency, along, aside = p
    u = (x - right) * np.cos(angle) + (y - down) * np.sin(angle)
    v = (y - down) * np.cos(angle) - (x - right) * np.sin(angle)
    envelope = np.exp(-0.5 * (u / along) ** 2 - 0.5 * (v / aside) ** 2)
    wave = 2 * pi * frequency * u
    return np.stack([envelope * np.cos(wave), envelope * np.sin(wave)], axis=-1).reshape(-1, 2)


def _solved(waves: Array, target: Array) -> Array:
    """Least squares of two columns; a little is added where one of them vanishes, as a sine of frequency 0 does."""
    gram = waves.T @ waves
    answer: Array = np.linalg.solve(gram + 1e-10 * np.trace(gram) * np.eye(2), waves.T @ target)
    return answer


def _starts(filter_: Array, x: Array, y: Array) -> list[Array]:
    """The middle of the filter's energy, with the frequency of its spectrum's peak at several orientations."""
    energy = np.square(filter_)
    total = float(energy.sum()) or 1.0
    right, down = float((energy * x).sum() / total), float((energy * y).sum() / total)
    spread = np.sqrt(max(float((energy * ((x - right) ** 2 + (y - down) ** 2)).sum() / total), 1.0))
    padded = [4 * extent for extent in filter_.shape]
    spectrum = np.abs(np.fft.fft2(filter_ - filter_.mean(), padded))
    peak = np.unravel_index(int(spectrum.argmax()), spectrum.shape)
    fy, fx = (float(np.fft.fftfreq(n)[k]) for n, k in zip(padded, peak, strict=True))
    frequency = float(np.clip(np.hypot(fx, fy), 0.05, 0.45))
    width = float(np.clip(spread, 1.0, max(filter_.shape) / 2))
    angles = [np.arctan2(fy, fx), *(pi * np.arange(STARTS) / STARTS)]
    return [np.array([right, down, float(angle), frequency, width, width]) for angle in angles]
