"""Folders of results: whole or not there, and never put in the place of something else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import RunError
from isthmus.runs.folder import is_taken, make_folder


def check_free(out: Path, mark: str, noun: str, overwrite: bool) -> None:
    """Refuse a place that holds something already: `mark` is the file that tells results of ours, a `noun`.

    Raises
    ------
    RunError
        Where it is taken, unless by results of ours that may be overwritten.
    """
    ours = (out / mark).is_file()
    if is_taken(out) and not (overwrite and ours):
        raise RunError(
            f"already a {noun}" if ours else f"not a {noun}, and not empty",
            f"at {out}",
            "a new or an empty folder",
            "replace it with --overwrite, or choose another --out" if ours else "choose another --out",
        )


@contextmanager
def whole(out: Path, own: Sequence[str]) -> Iterator[Path]:
    """A folder to write results into, beside `out`, which takes its place once the block ends well.

    A block that fails or is interrupted leaves `out` as it was and nothing beside it.

    Parameters
    ----------
    own : sequence of str
        What the results consist of, the file that tells them first; anything else that lies in `out` stays there.

    Raises
    ------
    RunError
        Where it cannot be written to.
    """
    place = out.resolve()  # a link to results stays a link
    beside = place.with_name(f".{place.name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
    try:
        make_folder(beside)
        yield beside
        _replace(place, beside, own)
    except RunError as fault:
        raise _at(fault, beside, out) from fault
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _replace(place: Path, beside: Path, own: Sequence[str]) -> None:
    """The file that tells results goes first and comes last: a folder half replaced does not look whole."""
    if not place.exists():
        beside.rename(place)
        return
    for name in own:
        if (place / name).is_dir():
            shutil.rmtree(place / name)
        else:
            (place / name).unlink(missing_ok=True)
    for name in reversed(own):
        if (beside / name).exists():
            (beside / name).rename(place / name)


def _at(fault: RunError, beside: Path, out: Path) -> RunError:
    """The fault as of the folder that was asked for."""
    return RunError(fault.what, fault.where.replace(str(beside), str(out)), fault.expected, fault.hint)
