"""Evidence as `isthmus.evidence` gives it, made from PCA so that it needs no training."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from isthmus import report

STATUSES = {
    "better-than-mean": "pass",
    "better-than-pca": "pass",
    "better-than-untrained": "pass",
    "generalises": "warn",
    "memorises": "pass",
    "copies": "pass",
    "dead-units": "fail",
    "saturation": "n/a",
    "collapse": "pass",
    "code-size": "warn",
    "robust": "pass",
    "same-distribution": "n/a",
    "converged": "pass",
}


@dataclass
class Example:
    """The face of Evidence that a report reads."""

    tree: dict
    pictures: dict = field(default_factory=dict)

    def to_dict(self):
        return self.tree


def verdicts():
    return [
        {
            "name": name,
            "status": status,
            "sentence": f"A sentence on {name} with its number, 0.912.",
            "suggestion": "" if status in {"pass", "n/a"} else f"Do something about {name}.",
        }
        for name, status in STATUSES.items()
    ]


def history(epochs=30, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.01, epochs)
    fall = 60 * np.exp(-np.arange(epochs) / 6) + 8 + noise
    return [
        {
            "epoch": i,
            "loss": float(value),
            "reconstruction": float(value * 0.9),
            "contraction": float(value * 0.1),
            "validation_loss": float(value * 1.08),
            "learning_rate": 1e-3,
            "gradient_norm": 1.0,
            "seconds": 0.1,
        }
        for i, value in enumerate(fall)
    ]


def tree():
    return {
        "n": 360,
        "reconstruction": {
            "mse": 2.113,
            "r2": 0.912,
            "r2_interval": [0.903, 0.921],
            "pca_mse": 4.01,
            "pca_r2": 0.853,
            "pca_r2_interval": [0.841, 0.864],
        },
        "generalisation": {"gap": 0.012},
        "memorisation": {"share": 0.0},
        "code": {"units": 8, "dead": 1, "effective_dimension": 6.31, "effective_dimension_interval": [6.1, 6.5]},
        "geometry": {"trustworthiness": 0.981, "continuity": 0.973},
        "robustness": {"shift": 0.0000312},
        "probes": {
            "rows": 360,
            **_views("knn", 0.962, 0.951, 0.983, 0.903),
            **_views("linear", 0.941, 0.923, 0.956, 0.861),
            **_views("ari", 0.71, 0.65, 0.66, 0.52),
            "readable": 0.88,
            "readable_untrained": 0.8,
            "knn_gain": 0.059,
        },
        "verdicts": verdicts(),
    }


def _views(reader, code, pca, raw, untrained):
    return {reader: code, f"{reader}_pca": pca, f"{reader}_raw": raw, f"{reader}_untrained": untrained}


def squeezed(X, size, seed=0):
    """Rows, their code and what comes back: PCA, and a little noise so that kinds differ."""
    mean = X.mean(0)
    _, _, axes = np.linalg.svd(X - mean, full_matrices=False)
    Z = (X - mean) @ axes[:size].T
    return Z, mean + Z @ axes[:size] + np.random.default_rng(seed).normal(0, 0.05, X.shape) * X.std(0)


def make_digits():
    X, y = load_digits(return_X_y=True)
    return Example(tree(), _pictures(X[:600], y[:600], (1, 8, 8)))


def make_wine():
    X, _ = load_wine(return_X_y=True)
    pictures = _pictures(X, None, None) | {"feature_names": tuple(load_wine().feature_names)}
    return Example(tree(), pictures)


def _pictures(X, y, shape):
    Z, made = squeezed(X, 8)
    Z[:, 2] = Z[0, 2]
    spread = np.sort(np.linalg.eigvalsh(np.cov(Z.T)))[::-1]
    return {
        "originals": X[:16],
        "reconstructions": made[:16],
        "pca_reconstructions": squeezed(X, 4)[1][:16],
        "map": Z[:, :2],
        "map_labels": y,
        "spectrum": np.exp(-np.arange(8) / 2.0),
        "code_spectrum": np.maximum(spread, 0),
        "unit_std": Z.std(0),
        "unit_mean": Z.mean(0),
        "input_shape": shape,
        "history": history(),
    }


KINDS = ("linear", "undercomplete", "denoising", "contractive", "sparse", "topk", "variational")


def make_comparison():
    """The JSON of `isthmus compare`, and pictures for it."""
    X, y = load_digits(return_X_y=True)
    names = [*KINDS, "pca"]
    result = {
        "data": "digits",
        "code_size": 16,
        "rows": [
            {
                "kind": kind,
                "seeds": 5,
                "mse": {"mean": 1.9 + 0.2 * i, "sd": 0.03},
                "r2": {"mean": 0.92 - 0.02 * i, "sd": 0.004 + 0.002 * i},
                "seconds": {"mean": 2.5 - 0.1 * i, "sd": 0.2},
            }
            for i, kind in enumerate(names)
        ],
        "report": "report.html",
    }
    parts = {kind: squeezed(X[:600], 4 + 2 * i, i) for i, kind in enumerate(names)}
    pictures = {
        "originals": X[:12],
        "reconstructions": {kind: made[:12] for kind, (_, made) in parts.items()},
        "maps": {kind: Z[:, :2] for kind, (Z, _) in parts.items()},
        "map_labels": y[:600],
        "histories": {kind: [history(20 + 4 * i, seed) for seed in range(3)] for i, kind in enumerate(KINDS)},
        "verdicts": {kind: verdicts()[i:] for i, kind in enumerate(KINDS)},
        "input_shape": (1, 8, 8),
    }
    return result, pictures


def make_sweep(**values):
    """The JSON of `isthmus sweep` over lists of values; the error grows along each list, its spread is 0.01."""
    points = list(itertools.product(*(enumerate(listed) for listed in values.values())))
    rows = [
        {
            "settings": dict(zip(values, (value for _, value in point), strict=True)) | {"max_epochs": 5},
            "seeds": 16,
            "diverged": 0,
            "fault": None,
            "mse": {"mean": 1.5 + 0.5 * sum(i for i, _ in point), "sd": 0.01},
            "r2": {"mean": 0.9 - 0.1 * sum(i for i, _ in point), "sd": 0.004},
            "epochs": {"mean": 5.0, "sd": 0.0},
            "seconds": {"mean": 0.5, "sd": 0.1},
        }
        for point in points
    ]
    member = {"member": {"seed": 3, "mse": 1.4, "r2": 0.91}, "run": "runs/c/best"}
    counts = {"data": "digits", "kind": "sparse", "code_size": 16, "n_train": 1258, "n_test": 539}
    return counts | {"rows": rows, "best": rows[0] | member, "report": "runs/c/report.html"}


@pytest.fixture
def digits():
    return make_digits()


@pytest.fixture
def wine():
    return make_wine()


@pytest.fixture
def swept():
    return make_sweep


@pytest.fixture
def comparison():
    return make_comparison()


@pytest.fixture(scope="session")
def hostile():
    """A title such as a file's name may hold."""
    return '<script>alert("1")</script> & "$x_$"\x00 \' </style></svg> 漢字'


@pytest.fixture(scope="session")
def experiments(tmp_path_factory):
    """Results of `isthmus lab run`, one an error; of four figures one is damaged and one missing."""
    folder = tmp_path_factory.mktemp("figures")
    Image.new("RGB", (40, 20), "red").save(folder / "solve-share.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "curve.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    pictures = [{"path": str(folder / "solve-share.png"), "caption": "Half are solved", "alt": "share against seed"}]
    pictures += [{"path": str(folder / name)} for name in ("broken.png", "curve.svg", "missing.png")]
    one = {
        "name": "linear-pca",
        "part": "II",
        "claim": "A linear autoencoder spans the principal subspace.",
        "lecture": "similar to PCA",
        "holds": True,
        "measured": {"smallest_cosine": 0.9999995, **{f"seconds_of_{i}": 0.25 for i in range(12)}},
        "expected": {"smallest_cosine": [">=", 0.999999]},
        "missed": [],
        "protocol": "quick",
        "seeds": 1,
        "seconds": 0.04,
        "pictures": pictures,
        "command": "isthmus lab run linear-pca",
        "code": "src/isthmus/lab/linear_pca.py",
        "source": "if 1 < 2:\n    print('<b>')\n",
    }
    failed = one | {"name": "mitchell", "holds": False, "missed": ["smallest_cosine"], "pictures": [], "seconds": 83.6}
    error = {"what": "gymnasium is not installed", "hint": "pip install 'isthmus[lab]'"}
    return [{"name": "xor", "part": "I", "claim": "Layers.", "error": error}, one, failed]


@pytest.fixture(scope="session")
def pages(hostile, experiments):
    """One page of each kind, with a hostile title; made once, since drawing takes a second."""
    named = experiments[1] | {"name": hostile, "claim": hostile, "source": hostile}
    return {
        "digits": report.evidence_page(make_digits(), hostile),
        "wine": report.evidence_page(make_wine(), hostile),
        "compare": report.compare_page(*make_comparison(), hostile),
        "sweep": report.sweep_page(make_sweep(**{hostile: [0.01, 0.1, 1.0], "penalty": [hostile, None]}), hostile),
        "gallery": report.gallery_page([named, *experiments], {"II": "Autoencoders"}),
    }
