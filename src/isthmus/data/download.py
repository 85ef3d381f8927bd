"""The download of the sets that do not come with a package: checked, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import build_opener

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from isthmus._files import atomic
from isthmus.data.hosts import Host
from isthmus.errors import DataError

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 16


def fetch(host: Host, file: str, folder: Path) -> Path:
    """Download `<file>.gz` into a folder, which is made if need be; a bar on stderr shows the progress.

    Returns
    -------
    Path
        The file, of the right SHA-256.

    Raises
    ------
    DataError
        The host does not answer or breaks off, another checksum, the folder cannot be written. Nothing stays behind.
    """
    url, target = f"{host.url}/{file}.gz", folder / f"{file}.gz"
    with _open(url, target) as source:
        _make(folder)  # only now: a host that does not answer leaves no empty folder
        with atomic(target) as beside, beside.open("wb") as out:
            digest = _copy(source, url, out, target)
            if digest != host.sha256[file]:
                raise DataError(
                    f"a file of SHA-256 {digest}",
                    f"from {url}",
                    f"expected {host.sha256[file]}",
                    f"try again, or put the right file at {target}",
                )
    return target


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder ({error.strerror})",
            f"at {folder}",
            "expected a place to keep downloads",
            "let ISTHMUS_DATA name a folder you may write to",
        ) from error


def _copy(source: http.client.HTTPResponse, url: str, out: BinaryIO, target: Path) -> str:
    """Stream `source` into `out`, with a bar; return the SHA-256 of what came."""
    digest = hashlib.sha256()
    size = source.headers.get("Content-Length")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(target.name, total=int(size) if size else None)
        while chunk := _read(source, url, target):
            out.write(chunk)
            digest.update(chunk)
            progress.update(task, advance=len(chunk))
    return digest.hexdigest()


# The network's errors are OSErrors, as the disk's are: each is caught where only one of the two can occur.
def _open(url: str, target: Path) -> http.client.HTTPResponse:
    try:
        return build_opener().open(url, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()  # it is the host's answer too, and holds the connection
        raise _unreachable(url, target, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, target, error) from error


def _read(source: http.client.HTTPResponse, url: str, target: Path) -> bytes:
    try:
        return source.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, target, error) from error


def _unreachable(url: str, target: Path, error: Exception) -> DataError:
    reason = getattr(error, "reason", None) or error
    return DataError(
        f"cannot download {target.name} ({reason})",
        f"from {url}",
        f"expected it there or at {target}",
        f"fetch it by other means and put it there, or let ISTHMUS_DATA name the folder above {target.parent.name}/",
    )
