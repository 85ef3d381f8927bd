"""Photos in gray, whole: those that scikit-image and scikit-learn bring along, or those of a folder; and patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.data.named import folder_of
from isthmus.data.pictures import SUFFIXES, check_pillow, read_picture
from isthmus.data.reading import needs
from isthmus.errors import DataError

Photo = NDArray[np.uint8]  # (H, W)
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


def bundled() -> dict[str, Photo]:
    """The photos that scikit-image (CC0 or public domain) and scikit-learn (CC BY 2.0) bring along, by name.

    Raises
    ------
    DataError
        Where scikit-image, of the extra `lab`, or Pillow is not installed.
    """
    return {Path(name).stem: _read(_folder(package) / name) for package, names in BUNDLED.items() for name in names}


def read_photos(folder: str) -> dict[str, Photo]:
    """The photos in a folder of `ISTHMUS_DATA`, by name, in the order of their names.

    Raises
    ------
    DataError
        Where there are none, or one cannot be read.
    """
    paths = sorted(path for path in folder_of(folder).glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError("no photos", f"in {folder_of(folder)}", "a folder of photos", "set ISTHMUS_DATA")
    return {path.stem: _read(path) for path in paths}


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


def patches(photos: Mapping[str, Photo] | Iterable[Photo], side: int, count: int, rng: np.random.Generator) -> Array:
    """`count` patches from random places of each photo, (N, side²) in random order, 0 to 255."""
    found = photos.values() if isinstance(photos, Mapping) else photos
    return rng.permutation(np.concatenate([_cut(photo, side, count, rng) for photo in found])).astype(np.float32)


def _cut(photo: Photo, side: int, count: int, rng: np.random.Generator) -> Photo:
    windows = np.lib.stride_tricks.sliding_window_view(photo, (side, side))
    top, left = (rng.integers(extent, size=count) for extent in windows.shape[:2])
    return windows[top, left].reshape(count, side * side)


def _folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise needs("scikit-image", "lab", "read its photos")
    return Path(found.origin).parent / FOLDERS[package]


def _read(path: Path) -> Photo:
    check_pillow()
    pixels = read_picture(path).pixels.astype(float)
    gray = pixels[0] if len(pixels) == 1 else np.tensordot(LUMA, pixels, 1)
    return np.rint(gray).astype(np.uint8)
