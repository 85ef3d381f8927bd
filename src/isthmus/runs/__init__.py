"""Run folders: training into one, judging it, and using what it learned."""

from isthmus.runs.describing import info
from isthmus.runs.examining import evaluate
from isthmus.runs.features import features
from isthmus.runs.folder import Mode, Run, open_run, resumable, workplace
from isthmus.runs.generating import Along, Between, interpolate, sample, swap_codes, traverse
from isthmus.runs.pictures import Pictures, denoise, restore
from isthmus.runs.settings import build, parse_assignments, parse_grid, read_config, refuse_decided
from isthmus.runs.source import left_out
from isthmus.runs.sweeps import Plan, sweep
from isthmus.runs.training import Request, train
from isthmus.runs.using import anomalies, decode, encode, reconstruct

__all__ = [
    "Along",
    "Between",
    "Mode",
    "Pictures",
    "Plan",
    "Request",
    "Run",
    "anomalies",
    "build",
    "decode",
    "denoise",
    "encode",
    "evaluate",
    "features",
    "info",
    "interpolate",
    "left_out",
    "open_run",
    "parse_assignments",
    "parse_grid",
    "read_config",
    "reconstruct",
    "refuse_decided",
    "restore",
    "resumable",
    "sample",
    "swap_codes",
    "sweep",
    "train",
    "traverse",
    "workplace",
]
