"""ResNet (He, Zhang, Ren & Sun 2015): blocks that add what they learn to what they read; and the plain twin."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin_as_he, flat, rectified
from isthmus.nn.classic.shapes import check_image, enlarged, thin

# depth -> blocks at each of four sizes, and whether they are bottlenecks (Table 1)
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
WIDTHS = (64, 128, 256, 512)


class Residual(nn.Module):
    """relu(branch(x) + shortcut(x))."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x))


def resnet(shape: Sequence[int], outputs: int, depth: int = 18, plain: bool = False, width: float = 1.0) -> Network:
    """Stages conv1, pool1, conv2, conv3, conv4, conv5 (the blocks of each size), flat, output.

    With 1000 classes 11,689,512, 21,797,672, 25,557,032, 44,549,160 and 60,192,808 parameters. Shortcuts are
    projections where the shape changes, else the identity (option B); a bottleneck halves in its 3 × 3 convolution,
    as torchvision has it, where the paper halves in the first. `plain` leaves the shortcuts out, projections too.
    Weights are He's. Images below 32 pixels are enlarged: they are halved five times.
    """
    stages, (channels, *_) = enlarged(check_image("ResNet", shape, outputs), 32)
    counts, narrow = DEPTHS[depth]
    maps = thin(WIDTHS[0], width)
    conv = nn.Conv2d(channels, maps, 7, stride=2, padding=3, bias=False)
    stages |= {"conv1": rectified(conv, nn.BatchNorm2d(maps)), "pool1": nn.MaxPool2d(3, 2, padding=1)}
    for level, (count, full) in enumerate(zip(counts, WIDTHS, strict=True), 2):
        blocks = []
        for i in range(count):
            stride = 2 if level > 2 and i == 0 else 1
            blocks.append(_block(maps, thin(full, width), stride, narrow, plain))
            maps = thin(full, width) * (4 if narrow else 1)
        stages[f"conv{level}"] = nn.Sequential(*blocks)
    stages |= {"flat": flat(1), "output": nn.Linear(maps, outputs)}
    return begin_as_he(Network(stages, family="" if plain else "resnet"))


def _block(inputs: int, maps: int, stride: int, narrow: bool, plain: bool) -> nn.Module:
    branch = (_bottleneck if narrow else _basic)(inputs, maps, stride)
    if plain:
        return nn.Sequential(OrderedDict(branch=branch, relu=nn.ReLU()))
    outputs = 4 * maps if narrow else maps
    if (inputs, stride) == (outputs, 1):
        return Residual(branch, nn.Identity())
    projection = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return Residual(branch, nn.Sequential(projection, nn.BatchNorm2d(outputs)))


def _basic(inputs: int, maps: int, stride: int) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(inputs, maps, 3, stride=stride, padding=1, bias=False),
        bn1=nn.BatchNorm2d(maps),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(maps, maps, 3, padding=1, bias=False),
        bn2=nn.BatchNorm2d(maps),
    )
    return nn.Sequential(layers)


def _bottleneck(inputs: int, maps: int, stride: int) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(inputs, maps, 1, bias=False),
        bn1=nn.BatchNorm2d(maps),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(maps, maps, 3, stride=stride, padding=1, bias=False),
        bn2=nn.BatchNorm2d(maps),
        relu2=nn.ReLU(),
        conv3=nn.Conv2d(maps, 4 * maps, 1, bias=False),
        bn3=nn.BatchNorm2d(4 * maps),
    )
    return nn.Sequential(layers)
