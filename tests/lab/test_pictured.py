"""The readers of pictures see what they must: each picture here breaks one rule, or comes close and keeps it."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import NUMBER, Told, assert_readable, assert_told

from isthmus.lab import Measured, drawing

SERIES = {"x": [0.3, 1.7, 12.34, 30.0], "y": [0.1234, 0.02, 3.141, 56.78], "grid": [[0.11, 0.22], [0.33, 0.44]]}
X, Y, GRID = SERIES["x"], SERIES["y"], SERIES["grid"]


def panel(draw, **told):
    """A picture of one axes, drawn by a function of it."""
    return Measured({"accuracy": 0.8257}, {"p": lambda figure: draw(figure.subplots())}, SERIES | told)


def worded(axes):
    axes.set_xticks([0.3, 1.7], ["few", "many"])
    axes.plot([0.27, 1.66], [0.1234, 0.02])


def switched_off(axes):
    axes.plot([0.777, 0.888], [0.777, 0.999])
    axes.axis("off")


def colour_bar(axes):
    axes.figure.colorbar(axes.imshow(GRID))


def banded(axes):
    drawing.bands(axes, X, {"median": Y, "lower": Y, "upper": Y}, "ReLU", 0)


def in_regions(axes):
    field = {"low": 0.3, "high": 1.7, "values": GRID}
    drawing.regions(axes, field, [[0.3, 0.11], [1.7, 0.22]], [0, 1])


def parted(axes):
    axes.contourf([[-2.5, 3.5], [1.5, 7.5]], [0, 99])
    axes.contour([[-2.5, 3.5], [1.5, 7.5]], [0])


def in_space(figure):
    axes = figure.add_subplot(projection="3d")
    axes.scatter(X, Y, X)
    axes.plot(X, Y, Y)
    axes.plot_surface(*np.meshgrid([-1, 1], [-1, 1]), np.full((2, 2), 0.777), color="#999999")


def in_a_table(axes):
    axes.table([["0.11", "12.3"]], colLabels=["error", "seconds"])


TELLING = {
    "a line": lambda axes: axes.plot(X, Y),
    "a line, its numbers rounded": lambda axes: axes.plot(X, [0.12341, 0.020001, 3.1411, 56.779]),
    "index positions": lambda axes: axes.plot(Y),
    "dodged positions": lambda axes: axes.plot(np.arange(4) + 0.13, Y, "o"),
    "gaps": lambda axes: axes.plot(X, [0.1234, np.nan, 3.141, 56.78]),
    "per cent": lambda axes: axes.plot(X, np.multiply(Y, 100)),
    "powers of ten": lambda axes: axes.plot(X, np.log10(Y)),
    "words for places": worded,
    "strings for places": lambda axes: axes.bar(["few", "many"], [0.1234, 0.02]),
    "guides": lambda axes: (axes.axhline(0.5), axes.axvline(0), axes.plot([0.7, 9.9], [0.7, 9.9])),
    "a guide that is told": lambda axes: axes.axhline(3.141),
    "points": lambda axes: axes.scatter(X, Y, c=Y),
    "bars": lambda axes: axes.bar([0.2, 1.3, 2.4, 3.6], Y, width=0.21),
    "bars on their side": lambda axes: axes.barh([0.2, 1.3, 2.4, 3.6], Y, height=0.21),
    "a band": banded,
    "segments": lambda axes: axes.vlines(X, 0, Y),
    "an image": lambda axes: axes.imshow(GRID),
    "a mesh": lambda axes: axes.pcolormesh(GRID),
    "a field": in_regions,
    "a boundary": parted,
    "a table of shades": lambda axes: drawing.table(axes, GRID, ["a", "b"], ["c", "d"]),
    "a table of texts": in_a_table,
    "a colour bar": colour_bar,
    "a schematic": switched_off,
    "a number": lambda axes: axes.text(0.5, 0.5, "0.83"),
    "a percentage": lambda axes: axes.text(0.5, 0.5, "83 %"),
    "a power": lambda axes: axes.set_title("the gradient shrinks to 2 × 10⁻²"),
    "a power in mathematics": lambda axes: axes.text(0.5, 0.5, "$1.2 \\times 10^{-1}$"),
    "prose": lambda axes: axes.set_title("LeNet-5 of 1998, 32 seeds: right for 83 % of 540 digits"),
}


@pytest.mark.parametrize("draw", TELLING.values(), ids=TELLING)
def test_what_is_told_passes(draw):
    assert_told(panel(draw))


UNTOLD = {
    "a line": (lambda axes: axes.plot(X, [0.02, 0.02, 0.02, 0.777], label="tanh"), "line 'tanh' (y) shows 0.777"),
    "along": (lambda axes: axes.plot([0.3, 1.8, 12.34, 30.0], Y), "a line (x) shows 1.8"),
    "three digits": (lambda axes: axes.plot(X, [0.1234, 0.02, 3.145, 56.78]), "a line (y) shows 3.145"),
    "far positions": (lambda axes: axes.plot([0, 500], [0.1234, 0.02]), "a line (x) shows 500"),
    "one position aside": (lambda axes: axes.plot([0.37], [0.02], "o"), "a line (x) shows 0.37"),
    "whole numbers upwards": (lambda axes: axes.plot(X, [0.02, 3, 0.02, 0.02]), "a line (y) shows 3"),
    "a guide": (lambda axes: axes.axhline(0.98), "a line (y) shows 0.98"),
    "points": (lambda axes: axes.scatter(X, [0.777, 0.02, 0.778, 0.02]), "a point (y) shows 0.777 and 1 more"),
    "shades of points": (lambda axes: axes.scatter(X, Y, c=[0.1234, 0.02, 3, 3]), "the shade of a point shows 3"),
    "bars": (lambda axes: axes.bar([0, 1], [0.1234, 0.777]), "a bar shows 0.777"),
    "error bars": (lambda axes: axes.errorbar(X, Y, yerr=0.05), "a segment (y) shows -0.03 and 7 more"),
    "an area": (lambda axes: axes.fill_between(X, Y, 0.777), "an area (y) shows 0.777"),
    "an image": (lambda axes: axes.imshow([[0.11, 0.777]]), "an image shows 0.777"),
    "a mesh": (lambda axes: axes.pcolormesh([[0.11, 0.777]]), "a mesh shows 0.777"),
    "a field": (lambda axes: axes.contourf([[0.11, 0.22], [0.11, 0.777]]), "a contour's field shows 0.777"),
    "a number": (lambda axes: axes.text(0.5, 0.5, "0.84"), "the text '0.84' shows 0.84"),
    "a share": (lambda axes: axes.text(0.5, 0.5, "14 / 16"), "the text '14 / 16' shows 14"),
    "a percentage in prose": (lambda axes: axes.set_title("right for 84 %"), "the text 'right for 84 %' shows 84"),
    "a power": (lambda axes: axes.set_title("shrinks to 10⁻⁷"), "the text 'shrinks to 10⁻⁷' shows 1e-07"),
    "a cell": (lambda axes: axes.table([["0.11", "0.777"]]), "the text '0.777' shows 0.777"),
    "an inset": (lambda axes: axes.inset_axes((0.1, 0.1, 0.3, 0.3)).plot([0.777, 0.777]), "a line (y) shows 0.777"),
}  # fmt: skip


@pytest.mark.parametrize(("draw", "said"), UNTOLD.values(), ids=UNTOLD)
def test_what_is_not_told_is_named(draw, said):
    with pytest.raises(AssertionError) as caught:
        assert_told(panel(draw))
    assert said in str(caught.value)
    assert "picture 'p'" in str(caught.value)


def test_space_has_three_directions():
    assert_told(Measured({}, {"p": in_space}, SERIES))
    with pytest.raises(AssertionError) as caught:
        assert_told(Measured({}, {"p": in_space}, {"x": X}))
    assert "a point in space shows 0.02 and 3 more" in str(caught.value)
    assert "a line in space shows 0.02 and 3 more" in str(caught.value)


def test_the_fault_says_where_and_what_to_do():
    def draw(figure):
        left, right = figure.subplots(1, 2)
        left.plot(X, Y)
        right.plot(X, [0.777, 0.888, 0.02, 0.02])
        right.set_title("Loss")

    with pytest.raises(AssertionError) as caught:
        assert_told(Measured({}, {"curves": draw}, SERIES))
    assert str(caught.value).splitlines()[:2] == [
        "picture 'curves', axes 1 'Loss': a line (y) shows 0.777 and 1 more, told nowhere",
        "tell them in Measured.series, rounded before they are drawn",
    ]


def test_bounds_and_settings_may_be_shown_too():
    assert_told(panel(lambda axes: axes.axhline(0.98)), {"accuracy": (">=", 0.98)})
    with pytest.raises(AssertionError, match=r"shows 0\.97"):
        assert_told(panel(lambda axes: axes.axhline(0.97)), {"accuracy": (">=", 0.98)})


def test_numbers_told_in_arrays_count_and_texts_do_not():
    told = Told([{"a": np.array([0.25, np.nan]), "b": "0.75", "c": None, "d": [True]}, range(7, 8)])
    assert told.lacks(np.array([0.25, 25, np.log10(0.25), 1, 7])).size == 0
    assert told.lacks(np.array([0.75, np.inf, np.nan])).tolist() == [0.75]
    assert Told([]).lacks(np.array([0.0, 0.1])).tolist() == [0.1]


def test_a_series_that_is_too_long_is_refused():
    with pytest.raises(AssertionError, match=r"series takes .* are the most"):
        assert_told(panel(lambda axes: axes.plot(X, Y), pixels=list(np.linspace(0, 1, 30_000))))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.93", ["0.93"]),
        ("14 / 16", ["14", "16"]),
        ("83 %", ["83 %"]),
        ("−1.2e-7", ["−1.2e-7"]),
        ("61,706", ["61,706"]),
        ("LeNet5, x2", []),
    ],
)
def test_numbers_are_found_in_texts(text, numbers):
    assert NUMBER.findall(text) == numbers


BLUE, ORANGE, GREEN = drawing.COLOURS[:3]


def crossed(axes):
    for place in range(7):
        drawing.bands(axes, X, {"median": Y, "lower": Y, "upper": Y}, str(place), place)
    axes.legend()


READABLE = {
    "bands": crossed,
    "regions": in_regions,
    "a table": lambda axes: drawing.table(axes, GRID, ["a", "b"], ["c", "d"]),
    "one colour twice": lambda axes: (axes.plot(X, Y, color=BLUE), axes.plot(Y, X, color=BLUE)),
    "grey behind": lambda axes: (axes.plot(X, Y, color="#999999"), axes.plot(Y, X, color=BLUE)),
    "points of two kinds": lambda axes: (
        axes.scatter(X, Y, color=BLUE, marker="o"),
        axes.scatter(Y, X, color=ORANGE, marker="s"),
    ),
    "rings": lambda axes: (
        axes.plot(X, Y, "o", color=ORANGE),
        axes.plot(X, Y, "o", markerfacecolor="none", markeredgecolor="black"),
    ),
    "a tint": lambda axes: axes.bar([0, 1], [1, 2], color="#80B9D9"),
    "a picture": lambda axes: axes.imshow(np.full((2, 2, 3), (0.9, 0.1, 0.4))),
    "heat": lambda axes: axes.imshow(GRID, cmap="RdBu_r"),
    "small and hidden": lambda axes: axes.text(0, 0, "hidden", fontsize=6, visible=False),
}


@pytest.mark.parametrize("draw", READABLE.values(), ids=READABLE)
def test_what_can_be_read_passes(draw):
    assert_readable(panel(draw))


HARD = {
    "small type": (lambda axes: axes.set_title("Loss", fontsize=8), "'Loss' is set in 8 pt; 10 is the least"),
    "small ticks": (lambda axes: axes.tick_params(labelsize=7), "is set in 7 pt"),
    "colour alone": (
        lambda axes: (axes.plot(X, Y, color=BLUE), axes.plot(Y, X, color=ORANGE)),
        f"{BLUE} and {ORANGE} differ by colour alone: give each its own marker or line style",
    ),
    "points by colour alone": (
        lambda axes: (axes.scatter(X, Y, color=BLUE), axes.scatter(Y, X, color=GREEN)),
        f"{BLUE} and {GREEN} differ by colour alone",
    ),
    "a loud line": (lambda axes: axes.plot(X, Y, color="#FF0000"), "#FF0000 is none of drawing.COLOURS"),
    "a loud bar": (lambda axes: axes.bar([0, 1], [1, 2], color="lime"), "#00FF00 is none of drawing.COLOURS"),
    "loud rings": (lambda axes: axes.plot(X, Y, "o", color=BLUE, markeredgecolor="red"), "#FF0000 is none of"),
    "loud points": (lambda axes: axes.scatter(X, Y, color="magenta"), "#FF00FF is none of drawing.COLOURS"),
    "a loud word": (lambda axes: axes.text(0, 0, "no", color="red"), "#FF0000 is none of drawing.COLOURS"),
    "a rainbow": (lambda axes: axes.imshow(GRID, cmap="jet"), "the colour map 'jet' is not one that everybody can"),
    "a rainbow of points": (lambda axes: axes.scatter(X, Y, c=Y, cmap="hsv"), "the colour map 'hsv'"),
}  # fmt: skip


@pytest.mark.parametrize(("draw", "said"), HARD.values(), ids=HARD)
def test_what_is_hard_to_read_is_named(draw, said):
    with pytest.raises(AssertionError) as caught:
        assert_readable(panel(draw))
    assert said in str(caught.value)
