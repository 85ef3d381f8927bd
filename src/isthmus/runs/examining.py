"""Judge a run on rows it was not trained on: evidence as JSON and as a page, beside the run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save

from isthmus._files import atomic, atomic_write_text
from isthmus.data import load_data
from isthmus.errors import RunError
from isthmus.evidence import Evidence, Reference, examine_with
from isthmus.plain import plain
from isthmus.runs.folder import EVIDENCE, REFERENCE, REPORT, Run, write_json
from isthmus.runs.source import Load, left_out, rows_for, rows_to_examine
from isthmus.threads import ROWS, threads_for


def evaluate(run: Run, data: str, load: Load = load_data) -> dict[str, Any]:
    """Examine a run on data, and write `evidence.json` and `report.html` into it.

    Raises
    ------
    DataError, RunError
        Where the rows do not fit the run, or the run's reference is damaged.
    """
    dataset = rows_for(run, data, load)
    X, y, which = rows_to_examine(run, dataset)
    return write_evidence(run, X, y, read_reference(run.folder), f"{data}: {which}") | left_out(dataset)


def write_evidence(
    run: Run, X: np.ndarray, y: np.ndarray | None, reference: Reference | None, rows: str
) -> dict[str, Any]:
    with threads_for(X.size, ROWS):
        evidence = examine_with(run.ae, reference, X, y)
    found = {"rows": rows, **plain(evidence.to_dict())}
    kind = run.about.get("kind", "autoencoder")
    page = _page(evidence, f"{kind} of {run.about.get('data', {}).get('name', 'data')}")
    write_json(run.folder / EVIDENCE, found)
    if page is not None:
        atomic_write_text(run.folder / REPORT, page)
    return {"run": str(run.folder)} | found | {"report": None if page is None else str(run.folder / REPORT)}


def _page(evidence: Evidence, title: str) -> str | None:
    """The report; None where it cannot be drawn: the numbers need nothing of that."""
    from isthmus.report import evidence_page

    return evidence_page(evidence, title) if can_draw() else None


def can_draw() -> bool:
    """Whether the packages of the extra `report` are installed."""
    return all(find_spec(package) is not None for package in ("jinja2", "matplotlib", "PIL"))


def write_reference(folder: Path, reference: Reference | None) -> None:
    path = folder / REFERENCE
    if reference is None:
        path.unlink(missing_ok=True)
        return
    with atomic(path) as beside:
        beside.write_bytes(save(reference.to_tensors()))


def read_reference(folder: Path) -> Reference | None:
    """The run's reference, or None where it was left out.

    Raises
    ------
    RunError
        Where the file is damaged.
    """
    path = folder / REFERENCE
    if not path.exists():
        return None
    try:
        return Reference.from_tensors(load(path.read_bytes()))
    except (SafetensorError, OSError) as fault:
        raise RunError(
            f"{path.name} is damaged ({fault})", f"at {folder}", "the file that training wrote", "train again"
        ) from fault
