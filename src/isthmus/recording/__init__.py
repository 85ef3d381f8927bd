"""Record a computation once and replay it into the same memory."""

from isthmus.recording.program import Program, compiled
from isthmus.recording.tape import Recorded, Unrecordable, record

__all__ = ["Program", "Recorded", "Unrecordable", "compiled", "record"]
