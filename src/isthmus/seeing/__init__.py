"""Seeing what a network learned: filters, what drives a unit, what it would like best, and where it looks.

Every function takes a `torch.nn.Module` of known layer types and rows in the shape that it takes, (N, C, H, W) of
images; `of` gives that network of a fitted estimator, whose rows are scaled.
"""

from isthmus.seeing.deconvolution import RULES, project, pull
from isthmus.seeing.drawing import drawn
from isthmus.seeing.fields import field
from isthmus.seeing.filters import columns, filters
from isthmus.seeing.layers import Layer, activations, find, layers
from isthmus.seeing.maximising import Ascent, Ball, Maximised, Within, along, maximise
from isthmus.seeing.networks import Whole, of
from isthmus.seeing.occlusion import Occlusion, Patch, distance, occlusion, probability, unit
from isthmus.seeing.pieces import Pieces, pieces
from isthmus.seeing.sheets import Sheet, Viewed, last_sheet, sheet
from isthmus.seeing.spectra import OPPONENT, Spectrum, learned_colours
from isthmus.seeing.strongest import Strongest, strongest

__all__ = [
    "OPPONENT",
    "RULES",
    "Ascent",
    "Ball",
    "Layer",
    "Maximised",
    "Occlusion",
    "Patch",
    "Pieces",
    "Sheet",
    "Spectrum",
    "Strongest",
    "Viewed",
    "Whole",
    "Within",
    "activations",
    "along",
    "columns",
    "distance",
    "drawn",
    "field",
    "filters",
    "find",
    "last_sheet",
    "layers",
    "learned_colours",
    "maximise",
    "occlusion",
    "of",
    "pieces",
    "probability",
    "project",
    "pull",
    "sheet",
    "strongest",
    "unit",
]
