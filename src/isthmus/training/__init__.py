"""The one training loop, what it trains on, and what it leaves behind."""

from isthmus.training.checkpoints import read_checkpoint, write_checkpoint
from isthmus.training.epochs import Shared
from isthmus.training.loop import Member, train, train_together
from isthmus.training.pools import Unstackable
from isthmus.training.rows import Rows
from isthmus.training.state import Settings, State

__all__ = [
    "Member",
    "Rows",
    "Settings",
    "Shared",
    "State",
    "Unstackable",
    "read_checkpoint",
    "train",
    "train_together",
    "write_checkpoint",
]
