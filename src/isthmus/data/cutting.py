"""How pictures of any size become rows of one shape: as they are, by tiles, or by their centres."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isthmus._constraints import AnyOf, Constraint, Flag, OneOf, check, count, optional, positive
from isthmus.data.tiles import mirrored, starts
from isthmus.errors import SettingError

Pixels = npt.NDArray[np.uint8 | np.uint16]
Size = tuple[int, int]  # height, width

MOST = 2.0  # GiB that rows may take where nothing else is said
EXAMPLES = "tile:64, crop:64x48 or whole, and after commas stride=32, channels=1 or most=4 (GiB)"


@dataclass(frozen=True)
class _Pair:
    """Two whole numbers, height and width."""

    def fits(self, value: Any) -> bool:
        return isinstance(value, tuple) and len(value) == 2 and all(count().fits(side) for side in value)

    def __str__(self) -> str:
        return "two whole numbers >= 1, height and width"


@dataclass(frozen=True)
class ImageOptions:
    """How the images of a folder are cut, and what becomes of those that cannot be read.

    Parameters
    ----------
    size : (height, width), optional
        Of a row's image. Without it all images must have one size.
    how : {"tile", "crop", None}
        "tile" covers each image by tiles `stride` apart, the last ones moved inwards; "crop" takes the centre of each;
        None takes images whole. An image smaller than `size` is continued by reflection.
    stride : (down, across), optional
        By default `size`: tiles lie side by side.
    channels : {None, 1, 3}
        1 makes all images gray, 3 all colour; by default one colour image makes all colour.
    strict : bool
        An image that cannot be used stops the reading; else it is left out and named.
    most : float, optional
        GiB that the rows may take, 2 by default. Of more tiles, some are taken at random; more images are an error.

    Raises
    ------
    SettingError
        Values that do not fit, or not each other.
    """

    size: Size | None = None
    how: str | None = None
    stride: Size | None = None
    channels: int | None = None
    strict: bool = False
    most: float | None = None

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "size": optional(_Pair()),
        "how": OneOf(("tile", "crop", None)),
        "stride": optional(_Pair()),
        "channels": OneOf((None, 1, 3)),
        "strict": Flag(),
        "most": AnyOf((OneOf((None,)), positive())),
    }

    def __post_init__(self) -> None:
        check("ImageOptions", vars(self), self.constraints)
        if self.how is not None and self.size is None:
            raise SettingError(f"{self.how} without a size", "in images", f"such as {self.how}:64")
        if self.stride is not None and self.how != "tile":
            raise SettingError("a stride without tiles", "in images", "such as tile:64,stride=32")

    @classmethod
    def parse(cls, text: str, strict: bool = False) -> ImageOptions:
        """Options from text such as `tile:64`, `crop:64x48,channels=1` (width × height) or `whole,most=4`.

        Raises
        ------
        SettingError
            Where the text says something else.
        """
        head, *words = [word.strip() for word in text.split(",")]
        if "=" in head:
            head, words = "whole", [head, *words]
        try:
            way, colon, size = head.partition(":")
            found: dict[str, Any] = {"how": _WAYS[way]} | ({"size": _size(size)} if colon else {})
            for name, _, value in (word.partition("=") for word in words):
                found[name] = _READERS[name](value)
        except (KeyError, ValueError) as fault:
            raise SettingError(f"{text!r} does not say how to cut images", "in images", EXAMPLES) from fault
        return cls(**found, strict=strict)

    def __str__(self) -> str:
        """The text that `parse` reads, but for `strict`."""
        head = (self.how or "whole") + (f":{as_text(self.size)}" if self.size else "")
        said = {"stride": self.stride and as_text(self.stride), "channels": self.channels, "most": self.most}
        return ",".join([head, *(f"{name}={value}" for name, value in said.items() if value is not None)])

    @property
    def cuts(self) -> bool:
        """Whether more is asked than to take what is there."""
        return self.size is not None or self.channels is not None

    def over(self, other: ImageOptions | None) -> ImageOptions:
        """What is said here, and for the rest what `other` says."""
        if other is None:
            return self
        cut = self if self.size else other
        channels, most = self.channels or other.channels, self.most or other.most
        return ImageOptions(cut.size, cut.how, cut.stride, channels, self.strict or other.strict, most)

    @property
    def numbers(self) -> int:
        """How many numbers the rows may have together."""
        return int((self.most or MOST) * (1 << 28))


def _size(text: str) -> Size:
    """`64` or `64x48`, width × height, as (height, width)."""
    sides = [int(side) for side in text.split("x")]
    width, height = sides * 2 if len(sides) == 1 else sides
    return height, width


def as_text(size: Size) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[1]}x{size[0]}"


_WAYS = {"tile": "tile", "crop": "crop", "whole": None}
_READERS: dict[str, Callable[[str], Any]] = {"stride": _size, "channels": int, "most": float}


def places(size: Size, options: ImageOptions) -> npt.NDArray[np.intp]:
    """Where an image of (H, W) is cut: first rows and columns, (n, 2)."""
    if options.size is None or options.how is None:
        return np.zeros((1, 2), np.intp)
    room = [max(0, given - wanted) for given, wanted in zip(size, options.size, strict=True)]
    if options.how == "crop":
        return np.array([room], np.intp) // 2
    steps = options.stride or options.size
    down, across = (starts(left + side, side, step) for left, side, step in zip(room, options.size, steps, strict=True))
    return np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1).reshape(-1, 2)


def cut(pixels: Pixels, where: npt.NDArray[np.intp], size: Size) -> Iterator[Pixels]:
    """The parts of (C, H, W) pixels that begin at these rows and columns, (C, h, w) each, copied."""
    whole = mirrored(pixels, size)
    for top, left in where:
        yield whole[:, top : top + size[0], left : left + size[1]].copy()  # type: ignore[misc]
