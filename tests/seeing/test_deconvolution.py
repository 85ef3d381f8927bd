"""Projections against adjoints, transposed matrices and a deconvnet written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isthmus import seeing
from isthmus.errors import DataError, SettingError

WIDE = torch.float64


def rows(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE)


def product(a, b):
    return float((a.detach() * b).sum())


LINEAR = {
    "conv": (nn.Conv2d(3, 4, 3, bias=False), (3, 9, 8)),
    "padded and strided": (nn.Conv2d(3, 4, 5, stride=2, padding=2, bias=False), (3, 9, 8)),
    "dilated and grouped": (nn.Conv2d(4, 6, 3, dilation=2, groups=2, bias=False), (4, 9, 8)),
    "signals": (nn.Conv1d(2, 4, 4, stride=3, bias=False), (2, 20)),
    "volumes": (nn.Conv3d(1, 2, 2, bias=False), (1, 4, 5, 3)),
    "transposed": (nn.ConvTranspose2d(3, 2, 3, stride=2, output_padding=1, bias=False), (3, 5, 4)),
    "dense": (nn.Linear(7, 4, bias=False), (7,)),
    "mean pool": (nn.AvgPool2d(3, 2, 1), (2, 9, 8)),
    "resize": (nn.Upsample(scale_factor=2, mode="bilinear"), (2, 4, 5)),
    # a maximum is linear once its switches are set: Pool x = P(x) x
    "max pool": (nn.MaxPool2d(2), (2, 9, 8)),
    "overlapping max pool": (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 9, 8)),
    "max pool of signals": (nn.MaxPool1d(3), (2, 20)),
}


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
@pytest.mark.parametrize("name", LINEAR)
def test_every_linear_layer_goes_back_by_its_exact_adjoint(name, rule):
    """⟨L x, y⟩ = ⟨x, Lᵀ y⟩."""
    layer, shape = LINEAR[name]
    network, x = nn.Sequential(layer).to(WIDE), rows(2, *shape)
    for weight in network.parameters():
        weight.data = rows(*weight.shape, seed=2)
    out = network(x).detach()
    y = rows(*out.shape, seed=1)
    back = seeing.pull(network, "0", x, lambda a: y, rule)
    there, here = product(out, y), product(x, back)
    scale = float(out.norm() * y.norm())
    assert abs(there) > 1e-3 * scale
    assert abs(there - here) <= 1e-14 * scale


def test_pool_and_unpool_are_torch_s():
    x = rows(2, 3, 8, 8)
    pooled, switches = F.max_pool2d(x, 2, return_indices=True)
    y = rows(*pooled.shape, seed=1)
    back = seeing.pull(nn.Sequential(nn.MaxPool2d(2)), "0", x, lambda a: y)
    assert torch.equal(back, F.max_unpool2d(y, switches, 2))


def test_a_linear_network_projects_by_its_transpose():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 4, bias=False)).to(WIDE)
    W = network[1].weight.detach() @ network[0].weight.detach()  # (4, 6)
    x = rows(4, 6)
    found = seeing.project(network, "1", x, [0, 1, 2, 3])
    expected = W * torch.diagonal(network(x).detach())[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def by_hand(net, x, unit, place):
    """Zeiler and Fergus' figure 1: rectify, filter with the flipped kernels, unpool at the switches, again."""
    first, second = net.first, net.second
    a = F.relu(first(x))
    pooled, switches = F.max_pool2d(a, 2, return_indices=True)
    b = F.relu(second(pooled))
    signal = torch.zeros_like(b)
    signal[0, unit, *place] = b[0, unit, *place]
    signal = F.conv_transpose2d(F.relu(signal), second.weight, padding=1)
    signal = F.max_unpool2d(signal, switches, 2, output_size=a.shape[-2:])
    return F.conv_transpose2d(F.relu(signal), first.weight, padding=1)


class Two(nn.Module):
    def __init__(self, bend=F.relu):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 5, 3, padding=1)
        self.bend = bend

    def forward(self, x):
        a = F.max_pool2d(self.bend(self.first(x)), 2)
        return self.bend(self.second(a)).flatten(1)


@pytest.mark.parametrize("size", [8, 9])
def test_a_relu_network_projects_as_a_deconvnet_by_hand(size):
    torch.manual_seed(0)
    net, x = Two().to(WIDE), rows(1, 1, size, size)
    with torch.no_grad():
        net.second.bias.fill_(1)  # so that every unit is active somewhere
    map_ = seeing.activations(net, "relu.2", x)[0]
    assert (map_.reshape(5, -1).max(axis=1) > 0).all()
    for unit in range(5):
        place = np.unravel_index(map_[unit].argmax(), map_.shape[1:])
        found = seeing.project(net, "relu.2", x, [unit], [place])
        torch.testing.assert_close(found, by_hand(net, x, unit, place).detach(), rtol=1e-12, atol=1e-14)
        assert found.abs().max() > 0


def test_rows_in_a_batch_do_not_meet():
    torch.manual_seed(0)
    net, x = Two().to(WIDE), rows(3, 1, 8, 8)
    units, places = [4, 0, 2], [(0, 3), (1, 1), (2, 0)]
    together = seeing.project(net, "second", x, units, places)
    for i in range(3):
        one = slice(i, i + 1)
        torch.testing.assert_close(together[one], seeing.project(net, "second", x[one], units[one], places[one]))


def test_rules_at_one_rectifier():
    """Signal −1 or 1 meets an input of −1 or 1: what each rule lets through."""
    x = torch.tensor([[-1.0, -1.0, 1.0, 1.0]])
    y = torch.tensor([[-1.0, 1.0, -1.0, 1.0]])
    network = nn.Sequential(nn.ReLU(inplace=True))
    found = {rule: seeing.pull(network, "0", x, lambda a: y, rule).tolist()[0] for rule in seeing.RULES}
    assert found == {"deconvnet": [0, 1, 0, 1], "guided": [0, 0, 0, 1], "gradient": [0, 0, -1, 1]}


@pytest.mark.parametrize("bend", [F.relu, F.silu, F.elu, F.softplus, F.gelu, nn.LeakyReLU(), nn.ReLU6(), torch.relu_])
def test_kin_of_the_rectifier_rectify_the_signal(bend):
    x, y = rows(2, 5), rows(2, 5, seed=1)
    network = nn.Sequential(nn.Linear(5, 5, bias=False).to(WIDE))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(5))

    class Bent(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, x):
            return bend(self.inner(x)) + 0

    name = seeing.layers(Bent(), x)[-1].name
    assert torch.equal(seeing.pull(Bent(), name, x, lambda a: y), F.relu(y))


@pytest.mark.parametrize(("bend", "slope"), [(torch.tanh, lambda z: 1 - z * z), (torch.sigmoid, lambda z: z * (1 - z))])
def test_what_rectifies_nothing_has_its_slope(bend, slope):
    x, y = rows(2, 5), rows(2, 5, seed=1)
    network = nn.Sequential(nn.Tanh() if bend is torch.tanh else nn.Sigmoid())
    torch.testing.assert_close(seeing.pull(network, "0", x, lambda a: y), y * slope(bend(x)))


@pytest.mark.parametrize(
    "norm",
    [
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4, affine=True),
        nn.LayerNorm((4, 5, 5)),
        nn.LocalResponseNorm(3, alpha=0.5),
        nn.BatchNorm2d(4),
    ],
)
def test_a_norm_goes_back_by_the_gain_it_had(norm):
    """Of a row near x the norm with x's statistics is linear: its gain is (N(x) − N₀) / (x − mean), entry by entry."""
    torch.manual_seed(0)
    network, x = nn.Sequential(norm).to(WIDE).eval(), rows(2, 4, 5, 5)
    x[0, 0, 0, 0] = 0.0
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand_like(parameter) + 0.5)
    y = rows(2, 4, 5, 5, seed=1)
    back = seeing.pull(network, "0", x, lambda a: y)
    gain = back / y
    bias = getattr(norm, "bias", None)
    plain = network(x).detach() - (
        0 if bias is None else bias.detach().reshape(bias.shape if bias.ndim > 1 else (-1, 1, 1))
    )
    assert (gain > 0).all()
    centre = x - plain / gain  # the mean of the group each entry belongs to, or 0
    groups = centre.reshape(2, 2, -1) if isinstance(norm, nn.GroupNorm) else centre.reshape(2, 4, -1)
    groups = centre.reshape(2, 1, -1) if isinstance(norm, nn.LayerNorm) else groups
    torch.testing.assert_close(groups, groups[..., 1:2].expand_as(groups), rtol=0, atol=1e-7)


def test_an_unknown_rule_is_one_line():
    with pytest.raises(SettingError) as raised:
        seeing.project(nn.Linear(2, 2), "Linear", torch.zeros(1, 2), [0], rule="guide")
    assert str(raised.value) == "no rule called 'guide'; in seeing.project; did you mean 'guided'?"


def test_the_strongest_are_those_of_a_sort():
    torch.manual_seed(0)
    net, X = Two(), rows(600, 1, 8, 8).float()  # three batches
    a = net.bend(net.second(F.max_pool2d(net.bend(net.first(X)), 2))).detach().flatten(2)  # (600, 5, 16)
    found = seeing.strongest(net, "relu.2", X.numpy(), n=9)
    values, spots = a.max(dim=2)
    order = values.argsort(dim=0, descending=True)[:9].T  # (5, 9)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_allclose(found.values, values.T.gather(1, order), rtol=1e-6)
    np.testing.assert_array_equal(found.places[..., 0] * 4 + found.places[..., 1], spots.T.gather(1, order))
    np.testing.assert_allclose(found.spread, values.std(dim=0, correction=0), rtol=1e-5)
    assert found.of([3]).units.tolist() == [3]


def test_the_strongest_of_a_dense_layer_have_no_place_and_may_be_few():
    found = seeing.strongest(nn.Linear(4, 3), "Linear", np.eye(4, dtype=np.float32), n=9)
    assert (found.rows.shape, found.places.shape) == ((3, 4), (3, 4, 0))
    assert (np.sort(found.rows, axis=1) == np.arange(4)).all()


def test_no_rows_have_no_strongest():
    with pytest.raises(DataError) as raised:
        seeing.strongest(nn.Linear(4, 3), "Linear", np.zeros((0, 4)))
    assert str(raised.value) == "no rows; in X; at least one row"
