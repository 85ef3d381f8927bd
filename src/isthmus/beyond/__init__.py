"""What the law of composition does not hold: one self-contained file each."""

from isthmus.beyond.critic import FactorVAE
from isthmus.beyond.importance import ImportanceWeighted

__all__ = ["FactorVAE", "ImportanceWeighted"]
