"""The lecture's claims as experiments that can fail: one file each, run by one frame."""

from isthmus.lab.experiment import Experiment, Measured, Published, holds
from isthmus.lab.gallery import gathered, write_gallery
from isthmus.lab.registry import EXPERIMENTS, chosen, find
from isthmus.lab.running import Protocol, introduced, run
from isthmus.lab.tables import compared

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Measured",
    "Protocol",
    "Published",
    "chosen",
    "compared",
    "find",
    "gathered",
    "holds",
    "introduced",
    "run",
    "write_gallery",
]
