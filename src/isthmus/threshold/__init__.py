"""Threshold units: what they can tell apart, with proofs, and Rosenblatt's rule, with its mistakes counted.

A unit gives 1 where w·x + b > 0 and else 0 (McCulloch & Pitts 1943). Rows X are (N, D), classes y are (N,) of 0 and 1.
Here and in what follows x̂ = (x, 1), ŵ = (w, b), and s = ±1 for the classes 1 and 0: a unit separates rows where
s ŵ·x̂ > 0 for each.

    answer = threshold.separation(X, y)        # by linear programming
    answer.exists, answer.proved(X, y)         # whether a unit gives y; whether that stands without rounding
    threshold.rosenblatt(X, y).mistakes        # in each sweep; never more in all than threshold.widest(X, y).mistakes
"""

from isthmus.threshold.boolean import masks, order, patterns, two_layers
from isthmus.threshold.learning import Learning, rosenblatt
from isthmus.threshold.separating import Separation, Widest, separation, widest
from isthmus.threshold.sets import right_angled, separable
from isthmus.threshold.units import TwoLayers, Unit

__all__ = [
    "Learning",
    "Separation",
    "TwoLayers",
    "Unit",
    "Widest",
    "masks",
    "order",
    "patterns",
    "right_angled",
    "rosenblatt",
    "separable",
    "separation",
    "two_layers",
    "widest",
]
