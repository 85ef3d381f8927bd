"""Photos made as strong at every frequency, as the eye is said to make them."""

from __future__ import annotations

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
