"""Anomalies: scikit-learn's sign, a calibrated offset, and contributions that point at the cause."""

import numpy as np
import pandas as pd
import pytest
from members import rows, small
from sklearn.metrics import roc_auc_score

from isthmus import AnomalyDetector, Autoencoder
from isthmus.errors import DataError, SettingError


def detector(**settings):
    return AnomalyDetector(small("undercomplete", max_epochs=20, learning_rate=1e-2), **settings)


def strange(n=20, column=2):
    """Rows off the plane the others lie on: one column is another's."""
    X = rows(n, seed=0)
    X[:, column] += 15
    return X


def test_the_lower_the_stranger():
    found = detector().fit(rows())
    ordinary, odd = found.score_samples(rows(seed=0)), found.score_samples(strange())
    assert (ordinary <= 0).all()
    assert odd.max() < np.median(ordinary)
    assert (found.predict(strange()) == -1).all()
    assert (found.predict(rows()) == 1).mean() > 0.9
    assert roc_auc_score(np.r_[np.ones(120), np.zeros(20)], np.r_[ordinary, odd]) > 0.99


def test_the_decision_is_the_score_minus_the_offset():
    found = detector().fit(rows())
    X = np.concatenate([rows(), strange()])
    np.testing.assert_allclose(found.decision_function(X), found.score_samples(X) - found.offset_)
    assert np.array_equal(found.predict(X), np.where(found.decision_function(X) < 0, -1, 1))


def gaussian(n, seed):
    """Rows of 10 columns on 3 factors, the same factors for every seed."""
    loads = np.random.default_rng(99).normal(size=(3, 10))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ loads + 0.5 * rng.normal(size=(n, 10))


def test_auto_flags_about_one_in_a_hundred_ordinary_rows():
    shares = []
    for seed in range(3):
        ae = Autoencoder(3, max_epochs=15, learning_rate=5e-3, random_state=seed)
        found = AnomalyDetector(ae).fit(gaussian(2000, seed))
        shares.append((found.predict(gaussian(5000, 100 + seed)) == -1).mean())
    assert 0.003 < np.mean(shares) < 0.03


def test_anomalies_among_the_rows_do_not_move_the_offset():
    clean, dirty = gaussian(1000, 0), gaussian(1000, 0)
    dirty[:50] += np.random.default_rng(5).normal(size=(50, 10)) * 20
    ae = Autoencoder(3, max_epochs=15, learning_rate=5e-3, random_state=0)
    found = AnomalyDetector(ae).fit(dirty)
    assert (found.predict(dirty[:50]) == -1).mean() > 0.8
    assert (found.predict(clean) == -1).mean() < 0.05


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_number_is_the_share_of_training_rows_that_is_flagged(share):
    X = rows(200)
    assert (detector(contamination=share).fit(X).predict(X) == -1).sum() == 200 * share


@pytest.mark.parametrize("marginal", [0.0, 1.0, 2.5])
def test_contributions_sum_to_minus_the_score(marginal):
    found, X = detector(marginal=marginal).fit(rows()), rows(seed=1)
    parts = found.contributions(X)
    assert parts.shape == X.shape
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), -found.score_samples(X))


def test_contributions_are_the_formula():
    found, X = detector(marginal=0.5).fit(rows()), rows(seed=1)
    ae = found.autoencoder_
    error = np.square(ae.scale(X) - ae.scale(ae.reconstruct(X))) / found.error_
    scaled = ae.scale(rows())
    far = np.square((ae.scale(X) - scaled.mean(axis=0)) / scaled.std(axis=0))
    np.testing.assert_allclose(found.contributions(X), error + 0.5 * far)


def test_contributions_point_at_the_planted_column():
    found = detector().fit(rows(400))
    for column in range(6):
        X = rows(30, seed=7)
        X[:, column] += 40 * rows(400)[:, column].std()
        assert (found.contributions(X).argmax(axis=1) == column).mean() > 0.9


def test_without_the_marginal_term_the_error_alone_counts():
    """Far out on the plane itself: a linear decoder restores it, so only the marginal term can tell."""
    ae = small("linear", max_epochs=100, learning_rate=1e-2)
    X = rows(400)
    far = X.mean(axis=0) + 8 * (X[:50] - X.mean(axis=0))
    alone = AnomalyDetector(ae, marginal=0).fit(X)
    both = AnomalyDetector(ae, marginal=1).fit(X)
    errors = np.square(alone.autoencoder_.scale(far) - alone.autoencoder_.scale(alone.autoencoder_.reconstruct(far)))
    np.testing.assert_allclose(alone.score_samples(far), -errors.sum(axis=1) / alone.error_)
    assert (both.score_samples(far) < alone.score_samples(far)).all()


def test_a_constant_column_counts_for_what_it_is():
    X = rows(dtype=np.float32)
    X[:, 3] = 0.1
    found = detector().fit(X)
    assert found.spread_[3] == 1
    assert found.contributions(X)[:, 3].max() < 50
    moved = X.copy()
    moved[:, 3] += 1
    assert np.isfinite(found.score_samples(moved)).all()


def test_around_a_fitted_autoencoder():
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    ae = small("undercomplete").fit(frame)
    before = ae.transform(frame)
    found = AnomalyDetector.from_fitted(ae, frame, marginal=0.5, held=np.arange(50))
    assert found.autoencoder_ is ae
    assert np.array_equal(ae.transform(frame), before)
    assert found.predict(frame).shape == (120,)
    restored = pd.DataFrame(ae.reconstruct(frame), columns=list("abcdef"))
    assert found.error_ == pytest.approx(np.square(ae.scale(frame) - ae.scale(restored))[:50].mean())
    with pytest.raises(DataError) as caught:
        AnomalyDetector.from_fitted(small("undercomplete").fit(rows()), rows(d=4))
    assert str(caught.value) == "X has 4 features, but Autoencoder is expecting 6 features as input.; in X"
    with pytest.raises(ValueError, match=r"^This Autoencoder instance is not fitted yet"):
        AnomalyDetector.from_fitted(small("linear"), rows())


def test_the_autoencoder_given_is_left_alone():
    ae = small("undercomplete")
    AnomalyDetector(ae).fit(rows())
    assert not hasattr(ae, "module_")


@pytest.mark.parametrize("columns", [1, 2, 30])
def test_the_default_autoencoder_is_narrower_than_the_rows(columns):
    found = AnomalyDetector(random_state=0)
    found._template(columns)
    assert found._template(columns).code_size == max(1, min(8, columns - 1))


def test_defaults_repeat_with_a_seed():
    one, two = (AnomalyDetector(random_state=0).fit(rows(60)) for _ in range(2))
    assert np.array_equal(one.score_samples(rows()), two.score_samples(rows()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contamination": 0.7}, "contamination must be one of 'auto' or a number > 0 and <= 0.5; got 0.7"),
        ({"marginal": -1}, "marginal must be a number >= 0; got -1"),
        ({"autoencoder": 3}, "autoencoder must be one of None or an isthmus.Autoencoder; got 3"),
        (
            {"autoencoder": Autoencoder},
            f"autoencoder must be one of None or an isthmus.Autoencoder; got {Autoencoder!r}",
        ),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_wrong_settings(settings, message):
    with pytest.raises(SettingError) as caught:
        AnomalyDetector(**settings).fit(rows())
    assert str(caught.value) == f"{message}; in AnomalyDetector"


def test_the_detectors_seed_decides_where_it_is_given():
    X = rows()
    own = [AnomalyDetector(small("denoising", random_state=s), random_state=3).fit(X).score_samples(X) for s in (0, 1)]
    assert np.array_equal(*own)
    left = [AnomalyDetector(small("denoising", random_state=s)).fit(X).score_samples(X) for s in (0, 1)]
    assert not np.array_equal(*left)


def test_gradients_are_watched_as_the_autoencoder_s_own():
    found = detector(random_state=0).fit(rows(), watch="gradients").autoencoder_
    own = small("undercomplete", max_epochs=20, learning_rate=1e-2, random_state=0).fit(rows(), watch="gradients")
    assert found.gradients_.to_dict() == own.gradients_.to_dict()
    assert len(found.gradients_.history) == found.n_iter_ + 1
