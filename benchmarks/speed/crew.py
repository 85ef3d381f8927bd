"""The process tree: one worker a contender, asked one at a time through pipes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from speed.clock import UnableError
from speed.contenders import CONTENDERS

HERE = Path(__file__).resolve().parent.parent
PATIENCE = 180  # seconds that one answer may take


def environment(device: str, threads: int) -> dict[str, str]:
    """The same limits for every process: numerical libraries, XLA, and no progress bars."""
    given = os.environ.copy()
    given["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [given.get("PYTHONPATH")])])
    given |= {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if device == "cpu":
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC")
        given |= dict.fromkeys(names, str(threads))
        given |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
        given["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
    return given


def pin(threads: int) -> None:
    """Keep this process and its children to so many processors, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Crew:
    """Workers are started when they are first asked, and live until the end."""

    def __init__(self, device: str, threads: int) -> None:
        self.device, self.threads = device, threads
        self.workers: dict[str, subprocess.Popen[str]] = {}
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed on leaving

    def ask(self, entrant: str, do: str, /, **request: Any) -> dict[str, Any]:
        """One request and its answer.

        Raises
        ------
        UnableError
            Where the contender cannot take part, fell over, or took too long.
        """
        process = CONTENDERS[entrant].process
        worker = self.workers.get(process) or self._start(entrant)
        answer = self._talk(worker, {"do": do, **request})
        if answer is None:
            self._end(self.workers.pop(process))
            raise UnableError(f"no answer to {do!r} ({self._last_words()})")
        if "unable" in answer:
            raise UnableError(answer["unable"])
        return answer

    def _talk(self, worker: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any] | None:
        requests, answers = cast("IO[str]", worker.stdin), cast("IO[str]", worker.stdout)
        with contextlib.suppress(BrokenPipeError):
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            ready, _, _ = select.select([answers], [], [], PATIENCE)
            line = answers.readline() if ready else ""
            return json.loads(line) if line else None
        return None

    def _start(self, entrant: str) -> subprocess.Popen[str]:
        contender = CONTENDERS[entrant]
        worker = subprocess.Popen(  # noqa: S603  # our own file, under our own interpreter
            [sys.executable, "-m", "speed.worker", self.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment(self.device, self.threads) | contender.environment,
        )
        self.workers[contender.process] = worker
        return worker

    def forget(self) -> None:
        for worker in self.workers.values():
            self._talk(worker, {"do": "forget"})

    def _last_words(self) -> str:
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 2000))
        return next((line.strip() for line in reversed(self.log.readlines()) if line.strip()), "it said nothing")

    @staticmethod
    def _end(worker: subprocess.Popen[str]) -> None:
        worker.kill()
        worker.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers.values():
            self._end(worker)
        self.log.close()
