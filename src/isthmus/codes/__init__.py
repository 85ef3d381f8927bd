"""Codes: the encoder's output a → (z, stats), and what each code gives to penalties."""

from isthmus.codes.base import Code, Coded
from isthmus.codes.entrywise import Activation, Plain, TopK
from isthmus.codes.full import FullGaussian
from isthmus.codes.gaussian import Gaussian
from isthmus.codes.grouped import Grouped
from isthmus.codes.quantised import FiniteScalar, VectorQuantised
from isthmus.codes.rounded import Rounded
from isthmus.codes.spherical import VonMisesFisher

__all__ = [
    "Activation",
    "Code",
    "Coded",
    "FiniteScalar",
    "FullGaussian",
    "Gaussian",
    "Grouped",
    "Plain",
    "Rounded",
    "TopK",
    "VectorQuantised",
    "VonMisesFisher",
]
