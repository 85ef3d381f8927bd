"""Arrays of any shape and type, as rows of floats and whole-number labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isthmus.data.checks import check_shape, check_type, counted_row, one_dimensional, shown
from isthmus.data.dataset import Labels, Rows
from isthmus.errors import DataError

CHANNELS = (1, 3, 4)  # gray, RGB, RGB and alpha
_FULL_SCALE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}


def as_rows(array: npt.NDArray[np.generic], where: str) -> tuple[Rows, tuple[int, ...] | None]:
    """Turn a table or a stack of images into rows.

    Parameters
    ----------
    array : array of shape (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W), with C one of 1, 3, 4
        Real numbers. Where both the last axis and axis 1 could be channels, the last is taken.
    where : str
        The array's place, for messages.

    Returns
    -------
    rows : float array of shape (N, D) or (N, C·H·W)
        float32 and float64 stay, other types become the smallest of the two that holds them exactly. Images of
        unsigned 8- or 16-bit pixels are divided by their full scale, so that they lie in [0, 1].
    input_shape : (C, H, W), or None for a table

    Raises
    ------
    DataError
        Not numbers, or no such shape.
    """
    check_type(array.dtype, where)
    if array.ndim < 2:
        raise one_dimensional(array.shape, where)
    if array.ndim == 2:
        check_shape(array.shape, where)
        return as_floats(array), None
    images = _channels_first(array, where)  # N C H W
    pixels = as_floats(images)
    if array.dtype in _FULL_SCALE:
        pixels = pixels / np.float32(_FULL_SCALE[array.dtype])
    rows = pixels.reshape(len(pixels), int(np.prod(images.shape[1:])))
    check_shape(rows.shape, where)
    return rows, images.shape[1:]


def as_floats(array: npt.NDArray[np.generic]) -> Rows:
    """The same numbers as float32 where that is exact for the type, else as float64."""
    exact = np.can_cast(array.dtype, np.float32)  # booleans, integers of 8 and 16 bits, half and single floats
    return np.ascontiguousarray(array, dtype=np.float32 if exact else np.float64)


def as_labels(
    values: npt.NDArray[np.generic], n_rows: int, where: str, row_name: Callable[[int], str] = counted_row
) -> Labels:
    """Labels as whole numbers, one a row; text is numbered in sorted order.

    Raises
    ------
    DataError
        Another number of labels than rows, labels that are neither whole numbers nor text.
    """
    flat = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.shape != (n_rows,):
        raise DataError(
            f"labels of shape {values.shape} beside {n_rows} rows",
            where,
            f"expected one label per row, shape ({n_rows},)",
            "save rows and labels of the same examples together",
        )
    if flat.dtype.kind in "US":
        return np.unique(flat, return_inverse=True)[1].astype(np.int64)
    _check_whole(flat, where, row_name)
    return flat.astype(np.int64)


def _check_whole(labels: npt.NDArray[np.generic], where: str, row_name: Callable[[int], str]) -> None:
    whole = np.ones(len(labels), dtype=bool)
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (np.floor(labels) == labels)
    elif labels.dtype.kind not in "biu":
        whole[:] = False
    if not whole.all():
        row = int(np.argmin(whole))
        raise DataError(
            f"the label {shown(labels[row].item())}",
            f"{where}, {row_name(row)}",
            "expected whole numbers or text as labels",
            "number the classes, or give what is no label another name",
        )


def _channels_first(array: npt.NDArray[np.generic], where: str) -> npt.NDArray[np.generic]:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and array.shape[3] in CHANNELS:
        return np.moveaxis(array, 3, 1)
    if array.ndim == 4 and array.shape[1] in CHANNELS:
        return array
    raise DataError(
        f"an array of shape {array.shape}",
        where,
        "expected (N, D), (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels",
        "flatten each example to one row",
    )
