"""What is told apart where a code holds content and style: what each says, and what rows with both exchanged are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus.classifier import Classifier
from isthmus.data import characters
from isthmus.data.characters import SIDE, Characters
from isthmus.estimators import Autoencoder
from isthmus.evidence.groups import content_size, parties
from isthmus.seeing import tiles

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Drawn:
    """The letters to learn from and to be judged on, and a reader of letters trained on a third draw."""

    train: Characters
    test: Characters
    reader: Classifier

    def read(self, rows: Array) -> float:
        """Share of rows, one for each test row, whose letter is read as the test row's."""
        return float(np.mean(self.reader.predict(rows.astype(np.float32)) == self.test.content))


@dataclass(frozen=True)
class Exchange:
    """A multi-level autoencoder, and readers of its contents and of its styles that learned from the training rows."""

    ae: Autoencoder
    content: Pipeline
    style: Pipeline
    drawn: Drawn
    partners: NDArray[np.integer]  # for each test row another, whose style it takes

    def pooled(self, rows: int) -> tuple[float, float]:
        """Accuracies of the content's probe and of swaps where so many test rows of a letter pool what they say."""
        test = self.drawn.test
        groups = parties(test.content, rows)
        Z = self.ae.transform(test.X, groups=groups)[:, : content_size(self.ae)]
        swapped = self.ae.swap(test.X, test.X[self.partners], groups=groups)
        return float(self.content.score(Z, test.content)), self.drawn.read(swapped)

    @property
    def style_probe(self) -> float:
        """With what accuracy styles of test rows tell the letter."""
        Z = self.ae.transform(self.drawn.test.X)[:, content_size(self.ae) :]
        return float(self.style.score(Z, self.drawn.test.content))

    @property
    def errors(self) -> tuple[float, float]:
        """Of swaps and of reconstructions, over the rows' variance."""
        test = self.drawn.test
        wanted = characters.draw(test.content, test.style[self.partners])
        swapped = self.ae.swap(test.X, test.X[self.partners])
        variance = float(np.var(test.X, axis=0).mean())
        pairs = ((swapped, wanted), (self.ae.reconstruct(test.X), test.X))
        swap, reconstruction = (float(np.square(found - truth).mean()) / variance for found, truth in pairs)
        return swap, reconstruction

    def sheet(self, letters: int) -> Array:
        """A row a content, a column a style, one test row each; the rows they were taken from stand at the edges."""
        test = self.drawn.test
        own = [np.flatnonzero(test.content == letter)[:2] for letter in range(letters)]
        contents, styles = np.transpose(own)
        lines = [test.X[[content]] for content in contents]
        lines = [np.concatenate([line, self.ae.swap(line, test.X[styles])]) for line in lines]
        rows = np.concatenate([np.ones_like(test.X[:1]), test.X[styles], *lines])
        return tiles.laid(list(rows.reshape(-1, 1, SIDE, SIDE)), 1 + letters, 2)[0]


def exchange(ae: Autoencoder, drawn: Drawn, seed: int) -> Exchange:
    """With its readers, logistic regressions; the seed says whose style each test row takes."""
    Z, size = ae.transform(drawn.train.X), content_size(ae)
    content, style = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(part, drawn.train.content)
        for part in (Z[:, :size], Z[:, size:])
    )
    return Exchange(ae, content, style, drawn, np.random.default_rng(seed).permutation(len(drawn.test.X)))
