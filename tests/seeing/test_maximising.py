"""Maximising inputs against the closed form, occlusion and drawing against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import seeing
from isthmus.errors import SettingError
from isthmus.nn import Perceptron


def cosine(a, b):
    a, b = (np.reshape(v, (len(v), -1)) for v in (a, b))
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_one_layer_is_maximised_by_its_own_weights():
    """x = r w / ‖w‖ gives r ‖w‖, and nothing of that norm gives more (Cauchy and Schwarz)."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(4, 1, 3, 3))
    W[3] = 0
    best = seeing.along(W, radius=2.0)
    norms = np.linalg.norm(W.reshape(4, -1), axis=1)
    np.testing.assert_allclose((best * W).sum(axis=(1, 2, 3)), 2 * norms)
    np.testing.assert_allclose(np.linalg.norm(best.reshape(4, -1), axis=1), [2, 2, 2, 0])
    others = rng.normal(size=(1000, 9))
    others *= 2 / np.linalg.norm(others, axis=1, keepdims=True)
    assert ((others @ W.reshape(4, 9).T).max(axis=0)[:3] < 2 * norms[:3]).all()


@pytest.mark.parametrize("shape", [(12,), (1, 12), (1, 3, 4), (3, 2, 2), (1, 2, 2, 3)])
def test_ascent_climbs_to_the_closed_form(shape):
    torch.manual_seed(0)
    dense = nn.Linear(12, 5)
    network = nn.Sequential(nn.Flatten(), dense)
    how = seeing.Ascent(steps=600, jitter=0, rate=0.02)
    found = seeing.maximise(network, "1", shape, [0, 2, 4], seeing.Ball(2.0), how)
    W, b = (value.detach().numpy()[[0, 2, 4]] for value in (dense.weight, dense.bias))
    assert cosine(found.inputs, seeing.along(W)).min() > 0.999
    np.testing.assert_allclose(found.values, 2 * np.linalg.norm(W, axis=1) + b, rtol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(found.inputs.reshape(3, -1), axis=1), 2, rtol=1e-5)


@pytest.fixture(scope="module")
def deep():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3))


def test_a_deep_unit_s_input_beats_a_thousand_others(deep):
    found = seeing.maximise(deep, "5", (1, 8, 8), [0, 1, 2], seeing.Ball(3.0), seeing.Ascent(seed=1))
    others = torch.randn(1000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    others *= 3 / others.flatten(1).norm(dim=1)[:, None, None, None]
    smooth = torch.nn.functional.avg_pool2d(others, 3, 1, 1)
    smooth *= 3 / smooth.flatten(1).norm(dim=1)[:, None, None, None]
    with torch.no_grad():
        most = torch.maximum(deep(others).max(dim=0).values, deep(smooth).max(dim=0).values).numpy()
    assert (found.values > most).all()


def test_a_seed_decides_it_all(deep):
    def climb(seed):
        return seeing.maximise(deep, "2", (1, 8, 8), [0, 1], how=seeing.Ascent(steps=5, seed=seed)).inputs

    np.testing.assert_array_equal(climb(1), climb(1))
    assert not np.array_equal(climb(1), climb(2))


def test_numbers_stay_within_their_bounds(deep):
    low, high = np.full((1, 8, 8), -0.5), np.linspace(0, 1, 64).reshape(1, 8, 8)
    found = seeing.maximise(deep, "5", (1, 8, 8), [0, 1], seeing.Within(low, high), seeing.Ascent(steps=100, rate=0.5))
    assert (found.inputs >= low - 1e-6).all()
    assert (found.inputs <= high + 1e-6).all()
    assert np.ptp(found.inputs) > 0.5


def test_a_unit_that_is_not_there_is_one_line(deep):
    with pytest.raises(SettingError) as raised:
        seeing.maximise(deep, "5", (1, 8, 8), [3])
    assert str(raised.value) == "units up to 3; in the layer '5'; numbers from 0 to 2"


@pytest.mark.parametrize("extents", [(9,), (8, 8), (7, 10), (3, 4, 5)])
def test_waves_of_equal_coefficients_have_a_spectrum_of_one_over_f(extents):
    """E|X(f)|² of pictures with random coefficients is the square of the amplitude that the wave was given."""
    rng = torch.Generator().manual_seed(0)
    drawn = seeing.Spectrum(3000, (1, *extents), rng)
    drawn.values = torch.randn(drawn.values.shape, generator=rng)
    x = drawn.pictures()[:, 0]
    axes = tuple(range(1, x.ndim))
    power = torch.fft.fftn(x, dim=axes, norm="ortho").abs().square().mean(dim=0)
    f = torch.stack(torch.meshgrid(*(torch.fft.fftfreq(n) for n in extents), indexing="ij")).square().sum(dim=0).sqrt()
    inner = (f > 0) & (f <= 0.4)  # waves of half the sampling rate have one coefficient only
    product = (power * f.square())[inner]
    assert product.std() / product.mean() < 0.5
    assert power.flatten()[0] > power[inner].min()


def test_learned_colours_have_the_covariance_of_the_pixels():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 3))
    X = np.einsum("ij,njhw->nihw", mix, rng.normal(size=(200, 3, 8, 8)))
    root = seeing.learned_colours(X).numpy()
    C = np.cov(np.moveaxis(X, 1, -1).reshape(-1, 3).T)
    np.testing.assert_allclose(root @ root.T * np.linalg.eigvalsh(C).max(), C, rtol=1e-9, atol=1e-9)


def test_opponent_colours_stand_at_right_angles():
    gram = (seeing.OPPONENT.T @ seeing.OPPONENT).numpy()
    np.testing.assert_allclose(gram, np.diag(np.diagonal(gram)), atol=1e-12)


def test_occlusion_of_a_linear_measure_is_known():
    """Covering a patch with v changes Σ w x by Σ_patch w (v − x)."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 5, 7)), rng.normal(size=(2, 5, 7))
    seen = []

    def measure(rows):
        seen.append(len(rows))
        return (rows * torch.from_numpy(w)).flatten(1).sum(dim=1)

    found = seeing.occlusion(measure, x, seeing.Patch(2, 2, 0.5), batch=4)
    assert found.starts == ([0, 2, 3], [0, 2, 4, 5])
    assert max(seen) == 4
    for i, top in enumerate(found.starts[0]):
        for j, left in enumerate(found.starts[1]):
            box = (slice(None), slice(top, top + 2), slice(left, left + 2))
            np.testing.assert_allclose(found.changes[i, j], (w[box] * (0.5 - x[box])).sum())
    pixels = found.on_pixels()
    assert pixels.shape == (5, 7)
    np.testing.assert_allclose(pixels[0, 0], found.changes[0, 0])
    np.testing.assert_allclose(pixels[3, 5], found.changes[1:, 2:].mean())


def test_occlusion_of_signals_and_its_ready_measures(deep):
    signal = np.arange(12.0).reshape(2, 6)
    found = seeing.occlusion(lambda rows: rows.sum(dim=(1, 2)), signal, seeing.Patch(3, 3))
    np.testing.assert_allclose(found.changes, [-(0 + 1 + 2 + 6 + 7 + 8), -(3 + 4 + 5 + 9 + 10 + 11)])
    x = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        held = x.clone()
        held[:, 4:, 4:] = 0
        shares = deep(torch.stack([x, held])).softmax(dim=1)[:, 1]
        maps = deep[:3](torch.stack([x, held]))[:, 5].sum(dim=(1, 2))
        codes = deep(torch.stack([x, held]))
    patch = seeing.Patch(4, 4)
    for measure, expected in (
        (seeing.probability(deep, 1), shares[1] - shares[0]),
        (seeing.unit(deep, "2", 5), maps[1] - maps[0]),
        (seeing.distance(deep, x), (codes[1] - codes[0]).norm()),
    ):
        np.testing.assert_allclose(seeing.occlusion(measure, x, patch).changes[1, 1], expected, rtol=1e-4, atol=1e-6)


def test_jitter_shifts_by_at_most_its_share():
    """A unit that reads one pixel alone spreads its input over the pixels that jitter brings there."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(9 * 11, 1, bias=False))
    with torch.no_grad():
        network[1].weight.zero_()[0, 4 * 11 + 5] = 1  # row 4, column 5
    how = seeing.Ascent(steps=400, jitter=0.2, rate=0.02)  # of 9 and 11: 1 row, 2 columns
    x = seeing.maximise(network, "1", (1, 9, 11), [0], how=how).inputs[0, 0]
    spots = np.argwhere(x > 0.1 * x.max())
    assert (spots.min(axis=0).tolist(), spots.max(axis=0).tolist()) == ([3, 3], [5, 7])


@pytest.mark.parametrize(
    ("shape", "patch", "what"),
    [
        ((1, 4, 4), seeing.Patch(5), "a patch of 5 in steps of 1; on a picture of 4 × 4"),
        ((4,), seeing.Patch(1), "a patch of 1 in steps of 1; on a picture of no extent"),
        ((1, 4, 4), seeing.Patch(2, 0), "a patch of 2 in steps of 0; on a picture of 4 × 4"),
    ],
)
def test_a_patch_that_does_not_fit_is_one_line(shape, patch, what):
    with pytest.raises(SettingError) as raised:
        seeing.occlusion(lambda rows: rows.flatten(1).sum(dim=1), np.zeros(shape), patch)
    assert str(raised.value) == f"{what}; a side from 1 to the picture's, and steps of at least 1"


def test_the_last_layer_draws_its_columns():
    """What a unit adds to a linear decoder's output is its activation times its column."""
    torch.manual_seed(0)
    network = Perceptron((6, 4, 9), "relu")
    x = torch.randn(3, 6)
    a = seeing.activations(network, "relu", x)
    found = seeing.drawn(network, "relu", x, [0, 3, 2])
    columns = network.dense[1].weight.detach().numpy()[:, [0, 3, 2]].T
    np.testing.assert_allclose(found, a[range(3), [0, 3, 2]][:, None] * columns, atol=1e-6)
    with pytest.raises(SettingError) as raised:
        seeing.drawn(network, "rely", x, [0, 0, 0])
    assert str(raised.value) == "no layer called 'rely'; in the network; did you mean 'relu'?"
