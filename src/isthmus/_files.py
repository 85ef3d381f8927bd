"""Files that are whole or not there: write beside, then rename."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from isthmus.errors import DataError

# errno -> what went wrong, what to do about it
_FULL = ("no room to write the file", "free some room or choose another folder")
_DENIED = ("not allowed to write the file", "choose a folder you may write to")
_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
}


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a place beside `path` to write to; rename it to `path` only if nothing fails.

    The place has the suffix of `path`. Whatever happens, no half-written file stays behind, and a file that stood
    at `path` stays as it was until the new one is whole. A link is followed, so that it stays a link.

    Parameters
    ----------
    path : str or path
        The file to make; its folder must exist.

    Yields
    ------
    Path
        The file to write instead of `path`.

    Raises
    ------
    DataError
        No such folder, not allowed to write, disk full, or `path` is a folder or a device.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".isthmus-{uuid4().hex[:12]}{target.suffix}")
    try:
        _check_place(path, target)
        yield beside
        _flush(beside)
        beside.replace(target)
    except OSError as error:
        raise _write_fault(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text to `path`, whole or not at all; faults as in `atomic`."""
    with atomic(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _check_place(path: str | os.PathLike[str], target: Path) -> None:
    if not target.parent.is_dir():
        raise DataError(
            "no such folder", f"to write {os.fspath(path)}", "expected a folder that exists", "create it first"
        )
    # Renaming over a device such as /dev/null would destroy it.
    if target.exists() and not target.is_file():
        raise DataError(
            "a folder or a device stands here", f"at {os.fspath(path)}", "expected a file name", "name another file"
        )


def _flush(path: Path) -> None:
    """Have the bytes on the disk before the name is: a power cut must not leave an empty file under it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_fault(path: str | os.PathLike[str], error: OSError) -> DataError:
    reason = error.strerror or str(error)
    unknown = (f"cannot write the file ({reason})", "check the room on the disk and your rights in the folder")
    what, cure = _FAULTS.get(error.errno or 0, unknown)
    return DataError(what, f"at {os.fspath(path)}", "nothing was written", cure)
