"""A folder of images of one size, through Pillow: one row an image, pixels in [0, 1]."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isthmus.data.dataset import Dataset, Labels
from isthmus.data.reading import needs, reading
from isthmus.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")

Pixels = npt.NDArray[np.float32]

_CONVERTED = {"CMYK": "RGB", "YCbCr": "RGB", "1": "L"}
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_images(folder: Path) -> Dataset:
    """Read every image of a folder, sorted by name; other files in it are passed over.

    A folder without images of its own but with folders of images is read as classes: a folder is a label, numbered in
    sorted order. Images are turned upright as their EXIF data says. Palettes, CMYK and YCbCr become RGB, 16-bit gray is
    kept at its precision, an alpha channel is dropped where it is opaque. One colour image makes all colour.

    Returns
    -------
    Dataset
        `X` float32 of shape (N, C·H·W) in [0, 1], C 1 (all gray) or 3; `input_shape` (C, H, W).

    Raises
    ------
    DataError
        Pillow missing, no images, a damaged image, transparent pixels, an animation, an unusual colour mode, images
        that differ in size.
    """
    paths, y = _find(folder)
    images = list(_read_all(paths))
    channels = max(len(image) for image in images)
    shape = (channels, *images[0].shape[1:])
    X = np.empty((len(images), int(np.prod(shape))), dtype=np.float32)
    for row, image in zip(X, images, strict=True):
        row[:] = np.broadcast_to(image, shape).reshape(-1)
    return Dataset(folder.resolve().name, X, y, input_shape=shape, source=str(folder))


def _find(folder: Path) -> tuple[list[Path], Labels | None]:
    own = _images_in(folder)
    if own:
        return own, None
    classes = [images for sub in sorted(folder.iterdir()) if sub.is_dir() and (images := _images_in(sub))]
    if not classes:
        raise DataError(
            "no images",
            f"in the folder {folder}",
            f"expected files ending in {', '.join(SUFFIXES)}",
            "check the path, or name one file in it",
        )
    return [path for images in classes for path in images], np.repeat(np.arange(len(classes)), list(map(len, classes)))


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")


def _read_all(paths: list[Path]) -> Iterator[Pixels]:
    first: tuple[int, ...] | None = None
    for path in paths:
        image = _read(path)  # C H W
        size = image.shape[1:]
        first = first or size
        if size != first:
            raise DataError(
                f"images of different sizes: {paths[0].name} is {_size(first)}, {path.name} is {_size(size)}",
                f"in the folder {paths[0].parent}",
                "expected one size (width × height)",
                "crop or resize them to one size first",
            )
        yield image


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"


def _read(path: Path) -> Pixels:
    """One image as (C, H, W) in [0, 1], C 1 or 3."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise needs("Pillow", "report", "read images") from error
    faults = (ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
    with reading(path, "an image", *faults), Image.open(path) as image:
        _refuse_animation(image, path)
        return _pixels(ImageOps.exif_transpose(image), path)


def _refuse_animation(image: Image, path: Path) -> None:
    frames = getattr(image, "n_frames", 1)
    # Cameras write MPO: a photo and its preview.
    if frames > 1 and image.format != "MPO":
        raise DataError(f"{frames} frames", f"in {path}", "expected a still image", "save one frame as an image")


def _pixels(image: Image, path: Path) -> Pixels:
    if image.mode in _SIXTEEN_BITS:
        return _sixteen_bits(image, path)
    image = _opaque(image, path)
    image = image.convert(_CONVERTED.get(image.mode, image.mode))
    if image.mode not in ("L", "RGB"):
        raise DataError(
            f"the colour mode {image.mode}",
            f"in {path}",
            "expected gray, RGB, CMYK or a palette",
            "save it as an RGB or gray PNG",
        )
    array: Pixels = np.asarray(image).astype(np.float32) / np.float32(255)
    return np.moveaxis(array.reshape(*array.shape[:2], -1), 2, 0)


def _sixteen_bits(image: Image, path: Path) -> Pixels:
    array = np.asarray(image).astype(np.int64)
    if array.min() < 0 or array.max() > 65535:
        raise DataError(
            f"pixels from {array.min()} to {array.max()}",
            f"in {path}",
            "expected 16 bits, 0 to 65535",
            "rescale it and save it with 8 or 16 bits",
        )
    return (array / 65535).astype(np.float32)[None]


def _opaque(image: Image, path: Path) -> Image:
    """The image without palette and alpha channel."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    if image.mode not in ("LA", "RGBA"):
        return image
    if np.asarray(image.getchannel("A")).min() < 255:
        raise DataError(
            "transparent pixels",
            f"in {path}",
            "expected an opaque image",
            "flatten it onto a background, or store its alpha channel in a npy file of shape (N, H, W, 4)",
        )
    return image.convert(image.mode[:-1])
