"""Run folders: training into one, judging it, and using what it learned."""

from isthmus.runs.describing import info
from isthmus.runs.examining import evaluate
from isthmus.runs.folder import Mode, Run, open_run, resumable, workplace
from isthmus.runs.settings import build, parse_assignments, read_config
from isthmus.runs.training import Request, train
from isthmus.runs.using import anomalies, decode, encode, reconstruct, sample

__all__ = [
    "Mode",
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
    "read_config",
    "reconstruct",
    "resumable",
    "sample",
    "train",
    "workplace",
]
