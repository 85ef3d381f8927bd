"""The classic networks: published counts and sizes, parts against their equations, a step in both memory formats."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.errors import SettingError
from isthmus.nn.classic.googlenet import INCEPTIONS, Inception
from isthmus.nn.classic.lenet import CONNECTIONS, Nearest, Partial, Subsampling, codes
from isthmus.nn.classic.parts import response_norm
from isthmus.nn.classic.resnet import Residual
from isthmus.nn.classic.shapes import thin

# What each counts by a table of its layers, written down from the papers


def conv(inputs, outputs, kernel, groups=1, bias=True):
    return outputs * (inputs // groups) * kernel**2 + outputs * bias


def chain(layers):
    """Convolutions (outputs, kernel, groups) and dense layers (outputs, 1, 1) read from the input's channels on."""
    return sum(conv(layers[i][0], *layers[i + 1]) for i in range(len(layers) - 1))


ALEXNET_2 = chain([(3,), (96, 11), (256, 5, 2), (384, 3), (384, 3, 2), (256, 3, 2)])
ALEXNET_1 = chain([(3,), (64, 11), (192, 5), (384, 3), (256, 3), (256, 3)])
FAST = chain([(3,), (96, 11), (256, 5), (512, 3), (1024, 3), (1024, 3)])
ACCURATE = chain([(3,), (96, 7), (256, 7), (512, 3), (512, 3), (1024, 3), (1024, 3)])


def dense(*widths):
    return chain([(width, 1) for width in widths])


def vgg(counts, norm=False):
    widths = [width for width, count in zip((64, 128, 256, 512, 512), counts, strict=True) for _ in range(count)]
    return chain([(3,), *((w, 3) for w in widths)]) + 2 * norm * sum(widths) + dense(49 * 512, 4096, 4096, 1000)


def basic(counts, shortcuts=True):
    total, inputs = 3 * 64 * 49 + 128, 64
    for count, width in zip(counts, (64, 128, 256, 512), strict=True):
        total += 9 * width * (inputs + (2 * count - 1) * width) + 4 * width * count
        total += (inputs * width + 2 * width) * (shortcuts and inputs != width)
        inputs = width
    return total + dense(512, 1000)


def bottleneck(counts):
    total, inputs = 3 * 64 * 49 + 128, 64
    for count, width in zip(counts, (64, 128, 256, 512), strict=True):
        total += 4 * width * inputs + 8 * width  # the projection
        for _ in range(count):
            total += inputs * width + 9 * width**2 + 4 * width**2 + 2 * 6 * width
            inputs = 4 * width
    return total + dense(2048, 1000)


def inception(inputs, row, norm):
    one, read3, three, read5, five, projected = row
    weights = inputs * (one + read3 + read5 + projected) + 9 * read3 * three + (9 if norm else 25) * read5 * five
    return weights + (2 if norm else 1) * sum(row)


GOOGLENET_TABLE = {  # Table 1: the inputs of each block, and the paper's own thousands of parameters
    "3a": (192, 159),
    "3b": (256, 380),
    "4a": (480, 364),
    "4b": (512, 437),
    "4c": (512, 463),
    "4d": (512, 580),
    "4e": (528, 840),
    "5a": (832, 1072),
    "5b": (832, 1388),
}


def googlenet(norm, heads):
    each = 2 if norm else 1
    total = 3 * 64 * 49 + each * 64 + 64 * 64 + each * 64 + 64 * 192 * 9 + each * 192
    total += sum(inception(GOOGLENET_TABLE[name][0], row, norm) for name, row in INCEPTIONS.items())
    head = sum(maps * 128 + each * 128 + dense(2048, 1024, 1000) for maps in (512, 528))
    return total + dense(1024, 1000) + heads * head


# network, image, published count, count by the tables above
PUBLISHED = [
    (networks.AlexNet(), 227, 60_965_224, ALEXNET_2 + dense(36 * 256, 4096, 4096, 1000)),
    (networks.AlexNet(towers=1), 224, 61_100_840, ALEXNET_1 + dense(36 * 256, 4096, 4096, 1000)),
    (networks.OverFeat("fast"), 231, 145_920_872, FAST + dense(36 * 1024, 3072, 4096, 1000)),
    (networks.OverFeat("accurate"), 221, 144_656_488, ACCURATE + dense(25 * 1024, 4096, 4096, 1000)),
    (networks.VGG(11), 224, 132_863_336, vgg((1, 1, 2, 2, 2))),
    (networks.VGG(13), 224, 133_047_848, vgg((2, 2, 2, 2, 2))),
    (networks.VGG(16), 224, 138_357_544, vgg((2, 2, 3, 3, 3))),
    (networks.VGG(19), 224, 143_667_240, vgg((2, 2, 4, 4, 4))),
    (networks.VGG(11, norm=True), 224, 132_868_840, vgg((1, 1, 2, 2, 2), norm=True)),
    (networks.VGG(13, norm=True), 224, 133_053_736, vgg((2, 2, 2, 2, 2), norm=True)),
    (networks.VGG(16, norm=True), 224, 138_365_992, vgg((2, 2, 3, 3, 3), norm=True)),
    (networks.VGG(19, norm=True), 224, 143_678_248, vgg((2, 2, 4, 4, 4), norm=True)),
    (networks.GoogLeNet(auxiliary=False), 224, 6_998_552, googlenet(norm=False, heads=False)),
    (networks.GoogLeNet(), 224, 13_378_280, googlenet(norm=False, heads=True)),
    (networks.GoogLeNet(norm=True, auxiliary=False), 224, 6_624_904, googlenet(norm=True, heads=False)),
    (networks.GoogLeNet(norm=True), 224, 13_004_888, googlenet(norm=True, heads=True)),
    (networks.ResNet(18), 224, 11_689_512, basic((2, 2, 2, 2))),
    (networks.ResNet(34), 224, 21_797_672, basic((3, 4, 6, 3))),
    (networks.ResNet(34, plain=True), 224, None, basic((3, 4, 6, 3), shortcuts=False)),
    (networks.ResNet(50), 224, 25_557_032, bottleneck((3, 4, 6, 3))),
    (networks.ResNet(101), 224, 44_549_160, bottleneck((3, 4, 23, 3))),
    (networks.ResNet(152), 224, 60_192_808, bottleneck((3, 8, 36, 3))),
]


def on_meta(spec, shape, classes=1000):
    with torch.device("meta"):
        return spec.build(shape, classes)


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(("spec", "side", "published", "by_hand"), PUBLISHED, ids=repr)
def test_published_counts(spec, side, published, by_hand):
    network = on_meta(spec, (3, side, side))
    assert parameters(network) == by_hand
    assert published in (by_hand, None)
    assert network.eval()(torch.empty(2, 3, side, side, device="meta")).shape == (2, 1000)


def test_overfeat_counts_whole_millions():
    """Table 4 of the paper: 145 and 144 millions, rounded down."""
    counts = {spec.model: by_hand for spec, _, _, by_hand in PUBLISHED if isinstance(spec, networks.OverFeat)}
    assert {model: count // 1_000_000 for model, count in counts.items()} == {"fast": 145, "accurate": 144}


def test_googlenet_against_the_rounded_table_of_the_paper():
    """The blocks agree to 9 %, in units of 1024; the first layer's 2.7K is no count of 7 × 7 × 3 × 64 weights."""
    ratios = {
        name: inception(GOOGLENET_TABLE[name][0], row, norm=False) / 1024 / GOOGLENET_TABLE[name][1]
        for name, row in INCEPTIONS.items()
    }
    assert all(0.94 < ratio < 1.09 for ratio in ratios.values()), ratios
    assert (64 * 64 + 64 * 192 * 9) // 1024 == 112
    assert 1024 * 1000 / 1024 == 1000
    assert round(3 * 64 * 49 / 1024, 1) == 9.2  # and not 2.7


@pytest.mark.parametrize(("classes", "shape"), [(10, (1, 32, 32)), (10, (1, 28, 28)), (7, (1, 8, 8))], ids=str)
def test_lenet_of_1998_has_60000_trainable_parameters(classes, shape):
    network = on_meta(networks.LeNet5("1998"), shape, classes)
    layers = {name: parameters(network.trunk.get_submodule(name)) for name in network.stages if name != "enlarged"}
    assert layers == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0}
    assert parameters(network) == 60_000


def test_modern_lenet():
    by_hand = conv(1, 6, 5) + conv(6, 16, 5) + dense(400, 120, 84, 10)
    assert parameters(on_meta(networks.LeNet5("modern"), (1, 32, 32), 10)) == by_hand == 61_706


# network -> image, and the published sides of the maps at the stages where they change
SIDES = [
    (networks.LeNet5("1998"), 32, {"c1": 28, "s2": 14, "c3": 10, "s4": 5}),
    (networks.LeNet5("modern"), 32, {"c1": 28, "s2": 14, "c3": 10, "s4": 5}),
    (networks.AlexNet(width=0.05), 227, {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv5": 13, "pool5": 6}),
    (networks.AlexNet(1, 0.05), 224, {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv5": 13, "pool5": 6}),
    (networks.OverFeat("fast", 0.03), 231, {"conv1": 56, "pool1": 28, "conv2": 24, "pool2": 12, "pool5": 6}),
    (networks.OverFeat("accurate", 0.03), 221, {"conv1": 108, "pool1": 36, "conv2": 30, "pool2": 15, "pool6": 5}),
    (networks.VGG(16, width=0.05), 224, {"conv1_2": 224, "pool1": 112, "pool2": 56, "pool4": 14, "pool5": 7}),
    *(
        (
            networks.GoogLeNet(norm, width=0.05),
            224,
            {"conv1": 112, "pool1": 56, "conv2": 56, "inception3b": 28, "inception4e": 14, "inception5b": 7},
        )
        for norm in (False, True)
    ),
    (
        networks.ResNet(50, width=0.05),
        224,
        {"conv1": 112, "pool1": 56, "conv2": 56, "conv3": 28, "conv4": 14, "conv5": 7},
    ),
]


@pytest.mark.parametrize(("spec", "side", "sides"), SIDES, ids=lambda v: repr(v) if not isinstance(v, dict) else "")
def test_sides_of_maps_at_the_published_sizes(spec, side, sides):
    network = spec.build((3, side, side), 11).eval()
    x = torch.rand(1, 3, side, side)
    with torch.no_grad():
        assert {name: network.upto(name)(x).shape[-1] for name in sides} == sides
        logits = network(x)
    assert logits.shape == (1, 11)
    assert logits.isfinite().all()
    assert "enlarged" not in network.stages


# One small copy of each form, on images of odd sizes
SMALL = [
    (networks.MLP((9, 7), "tanh", "orthogonal"), (2, 5, 3)),
    (networks.LeNet5("1998"), (1, 28, 28)),
    (networks.LeNet5("modern"), (3, 41, 35)),
    (networks.AlexNet(2, 0.05), (3, 83, 64)),
    (networks.AlexNet(1, 0.05), (1, 9, 12)),
    (networks.OverFeat("fast", 0.03), (3, 80, 75)),
    (networks.OverFeat("accurate", 0.03), (1, 79, 90)),
    (networks.VGG(11, False, 0.06), (3, 33, 47)),
    (networks.VGG(19, True, 0.06), (1, 8, 8)),
    (networks.GoogLeNet(False, True, 0.07), (3, 83, 80)),
    (networks.GoogLeNet(True, True, 0.04), (3, 37, 41)),
    (networks.GoogLeNet(False, False, 0.07), (1, 15, 10)),
    (networks.ResNet(18, False, 0.06), (3, 37, 41)),
    (networks.ResNet(34, True, 0.06), (1, 8, 8)),
    (networks.ResNet(50, False, 0.05), (1, 16, 10)),
]
BOTH = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def small(spec, shape, classes=4, seed=0):
    torch.manual_seed(seed)
    network = spec.build(shape, classes).double()
    return network, torch.randn(6, *shape, dtype=torch.float64), torch.arange(6) % classes


def loss(network, x, y):
    torch.manual_seed(1)  # dropout draws from the default generator
    answer = network(x)
    logits, *heads = answer if isinstance(answer, tuple) else (answer,)
    return F.cross_entropy(logits, y) + sum(network.auxiliary_weight * F.cross_entropy(head, y) for head in heads)


@pytest.mark.parametrize(("spec", "shape"), SMALL, ids=repr)
def test_a_step_in_both_memory_formats(spec, shape):
    """Gradients reach every parameter, agree with differences along them, and a step along them lowers the loss."""
    network, x, y = small(spec, shape)
    found = {}
    for name, layout in BOTH.items():
        twin, rows = copy.deepcopy(network).to(memory_format=layout), x.contiguous(memory_format=layout)
        began = loss(twin, rows, y)
        gradients = torch.autograd.grad(began, list(twin.parameters()))
        assert all(gradient.any() for gradient in gradients)
        found[name] = (began, *gradients)
        rate = 1e-6 / sum(float(g.square().sum()) for g in gradients)
        with torch.no_grad():
            for weight, gradient in zip(twin.parameters(), gradients, strict=True):
                weight.sub_(rate * gradient)
            np.testing.assert_allclose(float(began - loss(twin, rows, y)), 1e-6, rtol=0.02)
    torch.testing.assert_close(*found.values())


@pytest.mark.parametrize(("spec", "shape"), SMALL, ids=repr)
def test_stages(spec, shape):
    network, x, _ = small(spec, shape)
    network.eval()
    assert network.stages[-1] == "output"
    h = x
    with torch.no_grad():
        for name in network.stages:
            h = network.trunk.get_submodule(name)(h)
            torch.testing.assert_close(network.upto(name)(x), h, rtol=0, atol=0)
        assert h.shape == (6, 4)
        torch.testing.assert_close(network(x), h, rtol=0, atol=0)
    own = {id(weight) for weight in network.parameters()}
    assert {id(weight) for weight in network.upto(network.stages[-2]).parameters()} <= own
    with pytest.raises(SettingError) as caught:
        network.upto("outputs")
    assert str(caught.value) == "no stage called 'outputs'; in the network; did you mean 'output'?"


@pytest.mark.parametrize(("spec", "shape"), SMALL, ids=repr)
def test_a_seed_gives_the_same_weights(spec, shape):
    first, second = small(spec, shape)[0].state_dict(), small(spec, shape)[0].state_dict()
    other = small(spec, shape, seed=1)[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    "spec", [networks.VGG(11, width=0.02), networks.ResNet(18, width=0.001), networks.AlexNet(2, 0.01)]
)
def test_the_thinnest_copies_keep_a_channel(spec):
    network = spec.build((3, 64, 64), 3).eval()
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_thin():
    assert [thin(96, w) for w in (1.0, 0.5, 0.004, 2.0)] == [96, 48, 1, 192]
    assert [thin(96, w, groups=2) for w in (1.0, 0.03, 0.01, 0.001)] == [96, 4, 2, 2]


@pytest.mark.parametrize(("spec", "shape"), SMALL, ids=repr)
def test_the_loop_trains_every_network_recorded_and_not(spec, shape):
    """Same losses, dropout and running means included; float64, since Adam makes much of rounding."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, math.prod(shape))), np.arange(12) % 4
    how = {"max_epochs": 2, "batch_size": 6, "validation_fraction": 0.0, "early_stopping": False, "random_state": 0}
    found = {}
    for engine in ("recorded", "eager"):
        classifier = Classifier(spec, input_shape=shape, engine=engine, device="cpu", dtype="float64", **how).fit(X, y)
        assert classifier.engine_.startswith(engine)
        found[engine] = [row["loss"] for row in classifier.history_]
    np.testing.assert_allclose(found["recorded"], found["eager"], rtol=1e-7)


# Images smaller than a network's least size


def enlarged(spec, x):
    network = spec.build(tuple(x.shape[1:]), 2)
    return network.upto("enlarged")(x) if "enlarged" in network.stages else x


def test_digits_of_8_by_8_are_enlarged_four_times():
    x = torch.rand(2, 1, 8, 8)
    expected = np.kron(x.numpy(), np.ones((4, 4)))
    np.testing.assert_array_equal(enlarged(networks.LeNet5(), x), expected)


@pytest.mark.parametrize(
    ("shape", "times"), [((1, 28, 28), 1), ((2, 13, 10), 2), ((1, 31, 8), 1), ((1, 40, 7), 1)], ids=str
)
def test_other_images_are_padded_with_their_border(shape, times):
    x = torch.rand(3, *shape)
    grown = np.kron(x.numpy(), np.ones((times, times)))
    lack = [max(0, 32 - side) for side in grown.shape[2:]]
    expected = np.pad(grown, [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in lack)], mode="edge")
    np.testing.assert_array_equal(enlarged(networks.VGG(11, width=0.02), x), expected)


LEAST = [
    (networks.LeNet5(), 32),
    (networks.AlexNet(width=0.02), 67),
    (networks.AlexNet(1, 0.02), 63),
    (networks.OverFeat("fast", 0.02), 71),
    (networks.OverFeat("accurate", 0.02), 77),
    (networks.VGG(11, width=0.02), 32),
    (networks.GoogLeNet(width=0.02), 32),
    (networks.ResNet(18, width=0.02), 32),
]


@pytest.mark.parametrize(("spec", "least"), LEAST, ids=repr)
def test_the_least_size_suffices(spec, least):
    large, small = spec.build((1, least, least), 2), spec.build((1, least - 1, least), 2)
    assert "enlarged" not in large.stages
    assert small.stages[0] == "enlarged"
    assert large.eval()(torch.rand(1, 1, least, least)).shape == (1, 2)
    assert small.eval()(torch.rand(1, 1, least - 1, least)).shape == (1, 2)


@pytest.mark.parametrize("spec", [spec for spec, _ in LEAST], ids=repr)
def test_absurd_sizes_are_refused(spec):
    name = type(spec).__name__
    messages = {
        ((64,), 2): (
            f"{name} cannot read rows of shape (64,); in input_shape; images: (channels, height, width); "
            "such as input_shape=(1, 28, 28)"
        ),
        ((1, 0, 8), 2): (
            f"{name} cannot read rows of shape (1, 0, 8); in input_shape; images: (channels, height, width); "
            "such as input_shape=(1, 28, 28)"
        ),
        ((3, 2, 64), 2): f"{name} cannot read images of 2 x 64 pixels; in input_shape; 4 to 8192 pixels a side",
        ((3, 64, 9000), 2): f"{name} cannot read images of 64 x 9000 pixels; in input_shape; 4 to 8192 pixels a side",
        ((3, 64, 64), 0): f"{name} cannot give 0 numbers; in outputs; a whole number >= 1",
    }
    for (shape, outputs), message in messages.items():
        with pytest.raises(SettingError) as caught:
            spec.build(shape, outputs)
        assert str(caught.value) == message


# LeNet-5

TABLE_I = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""


def test_the_connections_are_table_1_of_the_paper():
    table = np.array([list(row) for row in TABLE_I.split()]) == "X"  # maps of S2 × maps of C3
    assert table.sum() == 60
    assert [set(maps) for maps in CONNECTIONS] == [set(np.flatnonzero(column)) for column in table.T]


def test_a_partial_convolution_is_a_sum_over_the_connected_maps():
    torch.manual_seed(0)
    layer, x = Partial(CONNECTIONS, 5).double(), torch.rand(2, 6, 14, 14, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    kernels = iter(layer.kernels)
    maps = [
        sum(F.conv2d(x[:, [read]], next(kernels)[None, None]) for read in sorted(connected)) + bias
        for connected, bias in zip(CONNECTIONS, layer.bias, strict=True)
    ]
    torch.testing.assert_close(layer(x), torch.cat(maps, dim=1))
    zero = (layer.weight() == 0).all(dim=(2, 3))
    assert [set(np.flatnonzero(~row)) for row in zero] == [set(maps) for maps in CONNECTIONS]


def test_subsampling_sums_four_pixels():
    layer, x = Subsampling(3).double(), torch.rand(2, 3, 6, 4, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    sums = x.reshape(2, 3, 3, 2, 2, 2).sum((3, 5))
    torch.testing.assert_close(layer(x), sums * layer.coefficient + layer.bias)


def test_the_weights_of_1998_lie_within_their_bounds():
    network = networks.LeNet5("1998").build((1, 32, 32), 10)
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "f6": 120}
    for stage, n in fan_in.items():
        weight = max((w for w in network.trunk.get_submodule(stage).parameters() if w.any()), key=torch.numel)
        assert 0.5 * 2.4 / n < weight.abs().max() <= 2.4 / n
    kernels = iter(network.trunk.c3[0].kernels)
    for maps in CONNECTIONS:
        assert max(float(next(kernels).detach().abs().max()) for _ in maps) <= 2.4 / (25 * len(maps))


def test_any_two_codes_differ_in_42_places():
    rows = codes(84)
    assert set(rows.unique().tolist()) == {-1, 1}
    torch.testing.assert_close(rows @ rows.T, 84 * torch.eye(84))
    with pytest.raises(SettingError) as caught:
        networks.LeNet5("1998").build((1, 28, 28), 85)
    assert str(caught.value) == (
        "LeNet-5 of 1998 cannot tell 85 classes apart; in outputs; at most 84, the numbers of its codes; "
        "variant='modern' has no such bound"
    )


def test_the_output_of_1998_is_the_distance_to_each_code():
    x = torch.randn(5, 84, dtype=torch.float64)
    found = Nearest(codes(10).double())(x)
    torch.testing.assert_close(found, -torch.cdist(x, codes(10).double()).square() / 84**0.5)
    assert torch.equal(Nearest(codes(10))(codes(10)).argmax(dim=1), torch.arange(10))


@pytest.mark.parametrize("variant", ["1998", "modern"])
def test_lenet_learns_digits(variant):
    X, y = load_digits(return_X_y=True)
    classifier = Classifier(
        networks.LeNet5(variant),
        input_shape=(1, 8, 8),
        max_epochs=5,
        batch_size=32,
        validation_fraction=0.0,
        early_stopping=False,
        random_state=0,
        device="cpu",
    ).fit(X[:600], y[:600])
    assert classifier.score(X[600:900], y[600:900]) > 0.85


# Parts of the others


def test_response_normalisation_is_the_equation_of_the_paper():
    x = torch.rand(2, 7, 3, 3, dtype=torch.float64) * 40
    expected = torch.empty_like(x)
    for i in range(7):
        near = x[:, max(0, i - 2) : i + 3].square().sum(1)
        expected[:, i] = x[:, i] / (2 + 1e-4 * near) ** 0.75
    torch.testing.assert_close(response_norm()(x), expected)


def test_the_towers_of_alexnet_see_half_the_maps():
    """Convolutions 2, 4 and 5 do not mix the halves; 3 does."""
    network = networks.AlexNet(width=0.1).build((3, 67, 67), 4)
    for stage, mixes in {"conv2": False, "conv3": True, "conv4": False, "conv5": False}.items():
        layer = network.trunk.get_submodule(stage)[0]
        x = torch.zeros(1, layer.in_channels, 5, 5, requires_grad=True)
        half = layer(x)[0, : layer.out_channels // 2].sum()
        reached = torch.autograd.grad(half, x)[0][0, layer.in_channels // 2 :].any()
        assert bool(reached) == mixes


def test_alexnet_begins_as_the_paper_says():
    network = networks.AlexNet().build((3, 227, 227), 10)
    for stage in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "output"):
        part = network.trunk.get_submodule(stage)
        layer = part if stage == "output" else part[0]
        assert abs(float(layer.weight.detach().std()) / 0.01 - 1) < 0.02
        expected = 1.0 if stage in ("conv2", "conv4", "conv5", "fc6", "fc7") else 0.0
        assert (layer.bias == expected).all()


def paths(module):
    """The number of convolutions and dense layers along each way through a module."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return {1}
    inner = [paths(child) for child in module.children()]
    if isinstance(module, Inception | Residual):
        return set().union(*inner)
    return functools.reduce(lambda ways, more: {a + b for a in ways for b in more}, inner, {0})


@pytest.mark.parametrize(
    ("spec", "depth"),
    [
        (networks.GoogLeNet(auxiliary=False), 22),
        (networks.GoogLeNet(norm=True, auxiliary=False), 22),
        (networks.AlexNet(), 8),
        (networks.OverFeat("accurate"), 9),
        (networks.VGG(19), 19),
        (networks.ResNet(34, plain=True), 34),
        (networks.ResNet(34), 34),
        (networks.ResNet(152), 152),
        (networks.LeNet5("modern"), 5),
    ],
    ids=repr,
)
def test_layers_with_parameters_along_the_deepest_path(spec, depth):
    assert max(paths(on_meta(spec, (3, 224, 224)).trunk)) == depth


def test_auxiliary_heads_speak_in_training_only():
    network, x, _ = small(networks.GoogLeNet(width=0.05), (3, 224, 224))
    assert network.auxiliary_weight == 0.3
    answers = network(x[:2])
    assert [tuple(answer.shape) for answer in answers] == [(2, 4)] * 3
    assert network.eval()(x[:2]).shape == (2, 4)
    alone = networks.GoogLeNet(auxiliary=False, width=0.05).build((3, 224, 224), 4)
    assert alone(x[:2].float()).shape == (2, 4)


@pytest.mark.parametrize(("side", "maps"), [(224, 14), (32, 2), (96, 6), (97, 6), (63, 4)])
def test_heads_read_4_by_4_pixels(side, maps):
    """The paper's pool of 5 × 5 at every third pixel, where the maps are at least that large."""
    network = on_meta(networks.GoogLeNet(width=0.05), (3, side, side), 4)
    x = torch.empty(1, 3, side, side, device="meta")
    assert network.upto("inception4a")(x).shape[-1] == maps
    pools = network.heads["inception4a"].pool
    assert len(pools) == (2 if maps >= 5 else 1)
    assert network(x)[1].shape == (1, 4)


def test_heads_average_as_the_paper_says():
    pools = on_meta(networks.GoogLeNet(), (3, 224, 224)).heads["inception4d"].pool
    x = torch.rand(1, 2, 14, 14)
    expected = torch.stack([x[..., i : i + 5, j : j + 5].mean((2, 3)) for i in (0, 3, 6, 9) for j in (0, 3, 6, 9)], -1)
    torch.testing.assert_close(pools(x), expected.reshape(1, 2, 4, 4))


def test_a_residual_block_adds_what_it_reads():
    block = Residual(nn.Conv2d(2, 2, 3, padding=1), nn.Identity())
    x = torch.randn(1, 2, 5, 5)
    torch.testing.assert_close(block(x), (block.branch(x) + x).clamp(min=0))


def test_the_plain_twin_has_the_residual_nets_branches_and_nothing_else():
    twins = [on_meta(networks.ResNet(50, plain), (3, 224, 224)).state_dict() for plain in (False, True)]
    residual, plain = ({name: tuple(weight.shape) for name, weight in state.items()} for state in twins)
    assert plain == {name: shape for name, shape in residual.items() if ".shortcut." not in name}


def test_images_up_to_their_size_are_not_averaged():
    """At the published size adaptive pooling leaves the last maps as they are."""
    for spec, side, last in ((networks.VGG(11, width=0.02), 224, "pool5"), (networks.AlexNet(2, 0.02), 227, "pool5")):
        network = spec.build((3, side, side), 2).eval()
        x = torch.rand(1, 3, side, side)
        torch.testing.assert_close(network.upto("flat")(x), network.upto(last)(x).flatten(1), rtol=0, atol=0)


# Specifications

SPECS = [
    networks.MLP((5, 4), "gelu", "orthogonal"),
    networks.LeNet5("1998"),
    networks.AlexNet(1, 0.5),
    networks.OverFeat("accurate", 0.25),
    networks.VGG(13, True, 0.5),
    networks.GoogLeNet(True, False, 2.0),
    networks.ResNet(101, True, 0.3),
]


def test_every_specification_is_here():
    made = {name for name in networks.__all__ if name != "load_weights"}
    assert {type(spec).__name__ for spec in SPECS} == made
    assert {type(spec).__name__ for spec, _ in SMALL} == made


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_specifications(spec):
    assert clone(spec) == spec
    assert eval(repr(spec), vars(networks)) == spec  # noqa: S307  # our own text
    assert copy.deepcopy(spec).set_params(**spec.get_params()) == spec
    assert spec != type(spec)()
    spec.validate()


WRONG = [
    (networks.MLP((0,)), "hidden must be a sequence, each a whole number >= 1; got (0,); in MLP"),
    (
        networks.MLP(initialisation="bogus"),
        (
            "initialisation must be one of 'auto', 'uniform', 'standard', 'lecun', 'xavier', 'he', 'orthogonal', "
            "'mitchell', 'small'; got 'bogus'; in MLP"
        ),
    ),
    (networks.LeNet5("1989"), "variant must be one of 'modern', '1998'; got '1989'; in LeNet5"),
    (networks.AlexNet(3), "towers must be one of 1, 2; got 3; in AlexNet"),
    (networks.AlexNet(width=0), "width must be a number > 0 and <= 16; got 0; in AlexNet"),
    (networks.OverFeat("slow"), "model must be one of 'fast', 'accurate'; got 'slow'; in OverFeat"),
    (networks.VGG(12), "depth must be one of 11, 13, 16, 19; got 12; in VGG"),
    (networks.GoogLeNet(norm="yes"), "norm must be True or False; got 'yes'; in GoogLeNet"),
    (networks.ResNet(20), "depth must be one of 18, 34, 50, 101, 152; got 20; in ResNet"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG, ids=repr)
def test_wrong_settings_are_told_when_a_network_is_built(spec, message):
    with pytest.raises(SettingError) as caught:
        spec.build((3, 64, 64), 2)
    assert str(caught.value) == message


def test_perceptrons_read_rows_of_any_shape():
    for shape in ((64,), (1, 8, 8), (3, 7)):
        network = networks.MLP((5,)).build(shape, 3)
        assert network.stages == ("flat", "hidden1", "output")
        assert network(torch.rand(2, *shape)).shape == (2, 3)
        assert parameters(network) == dense(math.prod(shape), 5, 3)
    assert networks.MLP(()).build((4,), 3).stages == ("flat", "output")
    with pytest.raises(SettingError, match=r"^MLP cannot give 0 numbers; in outputs; a whole number >= 1$"):
        networks.MLP().build((4,), 0)


@pytest.mark.parametrize(("spec", "shape"), SMALL, ids=repr)
def test_copies_run_as_one_population(spec, shape):
    """`vmap` over stacked weights, as populations are trained."""
    members = [small(spec, shape, seed=seed)[0].eval() for seed in (0, 1)]
    x = small(spec, shape)[1]
    stacked = torch.func.stack_module_state(members)
    with torch.no_grad():
        found = torch.vmap(lambda *state: torch.func.functional_call(members[0], state, (x,)))(*stacked)
        for got, member in zip(found, members, strict=True):
            torch.testing.assert_close(got, member(x))
