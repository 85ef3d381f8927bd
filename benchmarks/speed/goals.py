"""The Reach: what the step was to attain, and what this run measured."""

from __future__ import annotations

from dataclasses import dataclass

from speed import cases
from speed.figures import Figure, Results, ratio


@dataclass(frozen=True)
class Goal:
    """`over`'s time divided by `under`'s is to be at most, or at least, the bound.

    `less` is a contender whose time is taken from both first. Without `under` the bound is in seconds.
    """

    work: str
    bound: float
    at_most: bool
    case: str
    over: str
    under: str = ""
    less: str = ""

    def measured(self, results: Results) -> Figure | None:
        case = results.get(self.case)
        if case is None:
            return None
        if self.under:
            return ratio(case, self.over, self.under, self.less)
        return Figure.of(case["seconds"][self.over]) if case["seconds"].get(self.over) else None

    def met(self, figure: Figure) -> bool:
        return figure.middle <= self.bound if self.at_most else figure.middle >= self.bound

    @property
    def asked(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}{' ×' if self.under else ' s'}"


def _faster(case: str, *bounds: tuple[str, float]) -> list[Goal]:
    names = {"pythae": "pythae", "pyod": "PyOD", "skorch": "skorch", "keras-jax": "Keras on JAX"}
    return [Goal(f"{case}: faster than {names[peer]}", bound, False, case, peer, "isthmus") for peer, bound in bounds]


def _contraction(batch: int) -> list[Goal]:
    one, two, three = (f"contraction {net}, batch {batch}" for net in ("784-32", "784-256-32", "784-256-128-32"))
    return [
        Goal(f"{one}: exact against the plain step", 1.1, True, one, "exact", "plain"),
        Goal(f"{two}: exact against the plain step", 2.0, True, two, "exact", "plain"),
        Goal(f"{three}: one probe against the plain step", 2.0, True, three, "one-probe", "plain"),
        Goal(f"{two}: exact, faster than vmap(jacrev), whole step", 15.0, False, two, "jacrev", "exact"),
        Goal(f"{two}: the same, the penalty's own cost", 15.0, False, two, "jacrev", "exact", less="plain"),
        Goal(f"{three}: exact, faster than vmap(jacrev), whole step", 2.0, False, three, "jacrev", "exact"),
        Goal(f"{three}: the same, the penalty's own cost", 2.0, False, three, "jacrev", "exact", less="plain"),
    ]


def _populations(bound: float, slow: float | None) -> list[Goal]:
    names = [case.name for case in cases.POPULATIONS if case.members == 64]
    ours = [Goal(f"{name}: against one by one", bound, False, name, "one-by-one", "population") for name in names]
    if slow is None:
        return ours
    plain = [Goal(f"{name}: against a plain loop", slow, False, name, "dataloader", "population") for name in names]
    return ours + plain


_PENALTIES = "penalties 784-512-256-32, batch 1024"
_START = "time to start"
CPU: tuple[Goal, ...] = (
    Goal("784-64, batch 1024: step against the floor", 1.4, True, "784-64, batch 1024", "isthmus", "floor"),
    Goal("784-64, batch 128: step against the floor", 1.9, True, "784-64, batch 128", "isthmus", "floor"),
    *_faster("20-64-8, batch 1024", ("pythae", 4), ("pyod", 4), ("skorch", 4)),
    *_faster("784-64, batch 128", ("pythae", 4), ("skorch", 4), ("pyod", 2.5), ("keras-jax", 1.2)),
    *_faster("784-64, batch 1024", ("pythae", 4), ("skorch", 4), ("pyod", 2.5), ("keras-jax", 1.2)),
    *_populations(8, 15),
    *_contraction(1024),
    *_contraction(128),
    *(
        Goal(f"{_PENALTIES}: {name} against the plain step", 1.05, True, _PENALTIES, name, "plain")
        for name in ("KL", "L1", "TopK", "Gaussian")
    ),
    Goal(f"{_PENALTIES}: a mixture prior against the plain step", 1.3, True, _PENALTIES, "mixture", "plain"),
    Goal(f"{_PENALTIES}: total correlation against the plain step", 1.5, True, _PENALTIES, "correlation", "plain"),
    Goal(
        "`from isthmus import Autoencoder` against `import torch, sklearn.base`",
        1.1,
        True,
        _START,
        "from isthmus import Autoencoder",
        "import torch, sklearn.base",
    ),
    Goal("`isthmus --help`", 0.4, True, _START, "isthmus --help"),
)

_WIDE = "4096-4096-4096, batch 8192, bfloat16"
_SMALL = ("20-64-8, batch 128", "784-64, batch 128", "8-3-8, batch 8")
GPU: tuple[Goal, ...] = (
    *(Goal(f"{case}: graph against our eager step", 4, False, case, "isthmus-eager", "isthmus") for case in _SMALL),
    *(Goal(f"{case}: faster than pythae", 10, False, case, "pythae", "isthmus") for case in _SMALL),
    *_populations(30, None),
    Goal(f"{_WIDE}: share of the measured matrix-product rate", 0.7, False, _WIDE, "floor", "isthmus"),
)
