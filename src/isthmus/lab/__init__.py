"""The lecture's claims as experiments that can fail: one file each, run by one frame."""

from isthmus.lab.experiment import Experiment, Measured, holds
from isthmus.lab.registry import EXPERIMENTS, find
from isthmus.lab.running import Protocol, run, run_all

__all__ = ["EXPERIMENTS", "Experiment", "Measured", "Protocol", "find", "holds", "run", "run_all"]
