"""Anomaly detection with scikit-learn's sign: the lower the score, the stranger the row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from isthmus import saving
from isthmus._constraints import AnyOf, Constraint, Has, Number, OneOf, check, non_negative, optional
from isthmus._fitting import Table, split
from isthmus._inputs import read_rows, read_weights
from isthmus.estimators import Autoencoder
from isthmus.inference import batched

Array = NDArray[np.floating]
CODE_SIZE = 8  # of the default autoencoder, and at most one number fewer than a row has
EPOCHS = 40
LEAST_ALARMS = 0.005  # share of the training rows that "auto" flags at least, where there are rows enough
ALARM_Z, UPPER_QUARTILE_Z = 2.326, 0.6745  # a normal variable exceeds them with probability 1 % and 25 %


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Finds rows that an autoencoder trained on the others cannot restore, or that lie far out.

    A row's score is −Σⱼ (eⱼ² / ē + m·sⱼ²): eⱼ the error of column j in scaled units, ē the mean squared error over
    the calibration rows, sⱼ the standardised distance from the training mean, m the `marginal` weight. Each term has
    mean 1 a column on ordinary rows. The first finds rows off the surface the others lie on; the second finds rows
    far out on it, which a flexible decoder restores well.

    Parameters
    ----------
    autoencoder : Autoencoder, optional
        Cloned and fitted; None takes an undercomplete one with a code of min(8, D − 1) numbers.
    contamination : "auto" or float in (0, 0.5]
        With a number, that share of the training rows is flagged. With "auto" the offset is calibrated on rows held
        out from training, so that a few in a hundred of ordinary rows are flagged (0.7 to 5 % on made-up tables).
    marginal : float
        Weight m of the distance from the mean; 0 leaves the reconstruction error alone.
    random_state : int, numpy.random.RandomState or None
        Seed of the autoencoder, and so of the held-out rows; None leaves a given one its own.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted one.
    offset_ : float
        Rows that score below it are flagged: `decision_function` is `score_samples` minus it.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "autoencoder": optional(Has("reconstruct", "an isthmus.Autoencoder")),
        "contamination": AnyOf((OneOf(("auto",)), Number(0, 0.5, open_low=True))),
        "marginal": non_negative(),
    }

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        contamination: str | float = "auto",
        marginal: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.contamination = contamination
        self.marginal = marginal
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None, *, watch: str | None = None
    ) -> Self:
        """Train on rows X, (N, D), anomalies among them or not, and calibrate the offset.

        `watch` is as in `Autoencoder.fit`; what is seen then lies on `autoencoder_`.

        Raises
        ------
        SettingError, DataError, DivergenceError
            As `Autoencoder.fit`.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)
        X = read_rows(self, X, reset=True)
        table = Table(X, read_weights(sample_weight, X)).weighing()
        X, weight = table.x, table.weight
        self.autoencoder_ = self._template(X.shape[1])
        self.autoencoder_.fit(X, sample_weight=weight, watch=watch)
        held = split(len(X), self.autoencoder_.validation_fraction, self.autoencoder_.seed_)[1]
        self._calibrate(X, weight, held if len(held) else np.arange(len(X)))
        return self

    @classmethod
    def from_fitted(
        cls, autoencoder: Autoencoder, X: ArrayLike, marginal: float = 1.0, held: ArrayLike | None = None
    ) -> AnomalyDetector:
        """A detector around an autoencoder that is trained already, calibrated on ordinary rows X, (N, D).

        `held` numbers the rows that training did not see: errors are judged by them where it is given.
        """
        detector = cls(autoencoder, marginal=marginal)
        check(cls.__name__, detector.get_params(deep=False), cls.constraints)
        check_is_fitted(autoencoder, "module_")
        read_rows(autoencoder, X, reset=False)
        rows = read_rows(detector, X, reset=True)
        detector.autoencoder_ = autoencoder
        detector._calibrate(rows, None, np.arange(len(rows)) if held is None else np.asarray(held))
        return detector

    def _template(self, columns: int) -> Autoencoder:
        if self.autoencoder is not None:
            ae = clone(self.autoencoder)
            return ae if self.random_state is None else ae.set_params(random_state=self.random_state)
        size = max(1, min(CODE_SIZE, columns - 1))
        return Autoencoder(size, max_epochs=EPOCHS, random_state=self.random_state)

    def _calibrate(self, X: Array, weight: Array | None, held: NDArray[np.intp]) -> None:
        """Learn centre and spread from all rows X, the typical error and the offset from the rows numbered `held`."""
        scaled = self._scaled(X).astype(np.float64)
        self.center_ = np.average(scaled, axis=0, weights=weight)
        spread = np.sqrt(np.average(np.square(scaled - self.center_), axis=0, weights=weight))
        self.spread_ = np.where((scaled.min(axis=0) < scaled.max(axis=0)) & (spread > 0), spread, 1.0)
        share = None if weight is None else weight[held]
        errors = np.square(self._residual(X[held])).mean(axis=1)
        self.error_ = float(max(np.average(errors, weights=share), 1e-12))
        scores = -self._contributions(X).sum(axis=1)
        if self.contamination != "auto":
            self.offset_ = _quantile(scores, float(self.contamination), weight)
            return
        self.offset_ = _tail(scores[held], share)
        if len(X) * LEAST_ALARMS >= 1:  # rows in clusters have shorter tails than the rule for tails expects
            self.offset_ = max(self.offset_, _quantile(scores, LEAST_ALARMS, weight))

    def _scaled(self, X: Array) -> Array:
        # Not through `scale`: X is an array by now, and the autoencoder may have been fitted on named columns.
        return self.autoencoder_.scaler_.apply(X)

    def _residual(self, X: Array) -> Array:
        module, scaled = self.autoencoder_.module_, self._scaled(X)
        restored = batched(module, lambda x: module.likelihood.resized(module.decode(module.encode(x)), x), scaled)
        return (scaled - restored).astype(np.float64)

    def contributions(self, X: ArrayLike) -> Array:
        """What each column adds to a row's strangeness, (N, D) ≥ 0; a row's sum is minus its score."""
        check_is_fitted(self, "offset_")
        return self._contributions(read_rows(self, X, reset=False))

    def _contributions(self, X: Array) -> Array:
        far = (self._scaled(X) - self.center_) / self.spread_
        return np.square(self._residual(X)) / self.error_ + self.marginal * np.square(far)

    def score_samples(self, X: ArrayLike) -> Array:
        """The score of each row, (N,), at most 0; the lower the stranger."""
        return -self.contributions(X).sum(axis=1)

    def decision_function(self, X: ArrayLike) -> Array:
        """`score_samples` minus `offset_`, (N,): negative rows are flagged."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """−1 for a flagged row, 1 for an ordinary one, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def save(self, folder: str | Path) -> None:
        """Write the detector into a folder, as `Autoencoder.save` does; `isthmus.load` reads it back."""
        check_is_fitted(self, "offset_")
        kind = self.autoencoder_.saved_as
        extra = {"estimator": "AnomalyDetector", "autoencoder": kind, "detector": self.calibration()}
        saving.save_autoencoder(self.autoencoder_, Path(folder), extra)

    def calibration(self) -> dict[str, Any]:
        """Settings and what was learned beside the autoencoder, as plain JSON; `restore` reads it back."""
        learned = {name: saving.plain(getattr(self, name)) for name in (*_LEARNED, _NAMES) if hasattr(self, name)}
        settings = {name: saving.plain(getattr(self, name)) for name in ("contamination", "marginal")}
        return {"settings": settings, "learned": learned}

    @classmethod
    def restore(cls, autoencoder: Autoencoder, saved: dict[str, Any]) -> AnomalyDetector:
        """A detector from what `save` kept, around its autoencoder."""
        detector = cls(clone(autoencoder), **saved["settings"])
        check(cls.__name__, detector.get_params(deep=False), cls.constraints)
        learned, columns = saved["learned"], autoencoder.n_features_in_
        detector.autoencoder_, detector.n_features_in_ = autoencoder, columns
        detector.center_ = np.asarray(learned["center_"], dtype=np.float64).reshape(columns)
        detector.spread_ = np.asarray(learned["spread_"], dtype=np.float64).reshape(columns)
        detector.error_, detector.offset_ = float(learned["error_"]), float(learned["offset_"])
        if _NAMES in learned:
            detector.feature_names_in_ = np.array(learned[_NAMES], dtype=object)
        return detector

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_LEARNED = ("center_", "spread_", "error_", "offset_")
_NAMES = "feature_names_in_"


def _tail(scores: Array, weight: Array | None) -> float:
    """The score below which a few in a hundred of such rows fall.

    A held-out set is too small for a 1 % percentile, and anomalies among it must not move the offset. The cube root
    of a sum of squares is nearly normal (Wilson & Hilferty 1931), so its median and upper quartile give its tail.
    """
    roots = np.cbrt(-scores)
    middle, upper = (float(np.quantile(roots, q, weights=weight, method="inverted_cdf")) for q in (0.5, 0.75))
    return -((middle + ALARM_Z * (upper - middle) / UPPER_QUARTILE_Z) ** 3)


def _quantile(values: Array, share: float, weight: Array | None) -> float:
    if weight is None:
        return float(np.quantile(values, share))
    return float(np.quantile(values, share, weights=weight, method="inverted_cdf"))
