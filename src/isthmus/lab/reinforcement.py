"""A code learned without any reward is enough to balance a pole that is only seen.

Claim. Who sees pixels must find out what they show before acting well. An autoencoder finds it out from pictures
alone; what is left to learn from rewards is a small policy on its code (Lange & Riedmiller 2010; Ha & Schmidhuber
2018).

Set-up. gymnasium's CartPole-v1, seen as two small frames, now and some steps ago, since one frame shows no speed; the
frames are drawn here, as gymnasium draws by a package that it does not bring along. Carts pushed at random, without
any aim, give the rows that the autoencoder learns. Then the cross-entropy method looks for a linear policy: on the
code, on as many principal components, and on the true state, all whitened on the same rows, with as many episodes.
Each policy found is judged in fresh episodes; a return is the steps that a pole stays up, 500 at most. That few numbers
are enough is what is claimed, not that no others would do: principal components of small frames serve as well.

Measured, means over seeds. `return_code`, `return_pca`, `return_state`: of the policies found. `return_random`:
of random pushes. `times_random`: the code's return over random's; `worst_times_random`: of the worst
seed. `error_over_pca`: squared error of the autoencoder's pictures over that of PCA's, with codes of one size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA

from isthmus import zoo
from isthmus.data.cartpole import pairs
from isthmus.estimators import Autoencoder
from isthmus.lab import drawing
from isthmus.lab.experiment import Experiment, Measured, Settings
from isthmus.policies import Array, Search, Sight, Whitened, cross_entropy, explored, random_returns, returns
from isthmus.trials import TO_THE_END, fit_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGES = 100  # episodes
SHOWN = 4  # pairs of frames


def measure(settings: Settings, seeds: Sequence[int]) -> Measured:
    """Explore, learn the code, and find and judge a policy on each sight for each seed."""
    states = {seed: explored(settings["rows"], settings["ago"], settings["held"], _rng(seed, 0)) for seed in seeds}
    rows = {seed: pairs(found[:, 0], found[:, 1], settings["size"]) for seed, found in states.items()}
    learned = {seed: _untrained(settings, seed) for seed in seeds}
    fit_all([*learned.values()], [*rows.values()])
    linear = {seed: PCA(settings["code_size"]).fit(rows[seed]) for seed in seeds}
    found: dict[str, list[float]] = {"code": [], "PCA": [], "state": []}
    for seed in seeds:
        for name, see in sights(settings, learned[seed], linear[seed]).items():
            found[name].append(_judged(see, states[seed], settings, seed))
    found["random"] = [float(random_returns(JUDGES, _rng(seed, 3)).mean()) for seed in seeds]
    errors = np.array([_errors(rows[seed], learned[seed], linear[seed]) for seed in seeds]).mean(axis=0)
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    numbers = {f"return_{name.lower()}": value for name, value in mean.items()} | {
        "times_random": mean["code"] / mean["random"],
        "worst_times_random": min(found["code"]) / mean["random"],
        "error_over_pca": errors[0] / errors[1],
    }
    series = {name: drawing.over_seeds(values) for name, values in found.items()}
    first = rows[seeds[0]][:: len(rows[seeds[0]]) // SHOWN][:SHOWN]
    decoded = {"seen": first, "decoded": learned[seeds[0]].reconstruct(first)}
    shown = {name: _stacked(one, settings) for name, one in decoded.items()}
    figures = {
        "returns": lambda figure: draw(figure, series),
        "frames": lambda figure: drawing.lines_of(figure, shown, "Some steps ago (above) and now (below)"),
    }
    return Measured(numbers, figures, series, {"return_code": found["code"]})


def sights(settings: Settings, ae: Autoencoder, pca: PCA) -> dict[str, Sight]:
    """What each policy sees of two states."""
    return {
        "code": lambda now, before: ae.transform(pairs(now, before, settings["size"])),
        "PCA": lambda now, before: pca.transform(pairs(now, before, settings["size"])),
        "state": lambda now, before: now,
    }


def _judged(see: Sight, states: Array, settings: Settings, seed: int) -> float:
    """The mean return of the policy that is found on what is seen."""
    rng, ago, steps, episodes = _rng(seed, 1), *(settings[name] for name in ("ago", "steps", "episodes"))
    whitened = Whitened.of(see, states, settings["damping"])
    search = Search(settings["members"], settings["members"] // 5, settings["generations"])

    def score(weights: Array) -> Array:
        return returns(weights, whitened, ago, steps, int(rng.integers(2**31)), episodes)

    best = cross_entropy(score, len(whitened.mean) + 1, search, rng)
    return float(returns(best[None], whitened, ago, steps, seed, JUDGES)[0])


def _rng(seed: int, which: int) -> np.random.Generator:
    return np.random.default_rng([seed, which])


def _untrained(settings: Settings, seed: int) -> Autoencoder:
    return zoo.undercomplete(
        settings["code_size"],
        settings["hidden"],
        input_shape=(2, *settings["size"]),
        max_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
        **TO_THE_END,
    )


def _errors(X: Array, ae: Autoencoder, pca: PCA) -> tuple[float, float]:
    decoded = (ae.reconstruct(X), pca.inverse_transform(pca.transform(X)))
    ours, linear = (float(np.mean(np.square(X - one))) for one in decoded)
    return ours, linear


def _stacked(X: Array, settings: Settings) -> Array:
    """The earlier frame above the later one, a bright line below each, (n, 2h + 2, w)."""
    height, width = settings["size"]
    framed = np.pad(X.reshape(-1, 2, height, width)[:, ::-1], ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=1)
    return framed.reshape(-1, 2 * height + 2, width)


def draw(figure: Figure, series: Mapping[str, Any]) -> None:
    """The return of each seed's policy on each sight."""
    axes = figure.subplots()
    drawing.dots(axes, series, zero=True)
    axes.set_ylabel("steps that the pole stays up")
    axes.set_title("A linear policy on a code learned without reward")


REINFORCEMENT = Experiment(
    name="reinforcement",
    part="II",
    claim="A small policy on a code that was learned without reward balances a pole seen as two frames.",
    lecture="applications: reinforcement learning",
    reference="Lange & Riedmiller 2010; Ha & Schmidhuber 2018",
    measure=measure,
    expected={"times_random": (">=", 5)},
    expected_full={"return_code": (">=", 475)},
    settings={"size": (12, 40), "ago": 2, "held": 2.0, "rows": 5000, "code_size": 6, "hidden": (64,), "epochs": 30}
    | {"batch_size": 128, "learning_rate": 5e-3, "damping": 0.2, "members": 100, "generations": 20, "steps": 500}
    | {"episodes": 1},
    full={"size": (20, 60), "ago": 4, "rows": 20_000, "code_size": 32, "hidden": (256, 128), "epochs": 40}
    | {"learning_rate": 2e-3, "generations": 60, "episodes": 2},
    seeds=3,
    budget="half an hour on 2 cores",
)
