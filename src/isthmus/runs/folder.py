"""A run's folder: the files it holds, how one is begun, gone on with or replaced, and how one is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isthmus import saving
from isthmus._files import atomic_write_text
from isthmus.errors import RunError, SettingError
from isthmus.estimators import Autoencoder
from isthmus.loading import load

CONFIG, MODEL, REFERENCE = "config.json", "model.safetensors", "reference.safetensors"
METRICS, EVIDENCE, REPORT = "metrics.jsonl", "evidence.json", "report.html"
FEATURES = "features"  # a folder
CHECKPOINT, PLAN = "checkpoints/last.safetensors", "checkpoints/plan.json"
OWN = {CONFIG, MODEL, REFERENCE, METRICS, EVIDENCE, REPORT, FEATURES, "checkpoints"}
Mode = Literal["new", "resume", "overwrite"]


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its autoencoder, and what its configuration says of the training data."""

    folder: Path
    ae: Autoencoder
    config: Mapping[str, Any]

    @property
    def about(self) -> Mapping[str, Any]:
        """`kind`, `seed`, `data`, `versions` as training noted them."""
        return self.config.get("run", {})

    @property
    def columns(self) -> list[str]:
        """Names of a row's numbers: those of the training table, else x0, x1, …"""
        names = self.about.get("data", {}).get("feature_names")
        return list(names) if names else [f"x{i}" for i in range(self.ae.n_features_in_)]

    @property
    def code_columns(self) -> list[str]:
        return [f"code{i}" for i in range(self.ae.module_.code.size)]


def open_run(folder: str | Path) -> Run:
    """Open a finished run, or any folder that `Autoencoder.save` wrote.

    Raises
    ------
    RunError
        Where the folder is missing, unfinished, damaged, or holds something else.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError("no such run", f"at {folder}", "a folder that isthmus train wrote", "check the path")
    if not (folder / CONFIG).exists() and (folder / PLAN).exists():
        raise RunError(
            "the run is not finished", f"at {folder}", "a run whose training ended", "go on with isthmus train --resume"
        )
    ae = load(folder)
    if not isinstance(ae, Autoencoder):
        raise RunError(f"the folder holds an {type(ae).__name__}", f"at {folder}", "an Autoencoder's run")
    return Run(folder, ae, saving.read_config(folder))


@contextmanager
def workplace(out: Path, mode: Mode) -> Iterator[Path]:
    """A folder to train in, which is `out` once the block ends well.

    A run that is replaced stays where it is until then: the new one is made beside it. An interrupted block leaves
    its checkpoints for `mode="resume"`; a block that fails before it has written anything leaves nothing.

    Raises
    ------
    RunError
        Where `out` is taken, is no run, or cannot be written to.
    """
    out = out.absolute()  # not resolved: a link to a run stays a link
    beside = _beside(out)
    folder = _claim(out, beside, mode)
    try:
        yield folder
        if folder == beside:
            _replace(out, beside)
    finally:
        with suppress(OSError):
            folder.rmdir()  # succeeds where nothing was written


def _claim(out: Path, beside: Path, mode: Mode) -> Path:
    taken = is_taken(out)
    if mode == "resume":
        if beside.is_dir():
            return beside
        if not is_run(out):
            raise RunError(
                "no run to go on with", f"at {out}", "a run that was interrupted", "leave out --resume to start one"
            )
        return out
    if taken and not is_run(out):
        raise RunError(
            "not a run, and not empty", f"at {out}", "a new or an empty folder, or a run", "choose another --out"
        )
    if taken and mode == "new":
        raise RunError(
            "already a run",
            f"at {out}",
            "a new or an empty folder",
            "go on with --resume, replace it with --overwrite, or choose another --out",
        )
    folder = beside if taken else out
    if beside.is_dir():
        shutil.rmtree(beside)  # what an earlier, interrupted --overwrite had begun
    make_folder(folder)
    return folder


def make_folder(folder: Path) -> None:
    """Make a folder and try to write into it.

    Raises
    ------
    RunError
        Where that is not allowed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".isthmus").touch()
        (folder / ".isthmus").unlink()
    except OSError as fault:
        raise RunError(
            f"cannot write to the folder ({fault.strerror})",
            f"at {folder}",
            "a folder you may write to",
            "choose another --out",
        ) from fault


def is_taken(out: Path) -> bool:
    """Whether something stands at `out` already: a file, or a folder that is not empty."""
    try:
        return out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as fault:
        raise RunError(
            f"cannot read the folder ({fault.strerror})", f"at {out}", hint="choose another --out"
        ) from fault


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run of ours, finished or not."""
    if (folder / PLAN).is_file():
        return True
    with suppress(RunError):
        return "run" in saving.read_config(folder)
    return False


def resumable(out: Path) -> bool:
    """Whether `out` has been trained in, so that `mode="resume"` can go on."""
    return (_beside(out.absolute()) / PLAN).is_file() or (out / PLAN).is_file()


def _beside(out: Path) -> Path:
    """Where a run is made that is to replace the one at `out`."""
    return out.with_name(f".{out.name}.new")


def _replace(out: Path, beside: Path) -> None:
    """Put the new run in the old one's place; files of the user's that lay in the old one come along."""
    old = out.with_name(f".{out.name}.old")
    out.rename(old)
    beside.rename(out)
    for path in old.iterdir():
        if path.name not in OWN:
            path.rename(out / path.name)
    shutil.rmtree(old)


def read_plan(folder: Path) -> dict[str, Any]:
    """What an interrupted run was asked for.

    Raises
    ------
    RunError
        Where the note of it is damaged.
    """
    path = folder / PLAN
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as fault:
        raise RunError(
            f"the note of what was trained cannot be read ({fault})", f"at {path}", hint="start again with --overwrite"
        ) from fault
    if not isinstance(plan, dict):
        raise RunError("the note of what was trained is damaged", f"at {path}", hint="start again with --overwrite")
    return plan


def check_plan(folder: Path, plan: Mapping[str, Any]) -> None:
    """Refuse to go on with a run that was asked for something else.

    Raises
    ------
    SettingError
        Naming the first setting that differs, with both values.
    """
    before = read_plan(folder)
    for name in (*plan, *before):
        if before.get(name) != plan.get(name):
            raise SettingError(
                f"{name} was {before.get(name)!r} and is now {plan.get(name)!r}",
                f"in the run {folder}",
                "the same data and settings as before, to go on with it",
                "give the same ones, or start again with --overwrite",
            )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    atomic_write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
