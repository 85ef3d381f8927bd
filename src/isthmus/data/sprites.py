"""dSprites: the published images of a shape each, with the factors they were made from (Matthey and others 2017)."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from isthmus._constraints import check, count, optional
from isthmus.data.dataset import Labels, Rows
from isthmus.data.reading import reading
from isthmus.errors import DataError

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
FACTORS = ("shape", "scale", "orientation", "x", "y")
UNORDERED = (0,)  # columns of the factors whose values have no order
ROWS = 50_000  # of 737,280 in the named set: all of them would take 12 GB
SEED = 20260101


def read_sprites(path: str | Path, n: int | None = None, random_state: int = SEED) -> tuple[Rows, Labels]:
    """Rows and factors of the dSprites file, or of n of its images drawn at random.

    Parameters
    ----------
    path : path
        The npz file as published: `imgs`, (N, H, W), of 0 and 1, and `latents_classes`, (N, 6). Nothing in it is ever
        unpickled.
    n : int, optional
        How many, each at most once; None: all, as float32.
    random_state : int
        Seed of the draw.

    Returns
    -------
    rows : float32 array of shape (n, H·W)
    factors : int64 array of shape (n, 5)
        The number of each factor's value, in the order of `FACTORS`; the file's first, the colour, is always the same.

    Raises
    ------
    DataError
        Where the file is missing, damaged, or has other arrays.
    """
    check("read_sprites", {"n": n, "random_state": random_state}, {"n": optional(count()), "random_state": count(0)})
    path = Path(path)
    faults = (ValueError, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error)
    with reading(path, "the npz file of dSprites", *faults), path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if missing := {"imgs", "latents_classes"}.difference([] if isinstance(arrays, np.ndarray) else arrays):
            raise _foreign(f"no array {min(missing)!r}", path)
        images, factors = arrays["imgs"], arrays["latents_classes"]
    if images.ndim != 3 or factors.shape != (len(images), 1 + len(FACTORS)):
        raise _foreign(f"imgs of shape {images.shape} and latents_classes of shape {factors.shape}", path)
    if n is not None and n < len(images):
        chosen = np.sort(np.random.default_rng(random_state).choice(len(images), n, replace=False))
        images, factors = images[chosen], factors[chosen]
    rows = images.reshape(len(images), prod(images.shape[1:])).astype(np.float32)
    return rows, np.ascontiguousarray(factors[:, 1:], dtype=np.int64)


def _foreign(what: str, path: Path) -> DataError:
    return DataError(
        what, f"in {path}", "expected imgs, (N, H, W), and latents_classes, (N, 6)", "fetch the file of dSprites again"
    )
