"""Penalties Ω(pass): per row, (N,), or of the whole batch, (); each says what it needs of the code.

A strength λ multiplies a sum over a row's numbers and a mean over rows, so it means the same for every batch size.
"""

from isthmus.penalties.base import Parts, Penalty, Sum, Term
from isthmus.penalties.commitment import Commitment
from isthmus.penalties.contraction import Contraction
from isthmus.penalties.curvature import Curvature
from isthmus.penalties.divergence import Divergence
from isthmus.penalties.independence import DIP, TotalCorrelation
from isthmus.penalties.sparsity import KL, L1
from isthmus.penalties.weights import Weights

__all__ = [
    "DIP",
    "KL",
    "L1",
    "Commitment",
    "Contraction",
    "Curvature",
    "Divergence",
    "Parts",
    "Penalty",
    "Sum",
    "Term",
    "TotalCorrelation",
    "Weights",
]
