"""Write the table of experiments into README.md beside this file, from the registry: python docs/lab/index.py."""

from itertools import groupby
from pathlib import Path

from isthmus.lab import EXPERIMENTS, Experiment, Protocol, introduced
from isthmus.lab.registry import PARTS

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- experiments: python docs/lab/index.py -->", "<!-- end of experiments -->"


def table() -> str:
    """The experiments in the lecture's order, a table a part."""
    lines = []
    for part, own in groupby(EXPERIMENTS, key=lambda one: one.part):
        lines += [f"### {part}. {PARTS[part]}", ""]
        lines += ["| name | in the lecture | what is claimed and measured | run it |", "|---|---|---|---|"]
        lines += [*map(row, own), ""]
    return "\n".join(lines)


def row(experiment: Experiment) -> str:
    """A line of the table, with a link to the experiment's code."""
    told = introduced(experiment, Protocol())
    cells = [f"[{told['name']}](../../{told['code']})", told["lecture"], told["claim"], f"`{told['command']}`"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def renewed(text: str) -> str:
    """The page with the table as it is now."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}{END}{tail}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
