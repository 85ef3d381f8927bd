"""Record a computation once and replay it into the same memory."""

from isthmus.recording.program import Program, compiled
from isthmus.recording.tape import Unrecordable, record

__all__ = ["Program", "Unrecordable", "compiled", "record"]
