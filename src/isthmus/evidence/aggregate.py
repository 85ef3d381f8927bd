"""Do the codes of all rows together look like draws of the prior? What samples are decoded from depends on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.estimators import Autoencoder
from isthmus.evidence.intervals import of_halves
from isthmus.evidence.reference import subset
from isthmus.evidence.subject import Subject
from isthmus.evidence.two_sample import LEAST_ROWS, classifier_test, energy_test

Array = NDArray[np.floating]
MOST_ROWS = 1000


@dataclass(frozen=True)
class Draws:
    """What an autoencoder draws, beside what it saw.

    Attributes
    ----------
    codes, prior : arrays of shape (M, K)
        A draw of each test row's posterior; as many of the prior.
    samples, test : arrays of shape (M, D)
        Rows drawn from what the prior's codes are decoded to; the test rows.
    """

    codes: Array
    prior: Array
    samples: Array
    test: Array

    @property
    def energy(self) -> float:
        """Energy distance of the codes from the prior, from 0 to 1."""
        return energy_test(self.prior, self.codes, permutations=0)[0]

    @property
    def auc(self) -> float:
        """How well classifiers tell samples from test rows; 0.5: not at all."""
        return classifier_test(self.test, self.samples).auc.value

    def flat(self) -> dict[str, Array]:
        """All in a plane, (M, 2) each, for codes of two numbers: rows in the test rows' two widest directions."""
        plane = np.linalg.svd(self.test - self.test.mean(axis=0), full_matrices=False)[2][:2].T
        return {"codes": self.codes, "prior": self.prior, "test": self.test @ plane, "samples": self.samples @ plane}


def draws(ae: Autoencoder, train: Array, test: Array) -> Draws:
    """Drawn by an estimator on unscaled rows, the same every time.

    Where the code has no prior, its stand-in is the Gaussian fitted to the codes of the training rows.
    """
    module, rng = ae.module_, torch.Generator().manual_seed(0)
    with torch.no_grad():
        codes = module.code(module.encoder(torch.as_tensor(test)), None, rng)[0]
        prior = module.code.sample(len(test), rng)
        prior = _fitted(ae.transform(train), len(test)) if prior is None else prior
        samples = module.likelihood.sample(module.decoder(prior), rng)
    return Draws(codes.numpy(), prior.numpy(), samples.numpy(), test)


def _fitted(Z: Array, n: int) -> torch.Tensor:
    """n draws of the Gaussian fitted to codes Z."""
    drawn = np.random.default_rng(0).multivariate_normal(Z.mean(axis=0), np.cov(Z.T), size=n)
    return torch.as_tensor(drawn.astype(Z.dtype))


def aggregate(subject: Subject) -> dict[str, object]:
    """The aggregate posterior, one draw a test row, held against as many draws of the prior; {} without a prior.

    `mean_shift` is the largest distance of a unit's mean from the prior's, `spread_ratio` that of its spread which
    lies farthest from 1, both in the prior's standard deviations; `auc`, `p_value`: how well classifiers tell the two
    apart; `energy`, `energy_p_value`: their energy distance.
    """
    own, prior = codes_and_prior(subject)
    if prior is None or len(own) < 2 * LEAST_ROWS:
        return {}
    told = classifier_test(prior, own)
    energy, energy_p_value = energy_test(prior, own)
    return {
        "rows": len(own),
        "mean_shift": of_halves(len(own), lambda rows: _mean_shift(own[rows], prior)),
        "spread_ratio": of_halves(len(own), lambda rows: _spread_ratio(own[rows], prior)),
        "auc": told.auc,
        "p_value": told.p_value,
        "energy": energy,
        "energy_p_value": energy_p_value,
    }


def codes_and_prior(subject: Subject) -> tuple[Array, Array | None]:
    """A draw of each of at most 1,000 test rows' posterior, and as many of the prior, (n, K) each."""
    drawn = subject.draw(subject.x[subset(len(subject.x), MOST_ROWS)])
    return drawn, from_prior(subject, len(drawn))


def from_prior(subject: Subject, n: int, seed: int = 1) -> Array | None:
    """n codes drawn from the prior, (n, K); None where there is none."""
    like = next(subject.ae.module_.parameters())
    rng = torch.Generator(device=like.device)
    rng.manual_seed(seed)
    with torch.no_grad():
        drawn = subject.ae.module_.code.sample(n, rng)
    return None if drawn is None else drawn.to(like.dtype).cpu().numpy().astype(subject.x.dtype)


def _mean_shift(own: Array, prior: Array) -> float:
    return float(np.max(np.abs(own.mean(axis=0) - prior.mean(axis=0)) / _spread(prior)))


def _spread_ratio(own: Array, prior: Array) -> float:
    ratios = _spread(own) / _spread(prior)
    return float(ratios[np.argmax(np.abs(np.log(ratios)))])


def _spread(z: Array) -> Array:
    spread: Array = np.maximum(z.std(axis=0, dtype=np.float64), 1e-12)
    return spread
