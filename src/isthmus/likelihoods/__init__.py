"""Likelihoods p(x | θ): what a decoder's output θ says of a row, entry by entry."""

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.categories import Categorical
from isthmus.likelihoods.counts import NegativeBinomial, Poisson
from isthmus.likelihoods.mixed import Columns, Mixed
from isthmus.likelihoods.real import Gaussian, Laplace, SigmoidGaussian, StudentT
from isthmus.likelihoods.unit import Bernoulli, DiscretisedLogistic
from isthmus.likelihoods.variance import GaussianVariance

__all__ = [
    "Bernoulli",
    "Categorical",
    "Columns",
    "DiscretisedLogistic",
    "Gaussian",
    "GaussianVariance",
    "Laplace",
    "Likelihood",
    "Mixed",
    "NegativeBinomial",
    "Poisson",
    "SigmoidGaussian",
    "StudentT",
]
