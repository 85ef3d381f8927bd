"""The idx format of the MNIST family, plain or gzipped.

A file is: two zero bytes, a type code, the number of axes, one big-endian uint32 per axis, then the values, big-endian.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.data.reading import reading
from isthmus.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"([.-]idx\d*|[.-]ubyte)(\.gz)?$")
_FORM = "an idx file"


def is_idx_name(name: str) -> bool:
    """Whether a file is called as idx files are: `train-images-idx3-ubyte`, `a.idx`, either with `.gz`."""
    return _NAME.search(name) is not None


def read_idx(path: Path) -> npt.NDArray[np.generic]:
    """Read one idx file, gzipped if its bytes say so.

    Returns
    -------
    array of the file's shape and type, in the machine's byte order

    Raises
    ------
    DataError
        Not idx, truncated, longer than its header says, or a damaged gzip.
    """
    with reading(path, _FORM, EOFError, zlib.error):
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    return _decode(content, path)


def _decode(content: bytes, path: Path) -> npt.NDArray[np.generic]:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        raise DataError(
            f"the file begins with {content[:4].hex(' ') or 'nothing'}",
            f"in {path}",
            f"expected {_FORM}: 00 00, a type from 08 to 0e, the number of axes",
            "give the file another name if it is not idx",
        )
    dtype, start = np.dtype(_TYPES[content[2]]), 4 + 4 * content[3]
    if len(content) < start:
        raise _wrong_length(path, len(content), start)
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    end = start + dtype.itemsize * math.prod(shape)
    if len(content) != end:
        raise _wrong_length(path, len(content), end)
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _wrong_length(path: Path, found: int, expected: int) -> DataError:
    return DataError(
        f"{found} bytes", f"in {path}", f"expected {expected} bytes, as the idx header says", "fetch the file again"
    )
