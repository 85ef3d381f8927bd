"""Images sampled where a field of points says, bilinear between pixels: affine maps and elastic displacements.

A field, (N, 2, H, W), says for each pixel of the result where in the source it is read: x to the right, y down, in
pixels from the image's centre. What is random about it is the caller's. Everything is arithmetic on whole batches, so
that it can be recorded and mapped over members.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Number = float | Tensor  # of a member of a population: a tensor, ()
REACH = 4  # a Gaussian's weights are summed as far as so many times the longer side


def centred(n: int) -> Tensor:
    """The places of n pixels from the middle of their row, (n,)."""
    return torch.arange(n, dtype=torch.get_default_dtype()) - (n - 1) / 2


def affine(matrix: Tensor, offset: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """A p + t of every pixel p: matrix (N, 2, 2), offset (N, 2), the places of rows (H,) and columns (W,)."""
    across = matrix[:, :, 0, None] * columns  # (N, 2, W)
    down = matrix[:, :, 1, None] * rows + offset[:, :, None]  # (N, 2, H)
    return down[:, :, :, None] + across[:, :, None, :]


def turned(angle: Tensor) -> Tensor:
    """The matrices, (N, 2, 2), that turn an image to the left by so many radians, (N,)."""
    cos, sin = angle.cos(), angle.sin()
    return _matrix(cos, -sin, sin, cos)


def stretched(across: Tensor, down: Tensor, slant: Tensor) -> Tensor:
    """The matrices that enlarge an image by these factors, each row of it pushed by `slant` of its height, (N,) all."""
    return _matrix(1 / across, slant / down, torch.zeros_like(slant), 1 / down)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([a, b, c, d], dim=-1).unflatten(-1, (2, 2))


def product(a: Tensor, b: Tensor) -> Tensor:
    """a b of small matrices, (N, 2, 2) each, in full precision under autocast too."""
    return (a[:, :, :, None] * b[:, None]).sum(dim=2)


def smoothing(n: int, sigma: Number, like: Tensor) -> Tensor:
    """The matrix, (n, n), that convolves n numbers with a Gaussian of so many pixels, 0 outside."""
    far = torch.arange(-REACH * n, REACH * n + 1, device=like.device, dtype=like.dtype)
    place = torch.arange(n, device=like.device, dtype=like.dtype)
    return _bell(place[:, None] - place, sigma) / _bell(far, sigma).sum()


def _bell(distance: Tensor, sigma: Number) -> Tensor:
    return torch.exp(-(distance / sigma).square() / 2)


def elastic(noise: Tensor, alpha: Number, sigma: Number) -> Tensor:
    """A displacement in pixels from noise in (−1, 1), both (N, 2, H, W): smoothed by a Gaussian, times alpha.

    Simard, Steinkraus & Platt 2003, section 2: small sigma leaves noise, large sigma moves the image as a whole.
    """
    rows, columns = noise.shape[2:]
    along = noise @ smoothing(columns, sigma, noise)  # the matrices are symmetric
    return alpha * (along.mT @ smoothing(rows, sigma, noise)).mT


def resampled(images: Tensor, points: Tensor, fill: Tensor | None = None) -> Tensor:
    """Images, (N, C, H, W), read at the points of a field, (N, 2, H, W).

    Outside they go on as their border does, or, with `fill`, (C, 1, 1), as that value of each channel.
    """
    height, width = images.shape[2:]
    grid = torch.stack([points[:, 0] * (2 / width), points[:, 1] * (2 / height)], dim=-1).to(images.dtype)
    if fill is None:
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    above = F.grid_sample(images - fill, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return above + fill
