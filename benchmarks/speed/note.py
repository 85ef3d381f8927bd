"""The dated note: what was measured, how, on what, and which goals were met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speed import tables
from speed.contenders import CONTENDERS
from speed.figures import Results
from speed.goals import Goal
from speed.rounds import SLOW

Run = dict[str, Any]  # date, machine, versions, settings, cases
REMARKS = Path(__file__).with_name("remarks.md")


def write(run: Run, goals: tuple[Goal, ...], picture: str | None) -> str:
    results: Results = run["cases"]
    parts = [
        head(run),
        f"![Samples a second of each contender]({picture})" if picture else "",
        "## Goals\n\n" + tables.of_goals(results, goals),
        remarks(results, goals),
        "## How it was measured\n\n" + method(run),
        "## What is not comparable\n\n" + caveats(run),
        *tables.by_group(results),
        "## Who takes part, and how each is set up\n\n" + set_up(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(run: Run) -> str:
    machine, settings = run["machine"], run["settings"]
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    gpu = f" {machine['gpu']};" if machine["gpu"] else ""
    listed = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"""# How fast training is, on a {"GPU" if gpu else "CPU"}

{run["date"]};{gpu} {machine["processor"]}, {machine["cores"]} cores{memory}; {machine["system"]};
{listed}.

Written by `benchmarks/training.py`; the numbers behind it lie in the JSON file beside it. Every figure is a median
over {settings["rounds"]} rounds, with the least and the greatest in brackets. The run took {settings["took"]} s."""


def remarks(results: Results, goals: tuple[Goal, ...]) -> str:
    """What bounds the goals that were missed: sections of remarks.md whose title a missed goal begins with."""
    missed = [goal.work for goal in goals if (figure := goal.measured(results)) and not goal.met(figure)]
    text = REMARKS.read_text(encoding="utf-8") if REMARKS.exists() else ""
    sections = [section.partition("\n")[::2] for section in text.split("\n## ")[1:]]
    kept = [(title, body) for title, body in sections if any(work.startswith(title.strip()) for work in missed)]
    paragraphs = [f"**{title.strip()}.** {body.strip()}" for title, body in kept]
    return "### What bounds the goals that were missed\n\n" + "\n\n".join(paragraphs) if kept else ""


def method(run: Run) -> str:
    settings = run["settings"]
    count = settings["threads"]
    threads = f"All have {count} thread{'s' if count > 1 else ''} and as many processors." if count else ""
    return f"""Each contender lives in a process of its own, our variants of one step in one; a parent asks them in
turn, through pipes, for one measurement after another. A round asks each contender of a case once; the order rotates
from round to round, and every second round runs backwards. {threads}

One measurement trains for as many epochs as last about {settings["seconds"]} s, and for one more first: the first
epoch, which compiles and warms up, is dropped. The clock is read at the ends of epochs, through each library's own
callback, and the median of a measurement's epochs is that round's figure. A step is an epoch over its number of
batches, so what a library does between epochs is in it. Ratios are taken within a round, then their median. A contender
whose epoch lasts more than {SLOW:g} s takes part in every third round only.

The nets are perceptrons, every layer but the last bent by one activation, with the squared error and Adam at 10⁻³, in
float32 unless the case says otherwise; "784-64" is 784-64-784, and so on. Batches divide the rows, which are shuffled
every epoch. The rows are random (16 factors and noise), or the eight patterns of 8-3-8. No validation, no checkpoints
and no log, wherever a setting switches them off.

The load average when the run began was {run["machine"]["load"]}."""


CAVEATS = """\
- The floor knows no gather, bias, activation, loss or optimiser: nothing trains in that time. It is measured, not
  derived: a compiler that fuses differently may be below it where nets are small and calls cost most.
- Losses are sums in some libraries and means in others, and initial weights differ. Neither changes what a step costs,
  and no figure here says which net is better after training.
- Isthmus computes the gradient's norm every step and keeps a copy of the last good weights every epoch; PyOD, pythae
  and the DataLoader loop read the loss every step; pythae copies the model after every better epoch. This is what they
  do, and it is left in.
- pythae, PyOD, skorch and the DataLoader loop fetch rows one by one and stack them: the price of a `DataLoader`, which
  weighs most where rows are narrow and batches large.
- 2-8-8-1 is trained as an autoencoder (2-8-8-1-8-8-2): the library has no regression yet.
- Populations: "one by one" and the DataLoader loop train one net, whose time is multiplied by the members.
- Time to start is of whole processes, from a warm disk cache."""
THREADS = """
- Isthmus takes one thread where a second costs more than it gives, the others as many as they are given; `--threads 1`
  measures all with one."""
TF32 = """
- On a GPU JAX multiplies float32 in TF32 by default, torch does not."""


def caveats(run: Run) -> str:
    settings = run["settings"]
    return CAVEATS + (THREADS if settings["threads"] > 1 else "") + (TF32 if settings["device"] != "cpu" else "")


def set_up(results: Results) -> str:
    used = {name for case in results.values() for name in case["seconds"]}
    return "\n".join(f"- **{who.label}**: {who.how}." for name, who in CONTENDERS.items() if name in used)
