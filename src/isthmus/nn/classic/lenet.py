"""LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998): as published, and as it is built today."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import SettingError
from isthmus.nn.activations import Bend
from isthmus.nn.classic.network import Network
from isthmus.nn.classic.parts import begin, begin_as_he, flat
from isthmus.nn.classic.shapes import check_image, enlarged
from isthmus.nn.initialisation import Fans, spread

SIDE = 32  # pixels; the characters of the paper are 20 to 28 within
CODE = 84  # numbers of F6
# Table I of the paper: the maps of S2 that each map of C3 reads
CONNECTIONS = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *(tuple((i + j) % 6 for j in range(4)) for i in range(6)),
    *((i, i + 1, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)


def lenet5(shape: Sequence[int], outputs: int, variant: str = "modern") -> Network:
    """Stages c1, s2, c3, s4, c5, f6, output; images below 32 × 32 are enlarged.

    "1998": units of 1.7159 tanh(⅔a) throughout, subsampling with a coefficient and a bias a map, C3 connected by
    Table I, weights U(±2.4/n), and Euclidean radial basis functions that compare F6 with fixed codes of ±1, at most
    84 classes: 60,000 trainable parameters on gray images, whatever the classes. The codes are rows of a Hadamard
    matrix, any two of which differ in 42 places; the paper drew characters. "modern": rectifiers, the maximum of each
    2 × 2 pixels, every map of C3 connected to all, a linear output, He's weights: 61,706 with ten classes.
    Of maps that images above 32 × 32 leave larger than C5 reads, averages are taken.
    """
    first, (channels, *_) = enlarged(check_image("LeNet5", shape, outputs), SIDE)
    if variant == "modern":
        return begin_as_he(Network(first | _modern(channels, outputs)))
    network = Network(first | _published(channels, outputs))
    begin(network, spread(2.4))
    return network


def _published(channels: int, outputs: int) -> dict[str, nn.Module]:
    return {
        "c1": nn.Sequential(nn.Conv2d(channels, 6, 5), Bend("scaled_tanh")),
        "s2": nn.Sequential(Subsampling(6), Bend("scaled_tanh")),
        "c3": nn.Sequential(Partial(CONNECTIONS, 5), Bend("scaled_tanh")),
        "s4": nn.Sequential(Subsampling(16), Bend("scaled_tanh")),
        "c5": nn.Sequential(nn.AdaptiveAvgPool2d(5), nn.Conv2d(16, 120, 5), Bend("scaled_tanh"), nn.Flatten()),
        "f6": nn.Sequential(nn.Linear(120, CODE), Bend("scaled_tanh")),
        "output": Nearest(codes(outputs)),
    }


def _modern(channels: int, outputs: int) -> dict[str, nn.Module]:
    return {
        "c1": nn.Sequential(nn.Conv2d(channels, 6, 5), nn.ReLU()),
        "s2": nn.MaxPool2d(2),
        "c3": nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU()),
        "s4": nn.MaxPool2d(2),
        "c5": nn.Sequential(flat(5), nn.Linear(400, 120), nn.ReLU()),
        "f6": nn.Sequential(nn.Linear(120, CODE), nn.ReLU()),
        "output": nn.Linear(CODE, outputs),
    }


class Subsampling(nn.Module):
    """The sum of each 2 × 2 pixels, times a coefficient, plus a bias, one of each a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        spread(2.4)(self.coefficient, Fans(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return 4 * F.avg_pool2d(x, 2) * self.coefficient + self.bias


class Partial(nn.Module):
    """A convolution whose output maps each read the listed maps only; there are weights for those, and no others."""

    places: Tensor

    def __init__(self, connections: Sequence[Sequence[int]], kernel: int) -> None:
        super().__init__()
        self.inputs = 1 + max(max(read) for read in connections)
        links = [(i, read) for i, maps in enumerate(connections) for read in sorted(maps)]
        self.kernels = nn.Parameter(torch.empty(len(links), kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(len(connections)))
        self.register_buffer("places", torch.tensor([i * self.inputs + read for i, read in links]), persistent=False)
        with torch.no_grad():
            for kernels, (i, _) in zip(self.kernels, links, strict=True):
                spread(2.4)(kernels, Fans(len(connections[i]) * kernel * kernel, 1))

    def weight(self) -> Tensor:
        """As of a full convolution, (outputs, inputs, height, width): 0 where maps are not connected."""
        outputs, extents = len(self.bias), self.kernels.shape[1:]
        full = self.kernels.new_zeros(outputs * self.inputs, *extents).index_add(0, self.places, self.kernels)
        return full.reshape(outputs, self.inputs, *extents)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias)


class Nearest(nn.Module):
    """−‖x − w‖²/√F for each class's fixed code w of F numbers: the logits of radial basis functions.

    The paper has no divisor, which leaves the nearest code the nearest; but the distances are too far apart for a
    softmax: after four epochs on 20,000 digits of MNIST 5.8 % of the test digits are named wrongly, 3.3 % with it.
    """

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)  # (outputs, F)
        self.scale = float(codes.shape[1]) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return -(x.unsqueeze(-2) - self.codes).square().sum(-1) / self.scale


def codes(outputs: int) -> Tensor:
    """A code of ±1 for each class, (outputs, 84): rows of the Hadamard matrix of order 83 + 1 (Paley 1933).

    Raises
    ------
    SettingError
        Where there are more classes than rows.
    """
    if outputs > CODE:
        raise SettingError(
            f"LeNet-5 of 1998 cannot tell {outputs} classes apart",
            where="in outputs",
            expected=f"at most {CODE}, the numbers of its codes",
            hint="variant='modern' has no such bound",
        )
    prime = CODE - 1
    squares = {i * i % prime for i in range(1, prime)}
    residues = [[1 if i == j or (i - j) % prime in squares else -1 for j in range(prime)] for i in range(prime)]
    rows = [[1] * CODE, *([-1, *row] for row in residues)]
    return torch.tensor(rows[:outputs], dtype=torch.get_default_dtype())
