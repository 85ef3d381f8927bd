"""Images read at other places than their own, against slices, quarter turns and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from isthmus.nn import warping

D = torch.float64


def images(height=11, width=8, n=4, channels=2, dtype=D):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)


def warped(x, matrix, offset=(0.0, 0.0), fill=None):
    """Images under one affine map."""
    matrix = torch.as_tensor(matrix, dtype=x.dtype).expand(len(x), 2, 2)
    offset = torch.as_tensor(offset, dtype=x.dtype).expand(len(x), 2)
    rows, columns = (warping.centred(n).to(x.dtype) for n in x.shape[2:])
    return warping.resampled(x, warping.affine(matrix, offset, rows, columns), fill)


EYE = np.eye(2)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-14)], ids=str)
@pytest.mark.parametrize("size", [(11, 8), (28, 28), (1, 9), (7, 1), (1, 1)], ids=str)
def test_no_change_is_the_identity(size, dtype, tolerance):
    x = images(*size, dtype=dtype)
    torch.testing.assert_close(warped(x, EYE), x, rtol=0, atol=tolerance)
    torch.testing.assert_close(warped(x, EYE, fill=torch.full((2, 1, 1), 7.0, dtype=dtype)), x, rtol=0, atol=tolerance)


def test_whole_pixels_are_slices():
    x = images()
    moved = warped(x, EYE, (3, -2))  # read 3 to the right and 2 above
    torch.testing.assert_close(moved[:, :, 2:, :-3], x[:, :, :-2, 3:])
    torch.testing.assert_close(moved[:, :, 2:, -3:], x[:, :, :-2, -1:].expand(-1, -1, -1, 3))  # the border goes on
    fill = torch.tensor([5.0, -1.0], dtype=D)[:, None, None]
    filled = warped(x, EYE, (3, -2), fill)
    torch.testing.assert_close(filled[:, :, 2:, :-3], x[:, :, :-2, 3:])
    torch.testing.assert_close(filled[:, :, :2], fill.expand(4, 2, 2, 8))
    torch.testing.assert_close(filled[:, :, :, -3:], fill.expand(4, 2, 11, 3))


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_quarter_turns(quarters, dtype):
    x = images(9, 9, dtype=dtype)
    angle = torch.full((4,), quarters * math.pi / 2, dtype=dtype)
    torch.testing.assert_close(warped(x, warping.turned(angle)), torch.rot90(x, quarters, (2, 3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("degrees", np.random.default_rng(0).uniform(-180, 180, 8).round(2))
@pytest.mark.parametrize("size", [(9, 9), (12, 7)], ids=str)
def test_turns_are_those_of_scipy(size, degrees):
    x = images(*size)
    got = warped(x, warping.turned(torch.full((4,), math.radians(degrees), dtype=D)))
    want = ndimage.rotate(x.numpy(), degrees, axes=(3, 2), reshape=False, order=1, mode="nearest")
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_affine_maps_are_those_of_scipy(seed):
    rng, x = np.random.default_rng(seed), images()
    matrix, offset = EYE + 0.4 * rng.normal(size=(2, 2)), rng.normal(size=2) * 2
    middle = np.array([5.0, 3.5])  # scipy counts (row, column) from a corner, we (x, y) from the centre
    swapped, moved = matrix[::-1, ::-1], offset[::-1]
    corner = middle - swapped @ middle + moved
    got = warped(x, matrix, offset)
    want = [[ndimage.affine_transform(m, swapped, corner, order=1, mode="nearest") for m in one] for one in x.numpy()]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_stretching_enlarges_and_slants():
    across, down, slant = (torch.tensor([v], dtype=D) for v in (2.0, 4.0, 0.5))
    place = warping.stretched(across, down, slant)[0] @ torch.tensor([6.0, 4.0], dtype=D)
    assert place.tolist() == [6 / 2 + 0.5 * 4 / 4, 4 / 4]


def test_small_products():
    a, b = (torch.randn(5, 2, 2, generator=torch.Generator().manual_seed(s), dtype=D) for s in (0, 1))
    torch.testing.assert_close(warping.product(a, b), a @ b)


@pytest.mark.parametrize(("alpha", "sigma"), [(34.0, 4.0), (5.0, 0.6), (1.0, 11.0)])
def test_elastic_fields_are_those_of_scipy(alpha, sigma):
    noise = 2 * images(28, 20) - 1
    want = alpha * ndimage.gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="constant", truncate=10)
    np.testing.assert_allclose(warping.elastic(noise, alpha, sigma), want, rtol=0, atol=1e-12)


def test_images_read_along_an_elastic_field_are_those_of_scipy():
    x, noise = images(20, 28), 2 * images(20, 28).flip(0) - 1
    field = warping.elastic(noise, 20.0, 2.0)
    places = torch.stack(torch.meshgrid(warping.centred(28), warping.centred(20), indexing="xy")).to(D)
    got = warping.resampled(x, places + field)
    down, across = np.mgrid[:20, :28]
    for i, (one, (dx, dy)) in enumerate(zip(x.numpy(), field.numpy(), strict=True)):
        want = [ndimage.map_coordinates(m, (down + dy, across + dx), order=1, mode="nearest") for m in one]
        np.testing.assert_allclose(got[i], want, rtol=0, atol=1e-12)


def test_members_of_a_population_are_warped_each_by_its_own():
    x, noise = images(), 2 * images() - 1
    still = torch.stack(torch.meshgrid(warping.centred(8), warping.centred(11), indexing="xy")).to(D)

    def moved(alpha, sigma):
        return warping.resampled(x, still + warping.elastic(noise, alpha, sigma))

    alphas, sigmas = torch.tensor([3.0, 9.0], dtype=D), torch.tensor([1.0, 2.0], dtype=D)
    together = torch.vmap(moved)(alphas, sigmas)
    for one, alpha, sigma in zip(together, alphas.tolist(), sigmas.tolist(), strict=True):
        torch.testing.assert_close(one, moved(alpha, sigma))
