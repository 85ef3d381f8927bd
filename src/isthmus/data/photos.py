"""Photos in gray, whole: those that scikit-image and scikit-learn bring along, or those of a folder; and patches."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data.folders import folder_of
from isthmus.data.pictures import SUFFIXES, check_pillow, read_picture
from isthmus.data.reading import needs
from isthmus.errors import DataError

Photo = NDArray[Any]  # (H, W), 0 to 255
Array = NDArray[np.floating]
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}  # where packages keep their photos
BUNDLED = {  # of scikit-image's and scikit-learn's, those of things as they look to the eye
    "skimage": (
        *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png"),
        *("gravel.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png", "rocket.jpg"),
    ),
    "sklearn": ("china.jpg", "flower.jpg"),
}
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def bundled(package: str) -> dict[str, Photo]:
    """The photos that scikit-image (CC0 or public domain) or scikit-learn (CC BY 2.0) brings along, by name.

    Parameters
    ----------
    package : {"skimage", "sklearn"}

    Raises
    ------
    DataError
        Where scikit-image, of the extra `lab`, or Pillow is not installed.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise needs("scikit-image", "lab", "read its photos")
    folder = Path(found.origin).parent / FOLDERS[package]
    return {Path(name).stem: _read(folder / name) for name in BUNDLED[package]}


def read_photos(folder: str) -> dict[str, Photo]:
    """The photos in a folder of `ISTHMUS_DATA`, by name, in the order of their names.

    Raises
    ------
    DataError
        Where there are none, or one cannot be read.
    """
    place = folder_of(folder)
    paths = sorted(path for path in place.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError("there is no photo", f"in {place}", "expected photos", "put some there, without loss")
    return {path.stem: _read(path) for path in paths}


def in_bytes(photo: Photo) -> NDArray[np.uint8]:
    """A photo in whole levels, as files hold it."""
    return np.rint(photo).astype(np.uint8)


def tiles(photo: Photo, side: int) -> Array:
    """Patches beside each other that cover a photo up to what is left over, (N, side²), row by row, 0 to 255."""
    whole = cropped(photo, side)
    height, width = (extent // side for extent in whole.shape)
    cut = whole.reshape(height, side, width, side).swapaxes(1, 2)
    return cut.reshape(height * width, side * side).astype(np.float32)


def untiled(patches: Array, photo: Photo, side: int) -> Array:
    """Patches such as `tiles` gives of a photo, (N, side²), put together again."""
    height, width = (extent // side for extent in photo.shape)
    return patches.reshape(height, width, side, side).swapaxes(1, 2).reshape(height * side, width * side)


def cropped(photo: Photo, side: int) -> Photo:
    """A photo without what its tiles leave over."""
    height, width = (extent // side * side for extent in photo.shape)
    return photo[:height, :width]


def patches(photos: Sequence[Photo], count: int, side: int, rng: np.random.Generator, margin: int = 0) -> Array:
    """As many patches of each photo, (h, w), from random places `margin` pixels or more from its borders, shuffled.

    Returns
    -------
    array of float32, (count, side²)
        Where `count` is no multiple of the number of photos, the first give one more each.

    Raises
    ------
    DataError
        For no photo, or one too small.
    """
    least = side + 2 * margin
    if not photos or any(min(photo.shape) < least for photo in photos):
        raise DataError("no photo that is large enough", "in patches", f"photos of {least} pixels a side or more")
    each = np.full(len(photos), count // len(photos)) + (np.arange(len(photos)) < count % len(photos))
    cut = [_cut(photo, n, side, rng, margin) for photo, n in zip(photos, each, strict=True)]
    return rng.permutation(np.concatenate(cut)).reshape(count, side * side).astype(np.float32)


def _cut(photo: Photo, count: int, side: int, rng: np.random.Generator, margin: int) -> Photo:
    inner = photo[margin : photo.shape[0] - margin, margin : photo.shape[1] - margin]
    windows = np.lib.stride_tricks.sliding_window_view(inner, (side, side))
    top, left = (rng.integers(extent, size=count) for extent in windows.shape[:2])
    return windows[top, left]


def _read(path: Path) -> Photo:
    check_pillow()
    pixels = read_picture(path).pixels.astype(float)
    return pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, 2) @ LUMA
