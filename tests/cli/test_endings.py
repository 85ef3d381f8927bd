"""How commands end where they are stopped from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from isthmus import runs


def stop(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c(cli, monkeypatch):
    monkeypatch.setattr(runs, "open_run", stop)
    answer = cli("info", "x")
    assert (answer.code, answer.out, answer.err) == (130, "", "isthmus: interrupted\n")


def test_ctrl_c_before_the_first_epoch_s_end(cli, monkeypatch):
    monkeypatch.setattr(runs, "train", stop)
    answer = cli("train", "iris", "--kind", "linear", "--out", "r")
    assert (answer.code, answer.err) == (130, "isthmus: interrupted; no epoch was finished, nothing was written\n")


def test_ctrl_c_while_training_leaves_a_run_to_go_on_with(cli, tmp_path):
    words = [
        "train",
        "digits",
        "--kind",
        "linear",
        "--out",
        "r",
        "--set",
        "max_epochs=100000",
        "--set",
        "patience=100000",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "isthmus", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "r/checkpoints/last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "isthmus: interrupted; resume with --resume --out r\n")
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"checkpoints", "metrics.jsonl"}
    epochs = [json.loads(line)["epoch"] for line in Path(tmp_path / "r/metrics.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, len(epochs) + 1))


def test_a_reader_who_goes_away(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "isthmus", "data", "list"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0
