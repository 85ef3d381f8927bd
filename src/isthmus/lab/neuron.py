"""A threshold unit computes 14 of the 16 functions of two inputs, two layers all of them; parity must see every input.

Claim. The neuron of McCulloch & Pitts (1943) fires where w·x + b > 0. Such units compute AND, OR and NOT, and so two
layers compute whatever a truth table says. One alone draws one line, and XOR and its opposite need two. Over units that
each see at most k of n inputs, whatever they compute, one unit can make some functions and not others; the least k is
the function's order, and that of parity is n (Minsky & Papert 1969, theorem 3.1).

Set-up. Every function of two inputs, and of three. Linear programming gives the weights of a unit, or multipliers that
prove that there are none; either answer is then checked in fractions, without rounding. For two layers: a unit for each
row of the truth table that gives 1, and one that ORs them. Whatever sees k inputs is a sum of products of at most k
inputs, so that the order is the least k at which one unit over those products computes the function.

Measured. `gates`: of AND, OR and NOT, those that the textbook's weights compute. `single_unit`: functions of two inputs
that one unit computes; `three_inputs`: of the 256 of three; `two_layers`: of two inputs, by two layers. `proved`: share
of all these answers, and of those below, that stand in fractions. `order_n`: of `function` of n inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import threshold
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.threshold import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Table = NDArray[np.int64]
GATES = (  # a unit, and what it must give for the rows of its truth table: AND, OR, NOT
    (Unit(np.array([1.0, 1.0]), -1.5), (0, 0, 0, 1)),
    (Unit(np.array([1.0, 1.0]), -0.5), (0, 1, 1, 1)),
    (Unit(np.array([-1.0]), 0.5), (1, 0)),
)
NAMES = (  # of the functions that give 0000, 0001, … for 00, 01, 10 and 11
    *("never", "AND", "x₁, not x₂", "x₁", "x₂, not x₁", "x₂", "XOR", "OR"),
    *("NOR", "same", "not x₂", "if x₂ then x₁", "not x₁", "if x₁ then x₂", "NAND", "always"),
)
FUNCTIONS: Mapping[str, Callable[[Table], Table]] = {
    "AND": lambda X: X.prod(axis=1),
    "majority": lambda X: (2 * X.sum(axis=1) > X.shape[1]).astype(np.int64),
    "exactly one": lambda X: (X.sum(axis=1) == 1).astype(np.int64),
    "parity": lambda X: X.sum(axis=1) % 2,
}
ENDS = (-0.5, 1.5)  # of the plane that is shown


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Ask linear programming about every function; nothing is drawn at random, so that seeds change nothing."""
    sizes = range(2, settings["largest"] + 1)
    two, three = (_answers(n) for n in (2, 3))
    X, tables = threshold.patterns(2), threshold.patterns(4)
    orders = {name: [_order(function, n) for n in sizes] for name, function in FUNCTIONS.items()}
    answers = [*two, *three, *(answer for row in orders.values() for answer in row)]
    numbers = {
        "gates": sum(tuple(unit(threshold.patterns(len(unit.weights)))) == table for unit, table in GATES),
        "single_unit": sum(exists for exists, _ in two),
        "three_inputs": sum(exists for exists, _ in three),
        "two_layers": sum(np.array_equal(threshold.two_layers(X, y)(X), y) for y in tables),
        "proved": float(np.mean([proved for _, proved in answers])),
        **{f"order_{n}": k for n, (k, _) in zip(sizes, orders[settings["function"]], strict=True)},
    }
    series = {
        "functions": [_drawn(name, y) for name, y in zip(NAMES, tables, strict=True)],
        "inputs": list(sizes),
        "orders": {name: [k for k, _ in row] for name, row in orders.items()},
    }
    draw = {"functions": draw_functions, "orders": draw_orders}
    return Measured(numbers, {key: partial(drawn, series=series) for key, drawn in draw.items()}, series)


def _answers(n: int) -> list[tuple[bool, bool]]:
    """For each function of n inputs whether a unit computes it, and whether that is proved."""
    X, tables = threshold.patterns(n), threshold.patterns(2**n)
    found = [(threshold.separation(X, y), y) for y in tables]
    return [(answer.exists, answer.proved(X, y)) for answer, y in found]


def _order(function: Callable[[Table], Table], n: int) -> tuple[int, bool]:
    """The order of a function of n inputs, and whether it is proved that it suffices and that one less does not."""
    X = threshold.patterns(n)
    y = function(X)
    k = threshold.order(X, y)
    less, enough = (threshold.masks(X, order) for order in (k - 1, k))
    return k, all(threshold.separation(masks, y).proved(masks, y) for masks in (less, enough))


def _drawn(name: str, y: Table) -> dict[str, Any]:
    """A function with the lines (w₁, w₂, b) of the unit that computes it, or of the units of its first layer."""
    X, single = threshold.patterns(2), threshold.separation(threshold.patterns(2), y).exists
    units = (threshold.widest(X, y).unit,) if single else threshold.two_layers(X, y).hidden
    lines = np.round([[*unit.weights, unit.bias] for unit in units], 9)
    return {"name": name if single else f"{name}: two layers", "outputs": y.tolist(), "lines": lines.tolist()}


def draw_functions(figure: Figure, series: Mapping[str, Any]) -> None:
    """The truth tables as points of the plane, shaded where a unit gives 1."""
    figure.set_size_inches(8, 9)
    X = threshold.patterns(2)
    for axes, one in zip(figure.subplots(4, 4).flat, series["functions"], strict=True):
        _draw_lines(axes, one["lines"], "-" if len(one["lines"]) == 1 else "--")
        for value, face in enumerate(("white", drawing.CLASSES[1])):
            x, y = X[np.array(one["outputs"]) == value].T
            look = {"markersize": 10, "markeredgewidth": 2, "markerfacecolor": face, "label": f"must give {value}"}
            axes.plot(x, y, drawing.MARKERS[value], color=drawing.CLASSES[value], **look)
        axes.set(xlim=ENDS, ylim=ENDS, xticks=(0, 1), yticks=(0, 1), aspect="equal", title=one["name"])
    figure.suptitle("One unit draws one line: enough for 14 functions of 16\nXOR and its opposite take two layers")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _draw_lines(axes: Axes, lines: Sequence[Sequence[float]], style: str) -> None:
    """Where w₁x₁ + w₂x₂ + b > 0, for each unit."""
    across, up = np.meshgrid(ENDS, ENDS)
    for w1, w2, b in lines:
        net = w1 * across + w2 * up + b
        axes.contourf(across, up, net, [0, np.inf], colors=[drawing.COLOURS[4]], alpha=0.4)
        if net.min() < 0 < net.max():
            axes.contour(across, up, net, [0], colors="black", linestyles=style)


def draw_orders(figure: Figure, series: Mapping[str, Any]) -> None:
    orders, columns = series["orders"], [f"{n} inputs" for n in series["inputs"]]
    drawing.table(figure.subplots(), list(orders.values()), list(orders), columns, "{:.0f}", vmin=0)
    figure.suptitle("How many inputs a unit must see at once: for parity, all of them")


NEURON = Experiment(
    name="neuron",
    part="I",
    claim="One threshold unit computes 14 of 16 functions of two inputs, two layers all; parity must see every input.",
    lecture="1943: McCulloch & Pitts, model of neuron",
    reference="McCulloch & Pitts 1943; Minsky & Papert 1969",
    measure=measure,
    expected={
        "gates": ("==", 3),
        "single_unit": ("==", 14),
        "two_layers": ("==", 16),
        "proved": ("==", 1),
        **{f"order_{n}": ("==", n) for n in (2, 3, 4, 5)},
    },
    settings={"function": "parity", "largest": 5},
    seeds=1,
)
