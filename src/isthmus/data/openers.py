"""Which opener reads which file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from isthmus.data.arrays import as_rows
from isthmus.data.csv_table import read_csv
from isthmus.data.cutting import ImageOptions
from isthmus.data.dataset import Dataset
from isthmus.data.idx import is_idx_name, read_idx
from isthmus.data.images import read_images
from isthmus.data.numpy_files import read_numpy
from isthmus.data.parquet import read_parquet
from isthmus.data.pictures import SUFFIXES
from isthmus.data.reading import missing, reading
from isthmus.errors import DataError

_OPENERS: dict[str, Callable[[Path], Dataset]] = {
    ".npy": read_numpy,
    ".npz": read_numpy,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}


def open_path(path: Path, images: ImageOptions | None = None) -> Dataset:
    """Read a folder of images, cut as `images` says, or a file, by its name.

    Raises
    ------
    DataError
        No such file, an unknown suffix, an empty file, a file to be cut like images, or what its opener says.
    """
    with reading(path, "a file or a folder of images"):
        if path.is_dir():
            return read_images(path, images)
        if not path.exists():
            raise missing(path)
        opener = _opener(path)
        if not path.is_file():
            raise DataError("neither a file nor a folder", f"at {path}", "expected a file", "save the data to a file")
        if path.stat().st_size == 0:
            raise DataError("an empty file", f"at {path}", "expected data", "make or fetch the file again")
        check_no_cutting(images, f"with {path}")
    return opener(path)


def check_no_cutting(images: ImageOptions | None, where: str) -> None:
    """Refuse to cut what is no folder of images.

    Raises
    ------
    DataError
        Where more is asked than to be strict.
    """
    if images is not None and images.cuts:
        raise DataError(f"images are to be cut ({images})", where, "expected a folder of images", "leave out images")


def _opener(path: Path) -> Callable[[Path], Dataset]:
    if is_idx_name(path.name):
        return _read_idx_rows
    suffix = path.suffix.lower()
    if suffix in _OPENERS:
        return _OPENERS[suffix]
    raise DataError(
        f"the suffix {path.suffix!r} is not known" if suffix else "a file without a suffix",
        f"at {path}",
        f"expected {', '.join(_OPENERS)}, an idx file (-ubyte, .idx, also .gz) or a folder of images",
        "put a single image in a folder" if suffix in SUFFIXES else "convert the file to one of these",
    )


def _read_idx_rows(path: Path) -> Dataset:
    X, input_shape = as_rows(read_idx(path), f"in {path}")
    return Dataset(path.name.split(".")[0], X, input_shape=input_shape, source=str(path))
