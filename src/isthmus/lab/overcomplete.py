"""A code with more numbers than the row copies it and learns nothing, unless something keeps it from copying.

Claim. With h ≥ x and no penalty an autoencoder can be the identity: error near 0, for noise as for digits, and a code
from which no more can be read than from the same encoder before training. What forbids copying makes the same net
learn: contraction, sparsity, or a corrupted input (Bengio, Courville & Vincent 2013).

Set-up. One layer of four sigmoid units a pixel whose weights begin orthonormal, and its transpose as decoder (under L1
a matrix with columns of unit length; top-k keeps the largest units as they are). Nothing else differs. A logistic
regression reads digits from codes of a few labelled rows, of the trained net and of the same net untrained.

Measured. `identity`: R² of the net without penalty on noise, pixels shuffled among test rows, the worst over seeds;
`error`: its squared error over the variance, on test digits. Accuracies are means over numbers of labelled rows.
`plain_gain` and `…_gain`: of the trained net over the untrained one, paired, mean over seeds; `…_gain_low` and
`…_gain_high`, that less and plus 1.5 standard errors: above 0 with each penalty, and without one less than half a
point. It is not nothing: about 0.15 points over 14 seeds, against one to six with a penalty.
`…_over_plain`: of a penalised net over the one without penalty, and `…_identity`: what it copies of noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import codes, corruptions, decoders, encoders, penalties
from isthmus.estimators import Autoencoder
from isthmus.evidence.few_labels import curve
from isthmus.evidence.memorisation import copied
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.trials import TO_THE_END, fit_all, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
KINDS = {"plain": "no penalty", "contraction": "contraction", "kl": "sparse by KL", "l1": "sparse by L1"}
KINDS |= {"topk": "top-k", "denoising": "denoising"}
ERRORS = 1.5  # standard errors about a mean
SHOWN = 8  # rows in the picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train every kind for each seed, all together, and read codes before and after."""
    rows = pictures(settings["data"])
    nets = {kind: [_untrained(settings, kind, seed) for seed in seeds] for kind in KINDS}
    fit_all([ae for found in nets.values() for ae in found], rows.train)

    def read(ae: Autoencoder, seed: int) -> float:
        return float(curve(ae, rows, settings["sizes"], seed).mean())

    after = {kind: np.array([read(*pair) for pair in zip(found, seeds, strict=True)]) for kind, found in nets.items()}
    before = {
        kind: np.array([read(ae.untrained(), seed) for ae, seed in zip(found, seeds, strict=True)])
        for kind, found in nets.items()
    }
    gains = {kind: after[kind] - before[kind] for kind in KINDS}
    copies = {kind: np.array([copied(ae, rows.test) for ae in found]) for kind, found in nets.items()}
    numbers = {
        "identity": copies["plain"].min(),
        "error": 1 - np.mean([ae.score(rows.test) for ae in nets["plain"]]),
        **{f"{kind}_gain": gain.mean() for kind, gain in gains.items()},
        **{f"{kind}_gain_low": gain.mean() - _reach(gain) for kind, gain in gains.items()},
        **{f"{kind}_gain_high": gain.mean() + _reach(gain) for kind, gain in gains.items()},
        **{f"{kind}_over_plain": (after[kind] - after["plain"]).mean() for kind in KINDS if kind != "plain"},
        **{f"{kind}_identity": copies[kind].mean() for kind in KINDS if kind != "plain"},
    }
    series = {
        "gains": {KINDS[kind]: drawing.over_seeds(gain) for kind, gain in gains.items()},
        "copies": {KINDS[kind]: drawing.over_seeds(one) for kind, one in copies.items()},
    }
    noise = np.random.default_rng(0).permuted(rows.test, axis=0)[:SHOWN]
    shown = {"noise": noise} | {KINDS[kind]: nets[kind][0].reconstruct(noise) for kind in ("plain", "contraction")}
    images = {name: X.reshape(-1, *settings["shape"]) for name, X in shown.items()}
    title = "What was never seen: the net without a penalty copies it"
    figures = {
        "gains": lambda figure: draw(figure, series),
        "noise": lambda figure: drawing.lines_of(figure, images, title),
    }
    return Measured(numbers, figures, series)


def _reach(gain: Array) -> float:
    """So many standard errors of the mean of paired differences, (seeds,)."""
    return float(ERRORS * gain.std(ddof=min(1, len(gain) - 1)) / np.sqrt(len(gain)))


def _untrained(settings: Settings, kind: str, seed: int) -> Autoencoder:
    own: Mapping[str, Mapping[str, Any]] = {
        "plain": {},
        "contraction": {"penalty": penalties.Contraction(settings["contraction"])},
        "kl": {"penalty": penalties.KL(settings["rho"], settings["kl"])},
        "l1": {"penalty": penalties.L1(settings["l1"]), "decoder": decoders.Linear()},
        "topk": {"code": codes.TopK(settings["k"])},
        "denoising": {"corruption": corruptions.Gaussian(settings["noise"])},
    }
    same: dict[str, Any] = {"encoder": encoders.MLP((), initialisation="orthogonal"), "decoder": decoders.Tied()}
    same |= {"code": codes.Activation("sigmoid"), "scaling": "global", "max_epochs": settings["epochs"]}
    same |= {name: settings[name] for name in ("code_size", "batch_size", "learning_rate")}
    return Autoencoder(**{**same, **own[kind]}, random_state=seed, **TO_THE_END)


def draw(figure: Figure, series: Mapping[str, Any]) -> None:
    """Gains over the untrained net, and what is copied of noise: a marker a seed."""
    figure.set_size_inches(12, 4.6)
    left, right = figure.subplots(1, 2)
    drawing.dots(left, series["gains"])
    left.axhline(0, color="#999999", zorder=0)
    left.set(
        title="Only where copying is forbidden training adds to the code", ylabel="accuracy above the untrained net"
    )
    drawing.dots(right, series["copies"])
    right.set(title="Without a penalty noise is copied", ylabel="R² on noise", ylim=(0, 1.05))


OVERCOMPLETE = Experiment(
    name="overcomplete",
    part="II",
    claim="With more numbers than the row a code copies and learns nothing; any penalty makes the same net learn.",
    lecture="h ≥ x without a penalty learns nothing useful",
    reference="Bengio, Courville & Vincent 2013",
    measure=measure,
    expected={
        "identity": (">=", 0.98),
        "error": ("<=", 0.01),
        "plain_gain_high": ("<=", 0.005),
        **{f"{kind}_gain_low": (">", 0) for kind in KINDS if kind != "plain"},
    },
    settings={"data": "digits", "shape": (8, 8), "code_size": 256, "epochs": 60, "batch_size": 64}
    | {"learning_rate": 0.01, "contraction": 3.0, "rho": 0.1, "kl": 1.0, "l1": 1.0, "k": 16, "noise": 1.0}
    | {"sizes": (50, 100, 200, 500)},
    seeds=8,
)
