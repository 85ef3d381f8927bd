"""The lecture's claims as experiments that can fail: one file each, run by one frame."""

from isthmus.lab.experiment import Experiment, Measured, holds
from isthmus.lab.gallery import gathered, write_gallery
from isthmus.lab.registry import EXPERIMENTS, chosen, find
from isthmus.lab.running import Protocol, introduced, run

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Measured",
    "Protocol",
    "chosen",
    "find",
    "gathered",
    "holds",
    "introduced",
    "run",
    "write_gallery",
]
