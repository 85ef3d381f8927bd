"""What the pictures of an experiment must keep: every number they show is told, and everybody can read them.

`assert_told` draws each picture of a `Measured` and reads it back. A number is told where it stands in `numbers`, in
`series`, or in what else the test hands over (bounds, settings), up to rounding to four digits, as itself, as a
percentage or as a power of ten. Not asked of: ticks, what only places (index positions, bars along their axis, places
with words for labels, axes switched off), guides (a line at 0, 0.5, 1, the diagonal), whole numbers in prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex, to_rgb, to_rgba, to_rgba_array
from matplotlib.container import BarContainer
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, ScalarFormatter
from mpl_toolkits.mplot3d.art3d import Line3D, Path3DCollection, Poly3DCollection

from isthmus.lab.drawing import COLOURS, STYLE
from isthmus.lab.running import SIZE
from isthmus.plain import plain

ROOM = 350_000  # characters of JSON that the series of one experiment may take
SMALLEST = 10  # points
GUIDES = (0, 0.5, 1, 50, 100)
SHADES = {"cividis", "gray", "grey", "Greys", "magma", "viridis", "RdBu", "PuOr", "BrBG", "coolwarm"}
NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+−]?\d+)?(?:\s*%)?(?![\w])", re.IGNORECASE)
TEN = re.compile(
    r"(?<!\d)(?:(?P<mantissa>[\d.]+)\s*(?:×|\\times|\\cdot)\s*)?10(?:\^\{?(?P<power>[-−]?\d+)\}?|(?P<small>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))"
)
SMALL = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def assert_told(measured, *more):
    """Every number that the pictures show is told: in `numbers`, `series`, or `more` (mappings, lists, numbers)."""
    size = len(json.dumps(plain(measured.series), allow_nan=False))
    assert size <= ROOM, f"series takes {size:,} characters, {ROOM:,} are the most: tell fewer points or digits"
    told = Told([measured.numbers, measured.series, *more])
    faults = [fault for name, figure in pictures(measured) for fault in untold(name, figure, told)]
    assert not faults, "\n".join([*faults, "tell them in Measured.series, rounded before they are drawn"])


def assert_readable(measured):
    """Large type; lines told apart by more than colour; colours that everybody can tell apart."""
    faults = [fault for name, figure in pictures(measured) for fault in unreadable(name, figure)]
    assert not faults, "\n".join(faults)


def pictures(measured) -> Iterator[tuple[str, Figure]]:
    """Each picture as the frame draws it."""
    with mpl.rc_context(STYLE):
        for name, draw in measured.figures.items():
            figure = Figure(figsize=SIZE, layout="constrained")
            draw(figure)
            yield name, figure


class Told:
    """Numbers that were told, and whether others are among them."""

    def __init__(self, told):
        values = np.array(list(flat(told)), dtype=float)
        with np.errstate(divide="ignore"):
            logs = np.log10(np.abs(values[values != 0]))
        self.values = np.unique(np.concatenate([values, 100 * values, logs, [0.0]]))

    def lacks(self, found, tolerance=None):
        """Of what was found, (N,), that which was not told; without a tolerance, up to four digits."""
        found = np.unique(np.asarray(found, dtype=float))
        found = found[np.isfinite(found)]
        after = np.searchsorted(self.values, found).clip(1, len(self.values) - 1)
        near = np.stack([self.values[after - 1], self.values[after]]) if len(self.values) > 1 else self.values[:, None]
        if tolerance is None:
            digits = np.floor(np.log10(np.maximum(np.abs(near), 1e-300)))
            tolerance = 0.5 * 10.0 ** (digits - 3)
        return found[(np.abs(near - found) > tolerance * (1 + 1e-6) + 1e-15).all(axis=0)]


def flat(told):
    """Every number in nested mappings, lists and arrays."""
    if isinstance(told, Mapping):
        told = list(told.values())
    if isinstance(told, np.ndarray):
        yield from told[np.isfinite(told)].ravel().tolist() if told.dtype.kind in "biuf" else ()
    elif isinstance(told, list | tuple | range):
        for one in told:
            yield from flat(one)
    elif isinstance(told, bool | int | float | np.number) and np.isfinite(told):
        yield float(told)


@dataclass(frozen=True)
class Shown:
    """Numbers that a picture shows, in which direction, and by what."""

    what: str
    numbers: np.ndarray
    tolerance: float | None = None  # of a text, which says how exact it is


def untold(name, figure, told):
    """Sentences on the numbers of a figure that were not told."""
    for place, axes in [("the figure", None), *((called(axes), axes) for axes in panels(figure))]:
        for shown in texts(figure) if axes is None else drawn(axes):
            lacking = told.lacks(shown.numbers, shown.tolerance)
            if len(lacking):
                others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
                yield f"picture {name!r}, {place}: {shown.what} shows {lacking[0]:.6g}{others}, told nowhere"


def panels(figure):
    """The axes of a figure with insets, without colour bars."""
    return [axes for axes in figure.findobj(Axes) if axes.get_label() != "<colorbar>"]


def called(axes):
    title = axes.get_title() or axes.get_title("left") or axes.get_ylabel()
    return f"axes {axes.figure.axes.index(axes)} {title!r}" if axes in axes.figure.axes else f"inset {title!r}"


def drawn(axes):
    """What one axes shows, apart from texts."""
    for line in axes.lines:
        yield from of_line(axes, line)
    for container in axes.containers:
        if isinstance(container, BarContainer):
            yield Shown("a bar", np.asarray(container.datavalues, dtype=float))
    for collection in axes.collections:
        yield from of_collection(axes, collection)
    for image in axes.images:
        values = dense(image.get_array()).ravel()
        yield Shown("an image", values[(values != 0) & (values != 1)])
    for table in axes.tables:
        for cell in cells(table):
            yield from of_text(cell.get_text())


def dense(values):
    """As plain floats; what is masked is not shown."""
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def of_line(axes, line):
    if isinstance(line, Line3D):
        yield Shown("a line in space", np.concatenate([dense(way) for way in line.get_data_3d()]))
        return
    x, y = dense(line.get_xdata(orig=False)), dense(line.get_ydata(orig=False))
    if len(x) == 2 and np.array_equal(x, y):
        return  # the diagonal
    label = line.get_label()
    what = "a line" if label.startswith("_") else f"the line {label!r}"
    yield from along(axes, what, line.get_transform(), x, y)


def along(axes, what, transform, x, y):
    """Both coordinates, where they are in the data's units and no mere places."""
    for way, values, counts in zip("xy", (x, y), transform.contains_branch_seperately(axes.transData), strict=True):
        if not counts or not axes.axison or has_words(axes, way) or (way == "x" and are_places(values)):
            continue
        guide = len(np.unique(values)) == 1 and values[0] in GUIDES
        yield Shown(f"{what} ({way})", values[:0] if guide else values)


def has_words(axes, way):
    """Whether an axis is labelled by hand: with words, or with names for the places 0, 1, 2 …"""
    axis = getattr(axes, f"{way}axis")
    labels = [re.sub(r"\$.*?\$", "", label.get_text()) for label in axis.get_ticklabels()]
    named = not isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter)
    in_order = named and axis.get_majorticklocs().tolist() == list(range(len(labels)))
    return in_order or any(re.search(r"[^\W\d]", label) for label in labels)


def are_places(values):
    """Index positions: whole numbers not far above their count, all moved aside by the same where they are dodged."""
    values = np.unique(values[np.isfinite(values)])
    moved = values - np.round(values)
    dodged = len(values) > 1 and np.ptp(moved) < 1e-9
    return not len(values) or ((dodged or not moved.any()) and bool(np.abs(values).max() <= max(20, len(values) + 1)))


def of_collection(axes, collection):
    for kind, read in READERS.items():
        if isinstance(collection, kind):
            yield from read(axes, collection)
            return


def of_contour(axes, contour):
    """The extremes of its field, which it does not keep; one or two levels only part the plane."""
    if len(contour.levels) > 2:
        yield Shown("a contour's field", np.array([contour.zmin, contour.zmax], dtype=float))


def of_mesh(axes, mesh):
    yield Shown("a mesh", dense(mesh.get_array()).ravel())


def of_points(axes, points):
    yield from along(axes, "a point", points.get_offset_transform(), *dense(points.get_offsets()).T)
    if points.get_array() is not None:
        yield Shown("the shade of a point", dense(points.get_array()))


def of_points_in_space(axes, points):
    yield Shown("a point in space", np.concatenate([dense(way) for way in points._offsets3d]))


def of_surface(axes, surface):
    """Nothing: it does not keep its points."""
    return ()


def of_segments(axes, segments):
    paths = [path.vertices for path in segments.get_paths() if len(path.vertices)]
    if paths:
        what = "a segment" if isinstance(segments, LineCollection) else "an area"
        yield from along(axes, what, segments.get_transform(), *np.concatenate(paths).T)


READERS = {  # the first that fits
    ContourSet: of_contour,
    QuadMesh: of_mesh,
    Path3DCollection: of_points_in_space,
    PathCollection: of_points,
    Poly3DCollection: of_surface,
    PolyCollection: of_segments,
    LineCollection: of_segments,
}


def texts(figure):
    """The numbers in titles, labels, legends and notes; not those at ticks."""
    elsewhere = {label for axes in figure.findobj(Axes) for label in tick_labels(axes)}
    elsewhere |= {cell.get_text() for axes in panels(figure) for table in axes.tables for cell in cells(table)}
    for text in figure.findobj(Text):
        if text not in elsewhere and text.get_visible():
            yield from of_text(text)


def tick_labels(axes):
    for axis in (axes.xaxis, axes.yaxis):
        yield from (*axis.get_ticklabels(which="both"), axis.get_offset_text())


def cells(table):
    return table.get_celld().values()


def of_text(text):
    """Every number of a text that is made of numbers; in prose those with a point, a power or a percent sign."""
    string = text.get_text()
    for found in TEN.finditer(string):
        power = (found["power"] or "").replace("−", "-") or found["small"].translate(SMALL)
        yield Shown(f"the text {string!r}", *exactly(f"{found['mantissa'] or 1}e{power}"))
    rest = TEN.sub(" ", string)
    prose = re.search(r"[^\W\d_]{2,}", NUMBER.sub(" ", rest))
    for number in NUMBER.findall(rest):
        if not prose or re.search(r"[.%e]", number, re.IGNORECASE):
            yield Shown(f"the text {string!r}", *exactly(number))


def exactly(number):
    """A written number and half a unit of its last digit."""
    plainly = number.rstrip("% \u00a0\u202f").replace(",", "").replace("−", "-").lower()
    mantissa, _, power = plainly.partition("e")
    places = len(mantissa.partition(".")[2]) - int(power or 0)
    return np.array([float(plainly)]), 0.5 * 10.0**-places


def unreadable(name, figure):
    """Sentences on what somebody in the last row, or somebody colour-blind, cannot read."""
    small = {
        (text.get_text(), text.get_fontsize())
        for text in {*figure.findobj(Text), *(label for axes in figure.findobj(Axes) for label in tick_labels(axes))}
        if text.get_visible() and text.get_text().strip() and text.get_fontsize() < SMALLEST
    }
    for text, size in sorted(small):
        yield f"picture {name!r}: {text!r} is set in {size:g} pt; {SMALLEST} is the least"
    for axes in panels(figure):
        for fault in (*alike(axes), *strange(axes)):
            yield f"picture {name!r}, {called(axes)}: {fault}"


def alike(axes):
    """Pairs of colours, grey apart, that are drawn with the same marker and the same kind of line."""
    styles = {}
    for colour, style in [*line_styles(axes), *point_styles(axes)]:
        if not is_grey(colour):
            styles.setdefault(colour, set()).add(style)
    for (one, its), (other, theirs) in combinations(styles.items(), 2):
        if its & theirs:
            yield f"{hexed(one)} and {hexed(other)} differ by colour alone: give each its own marker or line style"


def line_styles(axes):
    for line in axes.lines:
        dashes = None if is_bare(line) else str(line._unscaled_dash_pattern)
        for colour in line_colours(line)[:1]:
            yield colour, (line.get_marker(), dashes)


def line_colours(line):
    """The colours in which a line can be seen: its own, then those of its markers."""
    marked = line.get_marker() not in {None, "None", "none", " ", ""}
    found = [None if is_bare(line) else line.get_color()]
    found += [line.get_markerfacecolor(), line.get_markeredgecolor()] if marked else []
    return [to_rgb(colour) for colour in found if colour is not None and to_rgba(colour)[3]]


def is_bare(line):
    return line.get_linestyle() in {"None", "none", " ", ""}


def point_styles(axes):
    for points in axes.collections:
        if isinstance(points, PathCollection) and points.get_array() is None and len(points.get_facecolor()) == 1:
            yield tuple(points.get_facecolor()[0][:3]), points.get_paths()[0].vertices.round(6).tobytes()


def strange(axes):
    """Colours outside the palette, its tints and grey; colour maps that are not safe."""
    for colour in sorted({hexed(colour) for colour in flat_colours(axes) if not is_known(colour)}):
        yield f"{colour} is none of drawing.COLOURS, their tints or grey"
    for artist in [*axes.collections, *axes.images]:
        if is_mapped(artist) and not is_safe(artist.get_cmap()):
            known = ", ".join(sorted(SHADES))
            yield f"the colour map {artist.get_cmap().name!r} is not one that everybody can read: take one of {known}"


def flat_colours(axes):
    yield from (to_rgb(text.get_color()) for text in axes.texts)
    for line in axes.lines:
        yield from line_colours(line)
    coloured = axes.findobj(Patch) + [one for one in axes.collections if not is_mapped(one)]
    for artist in coloured:
        rows = np.concatenate([to_rgba_array(artist.get_facecolor()), to_rgba_array(artist.get_edgecolor())])
        yield from (tuple(row[:3]) for row in rows if row[3])


def is_mapped(artist):
    """Whether a colour map gives its colours; pictures of three channels have colours of their own."""
    return artist.get_array() is not None and not (isinstance(artist, AxesImage) and np.ndim(artist.get_array()) == 3)


def is_safe(cmap):
    return cmap.name.removesuffix("_r") in SHADES or all(is_known(cmap(at)[:3]) for at in np.linspace(0, 1, 5))


def is_grey(colour):
    return max(colour) - min(colour) < 0.06


def is_known(colour):
    """Whether it is grey, of the palette, or a mixture of such a colour with white."""
    if is_grey(colour):
        return True
    away = 1 - np.asarray(colour, dtype=float)
    for own in COLOURS:
        pure = 1 - np.asarray(to_rgb(own))
        share = float(away @ pure / max(pure @ pure, 1e-9))
        if share <= 1.02 and np.abs(away - share * pure).max() < 0.02:
            return True
    return False


def hexed(colour):
    return to_hex(colour).upper()
