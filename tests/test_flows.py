"""Normalising flows against autograd's Jacobian, quadrature, and their own inverse."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from isthmus.nn.flows import REACH, Flow, spline


def bent(size, layers=3, strength=0.3, dtype=torch.float64, seed=0):
    """A flow that is far from the identity."""
    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = Flow(size, layers, 16, 5, rng).to(dtype)
        with torch.no_grad():
            for layer in flow.layers:
                layer.network.dense[-1].matrix.normal_(std=strength)
                layer.network.dense[-1].bias.normal_(std=strength)
    return flow


def rows(n, size, scale=2.0, dtype=torch.float64):
    return scale * torch.randn(n, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_before_training_it_is_the_gaussian(size):
    flow = Flow(size, 4, 8, 6, torch.Generator().manual_seed(0)).double()
    x = rows(50, size)
    np.testing.assert_allclose(flow.spread(x)[0].detach(), x, atol=1e-12)
    np.testing.assert_allclose(flow.log_prob(x).detach(), Normal(0, 1).log_prob(x).sum(dim=1), atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_log_determinant_is_autograd_s(size):
    flow, x = bent(size), rows(30, size, 3.0)
    assert (x.abs() > REACH).any()  # where splines end
    found = flow.spread(x)[1].detach()
    for row, own in zip(x, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda r: flow.spread(r[None])[0][0], row)
        assert float(own) == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), rel=1e-6, abs=1e-7)
    assert found.abs().max() > 0.5  # not the identity


@pytest.mark.parametrize(
    ("dtype", "strength", "close"),
    [(torch.float64, 0.1, 1e-10), (torch.float64, 0.2, 1e-5), (torch.float32, 0.02, 1e-5)],
)
@pytest.mark.parametrize("size", [1, 2, 7])
def test_it_is_invertible(size, dtype, strength, close):
    flow, x = bent(size, 4, strength, dtype), rows(200, size, 2.5, dtype)
    z = flow.spread(x)[0]
    assert (z - x).abs().max() > 0.1
    np.testing.assert_allclose(flow.gather(z).detach(), x, atol=close)
    np.testing.assert_allclose(flow.spread(flow.gather(x))[0].detach(), x, atol=close)


@pytest.mark.parametrize(("size", "points"), [(1, 20_001), (2, 401)])
def test_densities_integrate_to_one(size, points):
    flow = bent(size, strength=0.3 / size**2)
    line = torch.linspace(-10, 10, points, dtype=torch.float64)
    grid = torch.cartesian_prod(*[line] * size).reshape(-1, size)
    with torch.no_grad():
        density = flow.log_prob(grid).exp()
    gaussian = Normal(0, 1).log_prob(grid).sum(dim=1).exp()
    assert (density - gaussian).abs().max() > 0.1
    assert float(density.sum()) * (20 / (points - 1)) ** size == pytest.approx(1, abs=1e-3)


def test_each_layer_moves_what_the_next_one_holds():
    for size in (2, 5, 8):
        moved = [set(layer.moved.tolist()) for layer in bent(size, 6).layers]
        for first, second in zip(moved[::2], moved[1::2], strict=True):
            assert first | second == set(range(size))
            assert not first & second
    assert [layer.moved.tolist() for layer in bent(1, 3).layers] == [[0]] * 3


def test_a_spline_rises_and_joins_the_identity():
    theta = 3 * torch.randn(1, 4, 3 * 6 - 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.linspace(-REACH - 1, REACH + 1, 4001, dtype=torch.float64)[:, None].expand(-1, 4).requires_grad_()
    y, log_slope = spline(theta.expand(len(x), -1, -1), x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert (slope > 0).all()
    np.testing.assert_allclose(log_slope.detach(), slope.log(), atol=1e-9)
    assert (y.diff(dim=0) > 0).all()
    outside = (x.abs() > REACH)[:, 0]
    np.testing.assert_array_equal(y[outside].detach(), x[outside].detach())
    back, log_back = spline(theta.expand(len(x), -1, -1), y, backwards=True)
    np.testing.assert_allclose(back.detach(), x.detach(), atol=1e-9)
    np.testing.assert_allclose(log_back.detach(), -log_slope.detach(), atol=1e-7)


def test_the_objective_weighs_rows():
    flow, x = bent(3), rows(10, 3)
    surprise = -flow.log_prob(x).detach()
    assert flow.objective(flow(x))["surprise"].item() == pytest.approx(surprise.mean().item())
    weight = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
    found = flow.objective(flow(x, weight=weight))["surprise"]
    assert found.item() == pytest.approx((weight * surprise).mean().item())
