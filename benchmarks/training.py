"""How fast training is: Isthmus, its peers and bare matrix products on the same nets, rows, batches and threads.

    python benchmarks/training.py                     the whole of it, about a quarter of an hour, on a quiet machine
    python benchmarks/training.py --cases 784-64      some cases; prints, and writes nothing without --out
    python benchmarks/training.py --device cuda       the cases of a GPU

The whole run writes `training.json`, `training.md` and `training.png` (`training-gpu.*`). What is measured stands in
`speed/cases.py`, who takes part in `speed/contenders/`, what is to be reached in `speed/goals.py`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from speed import cases, goals, machine, note, rounds, tables
from speed.cases import Case
from speed.crew import Crew, pin

HERE = Path(__file__).resolve().parent
SECONDS = 0.2  # what one measurement lasts, about
BUSY = 0.7  # load average beyond which another program is at work


def main() -> None:
    options = arguments()
    chosen = selected(options)
    if options.device == "cpu":
        pin(options.threads)
    run = describe(options)
    if (load := run["machine"]["load"]) is not None and load > BUSY:
        say(f"the machine is busy (load {load}): the figures will be noise")
    begun = time.perf_counter()
    with Crew(options.device, options.threads) as crew:
        for i, case in enumerate(chosen):
            say(f"{i + 1}/{len(chosen)} {case.name} ({time.perf_counter() - begun:.0f} s)")
            run["cases"][case.name] = measured = one(crew, case, options)
            say(tables.of_case(measured) + "\n")
    run["settings"]["took"] = round(time.perf_counter() - begun)
    say(tables.of_goals(run["cases"], tuple(goal for goal in reach(options.device) if goal.case in run["cases"])))
    if options.out is not None:
        save(run, options)


def one(crew: Crew, case: Case, options: argparse.Namespace) -> rounds.Measured:
    if case.group == "start":
        return rounds.starts(case, options.rounds, options.device, options.threads)
    return rounds.measure(crew, case, options.rounds, options.seconds, say)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of a CPU, for every process")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that one measurement lasts, about")
    parser.add_argument("--cases", nargs="+", metavar="WORDS", help="only cases whose name holds one of these")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument("--date", default=str(datetime.datetime.now(tz=datetime.UTC).date()), help="of the note")
    parser.add_argument("--out", type=Path, help="written with .json, .md and .png")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.02
    whole = not (options.cases or options.contenders or options.quick)
    if options.out is None and whole:
        options.out = HERE / ("training" if options.device == "cpu" else "training-gpu")
    if options.device != "cpu":
        refuse_without_gpu()
        options.threads = 0
    return options


def refuse_without_gpu() -> None:
    if find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return
    sys.exit("benchmarks/training.py: --device cuda needs a GPU that torch can use, and there is none")


def selected(options: argparse.Namespace) -> list[Case]:
    table = cases.CPU if options.device == "cpu" else cases.GPU
    found = [case for case in table if not options.cases or any(words in case.name for words in options.cases)]
    if options.contenders:
        found = [replace(c, entrants=tuple(e for e in c.entrants if e in options.contenders)) for c in found]
    if not (found := [case for case in found if case.entrants]):
        sys.exit("benchmarks/training.py: no case is left; the names are " + "; ".join(case.name for case in table))
    return found


def reach(device: str) -> tuple[goals.Goal, ...]:
    return goals.CPU if device == "cpu" else goals.GPU


def describe(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": options.date,
        "machine": machine.describe(options.device),
        "versions": machine.versions(),
        "settings": {
            "device": options.device,
            "rounds": options.rounds,
            "threads": options.threads,
            "seconds": options.seconds,
        },
        "cases": {},
    }


def save(run: dict[str, Any], options: argparse.Namespace) -> None:
    out: Path = options.out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(rounded(run), indent=1) + "\n", encoding="utf-8")
    picture = None
    if find_spec("matplotlib") is None:
        say("no picture: matplotlib is not installed")
    else:
        from speed.picture import draw, main_cases

        if main_cases(run["cases"]):
            picture = out.with_suffix(".png")
            draw(run["cases"], picture, headline(run))
    text = note.write(run, reach(options.device), picture.name if picture else None)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    say(f"wrote {out}.json, .md" + (" and .png" if picture else ""))


def headline(run: dict[str, Any]) -> str:
    """Two lines for a stranger."""
    threads = run["settings"]["threads"]
    processor = f"{run['machine']['processor'].partition(' (')[0]}, {threads} thread{'s' if threads > 1 else ''}"
    where = run["machine"]["gpu"] or processor
    return f"Rows a second in training, the same autoencoder in each panel: longer is faster\n{where}; {run['date']}"


def rounded(value: Any) -> Any:
    """Floats to six figures, so that the file can be read and compared."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
