"""What there is to know of a run without any data."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from isthmus import saving
from isthmus.plain import plain
from isthmus.runs.folder import EVIDENCE, REFERENCE, REPORT, Run


def info(run: Run) -> dict[str, Any]:
    """Settings, sizes, versions, losses and verdicts of a run."""
    ae = run.ae
    data = run.about.get("data", {})
    return plain(
        {
            "run": str(run.folder),
            "kind": run.about.get("kind"),
            "code_size": ae.module_.code.size,
            "columns": ae.n_features_in_,
            "parameters": sum(p.numel() for p in ae.module_.parameters()),
            "seed": ae.seed_,
            "n_train": ae.n_train_,
            "n_validation": ae.n_validation_,
            "epochs": ae.n_iter_,
            "stopped": ae.stopped_,
            "engine": getattr(ae, "engine_", None),
            "seconds": sum(row.get("seconds", 0.0) for row in ae.history_),
            "losses": {k: v for k, v in (ae.history_ or [{}])[-1].items() if k not in ("epoch", "seconds")},
            "settings": {name: saving.encode(value) for name, value in ae.get_params(deep=False).items()},
            "data": {key: data.get(key) for key in ("name", "source", "rows", "columns", "fingerprint")},
            "versions": run.about.get("versions", {}),
            "reference": (run.folder / REFERENCE).exists(),
            "report": str(run.folder / REPORT) if (run.folder / REPORT).exists() else None,
            "verdicts": _verdicts(run),
        }
    )


def _verdicts(run: Run) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads((run.folder / EVIDENCE).read_text(encoding="utf-8"))["verdicts"])
    return []
