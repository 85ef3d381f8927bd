"""Is the code any good? Measures with intervals, and verdicts in sentences."""

from isthmus.evidence.disentanglement import disentanglement
from isthmus.evidence.examine import Evidence, examine, examine_with
from isthmus.evidence.gradients import GradientMicroscope
from isthmus.evidence.intervals import Estimate
from isthmus.evidence.reference import Reference
from isthmus.evidence.scorer import scorer
from isthmus.evidence.verdicts import NAMES, Verdict

__all__ = [
    "NAMES",
    "Estimate",
    "Evidence",
    "GradientMicroscope",
    "Reference",
    "Verdict",
    "disentanglement",
    "examine",
    "examine_with",
    "scorer",
]
