"""One picture in a file, through Pillow: read upright with its colour as gray or RGB, or refused by name; written."""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isthmus._files import atomic
from isthmus.data.reading import needs, reading
from isthmus.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.uint8 | np.uint16]

# suffix -> what Pillow may call the content; others, such as PostScript, are never opened
FORMATS = {
    ".png": ("PNG",),
    ".jpg": ("JPEG", "MPO"),  # cameras write MPO: a photo and its preview
    ".jpeg": ("JPEG", "MPO"),
    ".bmp": ("BMP", "DIB"),
    ".gif": ("GIF",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".webp": ("WEBP",),
    ".ppm": ("PPM",),
    ".pgm": ("PPM",),
    ".pbm": ("PPM",),
}
SUFFIXES = tuple(FORMATS)
_OPENED = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM")  # an MPO is opened as a JPEG
LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm")  # suffixes that are written

_CONVERTED = {"CMYK": "RGB", "YCbCr": "RGB", "1": "L"}
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# What Pillow's decoders raise for damaged files.
_FAULTS = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, RuntimeError, SyntaxError)
_MORE_FAULTS = (TypeError, ValueError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class Picture:
    """What a file holds.

    Attributes
    ----------
    pixels : uint8 or uint16 array of shape (C, H, W)
        C is 1 or 3; 0 is black, the type's greatest number white.
    alpha : uint8 array of shape (H, W) or None
        How opaque each pixel is, 255 where fully.
    profile : bytes or None
        The ICC profile that says what the colours are.
    lost : str
        In words what of the file is not in the pixels.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    profile: bytes | None = None
    lost: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def opaque(self) -> bool:
        return self.alpha is None or int(self.alpha.min()) == 255


def full_scale(pixels: npt.NDArray[np.generic]) -> float:
    """The number that is white."""
    return 65535.0 if pixels.dtype == np.uint16 else 255.0


def check_pillow() -> None:
    """Refuse to go on without Pillow.

    Raises
    ------
    DataError
        Naming the extra that has it.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise needs("Pillow", "report", "read images") from error


def read_picture(path: Path) -> Picture:
    """Read one image, turned upright as its EXIF data say.

    Palettes, CMYK and YCbCr become RGB, one bit becomes gray. 16-bit gray keeps its precision; of colours with 16 bits
    Pillow gives the upper 8, which `lost` says.

    Raises
    ------
    DataError
        Pillow missing, an empty or damaged file, content that the name's suffix does not stand for, an animation, an
        unusual colour mode.
    """
    check_pillow()
    with warnings.catch_warnings(), reading(path, "an image", *_FAULTS, *_MORE_FAULTS):
        warnings.simplefilter("ignore")  # of damage that does not matter, such as in EXIF data
        return _read(path)


def _read(path: Path) -> Picture:
    from PIL import Image, ImageOps

    if path.stat().st_size == 0:
        raise DataError("an empty file", f"at {path}", "expected an image", "make or fetch the file again")
    try:
        with Image.open(path, formats=_OPENED) as image:
            _check_content(image, path)
            lost = _lost(image)
            return _picture(ImageOps.exif_transpose(image), path, lost)
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            "more pixels than can safely be read", f"in {path}", f"expected at most {limit:,}", "cut it up first"
        ) from error


def _check_content(image: Image, path: Path) -> None:
    expected = FORMATS.get(path.suffix.lower())
    if expected is not None and image.format not in expected:
        raise DataError(
            f"content of the format {image.format}",
            f"in {path}",
            f"expected {expected[0]}, as its suffix says",
            "rename it, or save it in the format of its suffix",
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise DataError(f"{frames} frames", f"in {path}", "expected a still image", "save one frame as an image")
    if 0 in image.size:
        raise DataError("no pixels", f"in {path}", "expected an image", "make or fetch the file again")


def _lost(image: Image) -> str:
    """Before the pixels are loaded: afterwards Pillow no longer tells how they lay in the file."""
    parts = [str(part) for part in getattr(image, "tile", ())]
    deep = any(";16" in part or (image.format == "PPM" and "65535" in part) for part in parts)
    return "16 bits a channel, read with 8" if deep and image.mode not in _SIXTEEN_BITS else ""


def _picture(image: Image, path: Path, lost: str) -> Picture:
    if image.mode in _SIXTEEN_BITS:
        return Picture(_sixteen_bits(image, path), profile=image.info.get("icc_profile"))
    plain = _plain(image)
    if plain.mode not in ("L", "LA", "RGB", "RGBA"):
        raise DataError(
            f"the colour mode {plain.mode}",
            f"in {path}",
            "expected gray, RGB, CMYK or a palette",
            "save it as an RGB or gray PNG",
        )
    array = np.asarray(plain)
    channels = np.moveaxis(array.reshape(*array.shape[:2], -1), 2, 0)  # C H W
    alpha = channels[-1] if plain.mode.endswith("A") else None
    same_colours = image.mode not in _CONVERTED or image.mode == "1"
    profile = image.info.get("icc_profile") if same_colours else None
    return Picture(channels if alpha is None else channels[:-1], alpha, profile, lost)


def _plain(image: Image) -> Image:
    """The image in gray or RGB where that is possible, with an alpha channel where anything in it is transparent."""
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    return image.convert(_CONVERTED.get(image.mode, image.mode))


def _sixteen_bits(image: Image, path: Path) -> Pixels:
    array = np.asarray(image)
    if array.min() < 0 or array.max() > 65535:
        raise DataError(
            f"pixels from {array.min()} to {array.max()}",
            f"in {path}",
            "expected 16 bits, 0 to 65535",
            "rescale it and save it with 8 or 16 bits",
        )
    return array.astype(np.uint16)[None]


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture in the format of the suffix, one of `LOSSLESS`, whole or not at all.

    Raises
    ------
    DataError
        A place that cannot be written, or a picture that the format cannot hold.
    """
    from PIL import Image

    pixels = np.moveaxis(picture.pixels, 0, 2)
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[..., None]], axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    with atomic(path) as beside:
        image.save(beside, icc_profile=picture.profile)
