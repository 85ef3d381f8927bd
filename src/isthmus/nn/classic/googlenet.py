"""GoogLeNet (Szegedy and others 2014): inception blocks, as in the paper and batch-normalised as users have it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin_as_he, dense, flat, rectified, response_norm
from isthmus.nn.classic.shapes import check_image, enlarged, thin

# Table 1: maps of 1 × 1, of 3 × 3 and what it reads, of 5 × 5 and what it reads, and of the pool's projection
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
HEADED = ("4a", "4d")  # the blocks that auxiliary heads read


class Inception(nn.Module):
    """What four branches make of the same maps, side by side, as one map of all their channels."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        for i, branch in enumerate(branches, 1):
            self.add_module(f"branch{i}", branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


@dataclass(frozen=True)
class Form:
    """One of the two forms, and the share of the published widths."""

    norm: bool
    width: float

    def unit(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
        conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=not self.norm)
        return rectified(conv, nn.BatchNorm2d(outputs, eps=1e-3) if self.norm else None)

    def inception(self, inputs: int, maps: Sequence[int]) -> Inception:
        one, read3, three, read5, five, projected = maps
        return Inception(
            (
                self.unit(inputs, one, 1),
                nn.Sequential(self.unit(inputs, read3, 1), self.unit(read3, three, 3)),
                nn.Sequential(self.unit(inputs, read5, 1), self.unit(read5, five, 3 if self.norm else 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), self.unit(inputs, projected, 1)),
            )
        )

    def head(self, inputs: int, outputs: int, side: int) -> nn.Sequential:
        """An auxiliary head on maps of at least `side` pixels a side."""
        maps, hidden = thin(128, self.width), thin(1024, self.width)
        pools = [] if self.norm or side < 5 else [nn.AvgPool2d(5, 3)]  # makes 4 × 4 of 14 × 14
        linear, relu, drop = dense(16 * maps, hidden, dropout=0.7)
        layers = OrderedDict[str, nn.Module](
            pool=nn.Sequential(*pools, nn.AdaptiveAvgPool2d(4)),
            conv=self.unit(inputs, maps, 1),
            flat=nn.Flatten(),
            fc1=linear,
            relu=relu,
            drop=drop,
            fc2=nn.Linear(hidden, outputs),
        )
        return nn.Sequential(layers)


def googlenet(
    shape: Sequence[int], outputs: int, norm: bool = False, auxiliary: bool = True, width: float = 1.0
) -> Network:
    """Stages conv1, pool1, conv2_reduce, conv2, pool2, inception3a … pool3 … inception5b, flat, output.

    As in the paper (`norm=False`; also norm1 and norm2, which normalise by neighbouring maps): on (3, 224, 224) with
    1000 classes 6,998,552 parameters, 13,378,280 with the heads. The rows of the paper's Table 1 count in units of
    1024 and lie within 10 % of these, but for the first layer, whose 2.7K are 9.4K. As users of torchvision have it
    (`norm=True`): batch normalisation instead of biases, 3 × 3 where the paper has 5 × 5, a last pool of 2 × 2:
    6,624,904, and 13,004,888 with the heads. Weights are He's, of which the paper says nothing. In training mode the
    network gives (logits, head, head), each head counting 0.3. Images below 32 pixels are enlarged.
    """
    first, (channels, *sides) = enlarged(check_image("GoogLeNet", shape, outputs), 32)
    form = Form(norm, width)
    stages, maps = first | _stem(form, channels), thin(192, width)
    heads: dict[str, nn.Module] = {}
    for name, full in INCEPTIONS.items():
        block = [thin(n, width) for n in full]
        stages[f"inception{name}"] = form.inception(maps, block)
        maps = block[0] + block[2] + block[4] + block[5]
        if auxiliary and name in HEADED:
            heads[f"inception{name}"] = form.head(maps, outputs, _sixteenth(min(sides)))
        if name in ("3b", "4e"):
            kernel = 2 if norm and name == "4e" else 3
            stages[f"pool{name[0]}"] = nn.MaxPool2d(kernel, 2, ceil_mode=True)
    dropout = 0.2 if norm else 0.4
    stages |= {"flat": flat(1), "output": nn.Sequential(nn.Dropout(dropout), nn.Linear(maps, outputs))}
    return begin_as_he(Network(stages, heads, family="googlenet" if norm else ""))


def _stem(form: Form, channels: int) -> dict[str, nn.Module]:
    a, b = thin(64, form.width), thin(192, form.width)
    stages: dict[str, nn.Module] = {
        "conv1": form.unit(channels, a, 7, stride=2),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "norm1": response_norm(),
        "conv2_reduce": form.unit(a, a, 1),
        "conv2": form.unit(a, b, 3),
        "norm2": response_norm(),
        "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
    }
    return {name: stage for name, stage in stages.items() if not (form.norm and "norm" in name)}


def _sixteenth(side: int) -> int:
    """The side of the maps at the fourth size: a convolution of stride 2, then three pools."""
    side = (side + 1) // 2
    for _ in range(3):
        side //= 2  # a window of 3 that may hang over by one
    return side
