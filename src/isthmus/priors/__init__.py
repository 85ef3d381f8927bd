"""Priors p(z) of codes with a distribution: what codes are drawn from, and what posteriors are held against."""

from isthmus.priors.base import IS_PRIOR, LOG_2PI, Posterior, Prior, Standard
from isthmus.priors.mixture import Mixture, MixturePrior
from isthmus.priors.vamp import Vamp

__all__ = ["IS_PRIOR", "LOG_2PI", "Mixture", "MixturePrior", "Posterior", "Prior", "Standard", "Vamp"]
