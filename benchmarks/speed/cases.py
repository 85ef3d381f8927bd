"""What is measured: nets, rows, batches, and who takes part in each case."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]  # (N, D)

REFERENCES = ("floor", "by-hand", "jax-scan", "resident", "dataloader")
PEERS = ("pythae", "pyod", "skorch", "keras-torch", "keras-jax", "sklearn")
OWN = ("isthmus", "isthmus-eager")
EVERYONE = (*REFERENCES, *OWN, *PEERS)
STARTS = ("from isthmus import Autoencoder", "import torch, sklearn.base", "isthmus --help")


@dataclass(frozen=True)
class Case:
    """One net on one set of rows.

    Parameters
    ----------
    name : str
        Unique; what `--cases` matches.
    group : str
        "step", "convolution", "population", "contraction", "penalty", "transform", "start".
    widths : tuple of int
        From the inputs to the code; the decoder mirrors them. Every layer but the last is bent by `activation`.
    members : int
        How many nets are trained.
    """

    name: str
    group: str
    entrants: tuple[str, ...]
    widths: tuple[int, ...] = ()
    activation: str = "relu"
    batch: int = 128
    rows: int = 0
    members: int = 1
    dtype: str = "float32"

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each dense layer, encoder and decoder."""
        path = (*self.widths, *reversed(self.widths[:-1]))
        return list(pairwise(path))

    @property
    def steps(self) -> int:
        """Steps an epoch; batches divide the rows."""
        return self.rows // self.batch

    def data(self) -> Rows:
        """Rows from a seed of the case's size: few factors, some noise, about unit variance; (N, D)."""
        size, width = self.rows, self.widths[0]
        if self.widths == (8, 3):
            return np.tile(np.eye(8, dtype=np.float32), (size // 8, 1))
        rng = np.random.default_rng([size, width])
        factors = rng.standard_normal((size, 16), dtype=np.float32)
        mixing = rng.standard_normal((16, width), dtype=np.float32) / 4
        return factors @ mixing + 0.1 * rng.standard_normal((size, width), dtype=np.float32)


def _steps(title: str, widths: tuple[int, ...], activation: str, batches: tuple[int, ...], rows: int) -> list[Case]:
    return [
        Case(f"{title}, batch {batch}", "step", EVERYONE, widths, activation, batch=batch, rows=rows)
        for batch in batches
    ]


def _contraction(batch: int) -> list[Case]:
    rows = 6144
    exact = ("floor", "plain", "exact", "jacrev")
    probed = ("floor", "plain", "exact", "one-probe", "jacrev")
    encoders = (
        ((784, 32), "sigmoid", exact),
        ((784, 256, 32), "tanh", probed),
        ((784, 256, 128, 32), "tanh", probed),
    )
    return [
        Case(f"contraction {'-'.join(map(str, widths))}, batch {batch}", "contraction", who, widths, bend, batch, rows)
        for widths, bend, who in encoders
    ]


def _population(members: int, title: str, widths: tuple[int, ...], batch: int, activation: str = "relu") -> Case:
    entrants = ("floor", "population", "one-by-one", "dataloader")
    name = f"population of {members}, {title}, batch {batch}"
    rows = 4096 if batch > 100 else 2048
    return Case(name, "population", entrants, widths, activation, batch, rows, members)


POPULATIONS = (
    *(_population(members, "20-64-8", (20, 64, 8), 128) for members in (16, 64, 256)),
    _population(64, "20-64-8", (20, 64, 8), 16),
    _population(64, "8-3-8", (8, 3), 8, "sigmoid"),
)


CPU: tuple[Case, ...] = (
    *_steps("20-64-8", (20, 64, 8), "relu", (128, 1024), 32768),
    *_steps("784-64", (784, 64), "sigmoid", (128, 1024), 20480),
    *_steps("784-512-256-32", (784, 512, 256, 32), "relu", (128, 1024), 8192),
    *_steps("8-3-8", (8, 3), "sigmoid", (8,), 2048),
    *_steps("2-8-8-1", (2, 8, 8, 1), "tanh", (10,), 2500),
    Case(
        "convolutions 1x28x28",
        "convolution",
        ("floor", "dataloader", "resident", *OWN, "pythae", "skorch"),
        (784, 16),
        batch=128,
        rows=4096,
    ),
    *POPULATIONS,
    *_contraction(1024),
    *_contraction(128),
    Case(
        "penalties 784-512-256-32, batch 1024",
        "penalty",
        ("floor", "plain", "KL", "L1", "TopK", "Gaussian", "mixture", "correlation"),
        (784, 512, 256, 32),
        batch=1024,
        rows=8192,
    ),
    Case("transform 20-64-8", "transform", ("floor", "plain-torch", "isthmus"), (20, 64, 8), rows=1_000_000),
    Case("transform 784-64", "transform", ("floor", "plain-torch", "isthmus"), (784, 64), "sigmoid", rows=98_304),
    Case("time to start", "start", STARTS),
)

_ON_GPU = ("floor", "resident", "dataloader", *OWN, "pythae", "pyod", "skorch", "keras-torch", "keras-jax", "jax-scan")
_WIDE = (4096, 4096, 4096)
GPU: tuple[Case, ...] = (
    Case("20-64-8, batch 128", "step", _ON_GPU, (20, 64, 8), "relu", 128, 32768),
    Case("784-64, batch 128", "step", _ON_GPU, (784, 64), "sigmoid", 128, 20480),
    Case("784-64, batch 1024", "step", _ON_GPU, (784, 64), "sigmoid", 1024, 61440),
    Case("784-512-256-32, batch 128", "step", _ON_GPU, (784, 512, 256, 32), "relu", 128, 20480),
    Case("8-3-8, batch 8", "step", _ON_GPU, (8, 3), "sigmoid", 8, 2048),
    *POPULATIONS,
    Case(
        "4096-4096-4096, batch 8192, bfloat16",
        "step",
        ("floor", "resident", *OWN),
        _WIDE,
        "relu",
        8192,
        65536,
        dtype="bfloat16",
    ),
)
