"""Every way of failing to read a file, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import DataError


@contextmanager
def reading(path: Path, form: str, *faults: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong while `path` is read into one `DataError`.

    Parameters
    ----------
    path : Path
        The file.
    form : str
        What it should be, with its article: "a csv file".
    faults : exception types
        What the reader of this form raises for a damaged file, beside `OSError`.
    """
    known: tuple[type[Exception], ...] = (OSError, *faults)
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise missing(path) from error
    except PermissionError as error:
        raise DataError(
            "not allowed to read", f"at {path}", f"expected {form}", "give yourself the right to read it"
        ) from error
    except MemoryError as error:
        raise DataError(
            "too large for the memory of this machine", f"in {path}", f"expected {form}", "give fewer rows or columns"
        ) from error
    except known as error:
        raise damaged(path, form) from error


def missing(path: Path) -> DataError:
    return DataError(
        "no such file or folder",
        f"at {path}",
        "expected a file, a folder of images or a named set",
        "check the path; `isthmus data list` names the sets",
    )


def damaged(path: Path, form: str) -> DataError:
    return DataError(
        "truncated, damaged or of another kind", f"in {path}", f"expected {form}", "make or fetch the file again"
    )


def needs(package: str, extra: str, task: str) -> DataError:
    """The error for an optional package that is not installed."""
    return DataError(
        f"{package} is not installed",
        f"to {task}",
        f"expected the package {package}",
        f"pip install 'isthmus[{extra}]'",
    )
