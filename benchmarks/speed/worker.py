"""A contender's process: reads one request a line, trains when it is asked to, answers one line of JSON."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from statistics import median
from typing import Any

from speed import cases
from speed.clock import Epochs, UnableError
from speed.contenders import CONTENDERS

MOST_EPOCHS = 100


class Worker:
    """Holds the rows of one case and the contenders made ready for it."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.cases = {case.name: case for case in (cases.CPU if device == "cpu" else cases.GPU)}
        self.case = ""
        self.ready: dict[str, tuple[Epochs, int]] = {}

    def prepare(self, case: str, entrant: str, seconds: float) -> dict[str, Any]:
        """Build, warm up, and choose how many epochs a measurement takes so that it lasts about so many seconds."""
        if case != self.case:
            self.case, self.ready = case, {}
            self.X = self.cases[case].data()
        epochs = CONTENDERS[entrant].load()(self.cases[case], self.X, self.device)
        one = max(min(epochs(2)), 1e-6)
        n = min(MOST_EPOCHS, max(1, round(seconds / one)))
        self.ready[entrant] = (epochs, n)
        return {"epochs": n, "seconds": one}

    def measure(self, entrant: str) -> dict[str, Any]:
        epochs, n = self.ready[entrant]
        start = time.perf_counter()
        seconds = epochs(n)
        call = time.perf_counter() - start
        return {"seconds": median(seconds), "call": call, "how": getattr(epochs, "how", "")}

    def forget(self) -> dict[str, Any]:
        """Drop a case's rows and nets, so that only one case's are held by all processes."""
        self.case, self.ready, self.X = "", {}, None
        return {}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes where faults go
    warnings.simplefilter("ignore")
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except UnableError as reason:
            answer = {"unable": str(reason)}
        except Exception as fault:  # noqa: BLE001  # a peer may raise anything; the run goes on without it
            first = next(iter(str(fault).splitlines()), "")
            answer = {"unable": f"{type(fault).__name__}: {first}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
