"""Where the files of named sets lie."""

from __future__ import annotations

import os
from pathlib import Path


def folder_of(name: str) -> Path:
    """Where the files of a downloaded set lie: in `ISTHMUS_DATA`, else in the user's cache."""
    root = os.environ.get("ISTHMUS_DATA")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "isthmus"
    return (Path(root) if root else cache).expanduser() / name


def local(folder: Path, file: str) -> Path | None:
    """The file, plain or gzipped, if it is there."""
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)
