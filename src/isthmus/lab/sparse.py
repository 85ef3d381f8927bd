"""Units that may each be active for a few rows only become particular: of photos, they look for edges.

Claim. λ Σ KL(ρ ‖ ρ̂ᵢ) brings every unit's mean activation ρ̂ᵢ near ρ, and makes each particular (Ng 2011). Sigmoids are
small then, never 0; rectifiers and the k largest are 0. Units trained on patches of natural photos look for Gabor
functions, as cells of the visual cortex do (Olshausen & Field 1996): so does the image x ∝ w, which of all images of
one norm drives w·x + b the most.

Set-up. 100 units on whitened patches of 10 × 10 pixels: sigmoids with the KL, a transposed decoder and λ_w‖W‖² (else a
small W before the sigmoid and a large one behind escape the penalty); the same without the KL; rectifiers with an L1
penalty; and the k largest.

Measured, means over seeds or the worst. `rho_off`: |ρ̂/ρ − 1|, ρ̂ over units and patches, the worst; `unit_off`: of
single units. `gabor`, `dense_gabor`: share of units whose image a Gabor function fits with R² above .6, with the KL and
without. `selectivity`, `dense_selectivity`: 1 for a unit that answers to one patch alone, 0 for one that answers to all
alike (Vinje & Gallant 2000). `kl_zeros`, `relu_zeros`, `topk_zeros`: share of activations that are exactly 0. `r2`: of
reconstruction with the KL. In the full protocol `softmax_percent` and `tuned_percent`: test digits named rightly by a
logistic regression on the codes of two stacked sparse layers, and by the stack fine-tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from isthmus import codes, decoders, encoders, penalties, zoo
from isthmus.data import Dataset, load_data
from isthmus.estimators import Autoencoder
from isthmus.evidence.code_usage import selectivity
from isthmus.evidence.gabor import fit_gabors, preferred
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Published, Settings
from isthmus.pretraining import finetune
from isthmus.trials import TO_THE_END, fit_all, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
GOOD = 0.6  # R² of a Gabor function that fits


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train the four for each seed, see what their units do on the patches, and fit Gabor functions."""
    data = load_data(settings["data"])
    X = data.X[: settings["rows"]]
    nets = {name: [_untrained(name, settings, seed) for seed in seeds] for name in ("kl", "dense", "relu", "topk")}
    fit_all([net for those in nets.values() for net in those], X)
    found = {name: np.stack([net.transform(X) for net in those]) for name, those in nets.items()}  # seeds, rows, units
    means = found["kl"].mean(axis=1) / settings["rho"]
    fitted = {"kl": settings["fitted"], "dense": settings["fitted"] // 2}
    seen = {name: [preferred(net, data.input_shape or ()) for net in nets[name]] for name in fitted}
    r2 = {name: np.array([[fit.r2 for fit in fit_gabors(one[:n])] for one in seen[name]]) for name, n in fitted.items()}
    numbers = {
        "rho_off": np.abs(means.mean(axis=1) - 1).max(),
        "unit_off": np.abs(means - 1).max(),
        "gabor": (r2["kl"] > GOOD).mean(),
        "dense_gabor": (r2["dense"] > GOOD).mean(),
        "selectivity": np.mean([selectivity(z).mean() for z in found["kl"]]),
        "dense_selectivity": np.mean([selectivity(z).mean() for z in found["dense"]]),
        **{f"{name}_zeros": (found[name] == 0).mean() for name in ("kl", "relu", "topk")},
        "r2": np.mean([net.score(X) for net in nets["kl"]]),
    }
    read = [stacked(load_data(settings["digits"]), settings, seed) for seed in seeds if settings["digits"]]
    samples = dict(zip(("softmax_percent", "tuned_percent"), np.transpose(read).tolist(), strict=False))
    numbers |= {name: np.mean(values) for name, values in samples.items()}
    series = {
        "means": {name: drawing.rounded(np.sort(found[name][0].mean(axis=0))) for name in r2},
        "fits": {name: drawing.rounded(np.sort(own.ravel())[::-1]) for name, own in r2.items()},
        "shares": {name: drawing.rounded(np.arange(1, own.size + 1) / own.size) for name, own in r2.items()},
        "guides": [settings["rho"], GOOD],
    }
    figures = {
        "images": lambda figure: drawing.maps(figure.subplots(), seen["kl"][0], 10, "What each unit would like to see"),
        "units": lambda figure: draw(figure, series),
    }
    return Measured(numbers, figures, series, samples)


def _untrained(name: str, settings: Settings, seed: int) -> Autoencoder:
    """The net of that name: "kl", "dense", "relu" or "topk"."""
    kl = penalties.KL(settings["rho"], settings["strength"] if name == "kl" else 0.0)
    both = penalties.Sum(sparsity=kl, weights=penalties.Weights(settings["weights"]))
    sigmoids = {"code": codes.Activation("sigmoid"), "penalty": both, "decoder": decoders.Tied()}
    others: dict[str, dict[str, Any]] = {
        "relu": {"code": codes.Activation("relu"), "penalty": penalties.L1(settings["l1"])},
        "topk": {"code": codes.TopK(settings["k"])},
    }
    how = {"max_epochs": settings["epochs"], "random_state": seed, **TO_THE_END}
    how |= {name: settings[name] for name in ("batch_size", "learning_rate")}
    return Autoencoder(settings["units"], encoders.Linear(), scaling=None, **how, **others.get(name, sigmoids))


def stacked(data: Dataset, settings: Settings, seed: int) -> tuple[float, float]:
    """Percent of the test rows named rightly from the codes of two sparse layers, and by the fine-tuned stack."""
    rows = split(data)
    kl = {"rho": settings["stack_rho"], "strength": settings["stack_strength"]}
    how: dict[str, Any] = {"scaling": None, "random_state": seed, "device": "cpu"}
    layers = [zoo.sparse(settings["width"], **kl, **how) for _ in range(2)]
    pipeline, y, y_test = make_pipeline(*layers).fit(rows.train), np.array(rows.train_labels), rows.test_labels
    reader = LogisticRegression(C=10.0, max_iter=300).fit(pipeline.transform(rows.train), y)
    tuned = finetune(pipeline, random_state=seed, device="cpu").fit(rows.train, y)
    return 100 * reader.score(pipeline.transform(rows.test), y_test), 100 * tuned.score(rows.test, y_test)


def draw(figure: Figure, series: Mapping[str, Any]) -> None:
    """The units' mean activations, and how well Gabor functions fit their images."""
    figure.set_size_inches(10, 4.4)
    left, right = figure.subplots(1, 2)
    for place, (name, label) in enumerate((("kl", "with the KL"), ("dense", "without"))):
        look: dict[str, Any] = {"color": drawing.COLOURS[place], "linestyle": drawing.LINES[place], "label": label}
        means, fits = series["means"][name], series["fits"][name]
        left.plot(range(1, len(means) + 1), means, **look)
        right.plot(series["shares"][name], fits, **look)
    for axes, guide in zip((left, right), series["guides"], strict=True):
        axes.axhline(guide, color="#666666", linestyle=":", linewidth=1)
    left.set(xlabel="unit, by its mean", ylabel="mean activation", title="Every unit's mean comes near ρ")
    right.set(xlabel="share of units", ylabel="R² of a Gabor function", title="Sparse units look for Gabors")
    right.set_ylim(0, 1)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)


QUICK = {"rho_off": ("<=", 0.2), "kl_zeros": ("==", 0), "relu_zeros": (">", 0.5), "topk_zeros": (">=", 0.92)}
SPARSE = Experiment(
    name="sparse",
    part="II",
    claim="Units that are active for a few rows each specialise: trained on patches of photos, they look for edges.",
    lecture="force h to have few activations; sparse autoencoders make neurons specialise",
    reference="Ng 2011; Olshausen & Field 1996",
    measure=measure,
    expected={**QUICK, "gabor": (">=", 0.8)},
    expected_full={**QUICK, "gabor": (">=", 0.9), "tuned_percent": (">=", 97.6)},
    settings={"data": "whitened-patches", "rows": 10_000, "units": 100, "fitted": 40, "rho": 0.05, "strength": 30.0}
    | {"weights": 0.05, "l1": 0.5, "k": 8, "epochs": 50, "batch_size": 256, "learning_rate": 0.02}
    | {"digits": "", "width": 200, "stack_rho": 0.1, "stack_strength": 3.0},
    full={"data": "natural-patches", "rows": 40_000, "fitted": 100, "strength": 20.0, "weights": 0.1, "epochs": 20}
    | {"digits": "mnist"},
    seeds=3,
    published=(
        Published("784-200-200, softmax on the codes", "softmax_percent", 87.7),
        Published("784-200-200, fine-tuned", "tuned_percent", 97.6),
    ),
    unit="right test digits, %",
    budget="an hour on 2 cores",
)
