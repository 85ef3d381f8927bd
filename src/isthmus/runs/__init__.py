"""Run folders: training into one, judging it, and using what it learned."""

from isthmus.runs.describing import info
from isthmus.runs.examining import evaluate
from isthmus.runs.folder import Mode, Run, open_run, resumable, workplace
from isthmus.runs.settings import build, parse_assignments, parse_grid, read_config, refuse_decided
from isthmus.runs.sweeps import Plan, sweep
from isthmus.runs.training import Request, train
from isthmus.runs.using import anomalies, decode, encode, reconstruct, sample

__all__ = [
    "Mode",
    "Plan",
    "Request",
    "Run",
    "anomalies",
    "build",
    "decode",
    "encode",
    "evaluate",
    "info",
    "open_run",
    "parse_assignments",
    "parse_grid",
    "read_config",
    "reconstruct",
    "refuse_decided",
    "resumable",
    "sample",
    "sweep",
    "train",
    "workplace",
]
