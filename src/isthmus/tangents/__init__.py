"""Tangents: directions at each row along which its kind goes on, found in many ways, and what learns from them."""

from isthmus.tangents.found import caught, learned, local, moved
from isthmus.tangents.propagation import Propagation

__all__ = ["Propagation", "caught", "learned", "local", "moved"]
