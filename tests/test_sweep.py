"""Sweeps: the table equals what estimators fitted alone give, the best is the lowest, and a planted answer is found."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from members import rows, small
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from isthmus import encoders, penalties, sweep, sweeping, trials, zoo
from isthmus.errors import DataError, DivergenceError, SettingError

X = rows(160)
RATES = {"learning_rate": [1e-3, 1e-2]}


def alone(ae, train, test, seeds):
    """Mean and deviation of mse and R² of estimators fitted one by one."""
    fitted = [clone(ae).set_params(random_state=seed).fit(train) for seed in seeds]
    mse = [np.mean((test - one.reconstruct(test)) ** 2) for one in fitted]
    r2 = [one.score(test) for one in fitted]
    return {"mse": (np.mean(mse), np.std(mse, ddof=1)), "r2": (np.mean(r2), np.std(r2, ddof=1))}


def assert_equals(row, expected):
    for name, (mean, sd) in expected.items():
        assert row[name]["mean"] == pytest.approx(mean, rel=1e-7)
        assert row[name]["sd"] == pytest.approx(sd, rel=1e-5)


def test_the_table_equals_estimators_fitted_alone():
    strengths = [0.01, 0.3, 2.0]
    found = sweep(small("contractive", random_state=None), X, {"penalty__strength": strengths}, seeds=3)
    order = np.random.default_rng(20260101).permutation(160)
    test, train = X[order[:48]], X[order[48:]]
    assert (found.n_train, found.n_test) == (112, 48)
    for row, strength in zip(found.rows, strengths, strict=True):
        assert row["settings"] == {"penalty__strength": strength}
        assert (row["seeds"], row["diverged"], row["fault"]) == (3, 0, None)
        assert row["epochs"] == {"mean": 3.0, "sd": 0.0}
        assert row["seconds"]["mean"] > 0
        assert_equals(row, alone(small("contractive", strength=strength), train, test, range(3)))


def test_own_test_rows_leave_all_others_to_train_on():
    found = sweep(small("linear"), X[:100], RATES, seeds=2, X_test=X[100:])
    assert (found.n_train, found.n_test) == (100, 60)
    for row, rate in zip(found.rows, RATES["learning_rate"], strict=True):
        assert_equals(row, alone(small("linear", learning_rate=rate), X[:100], X[100:], range(2)))


def test_seeds_begin_at_the_estimator_s_own():
    found = sweep(small("linear", random_state=40), X, RATES, seeds=2, X_test=X)
    assert [[ae.random_state for ae in members] for members in found.estimators] == [[40, 41]] * 2
    assert_equals(found.rows[1], alone(small("linear", learning_rate=1e-2), X, X, [40, 41]))
    drawn = np.random.RandomState(3)
    first = int(np.random.RandomState(3).randint(2**31 - 1))
    found = sweep(small("linear", random_state=drawn), X, RATES, seeds=2)
    assert [[ae.seed_ for ae in members] for members in found.estimators] == [[first, first + 1]] * 2


def test_the_best_has_the_lowest_error_and_its_member_the_lowest_validation_loss():
    grid = {"learning_rate": [1e-4, 1e-2, 1e-3]}
    found = sweep(small("undercomplete", max_epochs=6), X, grid, seeds=4)
    means = [row["mse"]["mean"] for row in found.rows]
    assert means.index(min(means)) == 1
    assert {key: found.best[key] for key in found.rows[1]} == found.rows[1]
    members = found.estimators[1]
    assert all("validation_loss" in ae.history_[0] for ae in members)
    watched = [min(row["validation_loss"] for row in ae.history_) for ae in members]
    chosen = watched.index(min(watched))
    assert found.best_estimator is members[chosen]
    test = X[trials.hold_out(len(X), "X")[1]]
    errors = [np.mean((test - ae.reconstruct(test)) ** 2) for ae in members]
    assert found.best["member"] == {"seed": chosen, "mse": errors[chosen], "r2": members[chosen].score(test)}
    assert np.mean(errors) == pytest.approx(found.best["mse"]["mean"])


def test_the_member_s_training_loss_decides_where_no_rows_were_held_out():
    found = sweep(small("linear", validation_fraction=0.0), X, {"learning_rate": [1e-2]}, seeds=4)
    last = [ae.history_[-1]["loss"] for ae in found.estimators[0]]
    assert found.best["member"]["seed"] == last.index(min(last))


def test_the_planted_rank_is_found():
    """Rows of rank 3: a linear code of 3 restores them, and a smaller one no better than PCA does."""
    rng = np.random.default_rng(0)
    planted = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 8))
    ae = zoo.linear(scaling=None, max_epochs=80, learning_rate=0.03, batch_size=32)
    found = sweep(ae, planted[:140], {"code_size": [1, 2, 3]}, seeds=3, X_test=planted[140:])
    assert found.best["settings"] == {"code_size": 3}
    assert found.best_estimator.code_size == 3
    assert found.best["r2"]["mean"] > 0.999
    for row, size in zip(found.rows[:2], (1, 2), strict=True):
        pca = PCA(size).fit(planted[:140])
        error = np.mean((planted[140:] - pca.inverse_transform(pca.transform(planted[140:]))) ** 2)
        assert row["mse"]["mean"] == pytest.approx(error, rel=0.1)


def test_a_training_that_diverges_stops_no_other():
    found = sweep(small("linear"), X, {"learning_rate": [1e200, 1e-2]}, seeds=2)
    lost, kept = found.rows
    assert (lost["diverged"], kept["diverged"]) == (2, 0)
    assert lost["fault"].startswith("the term 'reconstruction' of the loss is not finite; in epoch ")
    assert all(math.isnan(lost[name][part]) for name in ("mse", "r2", "epochs") for part in ("mean", "sd"))
    kept_rows, held = trials.hold_out(len(X), "X")
    assert_equals(kept, alone(small("linear", learning_rate=1e-2), X[kept_rows], X[held], range(2)))
    assert found.best["settings"] == {"learning_rate": 1e-2}
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"][0]["mse"] == {"mean": None, "sd": None}


def test_means_are_over_those_that_did_not_diverge(monkeypatch):
    def second_diverges(estimators, X, tick=None, groups=None):
        for ae in estimators:
            ae.fit(X)
        return [None, DivergenceError("planted", "in seed 1"), None]

    monkeypatch.setattr(sweeping, "fit_together", second_diverges)
    found = sweep(small("linear"), X[:100], {"learning_rate": [1e-2]}, seeds=3, X_test=X[100:])
    row = found.rows[0]
    assert (row["seeds"], row["diverged"], row["fault"]) == (3, 1, "planted; in seed 1")
    assert_equals(row, alone(small("linear", learning_rate=1e-2), X[:100], X[100:], [0, 2]))
    assert found.best["member"]["seed"] != 1


def test_there_is_no_best_where_all_diverged():
    found = sweep(small("linear"), X, {"learning_rate": [1e200]}, seeds=2)
    assert (found.best, found.best_estimator) == ({}, None)
    assert found.to_dict()["best"] == {}
    assert "*" not in repr(found).splitlines()[2]


def test_an_error_that_is_not_finite_is_never_the_best(monkeypatch):
    errors = iter([math.inf, 1.0, 3.0, 3.0])
    monkeypatch.setattr(sweeping, "scores", lambda ae, X: {"mse": next(errors, 3.0), "r2": 0.0})
    found = sweep(small("linear"), X, RATES, seeds=2)
    assert found.best["settings"] == {"learning_rate": 1e-2}


def test_json_has_the_promised_keys():
    told = sweep(small("linear"), X, {"penalty": [None, penalties.Weights(0.1)]}, seeds=2).to_dict()
    assert {"rows", "best"} <= set(told)
    for row in [*told["rows"], told["best"]]:
        assert {"settings", "seeds", "mse", "r2"} <= set(row)
        assert set(row["mse"]) == set(row["r2"]) == {"mean", "sd"}
    part = {"part": "penalties.Weights", "params": {"strength": 0.1}}
    assert [row["settings"] for row in told["rows"]] == [{"penalty": None}, {"penalty": part}]
    json.dumps(told, allow_nan=False)


def test_combinations_of_dotted_names_and_of_several_grids():
    grids = [{"learning_rate": [0.1, 0.2], "code_size": (2, 3)}, {"encoder.hidden": np.array([[4, 3]])}]
    assert sweeping.combinations(grids) == [
        {"learning_rate": 0.1, "code_size": 2},
        {"learning_rate": 0.2, "code_size": 2},
        {"learning_rate": 0.1, "code_size": 3},
        {"learning_rate": 0.2, "code_size": 3},
        {"encoder.hidden": [4, 3]},
    ]
    dotted = sweep(small("undercomplete"), X, {"encoder.hidden": [(4,), (5, 3)]}, seeds=1)
    under = sweep(small("undercomplete"), X, {"encoder__hidden": [(4,), (5, 3)]}, seeds=1)
    assert [ae.encoder.hidden for (ae,) in dotted.estimators] == [(4,), (5, 3)]
    assert [row["mse"] for row in dotted.rows] == [row["mse"] for row in under.rows]


def test_nothing_that_was_passed_in_is_changed():
    ae, part = small("linear", random_state=None), penalties.Weights(0.5)
    before = repr(ae)
    found = sweep(ae, X, {"penalty": [part], "penalty__strength": [0.1, 0.2]}, seeds=1)
    assert (repr(ae), part.strength, hasattr(ae, "module_")) == (before, 0.5, False)
    assert [one.penalty.strength for (one,) in found.estimators] == [0.1, 0.2]


def test_frames_keep_their_names():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    found = sweep(small("linear"), frame, RATES, seeds=2)
    assert list(found.best_estimator.feature_names_in_) == list("abcdef")
    assert found.best_estimator.transform(frame).shape == (160, 2)  # and warns of nothing
    plain = sweep(small("linear"), X.tolist(), RATES, seeds=2)
    assert not hasattr(plain.best_estimator, "feature_names_in_")
    assert [row["mse"] for row in plain.rows] == [row["mse"] for row in found.rows]


def test_the_table_as_a_frame():
    found = sweep(small("linear"), X, RATES, seeds=2)
    frame = found.to_frame()
    assert list(frame.columns) == [
        *("learning_rate", "seeds", "diverged", "mse_mean", "mse_sd", "r2_mean", "r2_sd"),
        *("epochs_mean", "epochs_sd", "seconds_mean", "seconds_sd"),
    ]
    assert frame["learning_rate"].tolist() == RATES["learning_rate"]
    assert frame["mse_mean"].tolist() == [row["mse"]["mean"] for row in found.rows]


def test_the_table_as_text():
    found = sweep(small("linear"), X, {"learning_rate": [1e-3, 1e-2], "penalty": [penalties.Weights(0.1)]}, seeds=2)
    title, head, first, second = repr(found).splitlines()
    assert title == "Sweep, mean ± sd over seeds on 48 rows; * has the lowest mse"
    assert head.split() == ["learning_rate", "penalty", "mse", "r2", "epochs", "seconds", "seeds"]
    assert first.startswith("  0.001          Weights(strength=0.1)  ")
    assert second.startswith("* 0.01           Weights(strength=0.1)  ")


EXAMPLE = "{'penalty__strength': [0.01, 0.1, 1]}"
BAD = [
    ({}, {}, f"the grid is empty; in sweep; at least one list of values by name, such as {EXAMPLE}"),
    ([], {}, f"the grid is empty; in sweep; at least one list of values by name, such as {EXAMPLE}"),
    ([RATES, {}], {}, f"the grid is empty; in sweep; at least one list of values by name, such as {EXAMPLE}"),
    ("x", {}, f"'x' is no grid; in sweep; lists of values by name, such as {EXAMPLE}"),
    ({"learning_rate": []}, {}, "learning_rate has no values; in the grid; at least one to try"),
    ({"learning_rate": 0.1}, {}, "learning_rate is 0.1; in the grid; a list of the values to try; [0.1]"),
    ({"scaling": "minmax"}, {}, "scaling is 'minmax'; in the grid; a list of the values to try; ['minmax']"),
    ({"patience": [2, 3, 2]}, {}, "patience has the value 2 twice; in the grid; each value once"),
    (
        {"encoder.hidden": [(2,)], "encoder__hidden": [(3,)]},
        {},
        "encoder__hidden comes twice; in the grid; each name once, with '__' or with '.'",
    ),
    (
        {"random_state": [1, 2]},
        {},
        "random_state cannot be swept; in the grid; a setting other than the seed; ask for more seeds",
    ),
    ({"code_sise": [1]}, {}, "no such setting: code_sise; in Autoencoder; did you mean 'code_size'?"),
    ({"penalty__strenght": [1.0]}, {}, "no such setting: strenght; in KL; did you mean 'strength'?"),
    (
        {"corruption.amount": [1.0]},
        {},
        (
            "corruption__amount cannot be set: corruption is None; in Autoencoder; "
            "a specification, which has parameters of its own"
        ),
    ),
    ({"learning_rate": [0.1, -1]}, {}, "learning_rate must be a number > 0; got -1; in Autoencoder"),
    ({"penalty__rho": [0.1, 2.0]}, {}, "rho must be a number > 0 and < 1; got 2.0; in KL"),
    (RATES, {"seeds": 0}, "seeds must be a whole number >= 1; got 0; in sweep"),
    (RATES, {"seeds": 2.5}, "seeds must be a whole number >= 1; got 2.5; in sweep"),
]


@pytest.mark.parametrize(("grid", "given", "message"), BAD, ids=[message[:40] for _, _, message in BAD])
def test_what_does_not_fit_is_refused_before_any_training(monkeypatch, grid, given, message):
    monkeypatch.setattr(sweeping, "fit_together", None)
    with pytest.raises(SettingError) as caught:
        sweep(small("sparse"), X, grid, **given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("rows_", "test", "message"),
    [
        (X[:1], None, "1 row; in X; at least 2, to train on some and test on others"),
        (X, X[:, :2], "X_test has 2 features, but Autoencoder is expecting 6 features as input; in X_test"),
        (
            X,
            np.full((2, 6), np.nan),
            (
                "Input X_test contains NaN; in row 0, column 0 of X_test, counted from 0; finite numbers; "
                "drop or impute such rows first"
            ),
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_any_training(monkeypatch, rows_, test, message):
    monkeypatch.setattr(sweeping, "fit_together", None)
    with pytest.raises(DataError) as caught:
        sweep(small("linear"), rows_, RATES, X_test=test)
    assert str(caught.value) == message


def test_parts_that_do_not_fit_each_other_are_refused_before_any_training(monkeypatch):
    monkeypatch.setattr("isthmus.populations._train", None)
    with pytest.raises(SettingError) as caught:
        sweep(small("linear"), X, {"penalty": [None, penalties.KL()]}, seeds=1)
    assert str(caught.value) == (
        "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
        "use code=codes.Activation('sigmoid')"
    )


def test_only_autoencoders_can_be_swept():
    with pytest.raises(SettingError) as caught:
        sweep(make_pipeline(small("linear")), X, RATES)
    assert str(caught.value) == "sweep cannot train a Pipeline; in estimator; an isthmus.Autoencoder"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1e-12, "1e-12"),
        ("minmax", "minmax"),
        (None, "None"),
        ((4, 2), "(4, 2)"),
        (encoders.Linear(), "Linear()"),
        (__import__("torch").nn.Linear(2, 3), "Linear"),
        (encoders.Linear, "Linear"),
    ],
)
def test_values_as_text(value, text):
    assert sweeping.told(value) == text


def test_spreads():
    assert trials.spread([1.0, 3.0]) == {"mean": 2.0, "sd": pytest.approx(math.sqrt(2))}
    assert trials.spread([0.1, 0.1, 0.1]) == {"mean": 0.1, "sd": 0.0}
    assert trials.spread([4]) == {"mean": 4.0, "sd": 0.0}
    assert all(math.isnan(value) for value in trials.spread([]).values())


def test_fit_all_raises_what_diverged():
    estimators = [small("linear"), small("linear", learning_rate=1e200)]
    done = []
    with pytest.raises(DivergenceError):
        trials.fit_all(estimators, X, done.append)
    assert sorted(done) == [0, 1]
    assert estimators[0].n_iter_ == 3
