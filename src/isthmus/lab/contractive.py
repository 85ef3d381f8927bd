"""A code that pays for moving keeps the few directions in which the rows differ, and is the better for it.

Claim. With λ‖∂z/∂x‖² in the loss and tied weights a code moves along the surface on which the rows lie, and hardly
else: the singular values of its Jacobian fall fast, weights stay small, noise shifts it less, and classes are read
from it with fewer labels than from principal components (Rifai 2011).

Set-up. One layer of sigmoid units with the same first weights on digits: no penalty, small weights, denoising,
contraction; and contractions of other strengths. Logistic regression reads classes from codes of a few labelled rows.
Nets of two layers learn rows of products of circles, whose dimension is known. The full protocol is Rifai's table: six
ways to train one layer on MNIST without labels, each then fine-tuned as a classifier.

Measured. `autodiff_difference`, `finite_difference`: the largest relative difference from the penalty's closed form,
of one layer, two, and convolutions. `spectrum_over_rivals`: of the directions that move the code at a test row (the
participation ratio of squared singular values), the contractive net's over the least of the others', and
`shift_over_rivals`, of the code's shift under noise over its spread; `norm_ratio`: of ‖W‖ at a strength over that at
the one before; of all three the worst over seeds. `directions_rank`, `directions_difference`: rank correlation of the
directions kept and the planted dimension, and their largest difference, of means over seeds. `gain_N`: accuracy from N
labelled rows less that from PCA, each at the strength of regression, and PCA with as many components, as serve it best;
`least_gain`: its mean over seeds less two standard errors, where that is least. In full: `…_error`, of test digits in
percent, `…_jacobian`, the mean norm before fine-tuning, `gap`, points from autoencoder to contractive, and
`rank_correlation`, of error and norm over the six.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from isthmus import codes, encoders, zoo
from isthmus.evidence.contraction import directions, encoder_norm, norm_differences, shift, spectra
from isthmus.evidence.few_labels import best
from isthmus.lab import drawing, planted, rivals
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, Split, fit_all, pictures, surely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Found = tuple[dict[str, float], dict[str, Any]]  # numbers, and the series of a picture
KINDS = {"plain": "no penalty", "weights": "small weights", "dae_gaussian": "denoising", "cae": "contraction"}
ENCODERS = (encoders.MLP(()), encoders.MLP((12,), "tanh"), encoders.Convolutional((4, 6)))
SHOWN = 40  # singular values
LOOKS = {
    "spectra": ("Contraction leaves the code few directions", "rank", "singular value of ∂z/∂x, over the first"),
    "norms": ("The stronger the contraction, the smaller the weights", "λ", "norm of W"),
    "accuracy": ("More is read from few labels than by PCA", "labelled rows", "share of digits above PCA's"),
    "planted": ("As many directions are kept as the rows have", "dimension of the rows", "directions kept"),
}


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """On digits and on rows of known dimension; or Rifai's table."""
    if settings["finetune"]:
        return rivals.measured(settings, seeds)
    rows = pictures(settings["data"])
    derivatives = np.max([norm_differences(*one) for one in _oracles(rows.train)], axis=0)
    numbers = dict(zip(("autodiff_difference", "finite_difference"), derivatives, strict=True))
    on_digits, on_circles = _on_digits(settings, seeds, rows), planted.measured(settings, seeds)
    numbers |= on_digits[0] | on_circles[0]
    series = on_digits[1] | on_circles[1]
    x = {"spectra": range(1, SHOWN + 1), "norms": settings["strengths"], "accuracy": settings["sizes"]}
    x["planted"] = planted.DIMENSIONS
    figures = {name: partial(draw, x=x[name], found=series[name], look=look) for name, look in LOOKS.items()}
    return Measured(numbers, figures, series)


def _oracles(X: Array) -> list[tuple[Any, Array]]:
    """Nets of each shape after an epoch, and rows, in float64."""
    how: dict[str, Any] = {"input_shape": (1, 8, 8), "code": codes.Activation("sigmoid"), "random_state": 0}
    few = X[:200].astype(np.float64)
    nets = [zoo.contractive(6, encoder=encoder, max_epochs=1, **how, **TO_THE_END) for encoder in ENCODERS]
    return [(ae.fit(few), few[:20]) for ae in nets]


def _on_digits(settings: Settings, seeds: Sequence[int], rows: Split) -> Found:
    """Four kinds of nets and several strengths of contraction, all trained together."""
    nets = {kind: [rivals.untrained(kind, settings, seed) for seed in seeds] for kind in KINDS}
    strengths, sizes = settings["strengths"], settings["sizes"]
    held = [[rivals.untrained("cae", {**settings, "strength": by}, seed) for by in strengths] for seed in seeds]
    fit_all([ae for found in (*nets.values(), *held) for ae in found], rows.train)
    values = {name: [spectra(ae, rows.test) for ae in nets[kind]] for kind, name in KINDS.items()}
    kept = np.array([[directions(one).mean() for one in found] for found in values.values()])  # (kinds, seeds)
    shifts = np.array([[shift(ae, rows.test) for ae in nets[kind]] for kind in KINDS])
    norms = np.array([[encoder_norm(ae) for ae in found] for found in held])  # (seeds, strengths)
    linear = [[PCA(number, random_state=0).fit(rows.train)] * len(seeds) for number in settings["components"]]
    own, pca = (best(coders, rows, sizes, seeds, settings["draws"]) for coders in ([nets["cae"]], linear))
    gains = own - pca  # (seeds, sizes)
    numbers = {
        "spectrum_over_rivals": (kept[-1] / kept[:-1].min(axis=0)).max(),
        "shift_over_rivals": (shifts[-1] / shifts[:-1].min(axis=0)).max(),
        "norm_ratio": (norms[:, 1:] / norms[:, :-1]).max(),
        **{f"gain_{size}": gain for size, gain in zip(sizes, gains.mean(axis=0), strict=True)},
        "least_gain": min(surely(gain) for gain in gains.T),
    }
    falls = {name: [(one / one[:, :1]).mean(axis=0)[:SHOWN] for one in found] for name, found in values.items()}
    series = {
        "spectra": {name: drawing.quartiles(one) for name, one in falls.items()},
        "norms": {"contraction": drawing.quartiles(norms)},
        "accuracy": {"contraction less PCA": drawing.quartiles(gains)},
        "read": {"contraction": drawing.quartiles(own), "PCA": drawing.quartiles(pca)},
        "shifts": {name: drawing.rounded(one) for name, one in zip(KINDS.values(), shifts, strict=True)},
    }
    return numbers, series


def draw(figure: Figure, x: Sequence[float], found: Mapping[str, Any], look: Sequence[str]) -> None:
    """Medians with quartiles over seeds."""
    axes = figure.subplots()
    for place, (name, one) in enumerate(found.items()):
        drawing.bands(axes, x, one, name, place)
    axes.set(**dict(zip(("title", "xlabel", "ylabel"), look, strict=True)))
    axes.locator_params(axis="x", integer=max(x) > 1)
    axes.legend()


CONTRACTIVE = Experiment(
    name="contractive",
    part="II",
    claim="A code that pays for its Jacobian keeps few directions, has small weights, resists noise, needs few labels.",
    lecture="penalise the Jacobian: few directions survive, smaller weights, robust codes, better with fewer data",
    reference="Rifai, Vincent, Muller, Glorot & Bengio 2011",
    measure=measure,
    expected={
        "autodiff_difference": ("<=", 1e-5),
        "finite_difference": ("<=", 1e-5),
        "spectrum_over_rivals": ("<", 1),
        "shift_over_rivals": ("<", 1),
        "norm_ratio": ("<", 1),
        "directions_rank": (">=", 0.99),
        "directions_difference": ("<=", 0.5),
        "least_gain": (">", 0),
    },
    settings={"finetune": False, "data": "digits", "code_size": 128, "epochs": 60, "batch_size": 64}
    | {"learning_rate": 5e-3, "strength": 0.15, "decay": 1e-3, "noise": 0.3, "masked": 0.25, "draws": 3}
    | {"strengths": (0.0, 0.05, 0.2, 0.8), "sizes": (50, 100, 200, 500, 1000), "components": (16, 32, 61)}
    | {"planted": 0.15, "planted_epochs": 80, "rbm_learning_rate": 1e-3, "tuning_epochs": 12, "tuning_rate": 2e-3}
    | {"smoothing": 0.0, "kinds": tuple(rivals.NAMES), "n_jobs": 1},
    full={"finetune": True, "data": "mnist", "code_size": 1000, "epochs": 16, "batch_size": 128}
    | {"learning_rate": 1e-3, "strength": 1.0, "decay": 1e-3, "noise": 0.5, "smoothing": 0.1, "n_jobs": -1},
    expected_full={"cae_error": ("<=", 1.2), "gap": (">=", 0.3), "rank_correlation": (">=", 0.8)},
    published=rivals.TABLE,
    unit="test error, %",
    budget="45 minutes on 2 cores for 5 seeds",
)
