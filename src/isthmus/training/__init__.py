"""The one training loop, what it trains on, and what it leaves behind."""

from isthmus.training.checkpoints import read_checkpoint, write_checkpoint
from isthmus.training.loop import train
from isthmus.training.rows import Rows
from isthmus.training.state import Settings, State

__all__ = ["Rows", "Settings", "State", "read_checkpoint", "train", "write_checkpoint"]
