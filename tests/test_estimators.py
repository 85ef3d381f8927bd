"""The scikit-learn face: its own checks, what enters, what leaves, and what the numbers mean."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from members import KINDS, Convolution, rows, small
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)
from torch import nn

from isthmus import AnomalyDetector, Autoencoder, codes, decoders, encoders, likelihoods
from isthmus.errors import DataError, SettingError
from isthmus.scaling import fit_scaler

STOCHASTIC = "batches, noise or held-out rows are drawn by row number, so repeated rows draw others"
EXCUSED = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), STOCHASTIC
)
CHECKED = [small(kind) for kind in KINDS]
DETECTORS = [AnomalyDetector(small(kind, random_state=None)) for kind in KINDS]  # the detector seeds it


@parametrize_with_checks([*CHECKED, *DETECTORS], expected_failed_checks=lambda estimator: EXCUSED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("wrap", [lambda ae: ae, AnomalyDetector], ids=["autoencoder", "detector"])
@pytest.mark.parametrize("kind", ["undercomplete", "contractive", "sparse", "topk"])
def test_where_fitting_is_deterministic_a_weight_of_two_is_two_rows(kind, wrap):
    ae = small(kind, batch_size=None, validation_fraction=0, max_epochs=10)
    check_sample_weight_equivalence_on_dense_data("Autoencoder", wrap(ae))


def quick(**settings):
    return small("undercomplete", **settings)


INPUTS = {
    "float32": lambda X: X.astype(np.float32),
    "float64": lambda X: X,
    "fortran": np.asfortranarray,
    "torch": torch.as_tensor,
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
}


@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS)
def test_whatever_holds_rows_may_enter(make):
    X = rows()
    given = make(X)
    ae = quick().fit(given)
    expected = quick().fit(X.astype(np.float32) if make is INPUTS["float32"] else X)
    codes_ = ae.transform(given)
    assert codes_.dtype == (np.float32 if make is INPUTS["float32"] else np.float64)
    np.testing.assert_array_equal(codes_, expected.transform(np.asarray(X, codes_.dtype)))
    assert ae.reconstruct(given).shape == ae.inverse_transform(codes_).shape == X.shape
    assert ae.score(given) == expected.score(np.asarray(X, codes_.dtype))


def test_whole_numbers_may_enter():
    X = np.round(rows() * 10).astype(np.int64)
    np.testing.assert_array_equal(quick().fit(X).transform(X), quick().fit(X.astype(float)).transform(X.astype(float)))


@pytest.mark.parametrize("given", [np.float32, np.float64])
@pytest.mark.parametrize("asked", [None, "float32", "float64", torch.float32])
def test_precision_follows_the_input_unless_asked(given, asked):
    X = rows(dtype=given)
    ae = quick(dtype=asked).fit(X)
    expected = {None: given, "float32": np.float32, "float64": np.float64, torch.float32: np.float32}[asked]
    assert next(ae.module_.parameters()).numpy(force=True).dtype == expected
    for out in (ae.transform(X), ae.reconstruct(X), ae.score_samples(X), ae.jacobian(X)):
        assert out.dtype == given


def test_names_of_columns():
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    ae = quick().fit(frame)
    assert ae.feature_names_in_.tolist() == list("abcdef")
    assert ae.get_feature_names_out().tolist() == ["autoencoder0", "autoencoder1"]
    with pytest.raises(ValueError, match=r"^The feature names should match those that were passed during fit"):
        ae.transform(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize(("library", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_codes_as_a_frame(library, kind):
    frame = kind(dict(zip("abcdef", rows().T, strict=True)))
    ae = quick().set_output(transform=library)
    codes_ = ae.fit_transform(frame)
    assert isinstance(codes_, kind)
    assert list(codes_.columns) == ["autoencoder0", "autoencoder1"]
    np.testing.assert_allclose(ae.inverse_transform(codes_), ae.reconstruct(frame))


def test_in_a_pipeline_and_a_search():
    X = rows()
    y = X[:, 0] > np.median(X[:, 0])
    pipeline = make_pipeline(quick(max_epochs=10), LogisticRegression())
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.6
    grid = {"code_size": [1, 3], "encoder": [encoders.MLP((4,)), encoders.Linear()]}
    search = GridSearchCV(quick(max_epochs=15, learning_rate=1e-2), grid, cv=2).fit(X)
    assert search.best_params_["code_size"] == 3
    assert GridSearchCV(quick(), {"schedule": np.array(["cosine", "constant"])}, cv=2).fit(X).best_score_ < 1


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_what_leaves_is_deterministic(self, kind):
        ae, X = small(kind).fit(rows()), rows()
        for method in (ae.transform, ae.reconstruct, ae.score_samples, ae.score, ae.jacobian):
            assert np.array_equal(method(X), method(X))

    def test_decoding_the_code_is_the_reconstruction(self, kind):
        ae, X = small(kind).fit(rows()), rows()
        np.testing.assert_allclose(ae.inverse_transform(ae.transform(X)), ae.reconstruct(X), rtol=1e-12)

    def test_rows_are_judged_one_by_one(self, kind):
        ae, X = small(kind).fit(rows()), rows()
        np.testing.assert_allclose(ae.score_samples(X[5:9]), ae.score_samples(X)[5:9], rtol=1e-10)

    def test_score_is_r2_in_scaled_units(self, kind):
        ae, X = small(kind, max_epochs=10).fit(rows()), rows(seed=3)
        scaled = ae.scale(X)
        error = np.square(scaled - ae.scale(ae.reconstruct(X))).sum()
        assert ae.score(X) == pytest.approx(1 - error / np.square(scaled - ae.mean_).sum())

    def test_score_samples_is_the_log_density(self, kind):
        ae, X = small(kind).fit(rows()), rows()
        squared = np.square(ae.scale(X) - ae.scale(ae.reconstruct(X))).sum(axis=1)
        np.testing.assert_allclose(ae.score_samples(X), -squared / 2 - X.shape[1] / 2 * np.log(2 * np.pi))

    def test_jacobian_is_that_of_finite_differences(self, kind):
        ae, X = small(kind).fit(rows()), rows()[:5]
        step, columns = 1e-6, []
        for j in range(X.shape[1]):
            nudge = np.zeros_like(X)
            nudge[:, j] = step * ae.scaler_.scale[j]  # one step in scaled units
            columns.append((ae.transform(X + nudge) - ae.transform(X - nudge)) / (2 * step))
        assert ae.jacobian(X).shape == (5, ae.code_size, X.shape[1])
        np.testing.assert_allclose(ae.jacobian(X), np.stack(columns, axis=2), atol=1e-6)

    def test_untrained_has_the_first_weights(self, kind):
        ae = small(kind)
        ae.set_params(batch_size=None, validation_fraction=0, max_epochs=1).fit(rows())
        twin = ae.untrained()
        before = [p.clone() for p in ae.module_.parameters()]
        assert any(not torch.equal(p, q) for p, q in zip(twin.module_.parameters(), before, strict=True))
        again = clone(ae).set_params(learning_rate=1e-300).fit(rows())  # a fit that moves nothing
        same = zip(twin.module_.parameters(), again.module_.parameters(), strict=True)
        assert all(torch.allclose(p, q, rtol=0, atol=1e-200) for p, q in same)
        if kind != "vq":  # a codebook follows the rows where no weight moves
            assert np.array_equal(twin.transform(rows()), again.transform(rows()))
        assert all(torch.equal(p, q) for p, q in zip(ae.module_.parameters(), before, strict=True))
        assert (twin.n_iter_, twin.history_) == (0, [])

    def test_own_weights_of_rows(self, kind):
        X = rows()
        with_nothing = np.r_[np.ones(100), np.zeros(20)]
        weighted = small(kind).fit(X, sample_weight=with_nothing)
        assert np.array_equal(weighted.transform(X), small(kind).fit(X[:100]).transform(X))


def test_predicting_the_mean_scores_exactly_0():
    X = rows()
    for dtype in ("float32", "float64"):
        ae = small("linear").fit(X.astype(dtype))
        with torch.no_grad():
            reader = ae.module_.decoder.reader
            reader.matrix.zero_()
            reader.bias.copy_(torch.as_tensor(ae.mean_))
        assert ae.score(X.astype(dtype)) == 0.0


def test_r2_of_standard_scaling_is_scikit_learns():
    """On the training rows themselves, columns of unit variance weigh alike."""
    X = rows()
    ae = quick(validation_fraction=0, max_epochs=20).fit(X)
    assert ae.score(X) == pytest.approx(r2_score(ae.scale(X), ae.scale(ae.reconstruct(X))))


def test_score_of_weighted_rows():
    ae, X = quick().fit(rows()), rows(30, seed=4)
    weight = np.r_[np.full(10, 2.0), np.ones(20)]
    assert ae.score(X, sample_weight=weight) == pytest.approx(ae.score(np.concatenate([X[:10], X])))


SCALINGS = {
    "standard": (lambda X: X.mean(0), lambda X: X.std(0)),
    "minmax": (lambda X: X.min(0), lambda X: X.max(0) - X.min(0)),
    "global": (lambda X: X.mean(0), lambda X: np.full(X.shape[1], np.sqrt(X.var(0).mean()))),
    None: (lambda X: np.zeros(X.shape[1]), lambda X: np.ones(X.shape[1])),
}


@pytest.mark.parametrize("how", SCALINGS)
def test_scaling_is_as_said_and_undone(how):
    X = rows()
    scaler = fit_scaler(X, how)
    shift, scale = SCALINGS[how]
    np.testing.assert_allclose(scaler.shift, shift(X), atol=1e-12)
    np.testing.assert_allclose(scaler.scale, scale(X))
    np.testing.assert_allclose(scaler.undo(scaler.apply(X)), X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("how", ["standard", "minmax"])
def test_a_constant_column_gets_scale_1(how, dtype):
    X = rows(5000, dtype=dtype)
    X[:, 2] = 0.1
    scaler = fit_scaler(X, how)
    assert scaler.scale[2] == 1
    assert (np.delete(scaler.scale, 2) != 1).all()
    np.testing.assert_allclose(scaler.apply(X)[:, 2], 0, atol=1e-7)


def test_a_large_column_does_not_hide_the_spread_of_a_small_one():
    X = rows()
    X[:, 0] += 1.7e18  # a time in nanoseconds
    X[:, 1] *= 1e-9
    np.testing.assert_allclose(fit_scaler(X, "standard").scale[1:], X.std(axis=0)[1:])


def test_weights_scale_as_repeated_rows_do():
    X, weight = rows(20), np.r_[np.full(5, 3), np.ones(15, int)]
    for how in SCALINGS:
        weighted, repeated = fit_scaler(X, how, weight), fit_scaler(np.repeat(X, weight, axis=0), how)
        np.testing.assert_allclose(weighted.shift, repeated.shift)
        np.testing.assert_allclose(weighted.scale, repeated.scale)


def grey(seed=0):
    return np.random.default_rng(seed).uniform(size=(60, 16))


@pytest.mark.parametrize(
    ("settings", "X", "how"),
    [
        ({}, rows(), "standard"),
        ({"input_shape": (1, 4, 4)}, grey(), "global"),
        ({"input_shape": (16,)}, grey(), "standard"),
        ({"likelihood": likelihoods.Bernoulli()}, grey(), None),
        ({"likelihood": likelihoods.Bernoulli(), "input_shape": (1, 4, 4)}, grey(), None),
        ({"likelihood": likelihoods.Bernoulli()}, rows(), "minmax"),
    ],
)
def test_what_auto_scaling_means(settings, X, how):
    auto, said = (quick(validation_fraction=0, scaling=s, **settings).fit(X) for s in ("auto", how))
    np.testing.assert_array_equal(auto.scaler_.scale, said.scaler_.scale)
    np.testing.assert_array_equal(auto.scaler_.shift, said.scaler_.shift)


def test_bernoulli_refuses_rows_outside_its_range():
    X = np.array([[0.0, 0.5], [1.5, -2.0]] * 10)
    with pytest.raises(DataError) as caught:
        Autoencoder(1, likelihood=likelihoods.Bernoulli(), scaling=None).fit(X)
    assert str(caught.value) == (
        "rows reach from -2 to 1.5; under scaling=None; numbers in [0, 1], as this model needs; use scaling='minmax'"
    )


def test_bernoulli_reconstructs_within_the_range_of_the_rows():
    X = rows()
    ae = quick(likelihood=likelihoods.Bernoulli(), validation_fraction=0).fit(X)
    restored = ae.reconstruct(X)
    assert (restored >= X.min(axis=0)).all()
    assert (restored <= X.max(axis=0)).all()


def test_samples_need_a_prior():
    ae = small("variational", max_epochs=60, learning_rate=1e-2).fit(rows(400))
    drawn = ae.sample(500, random_state=0)
    assert drawn.shape == (500, 6)
    assert np.array_equal(drawn, ae.sample(500, random_state=0))
    assert not np.array_equal(drawn, ae.sample(500, random_state=1))
    assert (np.abs(drawn.mean(axis=0) - rows(400).mean(axis=0)) < 0.5 * rows(400).std(axis=0)).all()
    with pytest.raises(SettingError) as caught:
        quick().fit(rows()).sample(3)
    assert str(caught.value) == (
        "this code has no prior to sample from; in sample; a code with a prior; "
        "train a variational kind, code=codes.Gaussian()"
    )
    with pytest.raises(SettingError, match=r"^n_samples must be a whole number >= 1; got -1; in sample$"):
        ae.sample(-1)


class Pair(nn.Module):
    """A user's code that returns statistics beside it."""

    def forward(self, a):
        return torch.sigmoid(a), {"logits": a}

    gives = ("unit interval",)


OWN = {
    "a module": {"encoder": nn.Linear(16, 3)},
    "a module for each": {"encoder": nn.Linear(16, 3), "decoder": nn.Linear(3, 16)},
    "a class": {"encoder": nn.Linear},
    "a convolution": {"encoder": Convolution, "input_shape": (1, 4, 4)},
    "a function": {"encoder": lambda inputs, outputs: nn.Sequential(nn.Linear(inputs, 5), nn.Linear(5, outputs))},
    "a function of no size": {"decoder": lambda: nn.Linear(3, 16)},
    "a function of any sizes": {"encoder": lambda *sizes: nn.Sequential(nn.Linear(*sizes))},
    "a decoder of images": {"decoder": lambda k, d: nn.Sequential(nn.Linear(k, d), nn.Unflatten(1, (1, 4, 4)))},
    "a code": {"code": nn.Tanh()},
    "a code that gives": {"code": Pair()},
    "a corruption": {"corruption": nn.Dropout(0.3)},
}


@pytest.mark.parametrize("slots", OWN.values(), ids=OWN)
def test_networks_of_ones_own(slots):
    X = grey()
    ae = Autoencoder(3, **slots, max_epochs=10, random_state=0)
    assert ae.fit_transform(X).shape == (60, 3)
    assert ae.reconstruct(X).shape == (60, 16)
    assert ae.history_[-1]["loss"] < ae.history_[0]["loss"]
    assert ae.jacobian(X).shape == (60, 3, 16)


def test_a_module_given_is_copied_not_trained():
    net = nn.Linear(6, 2)
    before = net.weight.clone()
    ae = Autoencoder(2, encoder=net, max_epochs=2, random_state=0).fit(rows())
    assert torch.equal(net.weight, before)
    assert not torch.equal(ae.module_.encoder.network.weight, before)


MISFITS = [
    (
        {"encoder": nn.Linear(16, 4)},
        "the encoder gives 4 numbers a row; in the slot encoder; 3 numbers a row",
    ),
    (
        {"encoder": nn.Linear(16, 3), "code": codes.Gaussian()},
        "the encoder gives 3 numbers a row; in the slot encoder; 6 numbers a row",
    ),
    (
        {"decoder": nn.Linear(3, 15)},
        "the decoder gives 15 numbers a row; in the slot decoder; 16 numbers a row",
    ),
    (
        {"code": nn.Linear(3, 2)},
        "the code gives 2 numbers a row; in the slot code; 3 numbers a row",
    ),
    (
        {"encoder": nn.Linear(15, 3)},
        (
            "the encoder cannot read rows of 16 numbers (mat1 and mat2 shapes cannot be multiplied (2x16 and 15x3)); "
            "in the slot encoder; check its first layer, and input_shape"
        ),
    ),
    (
        {"encoder": lambda inputs, outputs: "net"},
        "encoder returned str; in the slot encoder; a torch.nn.Module",
    ),
    (
        {"encoder": lambda a, b, c: None},
        "the encoder asks for a, b, c; in the slot encoder; a callable of at most 2 arguments by position",
    ),
    (
        {"likelihood": nn.Linear(2, 2)},
        "Linear says no probability of a row; in the slot likelihood; a subclass of likelihoods.Likelihood",
    ),
    (
        {"input_shape": (1, 4, 5)},
        "input_shape (1, 4, 5) has 20 numbers; in input_shape; 16, a row's width",
    ),
    (
        {"encoder": nn.Identity(), "decoder": nn.Identity(), "code_size": 16},
        "no part has anything to learn; in the slots; at least one parameter that requires a gradient",
    ),
    (
        {"device": "cuda:99"},
        None,
    ),
]


@pytest.mark.parametrize(("slots", "message"), MISFITS, ids=range(len(MISFITS)))
def test_what_does_not_fit_is_one_clear_error(slots, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(**{"code_size": 3, "max_epochs": 1} | slots).fit(grey())
    if message is None:
        assert caught.value.what.startswith("device 'cuda:99' cannot be used (")
        assert caught.value.expected == "'auto', 'cpu', or a GPU that is there such as 'cuda:0'"
    else:
        assert str(caught.value) == message


def with_entry(value, dtype=np.float64):
    X = rows(dtype=dtype)
    X[7, 3] = value
    return X


WHERE = "in row 7, column 3 of X, counted from 0; finite numbers; drop or impute such rows first"
BAD_ROWS = [
    (with_entry(np.nan), f"Input X contains NaN; {WHERE}"),
    (with_entry(-np.inf, np.float32), f"Input X contains infinity; {WHERE}"),
    (
        np.zeros((0, 3)),
        "Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required by Autoencoder.; in X",
    ),
    (
        np.arange(5.0),
        (
            "Expected 2D array, got 1D array instead; in X; Reshape your data: one row is X.reshape(1, -1), one column "
            "X.reshape(-1, 1)"
        ),
    ),
    ([["a", "b"]] * 3, "could not convert string to float: 'a'; in X"),
    (np.zeros((2, 3, 4)), "Found array with dim 3, while dim <= 2 is required by Autoencoder.; in X"),
    (
        np.ones((30, 3)),
        "every column is constant over 30 rows; in X; rows that differ; check that the right columns were read",
    ),
]


@pytest.mark.parametrize(("X", "message"), BAD_ROWS, ids=lambda v: v[:20] if isinstance(v, str) else "")
def test_rows_that_cannot_be_learned_from(X, message):
    with pytest.raises(DataError) as caught:
        quick().fit(X)
    assert str(caught.value) == message


def test_one_constant_column_is_fine():
    X = rows()
    X[:, 1] = 3.0
    ae = quick().fit(X)
    assert np.isfinite(ae.score(X))


def test_huge_finite_numbers_are_not_called_infinite():
    X = rows(dtype=np.float32)
    X[:, 0] = np.finfo(np.float32).max / 2
    with np.errstate(over="ignore"):
        assert not np.isfinite(X.sum())
    assert np.isfinite(quick().fit(X).score(X))


def test_a_width_that_differs_from_training_names_both():
    ae = quick().fit(rows())
    for method in (ae.transform, ae.reconstruct, ae.score, ae.score_samples, ae.jacobian, ae.partial_fit):
        with pytest.raises(DataError) as caught:
            method(rows(d=4))
        message = "X has 4 features, but Autoencoder is expecting 6 features as input.; in X"
        assert str(caught.value) == message


@pytest.mark.parametrize("Z", [np.zeros((3, 5)), np.zeros(2), np.zeros((1, 2, 2))], ids=lambda Z: str(Z.shape))
def test_codes_of_another_shape(Z):
    with pytest.raises(DataError) as caught:
        quick().fit(rows()).inverse_transform(Z)
    assert str(caught.value) == f"codes of shape {Z.shape}; in inverse_transform; (N, 2)"


BAD_WEIGHTS = [
    (np.ones(3), "sample_weight has shape (3,); (120,), one a row of X"),
    (np.r_[-1, np.ones(119)], "sample_weight has entries that are negative or not finite; numbers >= 0"),
    (np.r_[np.nan, np.ones(119)], "sample_weight has entries that are negative or not finite; numbers >= 0"),
    (np.zeros(120), "every weight is zero; in sample_weight; at least one positive weight"),
]


@pytest.mark.parametrize(("weight", "message"), BAD_WEIGHTS, ids=range(4))
def test_weights_that_cannot_be(weight, message):
    with pytest.raises(DataError) as caught:
        quick().fit(rows(), sample_weight=weight)
    assert str(caught.value) == message


def test_linear_errs_about_as_pca_does():
    X = rows(400)
    ae = small("linear", max_epochs=60, learning_rate=1e-2).fit(X)
    scaled = ae.scale(X)
    pca = PCA(2).fit(scaled)
    best = np.square(scaled - pca.inverse_transform(pca.transform(scaled))).mean()
    assert best <= np.square(scaled - ae.scale(ae.reconstruct(X))).mean() < 1.1 * best


def test_a_progress_bar_goes_to_standard_error(capsys):
    quick(verbose=1).fit(rows())
    quick(verbose=True).fit(rows())
    assert capsys.readouterr().out == ""


def test_decoders_of_ones_own_hear_the_default_encoder():
    ae = Autoencoder(3, decoder=decoders.Linear(), max_epochs=1, random_state=0).fit(rows())
    assert len(ae.module_.decoder.network.dense) == 1
    assert len(ae.module_.encoder.dense) == 2
