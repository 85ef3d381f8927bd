"""One word in, one checked `Dataset` out: a named set or a path."""

from __future__ import annotations

import os
from pathlib import Path

from isthmus.data.checks import check_table
from isthmus.data.cutting import ImageOptions
from isthmus.data.dataset import Dataset
from isthmus.data.named import NAMES, load_named
from isthmus.data.openers import check_no_cutting, open_path
from isthmus.errors import DataError, nearest


def load_data(
    spec: str | os.PathLike[str], *, constant_ok: bool = False, images: ImageOptions | str | None = None
) -> Dataset:
    """Load a named set or a file.

    Parameters
    ----------
    spec : str or path
        One of `NAMES`; or a path to a .npy, .npz, .csv, .tsv or .parquet file, an idx file (plain or .gz) or a folder
        of images. A named set wins over a file of its name; write `./digits` for the file.
    constant_ok : bool
        Accept rows that are all alike (codes to decode, say), which nothing could be learned from.
    images : ImageOptions or str, optional
        How the images of a folder are cut; as text such as "tile:64" or "crop:64x48" (width × height). By default they
        must all be of one size, and those that cannot be read are left out and named.

    Returns
    -------
    Dataset
        Rows that are finite and 2-D. In a csv or Parquet table a column named `label`, `target` or `y` becomes `y` and
        is never among the inputs. Integer images become float32 in [0, 1]. `skipped` names the images left out.

    Raises
    ------
    DataError
        One line with the fault, its place, what was expected and the cure.
    """
    images = ImageOptions.parse(images) if isinstance(images, str) else images
    if spec in NAMES:
        check_no_cutting(images, f"with {spec}")
        return load_named(str(spec))
    path = Path(spec)
    if _is_word(spec) and not path.exists():
        raise DataError(
            f"no data set named {spec!r}",
            "and no such file",
            "expected a named set or a path",
            nearest(str(spec).lower(), NAMES),
        )
    dataset = open_path(path, images)
    check_table(dataset.X, dataset.feature_names, str(path), constant_ok=constant_ok)
    if dataset.X_test is not None:
        check_table(dataset.X_test, None, f"{path}, test rows", constant_ok=True)
    return dataset


def _is_word(spec: str | os.PathLike[str]) -> bool:
    """Whether this was meant as a name: no folder, no suffix."""
    text = os.fspath(spec)
    return bool(text) and Path(text).name == text and not Path(text).suffix
