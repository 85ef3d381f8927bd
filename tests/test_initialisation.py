"""First weights have the moments of their closed forms, and activations the slopes of theirs."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import erfc
from scipy.stats import norm
from torch import nn

from isthmus.nn import ACTIVATIONS, Dense, Perceptron
from isthmus.nn.initialisation import INITIALISATIONS, Fans, fans, normal, spread

SHAPES = {
    "matrix": ((300, 700), 1),
    "kernel": ((64, 48, 5, 5), 1),
    "grouped": ((96, 40, 3, 3), 3),
    "1-D": ((90, 70, 7), 1),
}
# name -> the variance for n inputs and m readers a unit
VARIANCE = {
    "uniform": lambda n, m: 1 / 12,
    "standard": lambda n, m: 1 / (3 * n),
    "lecun": lambda n, m: 1 / n,
    "xavier": lambda n, m: 2 / (n + m),
    "he": lambda n, m: 2 / n,
    "mitchell": lambda n, m: 0.01 / 3,
    "small": lambda n, m: 1e-4,
}
BOUND = {
    "uniform": lambda n, m: 0.5,
    "mitchell": lambda n, m: 0.1,
    "standard": lambda n, m: 1 / math.sqrt(n),
    "xavier": lambda n, m: math.sqrt(6 / (n + m)),
}


def filled(how, shape, groups=1, seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    weight = torch.empty(shape, dtype=dtype)
    how(weight, fans(weight, groups))
    return weight


def by_hand(shape, groups):
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] // groups * area


def test_the_table():
    assert set(INITIALISATIONS) == {*VARIANCE, "orthogonal"}


@pytest.mark.parametrize(("shape", "groups"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", VARIANCE)
def test_mean_and_variance(name, shape, groups):
    weight = filled(INITIALISATIONS[name], shape, groups).double()
    expected, n = VARIANCE[name](*by_hand(shape, groups)), weight.numel()
    assert abs(weight.mean()) < 5 * math.sqrt(expected / n)  # five standard errors
    assert abs(weight.var() / expected - 1) < 5 * math.sqrt(2 / n)
    kurtosis = ((weight - weight.mean()) ** 4).mean() / weight.var() ** 2
    assert abs(kurtosis - (1.8 if name in BOUND else 3)) < 5 * math.sqrt(24 / n)


@pytest.mark.parametrize(("shape", "groups"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", BOUND)
def test_uniform_weights_fill_their_interval(name, shape, groups):
    weight, bound = filled(INITIALISATIONS[name], shape, groups), BOUND[name](*by_hand(shape, groups))
    assert 0.999 * bound < weight.max() <= bound
    assert -bound <= weight.min() < -0.999 * bound


def test_the_papers_own():
    weight = filled(normal(0.01), (400, 300)).double()
    assert abs(weight.std() / 0.01 - 1) < 0.02
    weight = filled(spread(2.4), (64, 48, 5, 5))
    assert 0.999 * 2.4 / 1200 < weight.max() <= 2.4 / 1200


@pytest.mark.parametrize("shape", [(50, 50), (40, 90), (90, 40), (16, 6, 5, 5), (300, 8, 3, 3)], ids=str)
def test_orthogonal_rows_or_columns(shape):
    flat = filled(INITIALISATIONS["orthogonal"], shape).flatten(1)
    gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-6, rtol=0)


def test_orthogonal_weights_are_not_all_turned_one_way():
    """Over the orthogonal group (Haar) every entry has mean 0 and variance 1/n; without a fixed sign it would not."""
    draws = torch.stack([filled(INITIALISATIONS["orthogonal"], (4, 4), seed=seed) for seed in range(2000)])
    assert draws.mean(0).abs().max() < 5 * math.sqrt(1 / 4 / 2000)
    torch.testing.assert_close(draws.square().mean(0), torch.full((4, 4), 0.25), atol=0.03, rtol=0)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_only_torchs_default_generator_is_drawn_from(name):
    how = INITIALISATIONS[name]
    np.random.seed(0)  # noqa: NPY002
    first = filled(how, (30, 20))
    after = torch.get_rng_state()
    np.random.seed(1)  # noqa: NPY002
    assert torch.equal(filled(how, (30, 20)), first)
    assert torch.equal(torch.get_rng_state(), after)
    assert not torch.equal(filled(how, (30, 20), seed=1), first)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_on_the_meta_device(name):
    with torch.device("meta"):
        weight = torch.empty(6, 4, 3, 3)
    INITIALISATIONS[name](weight, fans(weight))
    assert weight.shape == (6, 4, 3, 3)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fans_are_what_a_unit_reads_and_what_reads_it(groups):
    """Counted by gradients in the middle of an image that is large enough."""
    conv = nn.Conv2d(8, 12, (3, 5), padding="same", groups=groups, bias=False)
    nn.init.ones_(conv.weight)
    x = torch.zeros(1, 8, 15, 15, requires_grad=True)
    read = torch.autograd.grad(conv(x)[0, 0, 7, 7], x)[0].count_nonzero()
    one = torch.zeros(1, 8, 15, 15)
    one[0, 0, 7, 7] = 1
    readers = conv(one).count_nonzero()
    assert fans(conv.weight, groups) == Fans(int(read), int(readers))


@pytest.mark.parametrize("rectified", [False, True])
def test_auto_is_bit_for_bit_torchs_own(rectified):
    torch.manual_seed(3)
    layer = Dense(17, 9, rectified)
    torch.manual_seed(3)
    expected = torch.empty(9, 17)
    if rectified:
        nn.init.kaiming_normal_(expected, nonlinearity="relu")
    else:
        nn.init.xavier_uniform_(expected)
    assert torch.equal(layer.matrix, expected)
    assert torch.equal(layer.bias, torch.zeros(9))


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_perceptrons_begin_as_told(name):
    torch.manual_seed(5)
    net = Perceptron((7, 6, 5), "relu", name)
    torch.manual_seed(5)
    for layer in net.dense:
        expected = torch.empty_like(layer.matrix)
        INITIALISATIONS[name](expected, fans(expected))
        assert torch.equal(layer.matrix, expected)


def test_perceptrons_begin_as_their_activation_needs():
    torch.manual_seed(5)
    net = Perceptron((7, 6, 5), "relu")
    torch.manual_seed(5)
    for layer, name in zip(net.dense, ("he", "xavier"), strict=True):
        expected = torch.empty_like(layer.matrix)
        INITIALISATIONS[name](expected, fans(expected))
        assert torch.equal(layer.matrix, expected)


def test_he_keeps_the_signal_of_deep_rectified_nets_and_others_do_not():
    def signal(name, width=64, depth=30):
        torch.manual_seed(0)
        net = Perceptron((width,) * (depth + 1), "relu", name)
        with torch.no_grad():
            return float(net.trail(torch.randn(500, width))[-1].square().mean())

    assert 0.1 < signal("he") < 10
    assert signal("xavier") < 1e-5
    assert signal("uniform") > 1e5  # 64/24 a layer
    assert signal("uniform", width=8) < 1e-5  # 8/24 a layer


a64 = torch.linspace(-6, 6, 1201, dtype=torch.float64) + 1e-3  # no kink among them


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_exact(name):
    bend, a = ACTIVATIONS[name], a64.clone().requires_grad_()
    z = bend.function(a)
    (expected,) = torch.autograd.grad(z.sum(), a, create_graph=True)
    found = bend.slope(a, z)
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=1e-12)
    if expected.requires_grad and found.requires_grad:  # and so are the slopes' slopes
        torch.testing.assert_close(
            *(torch.autograd.grad(s.sum(), a, retain_graph=True)[0] for s in (found, expected)), atol=1e-12, rtol=1e-10
        )


def test_activations_are_their_equations():
    a, x = a64, a64.numpy()
    equations = {
        "scaled_tanh": 1.7159 * np.tanh(2 * x / 3),
        "hard_tanh": np.clip(x, -1, 1),
        "softsign": x / (1 + np.abs(x)),
        "gelu": x * norm.cdf(x),
    }
    for name, expected in equations.items():
        np.testing.assert_allclose(ACTIVATIONS[name].function(a).numpy(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ACTIVATIONS["scaled_tanh"].function(torch.tensor([-1.0, 1.0])), [-1, 1], atol=1e-4)


def test_selu_keeps_mean_0_and_variance_1():
    """Klambauer 2017, equation 14: its two constants in closed form; and the moments they were solved for."""
    e1, e2 = erfc(math.sqrt(0.5)), erfc(math.sqrt(2))
    alpha = -math.sqrt(2 / math.pi) / (e1 * math.exp(0.5) - 1)
    root = 2 * e2 * math.e**2 + math.pi * e1**2 * math.e - 2 * (2 + math.pi) * e1 * math.exp(0.5) + math.pi + 2
    scale = (1 - e1 * math.exp(0.5)) * math.sqrt(2 * math.pi) / math.sqrt(root)
    selu = ACTIVATIONS["selu"].function(a64)
    expected = scale * torch.where(a64 > 0, a64, alpha * torch.expm1(a64))
    torch.testing.assert_close(selu, expected, atol=1e-12, rtol=1e-12)
    grid = torch.linspace(-12, 12, 400_001, dtype=torch.float64)
    density = torch.exp(-grid.square() / 2) / math.sqrt(2 * math.pi)
    z = F.selu(grid)
    assert abs(torch.trapezoid(z * density, grid)) < 1e-8
    assert abs(torch.trapezoid(z * z * density, grid) - 1) < 1e-8
