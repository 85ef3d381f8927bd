"""Sizes of networks: which images and class counts are refused, how small images grow, how widths are thinned."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from torch import nn

from isthmus._constraints import count
from isthmus.errors import SettingError

Image = tuple[int, int, int]  # channels, height, width
LEAST, MOST = 4, 8192  # pixels a side that a network of images reads


def check_image(name: str, shape: Sequence[int], outputs: int) -> Image:
    """The shape as three whole numbers.

    Raises
    ------
    SettingError
        Where it is no image's, its sides are below `LEAST` or above `MOST`, or there is no class.
    """
    check_outputs(name, outputs)
    if len(shape) != 3 or not all(count().fits(side) for side in shape):
        raise SettingError(
            f"{name} cannot read rows of shape {tuple(shape)}",
            where="in input_shape",
            expected="images: (channels, height, width)",
            hint="such as input_shape=(1, 28, 28)",
        )
    if min(shape[1:]) < LEAST or max(shape[1:]) > MOST:
        raise SettingError(
            f"{name} cannot read images of {shape[1]} x {shape[2]} pixels",
            where="in input_shape",
            expected=f"{LEAST} to {MOST} pixels a side",
        )
    channels, height, width = (int(side) for side in shape)
    return channels, height, width


def check_outputs(name: str, outputs: int) -> None:
    if not count().fits(outputs):
        raise SettingError(f"{name} cannot give {outputs!r} numbers", where="in outputs", expected=str(count()))


def thin(channels: int, width: float, groups: int = 1) -> int:
    """A share of the channels, at least one, and upwards to a multiple of the groups."""
    return groups * max(1, ceil(round(channels * width) / groups))


def enlarged(shape: Image, least: int) -> tuple[dict[str, nn.Module], Image]:
    """The stage that brings a smaller image up to a network's least size, and the shape after it.

    Each pixel is repeated as often as the least size has room for, then the border goes on to every side.
    An image that is large enough needs no stage.
    """
    channels, *sides = shape
    times = max(1, min(least // side for side in sides))
    lack = [max(0, least - times * side) for side in sides]
    if times == 1 and not any(lack):
        return {}, shape
    (top, left), (bottom, right) = [n // 2 for n in lack], [n - n // 2 for n in lack]
    stage = nn.Sequential(nn.Upsample(scale_factor=times), nn.ReplicationPad2d((left, right, top, bottom)))
    height, width = (times * side + n for side, n in zip(sides, lack, strict=True))
    return {"enlarged": stage}, (channels, height, width)
