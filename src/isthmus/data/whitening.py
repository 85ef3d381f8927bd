"""Photos made as strong at every frequency, as the eye is said to make them, and patches cut of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isthmus.errors import DataError

Array = npt.NDArray[np.float64]
CUTOFF = 0.4  # cycles a pixel


def whitened(photo: npt.ArrayLike, cutoff: float = CUTOFF) -> Array:
    """A photo, (H, W), filtered by R(f) = f exp(−(f / cutoff)⁴), with mean 0 and standard deviation 1.

    The amplitudes of natural images fall as 1/f: f makes them level. The rest leaves out what lies beyond `cutoff`,
    in cycles a pixel, where there is mostly noise (Olshausen & Field 1996). The photo is taken to begin anew at its
    borders.

    Raises
    ------
    DataError
        For what is no picture of finite numbers that differ.
    """
    grey = np.asarray(photo, dtype=np.float64)
    if grey.ndim != 2 or not np.isfinite(grey).all() or not np.ptp(grey) > 0:
        raise DataError("no photo to whiten", "in whitened", "finite numbers of shape (H, W) that are not all the same")
    frequency = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1]))
    flat: Array = np.fft.ifft2(np.fft.fft2(grey) * frequency * np.exp(-((frequency / cutoff) ** 4))).real
    return flat / flat.std()


def patches(photos: Sequence[Array], count: int, side: int, rng: np.random.Generator, margin: int = 0) -> Array:
    """As many patches of each photo, (h, w), from random places `margin` pixels or more from its borders, shuffled.

    Returns
    -------
    array of shape (count, side, side)
        Where `count` is no multiple of the number of photos, the first give one more each.

    Raises
    ------
    DataError
        For no photo, or one too small.
    """
    least = side + 2 * margin
    if not photos or any(min(photo.shape) < least for photo in photos):
        raise DataError("no photo that is large enough", "in patches", f"photos of {least} pixels a side or more")
    each = np.full(len(photos), count // len(photos)) + (np.arange(len(photos)) < count % len(photos))
    cut = [_cut(photo, n, side, rng, margin) for photo, n in zip(photos, each, strict=True)]
    found: Array = rng.permutation(np.concatenate(cut))
    return found


def _cut(photo: Array, count: int, side: int, rng: np.random.Generator, margin: int) -> Array:
    inner = photo[margin : photo.shape[0] - margin, margin : photo.shape[1] - margin]
    windows = np.lib.stride_tricks.sliding_window_view(inner, (side, side))
    top, left = (rng.integers(extent, size=count) for extent in windows.shape[:2])
    return windows[top, left]
