"""Swapped faces: what there is to learn from, and what of a swapped video is read by networks that know true faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.data import faces
from isthmus.regressor import Regressor
from isthmus.trials import TO_THE_END

Array = NDArray[np.floating]
APART = 100_000  # from the seeds of what is judged
LEAST = 0.02  # added to a number's deviation: what hardly varies is not blown up


@dataclass(frozen=True)
class Film:
    """Frames of A and of B to learn from, and a video of A; A's numbers get the means and deviations of B's.

    Attributes
    ----------
    a, b : array of shape (N, D)
        A is never seen with an expression of B's.
    shot, video : array of shape (frames, D)
        The video as it is, and matched as `a`.
    expressions : array of shape (frames, 7)
    truth : array of shape (frames, D)
        B with the expressions of the video.
    """

    a: Array
    b: Array
    shot: Array
    video: Array
    expressions: Array
    truth: Array


def film(n: int, frames: int, side: int, held: float, seed: int) -> Film:
    """n frames of each person, and a video of A; `side` and `held` are as in `faces.generate`."""
    (a, _), (b, _) = (faces.generate(n, who, side, 3 * seed + i, held) for i, who in enumerate("AB"))
    shot, expressions = faces.talk(frames, "A", side, 3 * seed + 2, held)
    gain = (b.std(axis=0) + LEAST) / (a.std(axis=0) + LEAST)
    matched, video = ((rows - a.mean(axis=0)) * gain + b.mean(axis=0) for rows in (a, shot))
    return Film(matched, b, shot, video, expressions, faces.draw("B", expressions, side))


@dataclass(frozen=True)
class Witness:
    """Tells people apart, and the expressions of one of them."""

    people: Classifier
    expressions: Regressor

    def identity(self, rows: Array, who: str) -> float:
        """Share of rows that are taken for pictures of that person."""
        return float(np.mean(self.people.predict(rows.astype(np.float32)) == who))

    def correlations(self, rows: Array, truth: Array) -> dict[str, float]:
        """Of each number of the expressions read off rows, (N, D), with its true value, (N, 7)."""
        read = self.expressions.predict(rows.astype(np.float32))
        pairs = zip(faces.EXPRESSIONS, read.T, truth.T, strict=True)
        return {name: float(np.corrcoef(one, other)[0, 1]) for name, one, other in pairs}

    def read(self, rows: Array, film: Film) -> dict[str, float]:
        """Of a swapped video: how often it is B, correlations, and the error over the variance of the truth."""
        error = float(np.square(rows - film.truth).mean() / film.truth.var(axis=0).mean())
        return {"identity": self.identity(rows, "B"), **self.correlations(rows, film.expressions), "error": error}


def witness(n: int, who: str, side: int, held: float, epochs: int) -> Witness:
    """One that has learned n true pictures of each person, and the expressions of n more of `who`, to the end.

    The pictures are drawn for it alone; `side` and `held` are as in `faces.generate`.
    """
    frames = [faces.generate(n, name, side, APART + i, held)[0] for i, name in enumerate(faces.IDENTITIES)]
    X, expressions = faces.generate(n, who, side, APART + len(frames), held)
    how = {"batch_size": 64, "random_state": 0, **TO_THE_END}
    people = Classifier(networks.MLP((64,)), max_epochs=max(1, epochs // 4), **how)
    people.fit(np.concatenate(frames), np.repeat(list(faces.IDENTITIES), n))
    return Witness(people, Regressor(networks.MLP((256,)), max_epochs=epochs, **how).fit(X, expressions))
