"""Logistic regression draws straight lines; products of the attributes, made by hand, bend them.

Claim. A linear classifier tells apart neither the classes of XOR nor a disc from the ring around it. Written as x₁, x₂
and x₁x₂ the classes of XOR lie on either side of a plane; with x₁² and x₂² the disc and the ring do. The classifier
stays linear: the bend was put into the attributes, by hand, by somebody who knew which terms are needed.

Set-up. scikit-learn's LogisticRegression on x₁ and x₂, on these and their product, and on all products up to a degree,
learns a few hundred points of each set and is tested on others. Each seed draws other points.

Measured, in % of the test points. `*_linear_percent`: the most over seeds; `*_product_percent` and
`*_polynomial_percent`: the least. The product alone does not solve the disc: measured, not asked. The picture `degrees`
goes on to higher degrees, and to the moons and the spiral, which need more terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from isthmus.data import planes
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ASKED = ("xor", "circle")
WORST = {"linear": max, "product": min, "polynomial": min}  # over seeds, against what is claimed
SHOWN = (("xor", "linear"), ("xor", "product"), ("circle", "linear"), ("circle", "polynomial"))
POINTS = 150  # in a picture


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Fit each expansion to each set for each seed and count the test points that it names rightly."""
    numbers = {
        f"{name}_{terms}_percent": worst(_trial(settings, name, terms, seed)[1] for seed in seeds)
        for name in ASKED
        for terms, worst in WORST.items()
    }
    regions = [_region(settings, *pair, seeds[0]) for pair in SHOWN]
    found = {"regions": regions, "lifted": _lifted(settings, seeds[0]), "degrees": _degrees(settings, seeds)}
    series = drawing.rounded(found)
    figures = {
        "regions": lambda figure: _draw_regions(figure, series["regions"]),
        "lifted": lambda figure: _draw_lifted(figure, series["lifted"]),
        "degrees": lambda figure: _draw_degrees(figure, series["degrees"]),
    }
    return Measured(numbers, figures, series)


def expanded(terms: str, degree: int, C: float) -> Pipeline:
    """Logistic regression on x₁ and x₂ ("linear"), with x₁x₂ too ("product"), or on all products ("polynomial")."""
    degree = {"linear": 1, "product": 2}.get(terms, degree)
    products = PolynomialFeatures(degree, interaction_only=terms == "product", include_bias=False)
    return make_pipeline(products, LogisticRegression(C=C, max_iter=2000))


def _trial(settings: Settings, name: str, terms: str, seed: int, degree: int = 0) -> tuple[Pipeline, float]:
    """A model and the share of test points that it names rightly, in %."""
    rows, unseen = (
        planes.generate(name, settings[n], settings["noise"], 2 * seed + i) for i, n in enumerate(("rows", "test_rows"))
    )
    model = expanded(terms, degree or settings["degree"], settings["C"]).fit(*rows)
    return model, 100 * float(model.score(*unseen))


def _region(settings: Settings, name: str, terms: str, seed: int) -> dict[str, Any]:
    """The probability of a class over the plane, and test points."""
    model, percent = _trial(settings, name, terms, seed)
    points, classes = planes.generate(name, POINTS, settings["noise"], 2 * seed + 1)
    field = drawing.field(lambda at: model.predict_proba(at)[:, 1])
    products = [str(term) for term in model[0].get_feature_names_out(["x₁", "x₂"])]
    return {"name": name, "terms": products, "percent": percent, "field": field, "points": points, "classes": classes}


def _lifted(settings: Settings, seed: int) -> dict[str, Any]:
    """Test points of XOR as (x₁, x₂, x₁x₂), and the plane b + w·(x₁, x₂, x₁x₂) = 0 that parts their classes."""
    points, classes = planes.generate("xor", POINTS, settings["noise"], 2 * seed + 1)
    products, linear = _trial(settings, "xor", "product", seed)[0]
    lifted = products.transform(points)
    return {"points": lifted, "classes": classes, "weights": linear.coef_[0], "bias": float(linear.intercept_[0])}


def _degrees(settings: Settings, seeds: Sequence[int]) -> dict[str, Any]:
    """Share of test points by set and degree, median and quartiles over seeds."""
    degrees = settings["degrees"]
    percent = {
        name: [[_trial(settings, name, "", seed, degree)[1] for degree in degrees] for seed in seeds]
        for name in planes.PLANES
    }
    return {"degrees": degrees, "percent": {name: drawing.quartiles(found) for name, found in percent.items()}}


def _draw_regions(figure: Figure, shown: Sequence[Mapping[str, Any]]) -> None:
    figure.set_size_inches(7, 7.6)
    for axes, one in zip(figure.subplots(2, 2).flat, shown, strict=True):
        drawing.regions(axes, one["field"], one["points"], one["classes"])
        terms = ", ".join(one["terms"]).replace("^2", "²").replace("₁ ", "₁")
        axes.set_title(f"{terms}\n{one['percent']:.4g} % of {one['name']} named rightly")
    figure.suptitle("One linear classifier, with other attributes")


def _draw_lifted(figure: Figure, shown: Mapping[str, Any]) -> None:
    figure.set_size_inches(7, 4.8)
    axes: Any = figure.add_subplot(projection="3d")
    points, classes, (first, second, third) = np.array(shown["points"]), np.array(shown["classes"]), shown["weights"]
    x, y = np.meshgrid([-1, 1], [-1, 1])
    axes.plot_surface(x, y, -(shown["bias"] + first * x + second * y) / third, color="#999999", alpha=0.4)
    for which, name in enumerate(("signs alike", "signs unlike")):
        style = {"color": drawing.CLASSES[which], "marker": drawing.MARKERS[which], "label": name}
        axes.scatter(*points[classes == which].T, s=26, edgecolors="white", linewidths=0.4, depthshade=False, **style)
    axes.set(xlabel="x₁", ylabel="x₂", zlabel="x₁x₂", xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1])
    axes.view_init(elev=9, azim=-68)
    axes.set_box_aspect((4, 4, 3), zoom=1.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Lifted by x₁x₂, the classes of XOR lie on either side of a plane")


def _draw_degrees(figure: Figure, shown: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    for place, (name, found) in enumerate(shown["percent"].items()):
        drawing.bands(axes, shown["degrees"], found, name, place)
    axes.set(xlabel="all products of x₁ and x₂ up to this degree", ylabel="test points named rightly, %")
    axes.set(xticks=shown["degrees"], ylim=(40, 103))
    axes.set_title("Each set needs its own terms: median and quartiles over seeds")
    axes.legend(loc="lower right")


EXPANSION = Experiment(
    name="expansion",
    part="I",
    claim="With products of the attributes, made by hand, logistic regression solves what no straight line does.",
    lecture="Nonlinear expansion of attributes: we did this explicitly (by hand) with logistic regression",
    reference="Cover 1965",
    measure=measure,
    expected={
        "xor_linear_percent": ("<=", 80),
        "circle_linear_percent": ("<=", 80),
        "xor_product_percent": (">=", 99),
        "xor_polynomial_percent": (">=", 99),
        "circle_polynomial_percent": (">=", 99),
    },
    settings={"rows": 300, "test_rows": 1000, "noise": 0.02, "degree": 2, "degrees": (1, 2, 3, 4, 5, 6), "C": 1000.0},
    seeds=20,
)
