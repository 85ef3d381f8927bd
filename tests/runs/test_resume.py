"""Runs that are interrupted, gone on with, and replaced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isthmus import load, runs
from isthmus.errors import SettingError
from isthmus.runs import Request

SETTINGS = {"max_epochs": 6, "batch_size": 32, "patience": 3}
REQUEST = Request("iris", "denoising", 2, SETTINGS)


class Stop:
    """An observer that interrupts at an epoch's end, as Ctrl-C would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, state: object) -> None:
        if state.epoch == self.epoch:
            raise KeyboardInterrupt


def interrupt(request: Request, out: Path, epoch: int, mode: str = "new") -> None:
    with pytest.raises(KeyboardInterrupt):
        runs.train(request, out, mode, observers=[Stop(epoch)])


def lines(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.parametrize("kind", ["denoising", "variational", "topk"])
def test_a_resumed_run_equals_an_unbroken_one(tmp_path, kind):
    request = Request("iris", kind, 8, SETTINGS)
    runs.train(request, tmp_path / "whole")
    interrupt(request, tmp_path / "broken", 2)
    assert not (tmp_path / "broken/config.json").exists()
    runs.train(request, tmp_path / "broken", "resume")
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "broken/model.safetensors").read_bytes()
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")


def test_lines_beyond_the_checkpoint_are_dropped(tmp_path):
    interrupt(REQUEST, tmp_path / "r", 2)
    with (tmp_path / "r/metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    runs.train(REQUEST, tmp_path / "r", "resume")
    assert [row["epoch"] for row in lines(tmp_path / "r")] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_gone_on_with_in_vain(tmp_path):
    first = runs.train(REQUEST, tmp_path / "r")
    again = runs.train(REQUEST, tmp_path / "r", "resume")
    assert first == again


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            Request("iris", "denoising", 2, SETTINGS | {"max_epochs": 7}),
            (
                "max_epochs was 6 and is now 7; in the run {}; the same data and settings as before, to go on with it; "
                "give the same ones, or start again with --overwrite"
            ),
        ),
        (
            Request("iris", "linear", 2, SETTINGS),
            (
                "kind was 'denoising' and is now 'linear'; in the run {}; "
                "the same data and settings as before, to go on with it; "
                "give the same ones, or start again with --overwrite"
            ),
        ),
    ],
)
def test_other_settings_are_refused(tmp_path, request_, message):
    interrupt(REQUEST, tmp_path / "r", 1)
    with pytest.raises(SettingError) as caught:
        runs.train(request_, tmp_path / "r", "resume")
    assert str(caught.value) == message.replace("in the run {}", f"in the run {tmp_path / 'r'}")


def test_other_data_are_refused(tmp_path):
    interrupt(REQUEST, tmp_path / "r", 1)
    X = load_rows() + 1
    np.save(tmp_path / "other.npy", X)
    with pytest.raises(SettingError, match=r"^data was '.*' and is now '.*'; in the run "):
        runs.train(Request(str(tmp_path / "other.npy"), "denoising", 2, SETTINGS), tmp_path / "r", "resume")


def load_rows() -> np.ndarray:
    from isthmus.data import load_data

    return load_data("iris").X


def test_overwriting_keeps_the_old_run_until_the_new_is_done(tmp_path):
    out = tmp_path / "r"
    runs.train(REQUEST, out)
    (out / "notes.txt").write_text("mine")
    old = (out / "model.safetensors").read_bytes()
    other = Request("iris", "linear", 3, SETTINGS)
    interrupt(other, out, 2, "overwrite")
    assert (out / "model.safetensors").read_bytes() == old
    runs.train(other, out, "resume")
    assert load(out).code_size == 3
    assert (out / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_failed_overwrite_leaves_the_old_run_alone(tmp_path):
    out = tmp_path / "r"
    runs.train(REQUEST, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(SettingError):
        runs.train(Request("iris", "topk", 3, {"k": 9}), out, "overwrite")
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_fit_that_fails_before_its_first_epoch_leaves_nothing(tmp_path):
    with pytest.raises(SettingError):
        runs.train(Request("iris", "topk", 3, {"k": 9}), tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_no_epoch(tmp_path, monkeypatch):
    import errno

    from isthmus.errors import DataError

    interrupt(REQUEST, tmp_path / "r", 2)
    kept = (tmp_path / "r/checkpoints/last.safetensors").read_bytes()
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        real(path, content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError) as caught:
        runs.train(REQUEST, tmp_path / "r", "resume")
    assert caught.value.what == "no room to write the file"
    monkeypatch.setattr(Path, "write_bytes", real)
    assert (tmp_path / "r/checkpoints/last.safetensors").read_bytes() == kept
    assert [path.name for path in (tmp_path / "r/checkpoints").iterdir() if "isthmus-" in path.name] == []
    runs.train(REQUEST, tmp_path / "r", "resume")
    assert len(lines(tmp_path / "r")) == 6
