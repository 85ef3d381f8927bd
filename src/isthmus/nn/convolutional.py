"""Convolutional networks: levels that halve a map's extents down to a code, and levels that restore them exactly.

A row is a map (C, *extents) of one, two or three extents: a signal, an image, a volume. Halving rounds up, so that maps
of any size, odd ones too, come back at their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import SettingError
from isthmus.nn.activations import ACTIVATIONS
from isthmus.nn.initialisation import INITIALISATIONS, Fans, fans
from isthmus.nn.perceptron import Layered, Perceptron, Transposed

if TYPE_CHECKING:
    from isthmus.nn.dense import Dense

Shape = tuple[int, ...]  # C and the extents of a map
CONVOLUTION: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Any] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
POOL: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
GROUP = 8  # channels that a group of the normalisation has, about


@dataclass(frozen=True)
class Style:
    """What all levels share: width of the kernels, residual blocks a level, normalisation in groups, activation.

    `initialisation` is one of `INITIALISATIONS`, or "auto": He's where a rectifier follows, else Glorot's.
    """

    kernel: int = 3
    blocks: int = 0
    norm: bool = False
    activation: str = "silu"
    initialisation: str = "auto"

    def start(self, weight: Tensor, fan: Fans) -> None:
        name = "he" if ACTIVATIONS[self.activation].rectified else "xavier"
        INITIALISATIONS[name if self.initialisation == "auto" else self.initialisation](weight, fan)

    def bend(self, a: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation].function(a)

    def normal(self, channels: int) -> nn.Module:
        """Group normalisation (Wu & He 2018), or nothing."""
        if not self.norm:
            return nn.Identity()
        return nn.GroupNorm(max(g for g in range(1, 1 + max(1, channels // GROUP)) if channels % g == 0), channels)


def as_map(shape: Shape) -> Shape:
    """The shape of a row as a map: a row without extents is a signal of one channel.

    Raises
    ------
    SettingError
        Where there are more than three extents.
    """
    shape = (1, *shape) if len(shape) == 1 else tuple(shape)
    if len(shape) - 1 not in CONVOLUTION:
        raise SettingError(
            f"rows of shape {shape} have {len(shape) - 1} extents",
            where="in a convolution",
            expected="(channels, length), (channels, height, width) or (channels, depth, height, width)",
            hint="set input_shape",
        )
    return shape


def halvings(extents: Sequence[int], levels: int) -> list[Shape]:
    """The extents before and after each of so many halvings that round up."""
    found = [tuple(extents)]
    for _ in range(levels):
        found.append(tuple(-(-extent // 2) for extent in found[-1]))
    return found


class Residual(nn.Module):
    """x + W₂ s(W₁ s(x)), both normalised where asked; W₂ starts at 0, so that blocks begin as the identity.

    He 2016 (pre-activation), with the start of Zhang 2019 (Fixup), which trains deep stacks without normalisation.
    """

    def __init__(self, channels: int, dims: int, style: Style) -> None:
        super().__init__()
        self.style = style
        self.norms = nn.ModuleList(style.normal(channels) for _ in range(2))
        self.first = _convolution(channels, channels, dims, style)
        self.second = _convolution(channels, channels, dims, style)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        a = x
        for norm, layer in zip(self.norms, (self.first, self.second), strict=True):
            a = layer(_padded(self.style.bend(norm(a)), self.style.kernel, 1))
        return x + a


class Down(nn.Module):
    """A convolution that halves every extent, or one that keeps them and a maximum over pairs; then residual blocks."""

    def __init__(self, inputs: int, outputs: int, dims: int, style: Style, pooled: bool) -> None:
        super().__init__()
        self.style = style
        self.convolution = _convolution(inputs, outputs, dims, style, stride=1 if pooled else 2)
        self.pool = POOL[dims](2, ceil_mode=True) if pooled else nn.Identity()
        self.norm = style.normal(outputs)
        self.blocks = nn.Sequential(*(Residual(outputs, dims, style) for _ in range(style.blocks)))

    def convolved(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.convolution(_padded(x, self.style.kernel, self.convolution.stride[0])))

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.blocks(self.style.bend(self.norm(self.pool(self.convolved(x))))))


class Up(nn.Module):
    """Residual blocks, then a map brought to given extents: by a transposed convolution, or resized and convolved."""

    def __init__(self, inputs: int, outputs: int, extents: Shape, style: Style, resized: bool) -> None:
        super().__init__()
        self.style, self.extents, self.resized = style, extents, resized
        dims = len(extents)
        self.blocks = nn.Sequential(*(Residual(inputs, dims, style) for _ in range(style.blocks)))
        if resized:
            self.convolution = _convolution(inputs, outputs, dims, style)
        else:
            self.weight = nn.Parameter(torch.empty(inputs, outputs, *[style.kernel] * dims))
            self.bias = nn.Parameter(torch.zeros(outputs))
            # an output is met by every input channel, through half of the kernel's places an extent
            places = max(1, round((style.kernel / 2) ** dims))
            style.start(self.weight, Fans(inputs * places, outputs * style.kernel**dims))

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        if self.resized:
            x = F.interpolate(x, size=self.extents, mode="nearest")
            return cast("Tensor", self.convolution(_padded(x, self.style.kernel, 1)))
        return transposed(x, self.weight, self.bias, self.extents)


def transposed(x: Tensor, weight: Tensor, bias: Tensor | None, extents: Shape) -> Tensor:
    """The adjoint of a convolution of stride 2 with `weight`, (outputs, inputs, k, …), to the extents it came from."""
    k = weight.shape[-1]
    pad = (k - 1) // 2
    natural = [2 * (n - 1) - 2 * pad + k for n in x.shape[2:]]
    extra = [max(0, wanted - n) for wanted, n in zip(extents, natural, strict=True)]
    y = TRANSPOSED[len(extents)](x, weight, bias, stride=2, padding=pad, output_padding=extra)
    cut = (slice(0, wanted) for wanted in extents)  # a kernel of even width passes an odd extent by one
    return cast("Tensor", y if tuple(y.shape[2:]) == tuple(extents) else y[(..., *cut)])


def _convolution(inputs: int, outputs: int, dims: int, style: Style, stride: int = 1) -> Any:
    layer = CONVOLUTION[dims](inputs, outputs, style.kernel, stride=stride, padding=(style.kernel - 1) // 2)
    style.start(layer.weight, fans(layer.weight))
    nn.init.zeros_(layer.bias)
    return layer


def _padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """With a 0 behind where an even kernel would else lose an entry: extents are kept, and halving rounds up."""
    if kernel % 2:
        return x
    after = [int(stride == 1 or n % 2) for n in reversed(x.shape[2:])]
    return F.pad(x, [pad for end in after for pad in (0, end)]) if any(after) else x


class ConvolutionalEncoder(Layered):
    """Rows (N, C·extents) → (N, outputs): levels of convolutions, then a perceptron, or a map where it is `spatial`."""

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        outputs: int,
        style: Style,
        pooled: bool,
        hidden: Sequence[int] | None,
    ) -> None:
        """`hidden`: widths of layers between the last level and the output; None: the output is a map itself."""
        super().__init__()
        self.shape, self.style, self.pooled = as_map(shape), style, pooled
        self.inputs, self.outputs = prod(self.shape), outputs
        dims = len(self.shape) - 1
        self.extents = halvings(self.shape[1:], len(channels))
        widths = [self.shape[0], *channels]
        self.levels = nn.ModuleList(Down(m, n, dims, style, pooled) for m, n in zip(widths, channels, strict=False))
        places = prod(self.extents[-1])
        self.head: nn.Module = (
            CONVOLUTION[dims](channels[-1], per_place(outputs, self.extents[-1]), 1)
            if hidden is None
            else Perceptron((channels[-1] * places, *hidden, outputs), style.activation, style.initialisation)
        )

    @property
    def spatial(self) -> bool:
        """Whether the output is a map."""
        return not isinstance(self.head, Perceptron)

    @property
    def plain(self) -> bool:
        """Whether a level is one strided convolution and an activation, and the output is no map."""
        return not (self.style.blocks or self.style.norm or self.pooled or self.spatial)

    def forward(self, x: Tensor) -> Tensor:
        a = x.reshape(len(x), *self.shape)
        for level in self.levels:
            a = level(a)
        return cast("Tensor", self.head(a if self.spatial else a.flatten(1)).flatten(1))

    def trail(self, x: Tensor) -> list[Tensor]:
        """What each convolution, then each dense layer gives before its activation; else the output alone."""
        if not self.plain:
            return [self(x)]
        a, trail = x.reshape(len(x), *self.shape), []
        for level in self.levels:
            a = cast("Down", level).convolved(a)
            trail.append(a.flatten(1))
            a = self.style.bend(a)
        return [*trail, *cast("Perceptron", self.head).trail(a.flatten(1))]

    def pulled(self, vectors: Tensor, trail: Sequence[Tensor]) -> Tensor:
        """vᵀ∂a/∂x at each row of a trail: vectors (N, R, outputs) → (N, R, inputs), layer by layer from the output."""
        bend = ACTIVATIONS[self.style.activation]
        slopes = [bend.slope(a, bend.function(a))[:, None, :] for a in trail[:-1]]
        for dense in reversed(cast("Perceptron", self.head).dense):
            vectors = (vectors @ dense.weight) * slopes.pop()
        n, r = vectors.shape[:2]
        for i in reversed(range(len(self.levels))):
            kernel = cast("Down", self.levels[i]).convolution.weight
            maps = vectors.reshape(n * r, kernel.shape[0], *self.extents[i + 1])
            vectors = transposed(maps, kernel, None, self.extents[i]).reshape(n, r, -1)
            vectors = vectors * slopes.pop() if slopes else vectors
        return vectors


def per_place(numbers: int, extents: Shape) -> int:
    """Channels of a map of these extents that has so many numbers.

    Raises
    ------
    SettingError
        Where they do not divide.
    """
    places = prod(extents)
    if numbers % places:
        size = " × ".join(map(str, extents))
        raise SettingError(
            f"{numbers} numbers are no map of {size}",
            where="in a spatial code",
            expected=f"a multiple of {places}",
            hint=f"set code_size={max(1, round(numbers / places)) * places}",
        )
    return numbers // places


class ConvolutionalDecoder(nn.Module):
    """Codes (N, inputs) → (N, C·extents): a perceptron, or a 1 × 1 convolution where the code is a map; then levels."""

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        shape: Shape,
        style: Style,
        resized: bool,
        hidden: Sequence[int] | None,
    ) -> None:
        """`hidden`: widths of layers between the code and the first level; None: the code is a map itself."""
        super().__init__()
        shape = as_map(shape)
        self.style = style
        *targets, narrow = halvings(shape[1:], len(channels))
        dims, places = len(narrow), prod(narrow)
        self.first = (channels[0], *narrow)
        self.head: nn.Module = (
            CONVOLUTION[dims](per_place(inputs, narrow), channels[0], 1)
            if hidden is None
            else Perceptron((inputs, *hidden, channels[0] * places), style.activation, style.initialisation)
        )
        widths = [*channels[1:], shape[0]]
        self.levels = nn.ModuleList(
            Up(m, n, extents, style, resized) for m, n, extents in zip(channels, widths, reversed(targets), strict=True)
        )
        self.norms = nn.ModuleList(style.normal(n) for n in channels)

    @property
    def reader(self) -> Dense | None:
        """The layer that reads the code, where it is dense."""
        return self.head.dense[0] if isinstance(self.head, Perceptron) else None

    @property
    def spatial(self) -> bool:
        """Whether the code is a map."""
        return not isinstance(self.head, Perceptron)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        if isinstance(self.head, Perceptron):
            a = self.head(z).reshape(len(z), *self.first)
        else:
            a = self.head(z.reshape(len(z), -1, *self.first[1:]))
        for norm, level in zip(self.norms, self.levels, strict=True):
            a = level(self.style.bend(norm(a)))
        return cast("Tensor", a.flatten(1))


class TransposedConvolutional(nn.Module):
    """A convolutional encoder run backwards: the same weights transposed, with biases of its own (tied weights).

    The encoder is held outside the module tree, so that each weight is saved once.

    Raises
    ------
    SettingError
        Where a level of the encoder is more than a convolution and an activation.
    """

    def __init__(self, encoder: ConvolutionalEncoder) -> None:
        super().__init__()
        if not encoder.plain:
            raise SettingError(
                "decoders.Tied transposes levels of one strided convolution each",
                where="in encoders.Convolutional",
                expected="blocks=0, norm=False, down='strided' and spatial=False",
                hint="give a decoder of its own: decoders.Convolutional()",
            )
        self._tied = (encoder,)
        self.head = Transposed(cast("Perceptron", encoder.head))
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(cast("Down", level).convolution.in_channels)) for level in reversed(encoder.levels)
        )

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        (encoder,) = self._tied
        levels = [cast("Down", level) for level in reversed(encoder.levels)]
        a = self.head(z).reshape(len(z), levels[0].convolution.out_channels, *encoder.extents[-1])
        for level, bias, extents in zip(levels, self.biases, reversed(encoder.extents[:-1]), strict=True):
            a = transposed(encoder.style.bend(a), level.convolution.weight, bias, extents)
        return a.flatten(1)
