"""Pictures as sums of waves and opponent colours, in which gradient ascent sees no scale before another.

The coefficients of natural pictures are nearly uncorrelated in these coordinates: amplitudes fall as 1/f (Field 1987),
and colours vary along light and dark, blue and yellow, red and green (Buchsbaum & Gottschalk 1983). A step of equal
length in all of them changes a picture smoothly, where a step in pixels makes noise (Olah 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

# Axes of colour as columns, (3, 3): light-dark, blue-yellow, red-green, by how much photographs vary along each: root
# mean squares over eleven colour photographs, in which the second lay between .12 and .49 and the third .04 and .43.
SPREADS = (1.0, 0.22, 0.21)
OPPONENT = torch.tensor(
    [[3**-0.5, 6**-0.5, 2**-0.5], [3**-0.5, 6**-0.5, -(2**-0.5)], [3**-0.5, -2 * 6**-0.5, 0.0]], dtype=torch.float64
) * torch.tensor(SPREADS, dtype=torch.float64)


class Spectrum:
    """n pictures of shape (C, …) by the coefficients of their waves; rows of a table, (D,), by their own numbers.

    With `colours`, (C, C), the channels are its columns' multiples.
    """

    def __init__(self, n: int, shape: Sequence[int], rng: Generator, colours: Tensor | None = None) -> None:
        self.shape = tuple(shape)
        self.colours = colours
        self.scale = one_over_f(self.shape[1:])
        size = (n, *self.shape) if self.scale is None else (n, self.shape[0], *self.scale.shape, 2)
        self.values = (0.01 * torch.randn(size, generator=rng)).requires_grad_()

    def pictures(self) -> Tensor:
        """(n, C, …), of variance 1 where the coefficients have it."""
        if self.scale is None:
            return self.values
        waves = torch.view_as_complex(self.values) * self.scale.to(self.values)
        axes = tuple(range(2, 2 + len(self.shape) - 1))
        x = torch.fft.irfftn(waves, s=self.shape[1:], dim=axes, norm="ortho")
        return x if self.colours is None else torch.einsum("ij,nj...->ni...", self.colours.to(x), x)


def one_over_f(extents: Sequence[int]) -> Tensor | None:
    """The amplitude of each wave of a map, (…, last // 2 + 1), of mean square 1; the mean's is the longest wave's."""
    if not extents:
        return None
    *others, last = extents
    axes = [torch.fft.fftfreq(n, dtype=torch.float64) for n in others]
    axes.append(torch.fft.rfftfreq(last, dtype=torch.float64))
    squares = torch.stack([axis.square() for axis in torch.meshgrid(*axes, indexing="ij")]).sum(dim=0)
    scale = 1 / squares.sqrt().clamp(min=1 / max(extents))
    return scale / scale.square().mean().sqrt()


def learned_colours(X: NDArray[np.floating], most: int = 100_000) -> Tensor:
    """The root of the covariance of the channels of rows X, (N, C, …), (C, C): decorrelated numbers to colours.

    Scaled so that its largest direction has spread 1.
    """
    pixels = np.moveaxis(np.asarray(X[: max(1, most // max(1, prod(X.shape[2:])))], dtype=np.float64), 1, -1)
    pixels = pixels.reshape(-1, X.shape[1])
    values, axes = np.linalg.eigh(np.cov(pixels.T).reshape(X.shape[1], X.shape[1]))
    spread = np.sqrt(np.clip(values, 0, None))
    largest = spread.max() if spread.max() > 0 else 1.0
    return torch.from_numpy(axes * np.maximum(spread / largest, 1e-3))
