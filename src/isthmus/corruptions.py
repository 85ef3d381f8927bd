"""Corruptions: x → (x̃, m), where m says which entries are scored (None: all)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, Flag, Number, OneOf, non_negative, positive, share
from isthmus._spec import Several, Spec
from isthmus.errors import SettingError, nearest
from isthmus.nn import warping

Corrupted = tuple[Tensor, Tensor | None]


class Columns(NamedTuple):
    """What a corruption is built for: rows of this shape, whose D columns lay between these in training, scaled."""

    low: Tensor  # (D,)
    high: Tensor
    shape: tuple[int, ...]  # (D,), (C, L) or (C, H, W)
    shift: Tensor | None = None  # (D,): input units are shift + scale · scaled ones; None: the rows as they are
    scale: Tensor | None = None


class Corruption(nn.Module):
    """Base of built corruptions: rows in, corrupted rows and the scored entries out, both (N, D)."""

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        return x, None


def _uniform(x: Tensor, rng: Generator) -> Tensor:
    return torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype)


@dataclass
class Nothing(Spec):
    """x̃ = x."""

    def build(self, columns: Columns) -> Corruption:
        return Corruption()


@dataclass
class Gaussian(Spec):
    """x̃ = x + amount·ε, ε ~ N(0, 1); `amount` is in the scaled units the network sees (Vincent 2010)."""

    amount: float = 0.3
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": non_negative()}

    def build(self, columns: Columns) -> Corruption:
        return _Gaussian(self.amount)


class _Gaussian(Corruption):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        return x + self.amount * noise, None


@dataclass
class Masking(Spec):
    """Each entry becomes 0 with probability `amount` (Vincent 2010).

    `score` says which entries the likelihood counts: "all", or only the "hidden" ones. Scoring hidden ones alone
    leaves the reconstruction of visible entries free: use it to impute, not to compress.
    """

    amount: float = 0.3
    score: str = "all"
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": share(), "score": OneOf(("all", "hidden"))}

    def build(self, columns: Columns) -> Corruption:
        return _Masking(self.amount, self.score == "hidden")


class _Masking(Corruption):
    def __init__(self, amount: float, hidden_only: bool) -> None:
        super().__init__()
        self.amount, self.hidden_only = amount, hidden_only

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        hidden = _uniform(x, rng) < self.amount
        return x.masked_fill(hidden, 0), hidden.to(x.dtype) if self.hidden_only else None


@dataclass
class SaltAndPepper(Spec):
    """Each entry becomes, with probability `amount`, its column's least or greatest training value, a coin deciding."""

    amount: float = 0.1
    constraints: ClassVar[Mapping[str, Constraint]] = {"amount": share()}

    def build(self, columns: Columns) -> Corruption:
        return _SaltAndPepper(self.amount, columns.low, columns.high)


class _SaltAndPepper(Corruption):
    low: Tensor
    high: Tensor

    def __init__(self, amount: float, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.amount = amount
        self.register_buffer("low", low.clone())  # (D,)
        self.register_buffer("high", high.clone())

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        draw = _uniform(x, rng)  # one draw decides both: below amount / 2 pepper, below amount salt
        noisy = torch.where(draw < self.amount / 2, self.low, torch.where(draw < self.amount, self.high, x))
        return noisy, None


OUTSIDE = OneOf(("edge", "low"))


class _Warp(Corruption):
    """Rows as maps, read at other places than their own; in input units, where every column means the same.

    Outside a map goes on as its border does ("edge"), or as the least value its channel had in training ("low").
    """

    gain: Tensor
    offset: Tensor
    floor: Tensor
    down: Tensor
    across: Tensor

    def __init__(self, columns: Columns, outside: str) -> None:
        super().__init__()
        shape = columns.shape if len(columns.shape) == 3 else (columns.shape[0], 1, columns.shape[1])
        shift = torch.zeros_like(columns.low) if columns.shift is None else columns.shift
        scale = torch.ones_like(columns.low) if columns.scale is None else columns.scale
        gain, offset = scale / scale.mean(), (shift - shift.mean()) / scale.mean()  # less rounding than input units
        floor = (columns.low * gain + offset).view(shape[0], -1).amin(dim=1)
        buffers = {"gain": gain.view(shape), "offset": offset.view(shape), "floor": floor[:, None, None]}
        places = {"down": warping.centred(shape[1]), "across": warping.centred(shape[2])}
        for name, tensor in (buffers | places).items():
            self.register_buffer(name, tensor.clone(), persistent=False)
        self.filled = outside == "low"

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        maps = x.reshape(len(x), *self.gain.shape) * self.gain + self.offset
        moved = warping.resampled(maps, self.points(x, rng), self.floor if self.filled else None)
        return ((moved - self.offset) / self.gain).reshape(x.shape), None

    def points(self, x: Tensor, rng: Generator) -> Tensor:
        """Where each pixel of the result is read, (N, 2, H, W)."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def spread(self, x: Tensor, numbers: int, rng: Generator) -> Tensor:
        """Uniform draws between −1 and 1, (N, numbers)."""
        return 2 * torch.rand(len(x), numbers, generator=rng, device=x.device, dtype=x.dtype) - 1

    def affine(self, matrix: Tensor, moved: Tensor) -> Tensor:
        return warping.affine(matrix, -moved, self.down, self.across)


def _check_maps(name: str, shape: tuple[int, ...], signals: bool = False) -> None:
    kinds = "images or signals" if signals else "images"
    if len(shape) not in ((2, 3) if signals else (3,)):
        raise SettingError(
            f"corruptions.{name} needs rows that are {kinds}",
            where=f"these have the shape {shape}",
            expected=f"(channels, height, width){' or (channels, length)' if signals else ''}",
            hint="set input_shape, as in input_shape=(1, 28, 28)",
        )


@dataclass
class Shift(Spec):
    """Images or signals moved by up to `pixels` each way. Not for scaling="standard", which blows up what is moved
    onto a pixel that hardly varied in training; "global" is the default for images.

    Parameters
    ----------
    pixels : float
        The farthest, along each axis.
    whole : bool
        Whole pixels only, which keep an image sharp; else any part of one, read between pixels.
    outside : {"edge", "low"}
        What comes in: the border goes on, or the least value that the channel had in training, a dark background.
    """

    pixels: float = 2.0
    whole: bool = True
    outside: str = "edge"
    constraints: ClassVar[Mapping[str, Constraint]] = {"pixels": non_negative(), "whole": Flag(), "outside": OUTSIDE}

    def build(self, columns: Columns) -> Corruption:
        _check_maps("Shift", columns.shape, signals=True)
        return _Shift(columns, self.outside, self.pixels, bool(self.whole))


class _Shift(_Warp):
    def __init__(self, columns: Columns, outside: str, pixels: float, whole: bool) -> None:
        super().__init__(columns, outside)
        self.pixels, self.whole, self.flat = pixels, whole, len(columns.shape) == 2

    def points(self, x: Tensor, rng: Generator) -> Tensor:
        draw = self.spread(x, 1 if self.flat else 2, rng)
        moved = torch.floor(draw * (self.pixels // 1 + 0.5) + 0.5) if self.whole else draw * self.pixels
        moved = torch.cat([moved, torch.zeros_like(moved)], dim=1)[:, :2]  # a signal has one axis
        return self.affine(torch.eye(2, device=x.device, dtype=x.dtype).expand(len(x), 2, 2), moved)


@dataclass
class Rotation(Spec):
    """Images turned about their centre by an angle between −`degrees` and `degrees`; `outside` as in `Shift`."""

    degrees: float = 15.0
    outside: str = "edge"
    constraints: ClassVar[Mapping[str, Constraint]] = {"degrees": Number(0, 180), "outside": OUTSIDE}

    def build(self, columns: Columns) -> Corruption:
        _check_maps("Rotation", columns.shape)
        return _Rotation(columns, self.outside, self.degrees)


class _Rotation(_Warp):
    def __init__(self, columns: Columns, outside: str, degrees: float) -> None:
        super().__init__(columns, outside)
        self.degrees = degrees

    def points(self, x: Tensor, rng: Generator) -> Tensor:
        angle = self.spread(x, 1, rng) * self.degrees * (math.pi / 180)  # (N, 1)
        return self.affine(warping.turned(angle[:, 0]), torch.zeros_like(angle).expand(-1, 2))


@dataclass
class Elastic(Spec):
    """Images whose pixels are moved by a smooth random field (Simard, Steinkraus & Platt 2003).

    Parameters
    ----------
    alpha : float
        Strength: noise in (−1, 1), smoothed, is multiplied by it to give pixels.
    sigma : float
        Standard deviation, in pixels, of the Gaussian that smooths the noise. At the paper's 4 pixels an alpha of 34
        moves pixels by 1.4 on average (root mean square) of a wide image.
    outside : {"edge", "low"}
        As in `Shift`.
    """

    alpha: float = 34.0
    sigma: float = 4.0
    outside: str = "edge"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "alpha": non_negative(),
        "sigma": positive(),
        "outside": OUTSIDE,
    }

    def build(self, columns: Columns) -> Corruption:
        _check_maps("Elastic", columns.shape)
        return _Elastic(columns, self.outside, self.alpha, self.sigma)


class _Elastic(_Warp):
    def __init__(self, columns: Columns, outside: str, alpha: float, sigma: float) -> None:
        super().__init__(columns, outside)
        self.alpha, self.sigma = alpha, sigma

    def points(self, x: Tensor, rng: Generator) -> Tensor:
        return self.still() + self.field(x, rng)

    def still(self) -> Tensor:
        """Every pixel's own place, (2, H, W)."""
        return torch.stack([self.across.expand(len(self.down), -1), self.down[:, None].expand(-1, len(self.across))])

    def field(self, x: Tensor, rng: Generator) -> Tensor:
        size = (len(x), 2, len(self.down), len(self.across))
        noise = 2 * torch.rand(size, generator=rng, device=x.device, dtype=x.dtype) - 1
        return warping.elastic(noise, self.alpha, self.sigma)


@dataclass
class Distortion(Spec):
    """All at once, read from the image once: faster, and less blurred, than one after the other.

    Parameters
    ----------
    pixels, degrees : float
        As in `Shift`, in parts of a pixel too, and `Rotation`.
    scale : float
        Width and height are each enlarged by a factor between 1 − scale and 1 + scale.
    shear : float
        Rows are pushed sideways by up to this share of their distance from the centre.
    alpha, sigma, outside
        As in `Elastic`. The defaults suit digits of 28 × 28 pixels.
    """

    pixels: float = 1.0
    degrees: float = 10.0
    scale: float = 0.1
    shear: float = 0.1
    alpha: float = 20.0
    sigma: float = 4.0
    outside: str = "edge"
    constraints: ClassVar[Mapping[str, Constraint]] = {
        "pixels": non_negative(),
        "degrees": Number(0, 180),
        "scale": share(),
        "shear": non_negative(),
        "alpha": non_negative(),
        "sigma": positive(),
        "outside": OUTSIDE,
    }

    def build(self, columns: Columns) -> Corruption:
        _check_maps("Distortion", columns.shape)
        return _Distortion(columns, self)


class _Distortion(_Elastic):
    def __init__(self, columns: Columns, spec: Distortion) -> None:
        super().__init__(columns, spec.outside, spec.alpha, spec.sigma)
        self.pixels, self.degrees, self.scale, self.shear = spec.pixels, spec.degrees, spec.scale, spec.shear

    def points(self, x: Tensor, rng: Generator) -> Tensor:
        draw = self.spread(x, 6, rng)
        angle, slant = draw[:, 2] * self.degrees * (math.pi / 180), draw[:, 3] * self.shear
        enlarged = 1 + draw[:, 4:] * self.scale
        matrix = warping.product(warping.turned(angle), warping.stretched(enlarged[:, 0], enlarged[:, 1], slant))
        return self.affine(matrix, draw[:, :2] * self.pixels) + self.field(x, rng)


class _IsCorruption:
    def fits(self, value: object) -> bool:
        """One of these, or a specification of the user's own."""
        home = type(value).__module__
        ours = home == __name__ or not home.startswith("isthmus.")
        return isinstance(value, Spec) and ours and not isinstance(value, Several)

    def __str__(self) -> str:
        return "a corruption such as corruptions.Masking(0.3)"


class Chain(Several):
    """Corruptions one after the other, each under a name: `Chain(turn=Rotation(10), noise=Gaussian(0.1))`.

    An entry that any of them hides, where hidden ones alone are scored, is scored.
    """

    noun, member = "corruption", _IsCorruption()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self._names() == cast("Chain", other)._names()

    __hash__ = None  # as in Several

    def build(self, columns: Columns) -> Corruption:
        return _Chain([part.build(columns) for part in self.get_params(deep=False).values()])


class _Chain(Corruption):
    def __init__(self, parts: Sequence[Corruption]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor, rng: Generator) -> Corrupted:
        scored: Tensor | None = None
        for part in self.parts:
            x, mask = part(x, rng)
            if mask is not None:
                scored = mask if scored is None else torch.maximum(scored, mask)
        return x, scored


NAMED = {
    "gaussian": Gaussian,
    "masking": Masking,
    "salt-and-pepper": SaltAndPepper,
    "shift": Shift,
    "rotation": Rotation,
    "elastic": Elastic,
}


def named(noise: str, amount: float) -> Spec:
    """A corruption by its everyday name, and its amount: what its first parameter says.

    Raises
    ------
    SettingError
        Where there is no such noise.
    """
    if noise not in NAMED:
        raise SettingError(f"no noise called {noise!r}", where="in noise", hint=nearest(noise, NAMED))
    return NAMED[noise](amount)
