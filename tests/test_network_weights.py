"""Weights under torchvision's names: complete both ways, and the same function of an image."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from isthmus import networks
from isthmus.errors import DataError, SettingError

# torchvision's names and shapes, written down from its published state dicts


class Names:
    """Collects names with shapes, full-sized, or thin where `share` says so."""

    def __init__(self, share=1.0, classes=1000):
        self.share, self.classes, self.shapes = share, classes, {}

    def thin(self, n):
        return max(1, round(n * self.share))

    def conv(self, name, outputs, inputs, kernel, bias=True):
        self.shapes[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        if bias:
            self.shapes[f"{name}.bias"] = (outputs,)

    def norm(self, name, n):
        for part in ("weight", "bias", "running_mean", "running_var"):
            self.shapes[f"{name}.{part}"] = (n,)
        self.shapes[f"{name}.num_batches_tracked"] = ()

    def linear(self, name, outputs, inputs):
        self.shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def classifier(self, places, inputs):
        hidden = self.thin(4096)
        for place, *sizes in zip(places, (hidden, hidden, self.classes), (inputs, hidden, hidden), strict=True):
            self.linear(f"classifier.{place}", *sizes)


def alexnet(**how):
    names = Names(**how)
    inputs = 3
    for place, maps, kernel in ((0, 64, 11), (3, 192, 5), (6, 384, 3), (8, 256, 3), (10, 256, 3)):
        names.conv(f"features.{place}", names.thin(maps), inputs, kernel)
        inputs = names.thin(maps)
    names.classifier((1, 4, 6), 36 * inputs)
    return names.shapes


VGG = {  # the list of layers that torchvision builds from: M a pool
    11: (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    13: (64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    16: (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M", *(512,) * 3, "M"),
    19: (64, 64, "M", 128, 128, "M", *(256,) * 4, "M", *(512,) * 4, "M", *(512,) * 4, "M"),
}


def vgg(depth, norm=False, **how):
    names, place, inputs = Names(**how), 0, 3
    for maps in VGG[depth]:
        if maps == "M":
            place += 1
            continue
        names.conv(f"features.{place}", names.thin(maps), inputs, 3)
        inputs = names.thin(maps)
        if norm:
            names.norm(f"features.{place + 1}", inputs)
        place += 3 if norm else 2
    names.classifier((0, 3, 6), 49 * inputs)
    return names.shapes


BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(depth, **how):
    names, wider = Names(**how), 4 if depth >= 50 else 1
    inputs = names.thin(64)
    names.conv("conv1", inputs, 3, 7, bias=False)
    names.norm("bn1", inputs)
    for level, (count, full) in enumerate(zip(BLOCKS[depth], (64, 128, 256, 512), strict=True), 1):
        n = names.thin(full)
        for i in range(count):
            block = f"layer{level}.{i}"
            layers = [(n, inputs, 3), (n, n, 3)] if wider == 1 else [(n, inputs, 1), (n, n, 3), (4 * n, n, 1)]
            for j, layer in enumerate(layers, 1):
                names.conv(f"{block}.conv{j}", *layer, bias=False)
                names.norm(f"{block}.bn{j}", layer[0])
            if i == 0 and (level > 1 or wider == 4):
                names.conv(f"{block}.downsample.0", wider * n, inputs, 1, bias=False)
                names.norm(f"{block}.downsample.1", wider * n)
            inputs = wider * n
    names.linear("fc", names.classes, inputs)
    return names.shapes


INCEPTIONS = """
3a 192 64 96 128 16 32 32
3b 256 128 128 192 32 96 64
4a 480 192 96 208 16 48 64
4b 512 160 112 224 24 64 64
4c 512 128 128 256 24 64 64
4d 512 112 144 288 32 64 64
4e 528 256 160 320 32 128 128
5a 832 256 160 320 32 128 128
5b 832 384 192 384 48 128 128
"""


def googlenet(auxiliary=True):
    names = Names()

    def unit(name, outputs, inputs, kernel):
        names.conv(f"{name}.conv", outputs, inputs, kernel, bias=False)
        names.norm(f"{name}.bn", outputs)

    unit("conv1", 64, 3, 7)
    unit("conv2", 64, 64, 1)
    unit("conv3", 192, 64, 3)
    for line in INCEPTIONS.split("\n")[1:-1]:
        name, *sizes = line.split()
        inputs, one, read3, three, read5, five, projected = map(int, sizes)
        unit(f"inception{name}.branch1", one, inputs, 1)
        unit(f"inception{name}.branch2.0", read3, inputs, 1)
        unit(f"inception{name}.branch2.1", three, read3, 3)
        unit(f"inception{name}.branch3.0", read5, inputs, 1)
        unit(f"inception{name}.branch3.1", five, read5, 3)
        unit(f"inception{name}.branch4.1", projected, inputs, 1)
    for head, inputs in (("aux1", 512), ("aux2", 528)) if auxiliary else ():
        unit(f"{head}.conv", 128, inputs, 1)
        names.linear(f"{head}.fc1", 1024, 2048)
        names.linear(f"{head}.fc2", 1000, 1024)
    names.linear("fc", 1000, 1024)
    return names.shapes


ALL = [
    (networks.AlexNet(towers=1), alexnet()),
    *((networks.VGG(depth, norm), vgg(depth, norm)) for depth in VGG for norm in (False, True)),
    *((networks.ResNet(depth), resnet(depth)) for depth in BLOCKS),
    *((networks.GoogLeNet(True, auxiliary), googlenet(auxiliary)) for auxiliary in (False, True)),
]


@pytest.mark.parametrize(("spec", "shapes"), ALL, ids=lambda v: "" if isinstance(v, dict) else repr(v))
def test_every_name_and_shape_of_torchvision_and_no_other(spec, shapes):
    """On the meta device, which keeps no numbers; a name that lacks, or that is not ours, would be an error."""
    with torch.device("meta"):
        network = spec.build((3, 224, 224), 1000)
        given = {name: torch.empty(shape) for name, shape in shapes.items()}
    networks.load_weights(network, given)
    assert sum(t.numel() for t in network.state_dict().values()) == sum(t.numel() for t in given.values())
    for name in list(given)[::31]:
        if not name.endswith("num_batches_tracked"):
            with pytest.raises(DataError, match=rf"^the weights do not fit: missing {name}; in load_weights; "):
                networks.load_weights(network, {k: v for k, v in given.items() if k != name})


def drawn(shapes, seed=0):
    """Distinct numbers that keep signals of a sound size, in float64."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=rng, dtype=torch.float64)
        if name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif name.endswith("num_batches_tracked"):
            values = torch.tensor(7)
        elif len(shape) > 1:
            values *= (2 / values[0].numel()) ** 0.5
        state[name] = values
    return state


def normalised(x, state, name):
    parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *parts)


def resnet18(state, x):
    """ResNet-18 as torchvision runs it, in functions alone."""
    x = F.relu(normalised(F.conv2d(x, state["conv1.weight"], stride=2, padding=3), state, "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for level in (1, 2, 3, 4):
        for i in (0, 1):
            block, stride = f"layer{level}.{i}", 2 if level > 1 and i == 0 else 1
            h = F.conv2d(x, state[f"{block}.conv1.weight"], stride=stride, padding=1)
            h = F.conv2d(F.relu(normalised(h, state, f"{block}.bn1")), state[f"{block}.conv2.weight"], padding=1)
            if f"{block}.downsample.0.weight" in state:
                x = F.conv2d(x, state[f"{block}.downsample.0.weight"], stride=stride)
                x = normalised(x, state, f"{block}.downsample.1")
            x = F.relu(normalised(h, state, f"{block}.bn2") + x)
    return F.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


def bottlenecks(state, x):
    """ResNet-50 as torchvision runs it: the middle convolution halves."""
    x = F.relu(normalised(F.conv2d(x, state["conv1.weight"], stride=2, padding=3), state, "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for level, count in enumerate(BLOCKS[50], 1):
        for i in range(count):
            block, stride = f"layer{level}.{i}", 2 if level > 1 and i == 0 else 1
            h = F.relu(normalised(F.conv2d(x, state[f"{block}.conv1.weight"]), state, f"{block}.bn1"))
            h = F.conv2d(h, state[f"{block}.conv2.weight"], stride=stride, padding=1)
            h = F.conv2d(F.relu(normalised(h, state, f"{block}.bn2")), state[f"{block}.conv3.weight"])
            if i == 0:
                x = F.conv2d(x, state[f"{block}.downsample.0.weight"], stride=stride)
                x = normalised(x, state, f"{block}.downsample.1")
            x = F.relu(normalised(h, state, f"{block}.bn3") + x)
    return F.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


def vgg_in_functions(depth, norm):
    def run(state, x):
        place = 0
        for maps in VGG[depth]:
            if maps == "M":
                x, place = F.max_pool2d(x, 2), place + 1
                continue
            x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
            x = F.relu(normalised(x, state, f"features.{place + 1}") if norm else x)
            place += 3 if norm else 2
        return dense(state, F.adaptive_avg_pool2d(x, 7), (0, 3, 6))

    return run


def dense(state, x, places):
    x = x.flatten(1)
    for place in places:
        x = F.linear(x, state[f"classifier.{place}.weight"], state[f"classifier.{place}.bias"])
        x = x if place == places[-1] else F.relu(x)
    return x


def alexnet_in_functions(state, x):
    strides, paddings, pooled = {0: 4}, {0: 2, 3: 2}, (0, 3, 10)
    for place in (0, 3, 6, 8, 10):
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, strides.get(place, 1), paddings.get(place, 1)))
        x = F.max_pool2d(x, 3, 2) if place in pooled else x
    return dense(state, F.adaptive_avg_pool2d(x, 6), (1, 4, 6))


def googlenet_in_functions(state, x):
    def unit(name, x, stride=1):
        weight = state[f"{name}.conv.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        parts = (state[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.relu(F.batch_norm(x, *parts, eps=1e-3))

    x = F.max_pool2d(unit("conv1", x, stride=2), 3, 2, ceil_mode=True)
    x = F.max_pool2d(unit("conv3", unit("conv2", x)), 3, 2, ceil_mode=True)
    for line in INCEPTIONS.split("\n")[1:-1]:
        name = f"inception{line.split()[0]}"
        two, three = (unit(f"{name}.{branch}.1", unit(f"{name}.{branch}.0", x)) for branch in ("branch2", "branch3"))
        four = unit(f"{name}.branch4.1", F.max_pool2d(x, 3, 1, 1))
        x = torch.cat([unit(f"{name}.branch1", x), two, three, four], dim=1)
        if name[-2:] in ("3b", "4e"):
            x = F.max_pool2d(x, 3 if name[-2:] == "3b" else 2, 2, ceil_mode=True)
    return F.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


SAME = {
    "resnet18": (networks.ResNet(18, width=0.1), resnet(18, share=0.1), resnet18, 64),
    "resnet50": (networks.ResNet(50, width=0.1), resnet(50, share=0.1), bottlenecks, 64),
    "vgg11": (networks.VGG(11, width=0.1), vgg(11, share=0.1), vgg_in_functions(11, False), 64),
    "vgg13_bn": (networks.VGG(13, True, 0.1), vgg(13, True, share=0.1), vgg_in_functions(13, True), 71),
    "alexnet": (networks.AlexNet(1, 0.1), alexnet(share=0.1), alexnet_in_functions, 100),
    "googlenet": (networks.GoogLeNet(True, False), googlenet(auxiliary=False), googlenet_in_functions, 64),
}


@pytest.mark.parametrize(("spec", "shapes", "oracle", "side"), SAME.values(), ids=SAME)
def test_the_same_function_as_in_torchvision(spec, shapes, oracle, side):
    network = spec.build((3, side, side), 1000).double().eval()
    state = drawn(shapes)
    networks.load_weights(network, state)
    x = torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = oracle(state, x)
        torch.testing.assert_close(network(x), expected)
    assert expected.std() > 1e-3


@pytest.fixture
def small():
    return networks.ResNet(18, width=0.05).build((3, 32, 32), 5)


def state_of_small(classes=5):
    return {
        name: t.float() if t.is_floating_point() else t
        for name, t in drawn(resnet(18, share=0.05, classes=classes)).items()
    }


def test_a_file_is_read(small, tmp_path):
    save_file(state_of_small(), tmp_path / "w.safetensors")
    networks.load_weights(small, tmp_path / "w.safetensors")
    assert torch.equal(small.trunk.conv1.conv.weight, state_of_small()["conv1.weight"])
    assert torch.equal(small.trunk.conv1.bn.num_batches_tracked, torch.tensor(7))
    networks.load_weights(small, str(tmp_path / "w.safetensors"))


def test_numbers_take_the_networks_own_type_and_old_files_lack_counters(small):
    old = {name: t.half() for name, t in state_of_small().items() if not name.endswith("num_batches_tracked")}
    networks.load_weights(small, old)
    assert small.trunk.output.weight.dtype == torch.float32
    assert torch.equal(small.trunk.output.weight, old["fc.weight"].float())


def test_a_network_within_a_module_is_found(small):
    networks.load_weights(nn.Sequential(nn.Flatten(), small), state_of_small())
    assert torch.equal(small.trunk.output.bias, state_of_small()["fc.bias"])


def test_the_last_layer_is_left_out_only_when_asked(small):
    other, before = state_of_small(classes=9), small.trunk.output.weight.clone()
    with pytest.raises(DataError) as caught:
        networks.load_weights(small, other)
    assert str(caught.value) == (
        "the weights do not fit: fc.weight of shape (9, 26) instead of (5, 26) and fc.bias of shape (9,) instead of "
        "(5,); in load_weights; the state dict of the same network; head=False where only the number of classes differs"
    )
    networks.load_weights(small, other, head=False)
    assert torch.equal(small.trunk.output.weight, before)
    assert torch.equal(small.trunk.conv1.conv.weight, other["conv1.weight"])
    with pytest.raises(DataError, match=r"^the weights do not fit: unexpected head\.weight; "):
        networks.load_weights(small, other | {"head.weight": other["fc.weight"]}, head=False)


def test_the_heads_of_googlenet_are_left_out_too():
    with torch.device("meta"):
        network = networks.GoogLeNet(norm=True).build((3, 224, 224), 7)
        given = {name: torch.empty(shape) for name, shape in googlenet().items()}
    networks.load_weights(network, given, head=False)
    with pytest.raises(DataError) as caught:
        networks.load_weights(network, given)
    assert str(caught.value).startswith(
        "the weights do not fit: fc.weight of shape (1000, 1024) instead of (7, 1024) and "
        "fc.bias of shape (1000,) instead of (7,) and aux1.fc2.weight of shape (1000, 1024) instead of (7, 1024) "
        "and 3 more; in load_weights; "
    )


@pytest.mark.parametrize("auxiliary", [False, True])
def test_heads_there_or_not_are_named(auxiliary):
    with torch.device("meta"):
        network = networks.GoogLeNet(norm=True, auxiliary=not auxiliary).build((3, 224, 224), 1000)
        given = {name: torch.empty(shape) for name, shape in googlenet(auxiliary).items()}
    with pytest.raises(DataError) as caught:
        networks.load_weights(network, given)
    fault = "unexpected" if auxiliary else "missing"
    assert str(caught.value).startswith(f"the weights do not fit: {fault} aux1.conv.conv.weight and ")
    assert str(caught.value).endswith(f"; networks.GoogLeNet(auxiliary={auxiliary})")


def test_weights_that_fail_leave_the_network_as_it_was(small):
    before = {name: t.clone() for name, t in small.state_dict().items()}
    bad = state_of_small() | {"fc.bias": torch.zeros(4), "more": torch.zeros(1)}
    del bad["layer4.1.bn2.weight"]
    with pytest.raises(DataError) as caught:
        networks.load_weights(small, bad)
    assert str(caught.value) == (
        "the weights do not fit: missing layer4.1.bn2.weight, unexpected more, fc.bias of shape (4,) instead of (5,); "
        "in load_weights; the state dict of the same network; check depth, norm and width"
    )
    assert all(torch.equal(t, before[name]) for name, t in small.state_dict().items())


def test_a_pickle_is_refused_with_the_way_to_convert_it(small, tmp_path):
    path = tmp_path / "resnet18.pth"
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(DataError) as caught:
        networks.load_weights(small, path)
    assert str(caught.value) == (
        f"resnet18.pth is not read: a pickle can run any program; at {path}; a .safetensors file or a mapping of "
        "tensors; convert it: safetensors.torch.save_file(torch.load(path, weights_only=True), 'weights.safetensors')"
    )


def test_the_advice_works(small, tmp_path):
    torch.save(state_of_small(), tmp_path / "resnet18.pth")
    save_file(torch.load(tmp_path / "resnet18.pth", weights_only=True), tmp_path / "weights.safetensors")
    networks.load_weights(small, tmp_path / "weights.safetensors")


def test_files_that_cannot_be_read(small, tmp_path):
    for name, content in (("cut", b"\x10\x00"), ("missing", None)):
        path = tmp_path / f"{name}.safetensors"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            networks.load_weights(small, path)
        assert str(caught.value).startswith("the weights cannot be read (")
        assert str(caught.value).endswith(f"); at {path}; fetch the file again")
    with pytest.raises(DataError) as caught:
        networks.load_weights(small, {"fc.bias": [0.0] * 5})
    assert str(caught.value) == "fc.bias is no tensor; in load_weights; tensors by name"


@pytest.mark.parametrize(
    "spec",
    [
        networks.MLP(),
        networks.LeNet5(),
        networks.AlexNet(2, 0.05),
        networks.OverFeat("fast", 0.02),
        networks.GoogLeNet(width=0.05),
        networks.ResNet(18, plain=True, width=0.05),
    ],
    ids=repr,
)
def test_networks_that_torchvision_has_no_weights_for(spec):
    with pytest.raises(SettingError) as caught:
        networks.load_weights(spec.build((3, 71, 71), 3), {})
    assert str(caught.value) == (
        "torchvision has no weights for this network; in load_weights; networks.AlexNet(towers=1), networks.VGG, "
        "networks.GoogLeNet(norm=True) or networks.ResNet"
    )
