"""A folder of images as rows, pixels in [0, 1]: those that cannot be used are named and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.data.cutting import ImageOptions, Pixels, Size, as_text, cut, places
from isthmus.data.dataset import Dataset, Labels, Skipped
from isthmus.data.pictures import SUFFIXES, Picture, check_pillow, full_scale, read_picture
from isthmus.errors import DataError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: how much of red, green and blue makes gray
SEED = 0  # decides which tiles are taken where there are too many
_NAMED = 5  # files that a remark names
_SIDES = (64, 48, 32, 24, 16, 8)  # of a tile that a message suggests


def read_images(folder: Path, options: ImageOptions | None = None) -> Dataset:
    """Read every image of a folder, sorted by name; other files in it are passed over.

    A folder without images of its own but with folders of images is read as classes: a folder is a label, numbered in
    sorted order. How a file's pixels are read is told by `pictures.read_picture`; an alpha channel is dropped where it
    is opaque. One colour image makes all colour.

    Returns
    -------
    Dataset
        `X` float32 of shape (N, C·H·W) in [0, 1], C 1 (all gray) or 3; `input_shape` (C, H, W); `images` how they were
        cut, `skipped` what was left out, `notes` both in words.

    Raises
    ------
    DataError
        Pillow missing, no images, none that can be used, more than fit into the memory allowed; images that differ in
        size where nothing says how to cut them; where `options.strict`, the first that cannot be used.
    """
    options = options or ImageOptions()
    check_pillow()
    paths, y = find_images(folder)
    found = _Gathered(folder, options)
    label = {} if y is None else dict(zip(paths, y.tolist(), strict=True))
    for path, picture in read_all(paths, options.strict, found.skipped):
        found.add(picture, path, label.get(path))
    return found.dataset(len(paths))


def read_all(
    paths: Sequence[Path], strict: bool, skipped: list[Skipped], read: Callable[[Path], Picture] | None = None
) -> Iterator[tuple[Path, Picture]]:
    """Each image that can be used; of the others the name and the reason are added to `skipped`.

    Raises
    ------
    DataError
        The first fault where `strict` or where there is one image alone; after the last, where none could be used.
    """
    read = read or read_opaque
    for path in paths:
        try:
            picture = read(path)
        except DataError as fault:
            if strict or len(paths) == 1:
                raise
            skipped.append(Skipped(str(path), fault.what))
            continue
        yield path, picture
    if len(skipped) == len(paths):
        raise DataError(
            f"none of the {len(paths)} images can be used",
            f"in {paths[0].parent}",
            "expected images that can be read",
            f"the first is {Path(skipped[0].file).name}: {skipped[0].why}",
        )


def read_opaque(path: Path) -> Picture:
    """One image, its alpha channel dropped.

    Raises
    ------
    DataError
        As `read_picture`, and where pixels are transparent.
    """
    picture = read_picture(path)
    if not picture.opaque:
        raise DataError(
            "transparent pixels",
            f"in {path}",
            "expected an opaque image",
            "flatten it onto a background, or store its alpha channel in a npy file of shape (N, H, W, 4)",
        )
    return replace(picture, alpha=None)


def find_images(folder: Path) -> tuple[list[Path], Labels | None]:
    """The images of a folder, or of the folders in it with a label for each.

    Raises
    ------
    DataError
        Where there are none.
    """
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


def told(skipped: Sequence[Skipped], total: int) -> list[str]:
    """A remark on what was left out, if anything was."""
    if not skipped:
        return []
    named = "; ".join(f"{Path(one.file).name} ({one.why})" for one in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    return [f"{len(skipped)} of {total} images left out: {named}{more}"]


@dataclass
class _Gathered:
    """Parts of images as they come, of one size, in their own precision: at most as many as the memory allows."""

    folder: Path
    options: ImageOptions
    skipped: list[Skipped] = field(default_factory=list)
    parts: dict[int, tuple[int, Pixels, int | None]] = field(default_factory=dict)  # slot → number, pixels, label
    first: tuple[str, Size] | None = None
    seen: int = 0  # parts, whether kept or not
    read: int = 0  # images
    enlarged: int = 0
    colour: int = 0
    shallow: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def add(self, picture: Picture, path: Path, label: int | None) -> None:
        size = self._size(picture, path)
        where = places(picture.size, self.options)
        numbers, slots = self._chosen(len(where), size)
        for number, slot, part in zip(numbers, slots, cut(picture.pixels, where[numbers], size), strict=True):
            self.parts[int(slot)] = (self.seen + int(number), part, label)
        self.seen += len(where)
        self.read += 1
        self.enlarged += any(given < wanted for given, wanted in zip(picture.size, size, strict=True))
        self.colour += len(picture.pixels) == 3
        self.shallow += bool(picture.lost)

    def _size(self, picture: Picture, path: Path) -> Size:
        """What the parts of this image measure."""
        asked = self.options.size
        if asked is not None and self.options.how is not None:
            return asked
        self.first = self.first or (path.name, picture.size)
        if picture.size != (asked or self.first[1]):
            raise self._sizes_differ(path.name, picture.size)
        return picture.size

    def _sizes_differ(self, name: str, size: Size) -> DataError:
        asked, (first, other) = self.options.size, self.first or (name, size)
        least = asked or (min(size[0], other[0]), min(size[1], other[1]))
        tile = asked or (next((side for side in _SIDES if side <= min(least)), min(least)),) * 2
        what = f"images of different sizes: {first} is {_shown(other)}, {name} is {_shown(size)}"
        return DataError(
            what if asked is None else f"an image of another size: {name} is {_shown(size)}",
            f"in the folder {self.folder}",
            f"expected {'one size' if asked is None else _shown(asked)} (width × height), or to hear how to cut them",
            f"say --images tile:{as_text(tile)} (tiles that cover each) or --images crop:{as_text(least)} "
            f"(the centre of each); in Python, images='tile:{as_text(tile)}'",
        )

    def _chosen(self, n: int, size: Size) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Which of the n parts that come next are kept, and in which slots: in the end all had the same chance.

        Algorithm R of Vitter 1985: part i takes a random one of i + 1 places, and is kept where that is a slot.
        """
        most = max(1, self.options.numbers // ((self.options.channels or 3) * size[0] * size[1]))
        if self.options.how != "tile":
            self._check_room(n, size)
            return np.arange(n), np.arange(self.seen, self.seen + n)
        number = np.arange(self.seen, self.seen + n)
        slot = number if self.seen + n <= most else np.where(number < most, number, self.rng.integers(0, number + 1))
        kept = np.flatnonzero(slot < most)
        return kept, slot[kept]

    def _check_room(self, n: int, size: Size) -> None:
        channels = self.options.channels or (3 if self.colour else 1)
        if (self.seen + n) * channels * size[0] * size[1] <= self.options.numbers:
            return
        allowed = self.options.numbers / (1 << 28)
        raise DataError(
            f"more than {self.seen:,} images of {_shown(size)} take more than {allowed:g} GiB",
            f"in the folder {self.folder}",
            "expected rows that fit into the memory allowed",
            f"allow more with --images {replace(self.options, most=4 * allowed)}, or cut tiles or crops",
        )

    def dataset(self, total: int) -> Dataset:
        kept = sorted(self.parts.values(), key=lambda part: part[0])
        self.parts.clear()
        channels = self.options.channels or max(len(pixels) for _, pixels, _ in kept)
        shape = (channels, *kept[0][1].shape[1:])
        X = np.empty((len(kept), int(np.prod(shape))), dtype=np.float32)
        for row, (_, pixels, _) in zip(X, kept, strict=True):
            row[:] = np.broadcast_to(_coloured(pixels, channels), shape).reshape(-1)
        y = None if kept[0][2] is None else np.array([label for *_, label in kept], dtype=np.int64)
        return Dataset(
            self.folder.resolve().name,
            X,
            y,
            input_shape=shape,
            source=str(self.folder),
            images=replace(self.options, size=shape[1:], channels=channels, strict=False),
            skipped=tuple(self.skipped),
            notes=(*told(self.skipped, total), *self._notes(len(kept), channels, shape[1:])),
        )

    def _notes(self, kept: int, channels: int, size: Size) -> Iterator[str]:
        """What was done to the images, in words."""
        if self.options.how == "tile":
            yield f"{_images(self.read)} cut into {self.seen:,} tiles of {_shown(size)}"
        if self.options.how == "crop":
            yield f"the centre of {_images(self.read)} taken, {_shown(size)}"
        if self.enlarged:
            yield f"{_images(self.enlarged)} smaller than {_shown(size)} continued by reflection"
        if kept < self.seen:
            needed = self.seen * channels * size[0] * size[1] / (1 << 28)
            yield (
                f"{kept:,} of {self.seen:,} tiles taken at random (seed {SEED}): all would take {needed:.3g} GiB, and "
                f"{self.options.numbers / (1 << 28):g} GiB are allowed, which most=… in --images changes"
            )
        if channels == 1 and self.colour:
            yield f"{_images(self.colour, 'colour image')} made gray"
        if self.shallow:
            yield f"{_images(self.shallow)} with 16 bits a channel, of which Pillow gives 8"


def _images(count: int, noun: str = "image") -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _shown(size: Sequence[int]) -> str:
    return f"{size[1]} × {size[0]}"


def _coloured(pixels: Pixels, channels: int) -> npt.NDArray[np.float32]:
    """Pixels (C, h, w) in [0, 1], as gray where that is asked."""
    shares: npt.NDArray[np.float32] = (pixels / np.float32(full_scale(pixels))).astype(np.float32, copy=False)
    return np.tensordot(LUMA, shares, 1).astype(np.float32)[None] if channels == 1 and len(pixels) == 3 else shares
