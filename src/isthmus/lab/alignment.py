"""An autoencoder whose corruption is a turn sets digits upright, whatever their angle.

Claim. x̃ = corrupt(x) may be any change that should not matter. Where it turns x by any angle, and x̂ is held against x
as it was, the code must say which digit and which hand, and forget the angle: to reconstruct is to align (Pásztor). No
angle is ever told, neither in training nor afterwards.

Set-up. Digits in [0, 1], turned by a new uniform angle each time they are seen. Test digits are turned by each of
`angles` angles from 1° to 359°. A perceptron that has learned upright training digits alone reads what comes out. A 6
upside down looks like a 9, and only the hand can tell which was meant: what is made of them is told, not left out.

Measured, squared errors a pixel from the upright digit, means over angles and seeds. `aligned_error`: of x̂;
`untouched_error`: of the turned digit; `mean_error`: of the mean digit, the same answer to all. The worst over seeds:
`aligned_over_untouched`, `aligned_over_mean`, and `worst_angle`, the error at the worst angle over the mean. Shares the
perceptron reads rightly, of digits but 6 and 9: `upright_read`, of upright ones; `untouched_read`, of turned ones;
`aligned_read`, of x̂. Of x̂ of turned 6s and 9s: `six_read` and `nine_read`, rightly, `six_as_nine` and `nine_as_six`,
as the other; `others_confused`: the share of other digits that come out as a 6 or a 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import corruptions, encoders, networks
from isthmus.classifier import Classifier
from isthmus.estimators import Autoencoder
from isthmus.evidence.turning import Turned, spun
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Published, Settings
from isthmus.trials import TO_THE_END, Split, fit_all, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
SHOWN = 9  # angles at which a 6 and a 9 are drawn


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Train one a seed, turn the test digits by every angle, and hold what comes out against the upright ones."""
    rows = _rows(settings)
    fitted = [_untrained(settings, rows, seed) for seed in seeds]
    fit_all(fitted, rows.train)
    angles: list[float] = np.linspace(1, 359, settings["angles"]).round().tolist()
    how = {"scaling": "global", "max_epochs": settings["reader_epochs"], "random_state": 0, "device": "cpu"}
    reader = Classifier(networks.MLP((128,)), **how)  # a scale a pixel would make much of blur at the edges
    reader.fit(rows.train, np.asarray(rows.train_labels))
    test = Turned(rows.test, np.asarray(rows.test_labels), reader, angles)
    untouched, found = test.judged(lambda X: X), [test.judged(ae.reconstruct) for ae in fitted]
    errors = np.stack([one.errors for one in found])  # (seeds, angles)
    level, as_turned = errors.mean(axis=1), untouched.errors.mean()
    mean = float(np.square(rows.test - rows.train.mean(axis=0)).mean())
    numbers = {
        "aligned_error": level.mean(),
        "untouched_error": as_turned,
        "mean_error": mean,
        **{f"aligned_over_{name}": (level / of).max() for name, of in (("untouched", as_turned), ("mean", mean))},
        "worst_angle": (errors.max(axis=1) / level).max(),
        "upright_read": Turned(test.X, test.labels, reader, (0,)).judged(lambda X: X).right,
        "untouched_read": untouched.right,
        "aligned_read": np.mean([one.right for one in found]),
    }
    numbers |= {key: np.mean([one.confused[key] for one in found]) for key in untouched.confused}
    curves = {"set upright": drawing.quartiles(errors), "as turned": drawing.quartiles([untouched.errors])}
    series = {"angles": list(test.angles), "errors": curves, "mean digit": drawing.rounded(mean)}
    firsts = rows.test[[int(np.argmax(test.labels == digit)) for digit in range(10)]]
    figures = {
        "by-angle": lambda figure: draw_angles(figure, series),
        "digits": lambda figure: draw_digits(figure, fitted[0], firsts),
        "six-and-nine": lambda figure: draw_six_and_nine(figure, fitted[0], firsts),
    }
    return Measured(numbers, figures, series, {"aligned_error": level.tolist()})


def _rows(settings: Settings) -> Split:
    """Digits in [0, 1], as many to train on as asked."""
    return pictures(settings["data"]).first(settings["rows"])


def _untrained(settings: Settings, rows: Split, seed: int) -> Autoencoder:
    side, hidden = isqrt(rows.train.shape[1]), settings["hidden"]
    return Autoencoder(
        settings["code_size"],
        encoders.Convolutional(settings["channels"], hidden=hidden) if settings["convolve"] else encoders.MLP(hidden),
        corruption=corruptions.Rotation(settings["degrees"], "low"),
        input_shape=(1, side, side),
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def draw_angles(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    for place, (name, found) in enumerate(series["errors"].items()):
        drawing.bands(axes, series["angles"], found, name, place)
    axes.axhline(series["mean digit"], color="#666666", linestyle=":", label="the mean digit")
    axes.set(xlabel="turned by, degrees", ylabel="squared error a pixel, held out", ylim=(0, None))
    axes.set(xticks=range(0, 361, 90), title="What comes out is near the upright digit at every angle")
    figure.legend(loc="outside lower center", ncols=3)


def draw_digits(figure: Figure, ae: Autoencoder, firsts: Array) -> None:
    """One test digit of each class, (10, D), each at an angle of its own."""
    turned = spun(firsts, 36.0 * np.arange(10) + 18)
    lines = {"turned": turned, "out": ae.reconstruct(turned), "upright": firsts}
    _draw_lines(figure, lines, "The code keeps the digit and forgets its angle")


def draw_six_and_nine(figure: Figure, ae: Autoencoder, firsts: Array) -> None:
    """A 6 and a 9 at angles all round, and what comes out."""
    lines: dict[str, Array] = {}
    for digit in (6, 9):
        turned = spun(np.repeat(firsts[[digit]], SHOWN, axis=0), np.linspace(0, 360, SHOWN))
        lines |= {f"{digit} turned": turned, f"{digit} out": ae.reconstruct(turned)}
    _draw_lines(figure, lines, "What becomes of a 6 and of a 9 as they are turned")


def _draw_lines(figure: Figure, lines: Mapping[str, Array], title: str) -> None:
    figure.set_size_inches(10, 0.6 + 1.1 * len(lines))
    drawing.lines_of(figure, {name: X.reshape(len(X), isqrt(X.shape[1]), -1) for name, X in lines.items()}, title)


ALIGNMENT = Experiment(
    name="alignment",
    part="II",
    claim="Trained to undo turns, an autoencoder sets digits of any angle upright, never told the angle.",
    lecture="aligning hand-written digits (Pásztor)",
    reference="Pásztor, Aligning hand-written digits with convolutional autoencoders",
    measure=measure,
    expected={"aligned_over_untouched": ("<=", 0.2), "aligned_over_mean": ("<=", 0.5), "worst_angle": ("<=", 1.3)}
    | {"aligned_read": (">=", 0.8), "others_confused": ("<=", 0.05)},
    settings={"data": "digits", "rows": 60_000, "convolve": False, "channels": (32, 64), "hidden": (256, 128)}
    | {"code_size": 32, "degrees": 180.0, "angles": 37, "epochs": 120, "batch_size": 64, "learning_rate": 3e-3}
    | {"reader_epochs": 30},
    full={"data": "mnist", "convolve": True, "hidden": (512,), "code_size": 128, "epochs": 60, "batch_size": 128}
    | {"learning_rate": 2e-3, "reader_epochs": 8},
    expected_full={"aligned_error": ("<=", 0.015), "aligned_over_mean": ("<=", 0.3), "aligned_read": (">=", 0.9)},
    published=(Published("convolutional + dense", "aligned_error", 0.0173),),
    unit="squared error a pixel on turned test digits",
    budget="40 minutes a seed on a core",
)
