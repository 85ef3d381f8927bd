"""VGG (Simonyan & Zisserman 2014): convolutions of 3 × 3 alone, eleven to nineteen layers with weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin_as_he, dense, flat, rectified
from isthmus.nn.classic.shapes import check_image, enlarged, thin

# depth -> convolutions before each halving (configurations A, B, D, E of Table 1)
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


def vgg(shape: Sequence[int], outputs: int, depth: int = 16, norm: bool = False, width: float = 1.0) -> Network:
    """Stages conv1_1, conv1_2, …, pool1, …, pool5, flat, fc6, fc7, output.

    On (3, 224, 224) with 1000 classes 132,863,336, 133,047,848, 138,357,544 and 143,667,240 parameters; `norm` puts
    batch normalisation after each convolution, as torchvision has it. The paper grew its deep nets from trained
    shallow ones and later names Glorot's weights; here they are He's, whose variance the depth does not wear away.
    Images below 32 pixels are enlarged; the dense layers read averages of 7 × 7 pixels.
    """
    stages, (channels, *_) = enlarged(check_image("VGG", shape, outputs), 32)
    for level, (count, full) in enumerate(zip(DEPTHS[depth], WIDTHS, strict=True), 1):
        maps = thin(full, width)
        for i in range(1, count + 1):
            conv = nn.Conv2d(channels, maps, 3, padding=1)
            stages[f"conv{level}_{i}"] = rectified(conv, nn.BatchNorm2d(maps) if norm else None)
            channels = maps
        stages[f"pool{level}"] = nn.MaxPool2d(2)
    hidden = thin(4096, width)
    stages |= {
        "flat": flat(7),
        "fc6": dense(49 * channels, hidden),
        "fc7": dense(hidden, hidden),
        "output": nn.Linear(hidden, outputs),
    }
    return begin_as_he(Network(stages, family="vgg"))
