"""The faces of an examination: what it returns, what it says without a reference, and what it refuses."""

import json
import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from isthmus import evidence, zoo
from isthmus.errors import DataError, SettingError
from isthmus.evidence.scorer import WITH_LABELS, WITHOUT_LABELS
from isthmus.evidence.verdicts import BASIC_FIRST, CRITERIA, STATUSES

NAMES = (
    "better-than-mean", "better-than-pca", "better-than-untrained", "generalises", "memorises", "copies", "dead-units",
    "saturation", "collapse", "code-size", "robust", "same-distribution", "converged",
)  # fmt: skip
SECTIONS = ("reconstruction", "generalisation", "memorisation", "code", "geometry", "robustness", "probes")


@pytest.fixture(scope="module")
def found(shelf):
    X, X_test, y_test = shelf.digits
    return evidence.examine(shelf.digits_net, X, X_test, y_test)


def test_the_verdicts_have_their_fixed_names(found):
    assert tuple(v.name for v in found.verdicts) == NAMES == evidence.NAMES
    assert sorted(BASIC_FIRST) == sorted(NAMES)
    assert {v.status for v in found.verdicts} <= set(STATUSES)
    assert all(v.sentence and "{" not in v.sentence for v in found.verdicts)
    assert all(bool(v.suggestion) == (v.status in ("warn", "fail")) for v in found.verdicts)


def test_no_criterion_implies_its_own_verdict_or_a_more_basic_one():
    for criterion in CRITERIA:
        place = BASIC_FIRST.index(criterion.verdict)
        assert all(BASIC_FIRST.index(follower) > place for follower in criterion.implies), criterion.measure


def test_to_dict_is_plain_json(found):
    told = found.to_dict()
    json.dumps(told, allow_nan=False)
    assert {"n", "verdicts", *SECTIONS} <= set(told)
    assert {"mse", "r2", "pca_mse", "pca_r2", "r2_interval"} <= set(told["reconstruction"])
    low, high = told["reconstruction"]["r2_interval"]
    assert low < told["reconstruction"]["r2"] < high
    assert {"knn", "knn_raw", "knn_pca", "knn_untrained", "linear", "ari"} <= set(told["probes"])
    assert set(told["verdicts"][0]) == {"name", "status", "sentence", "suggestion"}


def test_pictures_have_their_shapes(found):
    shown = found.pictures
    assert {
        name: np.shape(shown[name]) for name in ("originals", "reconstructions", "pca_reconstructions")
    } == dict.fromkeys(("originals", "reconstructions", "pca_reconstructions"), (16, 64))
    assert shown["map"].shape == (found.n, 2)
    assert shown["map_labels"].shape == (found.n,)
    assert shown["spectrum"].shape == shown["code_spectrum"].shape == shown["unit_std"].shape == (8,)
    assert np.all(np.diff(shown["spectrum"]) <= 0)
    assert shown["input_shape"] == (1, 8, 8)
    assert shown["history"][0]["epoch"] == 1


def test_what_the_code_makes_is_pictured_of_images(found, shelf):
    shown, ae = found.pictures, shelf.digits_net
    units, walks = shown["walked"], shown["walks"]
    assert walks.shape == (6, 9, 64)
    assert len(set(units)) == 6
    moved = np.linalg.norm(walks[:, -1] - walks[:, 0], axis=1)
    assert np.all(np.diff(moved) <= 1e-3)  # the strongest first
    seen = np.concatenate([ae.transform(rows) for rows in shelf.digits[:2]])
    codes = np.repeat(np.median(seen, axis=0, keepdims=True), 9, axis=0)
    codes[:, units[1]] = np.linspace(*np.quantile(seen[:, units[1]], [0.00135, 0.99865]), 9)
    np.testing.assert_allclose(walks[1], ae.inverse_transform(codes), rtol=1e-3, atol=1e-2)
    assert shown["samples"] is None  # it has no prior


def test_of_a_prior_samples_are_pictured_and_of_tables_nothing(shelf):
    quick = {"max_epochs": 1, "random_state": 0}
    X, X_test, _ = shelf.digits
    ae = zoo.variational(3, input_shape=(1, 8, 8), **quick).fit(X)
    shown = evidence.examine_with(ae, None, X_test[:50]).pictures
    np.testing.assert_array_equal(shown["samples"], ae.sample(24, random_state=0))
    assert shown["walks"].shape[1:] == (9, 64)
    rows = shelf.plane[0]
    table = evidence.examine_with(zoo.variational(3, **quick).fit(rows), None, rows[:50]).pictures
    assert not {"walks", "walked", "samples"} & set(table)


def test_without_a_reference_what_needs_one_says_so(shelf):
    found = evidence.examine_with(shelf.digits_net, None, shelf.digits[1])
    told = {v.name: (v.status, v.sentence) for v in found.verdicts}
    for name in ("better-than-pca", "generalises", "memorises", "same-distribution"):
        assert told[name] == ("n/a", "There is no reference of training rows.")
    assert told["better-than-mean"][0] == told["collapse"][0] == "pass"
    assert found.pictures["pca_reconstructions"] is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_reference_survives_its_tensors(shelf):
    ae, (X, X_test, y_test) = shelf.digits_net, shelf.digits
    reference = evidence.Reference.of(ae, X, np.arange(len(X)) % 3)
    again = evidence.Reference.from_tensors(reference.to_tensors())
    one, other = (evidence.examine_with(ae, r, X_test[:100], y_test[:100] % 3).to_dict() for r in (reference, again))
    assert json.dumps(one) == json.dumps(other)


def test_a_reference_keeps_2000_rows_with_their_labels(shelf):
    X = np.repeat(shelf.wine[0], 20, axis=0)
    ae = zoo.linear(2, max_epochs=1, random_state=0).fit(X)
    reference = evidence.Reference.of(ae, X, np.arange(len(X)))
    assert reference.rows.shape == (2000, 13)
    assert np.array_equal(reference.rows, ae.scale(X)[reference.labels])


def test_a_damaged_reference_is_refused(shelf):
    tensors = evidence.Reference.of(shelf.plane_net, shelf.plane[0]).to_tensors()
    del tensors["rows"]
    with pytest.raises(DataError) as fault:
        evidence.Reference.from_tensors(tensors)
    assert str(fault.value) == "no tensor 'rows'; in the reference; mean, components, counts, rows; train again"


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("with_reference", [True, False])
def test_few_rows_are_no_error_and_no_verdict_on_units(n, with_reference, shelf):
    ae, (X, X_test, _) = shelf.plane_net, shelf.plane
    reference = evidence.Reference.of(ae, X) if with_reference else None
    found = evidence.examine_with(ae, reference, X_test[:n], np.arange(n) % 3)
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.n == n
    assert "fail" not in {v.status for v in found.verdicts}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_reference_of_few_rows_is_no_error(n, shelf):
    ae, (X, X_test, _) = shelf.plane_net, shelf.plane
    json.dumps(evidence.examine(ae, X[:n], X_test).to_dict(), allow_nan=False)


def test_one_column_and_equal_rows_are_no_error(shelf):
    X = shelf.wine[0][:, :1]
    ae = zoo.undercomplete(2, max_epochs=20, random_state=0).fit(X)
    json.dumps(evidence.examine(ae, X[:80], X[80:]).to_dict(), allow_nan=False)
    json.dumps(evidence.examine(ae, X[:80], np.repeat(X[80:81], 30, axis=0)).to_dict(), allow_nan=False)


def test_classes_may_be_words_and_rare(shelf):
    ae, (X, X_test, _) = shelf.plane_net, shelf.plane
    words = np.array(["common"] * 100 + ["other"] * (len(X_test) - 101) + ["once"])
    assert evidence.examine(ae, X, X_test, words).to_dict()["probes"]["classes"] == 3
    told = evidence.examine(ae, X, X_test, np.array(["a", "b"] * 100)).to_dict()["probes"]
    assert 0.3 < told["knn"] < 0.7


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3), "labels of shape (3,); in y_test; (200,), one a row"),
        (np.linspace(0, 1, 200), "labels that are not whole numbers; in y_test; classes; leave them out"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, message, shelf):
    with pytest.raises(DataError) as fault:
        evidence.examine(shelf.plane_net, *shelf.plane[:2], y)
    assert str(fault.value) == message


@pytest.mark.parametrize("name", [*WITHOUT_LABELS, *WITH_LABELS])
def test_scores_serve_a_search_over_a_pipeline(name, shelf):
    X, _, _ = shelf.wine
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    net = make_pipeline(MinMaxScaler(), zoo.undercomplete(2, max_epochs=2, random_state=0))
    score = pickle.loads(pickle.dumps(evidence.scorer(name)))  # noqa: S301  # as joblib does to run in parallel
    search = GridSearchCV(net, {"autoencoder__code_size": [1, 3]}, scoring=score, cv=2, error_score="raise")
    assert np.isfinite(search.fit(X, y).best_score_)


def test_r2_and_linear_scores_are_the_measures(shelf):
    ae, (_, X_test, y_test) = shelf.digits_net, shelf.digits
    assert evidence.scorer("r2")(ae, X_test) == pytest.approx(ae.score(X_test), abs=1e-5)
    assert evidence.scorer("knn")(ae, X_test, y_test) > 0.7


def test_a_score_that_does_not_exist_names_the_nearest():
    with pytest.raises(SettingError) as fault:
        evidence.scorer("trustworthyness")
    assert str(fault.value) == "no score called 'trustworthyness'; in evidence.scorer; did you mean 'trustworthiness'?"


def test_a_score_that_needs_classes_says_so(shelf):
    with pytest.raises(SettingError) as fault:
        evidence.scorer("knn")(shelf.digits_net, shelf.digits[1])
    assert str(fault.value) == "the score 'knn' needs classes; in y; pass y to fit, or use 'r2' or 'noisy-r2'"
