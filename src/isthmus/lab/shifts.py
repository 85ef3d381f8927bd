"""Three tasks of the classical approach: features made by hand, the rows they are made of, and how these change.

digits: which digit is it? By hand: edges and a histogram. The digits come turned by a quarter, or black on white.
scenes: is a pixel an object's? By hand: its value, edge, Otsu's threshold, watershed; raw: the patch around it. The
objects come darker than the ground, or are told from it by the way their stripes lean alone.
reviews: does it praise? By hand: words and pairs of words of the training reviews, weighed by rarity, a vocabulary that
stays as it is; raw: how often each word and pair occurs, hashed, so that new words have places too. Those who write
give up every word of praise and blame for a new one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from isthmus import encoders, handmade, networks
from isthmus._constraints import Constraint, check, count
from isthmus._spec import Spec
from isthmus.classifier import Classifier
from isthmus.data import load_data, reviews, scenes

WHO = {"hand": "by hand, linear", "raw": "raw, linear", "network": "raw, network"}
SHIFTS = {"digits": ("turned", "inverted"), "scenes": ("dark", "striped"), "reviews": ("reworded",)}
LIMITS: Mapping[str, Constraint] = {"rows": count(100, 3000), "test_rows": count(10, 5000), "new_rows": count(20, 500)}
PATCH = 11  # pixels a side
SIDE = 48  # of a scene
SCENES = 16  # that pixels are drawn from
PIXELS = 3  # for each review to learn from
PLACES = 1 << 12  # for hashed words
DESCENT = {"loss": "log_loss", "learning_rate": "constant", "max_iter": 30, "tol": None}  # of the linear models
TRAINING = {"scaling": None, "batch_size": 50, "learning_rate": 0.01, "validation_fraction": 0.0, "device": "cpu"}


@dataclass(frozen=True)
class Rows:
    """N rows as features made by hand, (N, F), and as they were, (N, D), dense or sparse; their classes, (N,)."""

    hand: Any
    raw: Any
    y: Any

    def read(self, who: str) -> Any:
        """What a contender of `WHO` reads of them."""
        return self.hand if who == "hand" else self.raw


@dataclass(frozen=True)
class Task:
    """Rows to learn from and to test on, and for each shift new ones to adapt to and to test on.

    `steps` are the steps of gradient descent, by hand and raw, that served the linear models best on other seeds.
    """

    train: Rows
    test: Rows
    shifted: Mapping[str, tuple[Rows, Rows]]
    steps: tuple[float, float]
    network: Spec
    settings: dict[str, Any]  # of the Classifier that has the network, where they are not those of `TRAINING`

    def learned(self, who: str, seed: int) -> Any:
        """A contender that has learned the training rows."""
        if who == "network":
            model = Classifier(self.network, early_stopping=False, random_state=seed, **(TRAINING | self.settings))
        else:
            model = SGDClassifier(eta0=self.steps[who == "raw"], random_state=seed, **DESCENT)
        return model.fit(self.train.read(who), self.train.y)


def adapted(model: Any, X: Any, y: Any, passes: int) -> Any:
    """A copy of a model that went through new rows so many times."""
    copied = copy.deepcopy(model)
    for _ in range(passes):
        copied.partial_fit(X, y)
    return copied


@dataclass(frozen=True)
class Sizes:
    """How many rows to learn from, to test on, and to adapt to.

    Raises
    ------
    SettingError
        Where these are too few, or more new ones than the digits have left.
    """

    train: int
    test: int
    new: int

    def __post_init__(self) -> None:
        given = {"rows": self.train, "test_rows": self.test, "new_rows": self.new}
        check("the experiment 'feature-engineering'", given, LIMITS)


def digits(sizes: Sizes, seed: int) -> Task:
    """scikit-learn's digits, 8 × 8: half of them to learn from, whatever `sizes` says; others for each seed."""
    data = load_data("digits")
    pictures = np.asarray(data.X).reshape(-1, 8, 8) / 16
    how = {"train_size": 0.5, "test_size": 0.35, "stratify": data.y, "random_state": seed}
    train, test, y, y_test = train_test_split(pictures, data.y, **how)
    features = make_pipeline(FunctionTransformer(handmade.edges_and_histogram), StandardScaler()).fit(train)

    def seen(pictures: Any, y: Any) -> Rows:
        return Rows(features.transform(pictures), pictures.reshape(len(pictures), -1).astype(np.float32), y)

    n = sizes.new
    changed = {"turned": np.rot90(test, axes=(1, 2)), "inverted": 1 - test}
    shifted = {name: (seen(other[:n], y_test[:n]), seen(other[n:], y_test[n:])) for name, other in changed.items()}
    network, settings = encoders.Convolutional((16, 32)), {"input_shape": (1, 8, 8), "max_epochs": 15}
    return Task(seen(train, y), seen(test, y_test), shifted, (0.001, 0.1), network, settings)


def pixels(sizes: Sizes, seed: int) -> Task:
    """As many pixels of objects as of the ground, from generated scenes, others for each part."""
    train = _pixels(PIXELS * sizes.train, "bright", 4 * seed)
    scaler = StandardScaler().fit(train.hand)

    def scaled(rows: Rows) -> Rows:
        return Rows(scaler.transform(rows.hand), rows.raw, rows.y)

    test = scaled(_pixels(sizes.test, "bright", 4 * seed + 1))
    shifted = {
        look: (scaled(_pixels(sizes.new, look, 4 * seed + 2)), scaled(_pixels(sizes.test, look, 4 * seed + 3)))
        for look in SHIFTS["scenes"]
    }
    network, settings = encoders.Convolutional((8, 16)), {"input_shape": (1, PATCH, PATCH), "max_epochs": 6}
    return Task(scaled(train), test, shifted, (0.01, 0.01), network, settings)


def _pixels(n: int, look: str, seed: int) -> Rows:
    pictures, masks = scenes.generate(SCENES, SIDE, look, random_state=seed)
    rng = np.random.default_rng(seed)
    halves = [rng.choice(np.flatnonzero(masks == own), n // 2, replace=False) for own in (True, False)]
    chosen = np.unravel_index(rng.permutation(np.concatenate(halves)), masks.shape)
    return Rows(handmade.pixel_features(pictures)[chosen], handmade.patches(pictures, PATCH)[chosen], masks[chosen])


def praise(sizes: Sizes, seed: int) -> Task:
    """The sentiment of generated reviews, others for each part."""
    parts = [(sizes.train, 0.0), (sizes.test, 0.0), (sizes.new, 1.0), (sizes.test, 1.0)]
    made = [reviews.generate(n, replaced, random_state=4 * seed + i) for i, (n, replaced) in enumerate(parts)]
    words = bag_of_words((1, 2)).fit(made[0].texts)
    hashed = HashingVectorizer(ngram_range=(1, 2), n_features=PLACES, alternate_sign=False, dtype=np.float32)
    train, test, new, later = (
        Rows(words.transform(one.texts), csr_array(hashed.transform(one.texts)), one.sentiment) for one in made
    )
    settings = {"max_epochs": 6, "weight_decay": 1.0}
    return Task(train, test, {"reworded": (new, later)}, (0.3, 1.0), networks.MLP((16,)), settings)


def bag_of_words(ngrams: tuple[int, int]) -> Pipeline:
    """Counts of the words, or runs of words, that occur in three training texts at least, weighed by rarity."""
    return make_pipeline(CountVectorizer(ngram_range=ngrams, min_df=3), TfidfTransformer())


TASKS = {"digits": digits, "scenes": pixels, "reviews": praise}
