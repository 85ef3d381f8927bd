"""The multi-level variational autoencoder on MNIST: is the class in the content, and only there?

    ISTHMUS_DATA=... python benchmarks/multilevel.py --epochs 25 --seeds 3

writes `multilevel.json` and `multilevel.md`. A seed that the JSON file already holds with the same settings is kept.

Protocol (Bouchacourt, Tomioka & Nowozin 2018): the training digits come in groups, here one a class (or `--rows`
digits of a class each); nothing else is told of the classes. Probes are trained on codes of single training digits and
asked for the class of test digits, from the content or from the style: a logistic regression and a perceptron. The
content of a test digit comes from it alone, or is pooled from several digits of its class, which share a group. A swap
decodes the content of each test digit with the style of another, drawn at random; LeNet-5, trained on the real training
digits, names its class. Settings were chosen with `--validate`: 10,000 training digits held out stand for the test
digits, and the seeds are others.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus import likelihoods, networks, zoo
from isthmus.classifier import Classifier
from isthmus.data import load_data
from isthmus.estimators import Autoencoder

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]
POOLED = (1, 2, 5, 10, 100)  # test digits that share what they say of their class
PROBED = 20_000  # training digits whose codes the probes learn from
NAMES = ("linear", "perceptron")  # the probes
SHAPE = (1, 28, 28)


@dataclass(frozen=True)
class Digits:
    """Digits to train on and digits to be judged on, in [0, 1]."""

    X: Rows
    y: Labels
    X_test: Rows
    y_test: Labels


def digits(validate: bool) -> Digits:
    data = load_data("mnist")
    if not validate:
        return Digits(data.X, data.y, data.X_test, data.y_test)
    return Digits(data.X[:-10_000], data.y[:-10_000], data.X[-10_000:], data.y[-10_000:])


def parties(labels: Labels, rows: int, rng: np.random.Generator) -> Labels:
    """Groups of about so many digits of one class, at random, (N,); 0: each class is a group."""
    if not rows:
        return labels
    groups = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        groups[own] = label * len(labels) + np.arange(len(own)) // rows
    return groups


def autoencoder(options: argparse.Namespace, seed: int) -> Autoencoder:
    return zoo.multilevel(
        options.content + options.style,
        options.content,
        options.beta,
        tuple(options.hidden),
        likelihood=None if options.gaussian else likelihoods.Bernoulli(),
        input_shape=SHAPE,
        max_epochs=options.epochs,
        batch_size=options.batch,
        learning_rate=options.rate,
        validation_fraction=0.0,
        early_stopping=False,
        random_state=seed,
        device=options.device,
        dtype=options.dtype,
        verbose=1,
    )


def lenet(X: Rows, y: Labels, options: argparse.Namespace) -> Classifier:
    """The reader of swaps: it sees real digits only, and knows nothing of codes."""
    judge = Classifier(
        networks.LeNet5(),
        input_shape=SHAPE,
        max_epochs=options.judge_epochs,
        batch_size=128,
        validation_fraction=0.0,
        early_stopping=False,
        random_state=0,
        device=options.device,
        verbose=1,
    )
    return judge.fit(X, y)


def probes(Z: Rows, y: Labels) -> dict[str, Any]:
    """A linear reader and one with a hidden layer, of codes of single digits."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(Z, y),
        "perceptron": Classifier(networks.MLP((128,)), max_epochs=20, random_state=0, device="cpu").fit(Z, y),
    }


def measured(ae: Autoencoder, judge: Classifier, d: Digits, seed: int) -> dict[str, Any]:
    """Accuracies of the probes on test digits, and of the judge on swaps, by how many digits are pooled."""
    rng = np.random.default_rng(seed)
    size, few = ae.code.content, rng.permutation(len(d.X))[:PROBED]
    Z, found = ae.transform(d.X[few]), ae.transform(d.X_test)
    read = {"content": probes(Z[:, :size], d.y[few]), "style": probes(Z[:, size:], d.y[few])}
    partners = rng.permutation(len(d.X_test))
    by_pooled = {}
    for rows in POOLED:
        groups = np.arange(len(d.y_test)) if rows == 1 else parties(d.y_test, rows, rng)
        content = ae.transform(d.X_test, groups=groups)[:, :size]
        swaps = ae.swap(d.X_test, d.X_test[partners], groups=groups)
        by_pooled[str(rows)] = {
            **{f"content, {name}": float(probe.score(content, d.y_test)) for name, probe in read["content"].items()},
            "swap": float(np.mean(judge.predict(swaps) == d.y_test)),
            "judge on the style's class": float(np.mean(judge.predict(swaps) == d.y_test[partners])),
        }
    return {
        "pooled": by_pooled,
        "style": {name: float(probe.score(found[:, size:], d.y_test)) for name, probe in read["style"].items()},
        "reconstructions": float(np.mean(judge.predict(ae.reconstruct(d.X_test)) == d.y_test)),
        "r2": ae.score(d.X_test),
    }


def run(options: argparse.Namespace, results: dict[str, Any], target: Path) -> None:
    """Each seed that the results lack, written as it is done."""
    d = digits(options.validate)
    seeds = [str(seed) for seed in range(options.first_seed, options.first_seed + options.seeds)]
    lacking = [seed for seed in seeds if seed not in results["seeds"]]
    if not lacking:
        return
    began = time.perf_counter()
    judge = lenet(d.X, d.y, options)
    results["judge"] = {
        "accuracy": float(judge.score(d.X_test, d.y_test)),
        "seconds": time.perf_counter() - began,
    }
    for seed in lacking:
        began = time.perf_counter()
        ae = autoencoder(options, int(seed))
        ae.fit(d.X, groups=parties(d.y, options.rows, np.random.default_rng(int(seed))))
        seconds = time.perf_counter() - began
        results["seeds"][seed] = {"seconds": seconds, "engine": ae.engine_, **measured(ae, judge, d, int(seed))}
        print(seed, json.dumps(results["seeds"][seed]), file=sys.stderr)
        target.write_text(json.dumps(results, indent=1) + "\n")


def spread(values: Sequence[float]) -> str:
    text = f"{100 * np.mean(values):.1f}"
    return f"{text} ± {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else text


def verdict(pooled: int, seeds: Sequence[dict[str, Any]]) -> str:
    """Whether what is asked holds with so many digits pooled; of the two probes the one that reads more."""
    content = max(np.mean([s["pooled"][str(pooled)][f"content, {probe}"] for s in seeds]) for probe in NAMES)
    style = max(np.mean([s["style"][probe] for s in seeds]) for probe in NAMES)
    swap = np.mean([s["pooled"][str(pooled)]["swap"] for s in seeds])
    ok = {"class probe": content >= 0.99, "style probe": style <= 0.45, "swaps": swap >= 0.9}
    return ", ".join(f"{name} {'holds' if holds else 'does not hold'}" for name, holds in ok.items())


def note(results: dict[str, Any]) -> str:
    settings, seeds = results["settings"], list(results["seeds"].values())
    lines = []
    for rows in POOLED:
        cells = [spread([s["pooled"][str(rows)][key] for s in seeds]) for key in seeds[0]["pooled"]["1"]]
        lines.append(f"| {rows} | " + " | ".join(cells) + " |")
    groups = f"groups of {settings['rows']} digits of a class" if settings["rows"] else "one group a class"
    judged = "10,000 training digits held out" if settings["validate"] else "MNIST's own 10,000 test digits"
    style = [spread([s["style"][name] for s in seeds]) for name in NAMES]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("isthmus", "torch", "numpy", "scikit-learn"))
    widths, likelihood = (
        "-".join(map(str, settings["hidden"])),
        "squared error" if settings["gaussian"] else "Bernoulli",
    )
    judge, plain = 100 * results["judge"]["accuracy"], spread([s["reconstructions"] for s in seeds])
    several = f"{len(seeds)} seeds (mean ± standard deviation)" if len(seeds) > 1 else "1 seed"
    return f"""# Multi-level variational autoencoder on MNIST

{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores;
Python {platform.python_version()}, {versions}. Made by `multilevel.py`, which states the protocol.

784-{widths}, content {settings["content"]}, style {settings["style"]}, β = {settings["beta"]:g}, {likelihood},
{groups}, {settings["epochs"]} epochs in batches of {settings["batch"]}, {settings["dtype"]};
{several}, {np.mean([s["seconds"] for s in seeds]):.0f} s a training. Judged on {judged}, in %.

| digits pooled | class from the content, linear | the same, perceptron | swaps: the content's class | the style's |
|---|---|---|---|---|
{chr(10).join(lines)}

| | class from the style, linear | the same, perceptron |
|---|---|---|
| isthmus | {style[0]} | {style[1]} |

| | class probe | style probe | swaps |
|---|---|---|---|
| asked | ≥ 99 | ≤ 45 | ≥ 90 |
| published (Bouchacourt 2018) | 99 | 42 | – |

With single digits: {verdict(1, seeds)}.
With 10 pooled: {verdict(10, seeds)}. Of the two probes the one that reads more counts.

LeNet-5, which names the swaps, has {judge:.2f} % on the real digits it is judged on, and {plain} % on plain
reconstructions, which have R² {np.mean([s["r2"] for s in seeds]):.3f}. Chance is 10 % for a probe, and for swaps of the
style's class where the two are unrelated.

Seconds were taken on a machine that may have been busy, and compare little.
"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rows", type=int, default=0, help="digits a group; 0: a class is a group")
    parser.add_argument("--content", type=int, default=10)
    parser.add_argument("--style", type=int, default=8)
    parser.add_argument("--beta", type=float, default=5.0)
    parser.add_argument("--hidden", type=int, nargs="+", default=[512, 256])
    parser.add_argument("--gaussian", action="store_true", help="squared error instead of Bernoulli's likelihood")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--judge-epochs", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16", help="of products in training")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of the processor; default: as torch has it")
    parser.add_argument("--validate", action="store_true", help="judge on 10,000 training digits held out")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/multilevel"), help="written with .json and .md")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    target = options.out.with_suffix(".json")
    apart = ("seeds", "first_seed", "out", "threads")
    settings = {name: value for name, value in vars(options).items() if name not in apart}
    results = json.loads(target.read_text()) if target.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings, "seeds": {}}
    run(options, results, target)
    text = note(results)
    options.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
