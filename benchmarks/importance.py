"""Test log-likelihood of MNIST under the bounds of k = 1, 5 and 50 samples, beside the published ones (Burda 2016).

    ISTHMUS_DATA=... python benchmarks/importance.py --epochs 25

writes `importance.json` and `importance.md` after each model. Models of the JSON file that were trained by the same
protocol are not trained again, so that an interrupted run goes on where it stopped.

Protocol, as published except for the epochs: 784-200-200-50, tanh, a Gaussian code, Bernoulli rows whose bits are drawn
anew each time that a row is trained on; batches of 20 rows, AdamW without decay. Published are 3,280 epochs with a rate
that falls from 1e-3 to 1e-4 in eight stages; here it falls by half a cosine from 1e-3 to 1e-5. Test rows are binarised
once, alike for all; log p(x) is estimated by 5,000 samples.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus import bounds, encoders, likelihoods
from isthmus.beyond import ImportanceWeighted
from isthmus.data import load_data

Rows = NDArray[np.float32]
PUBLISHED = {1: 86.76, 5: 85.54, 50: 84.78}  # negative log-likelihood in nats (Burda et al. 2016, table 1)
PUBLISHED_EPOCHS = 3280
BATCH = 20
UNITS = 50


class Model(TypedDict):
    """One trained model: its protocol, what was measured of it, and how long that took."""

    protocol: dict[str, int]  # k, seed, epochs, training rows, test rows, samples
    log_p: float  # nats a test row
    error: float  # standard error over test rows
    monte_carlo: float  # of that mean, from the samples alone
    effective: float  # median effective sample size of the weights
    elbo: float
    active: int  # units of the code whose mean varies (Burda: variance above 0.01)
    train: float  # the bound of k at the last epoch, on training rows
    seconds: list[float]  # training, evaluation


def trained(X: Rows, k: int, seed: int, epochs: int) -> ImportanceWeighted:
    model = ImportanceWeighted(
        UNITS,
        k,
        binarise=True,
        encoder=encoders.MLP((200, 200), "tanh"),
        likelihood=likelihoods.Bernoulli(),
        scaling=None,
        max_epochs=epochs,
        batch_size=BATCH,
        learning_rate=1e-3,
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(X, observers=[lambda state: _tell(k, state.history[-1])])


def _tell(k: int, row: dict[str, float]) -> None:
    print(f"k = {k:2}  epoch {row['epoch']:4}  {-row['loss']:8.2f} nats  {row['seconds']:6.1f} s", file=sys.stderr)


def measured(X: Rows, bits: Rows, protocol: dict[str, int]) -> Model:
    began = time.perf_counter()
    model = trained(X, protocol["k"], protocol["seed"], protocol["epochs"])
    middle = time.perf_counter()
    found = bounds.log_likelihood(model.module_, bits, protocol["samples"])
    lower = bounds.elbo(model.module_, bits, 10)
    ended = time.perf_counter()
    return Model(
        protocol=protocol,
        log_p=found.mean,
        error=float(found.value.std(ddof=1) / np.sqrt(len(bits))),
        monte_carlo=float(np.sqrt(np.square(found.error).sum()) / len(bits)),
        effective=float(np.median(found.effective)),
        elbo=lower.mean,
        active=int((model.transform(bits).var(axis=0) > 0.01).sum()),
        train=-model.history_[-1]["loss"],
        seconds=[round(middle - began, 1), round(ended - middle, 1)],
    )


def binarised(X: Rows, n: int) -> Rows:
    """The first n rows in an order that is always the same, as bits drawn once."""
    rng = np.random.default_rng(20260101)
    X = X[rng.permutation(len(X))[:n]]
    return (rng.uniform(size=X.shape) < X).astype(np.float32)


def markdown(models: list[Model]) -> str:
    epochs = models[0]["protocol"]["epochs"]
    heads = ("k", f"here, {epochs} epochs", f"published, {PUBLISHED_EPOCHS:,} epochs", "evidence bound")
    heads += ("bound trained on", "active units", "seconds to train", "to judge")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for k, own in _by_k(models).items():
        found = np.array([-model["log_p"] for model in own])
        spread = f"± {found.std(ddof=1):.2f}" if len(own) > 1 else f"({own[0]['error']:.2f})"
        bounded, trained_on = (-np.mean([model[key] for model in own]) for key in ("elbo", "train"))
        active, seconds = (np.mean([model[key] for model in own], axis=0) for key in ("active", "seconds"))
        row = (str(k), f"{found.mean():.2f} {spread}", f"{PUBLISHED[k]}", f"{bounded:.2f}", f"{trained_on:.2f}")
        row += (f"{active:.0f} of {UNITS}", f"{seconds[0]:.0f}", f"{seconds[1]:.0f}")
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _by_k(models: list[Model]) -> dict[int, list[Model]]:
    found = {k: [model for model in models if model["protocol"]["k"] == k] for k in PUBLISHED}
    return {k: own for k, own in found.items() if own}


def order(models: list[Model]) -> str:
    means = [np.mean([model["log_p"] for model in own]) for own in _by_k(models).values()]
    kept = all(low < high for low, high in pairwise(means))
    return "The published order of k is " + ("kept." if kept else "not kept.")


def note(models: list[Model]) -> str:
    one, threads = models[0]["protocol"], os.environ.get("OMP_NUM_THREADS", "all")
    seeds = len({model["protocol"]["seed"] for model in models})
    worst = max(model["monte_carlo"] for model in models)
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("isthmus", "torch", "numpy"))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()}, {threads} thread(s)"
    minutes = sum(sum(model["seconds"]) for model in models) / 60
    return f"""# The importance-weighted bound on MNIST

{datetime.datetime.now(tz=datetime.UTC).date()}; {device}; Python {platform.python_version()}, {packages}.

Negative log-likelihood in nats a test row, by {one["samples"]:,} samples on {one["test"]:,} of the 10,000 test rows,
for models trained on the bound of k samples with {one["train"]:,} rows; {seeds} seed(s) (after ± the standard
deviation over seeds; in brackets the standard error over test rows). 784-200-200-50, tanh, stochastic binarisation
anew in every batch, batches of {BATCH}. Made by `importance.py`.

{markdown(models)}

The schedule is a short one: {one["epochs"]} epochs of the published {PUBLISHED_EPOCHS:,}, {minutes:.0f} minutes in all.
The figures are therefore not the published ones, and are not meant to be. {order(models)}
The samples leave a standard error of at most {worst:.3f} nats on a mean.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--k", type=int, nargs="+", choices=tuple(PUBLISHED), default=list(PUBLISHED))
    parser.add_argument("--train", type=int, default=60_000, help="training rows")
    parser.add_argument("--test", type=int, default=2_000, help="test rows, of 10,000")
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/importance"), help="written with .json and .md")
    options = parser.parse_args()
    mnist = load_data("mnist")
    X, X_test = mnist.X[: options.train], mnist.X_test
    bits, target = binarised(X_test, options.test), options.out.with_suffix(".json")
    known: list[Model] = json.loads(target.read_text()) if target.exists() else []
    models: list[Model] = []
    for seed in range(options.seeds):
        for k in options.k:
            protocol = {"k": k, "seed": seed, "epochs": options.epochs, "train": len(X), "test": len(bits)}
            protocol |= {"samples": options.samples}
            same = [model for model in known if model["protocol"] == protocol]
            models.append(same[0] if same else measured(X, bits, protocol))
            target.write_text(json.dumps(models, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(note(models))
    print(markdown(models))


if __name__ == "__main__":
    main()
