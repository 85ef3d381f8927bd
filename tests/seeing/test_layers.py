"""What runs is found, in order, under names that can be asked for; receptive fields are those of the arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isthmus import networks, seeing
from isthmus.errors import SettingError
from isthmus.nn import Perceptron


class Mixed(nn.Module):
    """Modules, functions, a shortcut, and a module that runs twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.inner = nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))
        self.last = nn.Linear(4 * 4 * 4, 3)
        self.unused = nn.Linear(2, 2)
        self.up = nn.Parameter(torch.randn(3, 5))

    def forward(self, x):
        a = F.relu(self.first(x))
        a = a + self.inner(a)
        a = self.inner(a)
        a = F.max_pool2d(torch.tanh(a), 2).flatten(1)
        return F.softmax(self.last(a) @ self.up, dim=1)


@pytest.fixture
def mixed():
    torch.manual_seed(0)
    return Mixed()


def test_layers_in_the_order_they_run(mixed):
    found = seeing.layers(mixed, torch.zeros(1, 1, 8, 8))
    assert [(layer.name, layer.type, layer.shape) for layer in found] == [
        ("first", "Conv2d", (4, 8, 8)),
        ("relu", "relu", (4, 8, 8)),
        ("inner.0", "GroupNorm", (4, 8, 8)),
        ("inner.1", "ReLU", (4, 8, 8)),
        ("inner.2", "Conv2d", (4, 8, 8)),
        ("inner.0.2", "GroupNorm", (4, 8, 8)),
        ("inner.1.2", "ReLU", (4, 8, 8)),
        ("inner.2.2", "Conv2d", (4, 8, 8)),
        ("tanh", "tanh", (4, 8, 8)),
        ("max_pool2d", "max_pool2d", (4, 4, 4)),
        ("last", "Linear", (3,)),
        ("matmul", "matmul", (5,)),
        ("softmax", "softmax", (5,)),
    ]
    assert [layer.name for layer in found if layer.weight is not None] == [
        "first", "inner.2", "inner.2.2", "last", "matmul"
    ]  # fmt: skip
    assert torch.equal(found[-2].weight, mixed.up.detach().T)
    assert [layer.name for layer in found if layer.bends] == ["relu", "inner.1", "inner.1.2", "tanh"]


def test_every_kind_of_layer_is_seen():
    network = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.LeakyReLU(), nn.AvgPool1d(2), nn.ConvTranspose1d(4, 2, 3, stride=2),
        nn.Flatten(), nn.Dropout(), nn.Identity(), nn.LayerNorm(18), nn.Linear(18, 3), nn.Sigmoid(),
    )  # fmt: skip
    found = seeing.layers(network, np.zeros((5, 2, 10)))
    assert [(layer.name, layer.type, layer.shape) for layer in found] == [
        ("0", "Conv1d", (4, 8)),
        ("1", "BatchNorm1d", (4, 8)),
        ("2", "LeakyReLU", (4, 8)),
        ("3", "AvgPool1d", (4, 4)),
        ("4", "ConvTranspose1d", (2, 9)),
        ("5", "Flatten", (18,)),
        ("8", "LayerNorm", (18,)),
        ("9", "Linear", (3,)),
        ("10", "Sigmoid", (3,)),
    ]
    assert [layer.transposed for layer in found] == [layer.name == "4" for layer in found]


def test_our_perceptron_bends_with_functions():
    found = seeing.layers(Perceptron((6, 5, 4, 2), "silu"), torch.zeros(1, 6))
    assert [(layer.name, layer.type, layer.shape) for layer in found] == [
        ("layers.0", "Dense", (5,)),
        ("silu", "silu", (5,)),
        ("layers.1", "Dense", (4,)),
        ("silu.2", "silu", (4,)),
        ("layers.2", "Dense", (2,)),
    ]


def test_a_layer_alone_is_a_network():
    assert [layer.name for layer in seeing.layers(nn.Linear(3, 2), torch.zeros(1, 3))] == ["Linear"]


def test_activations_are_what_the_layer_gave(mixed):
    X = np.random.default_rng(0).normal(size=(300, 1, 8, 8)).astype(np.float32)  # more than a batch
    a = F.relu(mixed.first(torch.from_numpy(X)))
    np.testing.assert_allclose(seeing.activations(mixed, "relu", X), a.detach(), atol=1e-6)
    inner = mixed.inner[0](a)  # what follows in place must not show
    np.testing.assert_allclose(seeing.activations(mixed, "inner.0", X), inner.detach(), atol=1e-5)
    again = mixed.inner[2](F.relu(mixed.inner[0](a + mixed.inner(a))))
    np.testing.assert_allclose(seeing.activations(mixed, "inner.2.2", X), again.detach(), atol=1e-5)


def test_a_network_is_left_as_it_was(mixed):
    mixed.train()
    mixed.inner.eval()
    seeing.layers(mixed, torch.zeros(1, 1, 8, 8))
    assert mixed.training
    assert mixed.first.training
    assert not mixed.inner[0].training
    assert not mixed._forward_hooks
    assert not mixed.first._forward_pre_hooks


def test_rows_are_only_read():
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3), nn.Linear(3, 4))
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    before = X.copy()
    assert len(seeing.layers(network, X)) == 3
    found = seeing.activations(network, "0", X)
    np.testing.assert_array_equal(found, np.maximum(before, 0))
    seeing.strongest(network, "1", X)
    seeing.drawn(network, "1", X, [0] * 5)
    seeing.project(network, "1", X, [0] * 5)
    picture = X[:, None, :, None][0]
    seeing.occlusion(lambda rows: seeing.unit(network, "1", 0)(rows.flatten(1)), picture, seeing.Patch(1))
    np.testing.assert_array_equal(X, before)


def test_an_unknown_layer_is_one_line(mixed):
    with pytest.raises(SettingError) as raised:
        seeing.activations(mixed, "frist", torch.zeros(1, 1, 8, 8))
    assert str(raised.value) == "no layer called 'frist'; in the network; did you mean 'first'?"


@pytest.mark.parametrize(
    ("layers", "place", "box"),
    [
        ([nn.Conv2d(1, 2, 3)], (0, 4), ((0, 3), (4, 7))),
        ([nn.Conv2d(1, 2, 3, padding=1)], (0, 4), ((0, 2), (3, 6))),
        ([nn.Conv2d(1, 2, 5, stride=2, dilation=2)], (1, 2), ((2, 11), (4, 13))),
        ([nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3)], (0, 1), ((0, 8), (2, 10))),
        ([nn.MaxPool2d(3, stride=1, dilation=2)], (1, 2), ((1, 6), (2, 7))),
        ([nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.AvgPool2d(2, 2)], (3, 0), ((6, 10), (0, 4))),
        ([nn.AdaptiveMaxPool2d(4)], (1, 3), ((4, 8), (12, 16))),
        ([nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3, padding=1)], (1, 4), ((0, 2), (1, 3))),
        ([nn.ConvTranspose2d(1, 1, 3, stride=2)], (2, 3), ((0, 2), (1, 2))),
        ([nn.Flatten(), nn.Linear(256, 2)], (), ((0, 16), (0, 16))),
    ],
)  # fmt: skip
def test_receptive_fields(layers, place, box):
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0)  # what is seen is a matter of the wiring
    assert seeing.field(network, str(len(layers) - 1), (1, 16, 16), place) == tuple(slice(*ends) for ends in box)


@pytest.mark.parametrize(
    ("spec", "layer", "size", "field"),
    [
        (networks.AlexNet(towers=1, width=0.05), "trunk.pool5", 300, 195),
        (networks.VGG(16, width=0.05), "trunk.pool5", 320, 212),
        (networks.ResNet(50, width=0.05), "trunk.conv5.2.branch.conv3", 500, 427),
    ],
)
def test_receptive_fields_of_the_classic_networks(spec, layer, size, field):
    """Araujo, Norris & Sim 2019, table 1; by their formula where ResNet-50 strides in the 3 × 3 convolutions."""
    network = spec.build((3, size, size), 2)
    found = next(one for one in seeing.layers(network, torch.zeros(1, 3, size, size)) if one.name == layer)
    box = seeing.field(network, layer, (3, size, size), [n // 2 for n in found.shape[1:]])
    assert [side.stop - side.start for side in box] == [field, field]


def test_the_field_of_a_table_s_unit_is_the_row():
    assert seeing.field(nn.Linear(4, 2), "Linear", (4,)) == ()


def test_first_filters_and_last_columns():
    torch.manual_seed(0)
    perceptron = Perceptron((12, 5, 12), "relu")
    network = nn.Sequential(nn.Flatten(), perceptron)
    layer, found = seeing.filters(network, torch.zeros(1, 1, 3, 4))
    assert (layer.name, found.shape) == ("1.layers.0", (5, 1, 3, 4))
    np.testing.assert_array_equal(found.reshape(5, 12), perceptron.dense[0].weight.detach())
    layer, found = seeing.columns(network, torch.zeros(1, 1, 3, 4), (1, 3, 4))
    assert (layer.name, found.shape) == ("1.layers.1", (5, 1, 3, 4))
    np.testing.assert_array_equal(found.reshape(5, 12).T, perceptron.dense[1].weight.detach())


@pytest.mark.parametrize("last", [nn.ConvTranspose2d(3, 2, 4, stride=2), nn.Conv2d(3, 2, 5, padding=4)])
def test_a_decoder_s_kernel_is_what_an_impulse_draws(last):
    with torch.no_grad():
        last.bias.zero_()
    impulse = torch.zeros(3, 3, 1, 1)
    impulse[range(3), range(3)] = 1
    layer, found = seeing.columns(nn.Sequential(last), torch.zeros(1, 3, 1, 1), (2, 4, 4))
    assert layer.name == "0"
    np.testing.assert_allclose(found, last(impulse).detach(), atol=1e-7)


def test_the_first_kernels_are_the_convolution_s_own(mixed):
    layer, found = seeing.filters(mixed, torch.zeros(1, 1, 8, 8))
    assert layer.name == "first"
    np.testing.assert_array_equal(found, mixed.first.weight.detach())


def test_a_network_that_multiplies_nothing_has_no_filters():
    with pytest.raises(SettingError) as raised:
        seeing.filters(nn.Sequential(nn.ReLU()), torch.zeros(1, 2))
    assert str(raised.value) == (
        "nothing multiplies; in the network; expected a convolution or a dense layer among those that run"
        .replace("expected a", "a")
    )  # fmt: skip
