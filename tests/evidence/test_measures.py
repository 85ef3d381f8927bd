"""Each measure against a closed form, another library, or a case whose answer is known."""

import copy
import json

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import roc_auc_score

from isthmus import Autoencoder, codes, decoders, encoders, evidence, zoo
from isthmus.errors import DataError
from isthmus.evidence.code_usage import dead_units, directions, saturated_units
from isthmus.evidence.convergence import convergence
from isthmus.evidence.distribution import column_shift, two_sample_scores
from isthmus.evidence.geometry import geometry, jacobian_spectra
from isthmus.evidence.intervals import of_halves, of_mean, of_means
from isthmus.evidence.memorisation import copied, identity, iterate, memorisation
from isthmus.evidence.pictures import code_map, pictures
from isthmus.evidence.probes import PROBES, View, clustering, probe
from isthmus.evidence.reconstruction import generalisation, r_squared, reconstruction
from isthmus.evidence.robustness import NOISE, robustness
from isthmus.evidence.structure import participation_ratio, structured_directions, variances
from isthmus.evidence.subject import Subject


def linear_net(X, encoder, decoder, **settings):
    """A linear net z = Wx, x̂ = Vz of scaled rows, with the given W, (K, D), and V, (D, K)."""
    ae = Autoencoder(len(encoder), encoders.Linear(), decoders.Linear(), max_epochs=1, random_state=0, **settings).fit(
        X
    )
    ae = copy.deepcopy(ae)
    with torch.no_grad():
        for layer, matrix in ((ae.module_.encoder.layers[0], encoder), (ae.module_.decoder.reader, decoder)):
            layer.matrix.copy_(torch.as_tensor(np.asarray(matrix)))
            layer.bias.zero_()
    return ae


def subject(ae, X_train, X_test, y=None):
    return Subject.of(ae, evidence.Reference.of(ae, X_train), X_test, y)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)


# Intervals


def test_bootstrap_interval_of_a_mean_is_the_normal_one():
    x = np.random.default_rng(0).normal(2, 3, size=500)
    found = of_mean(x)
    reach = 1.96 * x.std() / np.sqrt(500)
    assert found.value == pytest.approx(x.mean())
    assert [found.low, found.high] == pytest.approx([x.mean() - reach, x.mean() + reach], abs=0.3 * reach)


def test_intervals_hold_the_truth_about_95_times_in_a_hundred():
    rng = np.random.default_rng(1)
    hits = [(e := of_mean(rng.normal(size=60))).low <= 0 <= e.high for _ in range(200)]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_halves_give_the_standard_error_of_a_mean():
    x = np.random.default_rng(0).normal(size=400)
    found = of_halves(400, lambda rows: float(x[rows].mean()))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * x.std() / 20, rel=0.6)


def test_many_rows_are_averaged_in_blocks_without_bias():
    x = np.random.default_rng(0).exponential(size=50_001)
    found = of_mean(x)
    assert found.value == pytest.approx(x.mean(), rel=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * x.std() / np.sqrt(len(x)), rel=0.3)


def test_one_row_has_no_interval():
    assert of_mean(np.array([3.0])).interval is None


# Reconstruction


def test_predicting_the_training_mean_scores_exactly_0(rows):
    zero = linear_net(rows[:300], np.zeros((2, 6)), np.zeros((6, 2)), validation_fraction=0.0)
    with torch.no_grad():
        zero.module_.decoder.reader.bias.copy_(torch.as_tensor(zero.mean_))
    found = reconstruction(subject(zero, rows[:300], rows[300:]))
    assert found["r2"].value == 0.0
    assert found["mse"].value == found["mean_mse"].value


def test_r2_and_mse_are_those_of_the_estimator_and_numpy(rows, shelf):
    ae = shelf.digits_net
    X, X_test, _ = shelf.digits
    found = reconstruction(subject(ae, X, X_test))
    assert found["r2"].value == pytest.approx(ae.score(X_test), abs=1e-5)
    assert found["mse"].value == pytest.approx(np.mean((X_test - ae.reconstruct(X_test)) ** 2), rel=1e-4)


def test_pca_is_scikit_learns_in_scaled_space(shelf):
    ae, (X, X_test, _) = shelf.plane_net, shelf.plane
    pca = PCA(4).fit(ae.scale(X))
    x_hat = pca.inverse_transform(pca.transform(ae.scale(X_test)))
    found = reconstruction(subject(ae, X, X_test))
    assert found["pca_mse"].value == pytest.approx(np.mean((X_test - ae.unscale(x_hat)) ** 2), rel=1e-6)
    spread = np.square(ae.scale(X_test) - ae.mean_).sum()
    assert found["pca_r2"].value == pytest.approx(1 - np.square(ae.scale(X_test) - x_hat).sum() / spread, rel=1e-6)


def test_a_net_that_is_pca_neither_gains_nor_falls_short(shelf):
    X, X_test, _ = shelf.plane
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    axes = PCA(3).fit(scaled).components_
    found = reconstruction(subject(linear_net(X, axes, axes.T, validation_fraction=0.0), X, X_test))
    assert found["pca_gain"].value == pytest.approx(0, abs=1e-6)
    assert found["pca_shortfall"] == pytest.approx(0, abs=1e-6)


def test_the_gap_of_rows_with_themselves_is_0(shelf):
    X, _, _ = shelf.plane
    assert generalisation(subject(shelf.plane_net, X, X))["gap"].value == pytest.approx(0, abs=1e-12)


def test_r_squared_interval_holds_the_value():
    error, spread = np.random.default_rng(0).chisquare(3, size=(2, 300))
    found = r_squared(error, spread * 4)
    assert found.low < found.value < found.high < 1


# Copying and memorising


def test_the_identity_copies_noise_and_a_projection_keeps_its_share(rows):
    copier = linear_net(rows[:300], np.eye(6), np.eye(6))
    half = linear_net(rows[:300], np.eye(6)[:3], np.eye(6)[:, :3])
    assert identity(subject(copier, rows[:300], rows[300:])).value >= 0.98
    assert identity(subject(half, rows[:300], rows[300:])).value == pytest.approx(0.5, abs=0.1)
    assert copied(half, rows[300:]) == identity(subject(half, rows[:300], rows[300:])).value
    with pytest.raises(DataError) as told:
        copied(half, rows[:1])
    assert str(told.value) == "fewer than 2 rows; in copied; rows whose columns can be shuffled"


def test_iteration_of_a_shrinking_map_ends_at_its_fixed_point(rows):
    shrinking = linear_net(rows[:300], np.eye(6) / 2, np.eye(6))
    seen = subject(shrinking, rows[:300], rows[300:])
    assert np.abs(iterate(seen, seen.x)).max() < 1e-12


def test_an_exploding_iteration_is_no_memory(rows):
    exploding = linear_net(rows[:300], np.eye(6) * 100, np.eye(6))
    found = memorisation(subject(exploding, rows[:300], rows[300:]))
    assert found["ends_on_training_rows"].value == 0


class NearestRow(torch.nn.Module):
    """The perfect indexer: answers with the training row whose number the code tells."""

    def __init__(self, rows):
        super().__init__()
        self.register_buffer("rows", rows)
        self.scale = torch.nn.Parameter(torch.ones((), dtype=rows.dtype))

    def forward(self, x):
        return torch.cdist(x.flatten(1), self.rows).argmin(dim=1, keepdim=True) * self.scale + 0 * x[:, :1]


class LookUp(NearestRow):
    def forward(self, z):
        return self.rows[z[:, 0].round().long().clamp(0, len(self.rows) - 1)] * self.scale


def test_the_perfect_indexer_is_found_out(rows):
    train = rows[:40]
    scaled = torch.as_tensor((train - train.mean(axis=0)) / train.std(axis=0))
    ae = Autoencoder(1, NearestRow(scaled), LookUp(scaled), max_epochs=1, learning_rate=1e-12).fit(train)
    found = evidence.examine(ae, train, rows[300:])
    assert found.sections["memorisation"]["ends_on_training_rows"].value == 1
    assert found.sections["memorisation"]["nearness"] == pytest.approx(1, abs=1e-6)
    assert {v.name: v.status for v in found.verdicts}["memorises"] == "fail"


# Code


def test_participation_ratio_is_known_for_equal_and_for_single_variances():
    assert participation_ratio(np.ones(7)) == pytest.approx(7)
    assert participation_ratio(np.array([5.0, 0, 0])) == pytest.approx(1)
    assert participation_ratio(np.array([2.0, 1.0])) == pytest.approx(9 / 5)
    assert participation_ratio(np.zeros(3)) == 0


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_variances_are_those_of_pca(shape):
    x = np.random.default_rng(0).normal(size=shape)
    found = variances(x)[: min(shape) - 1]
    assert found == pytest.approx(PCA().fit(x).explained_variance_[: min(shape) - 1] * (shape[0] - 1) / shape[0])


@pytest.mark.parametrize("planted", [0, 1, 3, 7])
def test_planted_directions_are_counted(planted):
    rng = np.random.default_rng(planted)
    axes = np.linalg.qr(rng.normal(size=(20, planted)))[0] if planted else np.zeros((20, 0))
    x = 4 * rng.normal(size=(500, planted)) @ axes.T + rng.normal(size=(500, 20))
    assert structured_directions(x) == planted


def test_dead_units_are_those_that_do_not_vary(rows):
    matrix = np.eye(6)
    matrix[[1, 4]] = 0
    assert dead_units(subject(linear_net(rows[:300], matrix, np.eye(6)), rows[:300], rows[300:])).tolist() == [
        False, True, False, False, True, False,
    ]  # fmt: skip


def test_a_gaussian_code_is_dead_below_a_variance_of_one_hundredth(rows):
    ae = Autoencoder(3, encoders.Linear(), decoders.Linear(), codes.Gaussian(), max_epochs=1, random_state=0)
    ae = copy.deepcopy(ae.fit(rows[:300]))
    with torch.no_grad():
        layer = ae.module_.encoder.layers[0]
        layer.matrix.zero_()
        layer.matrix[0, 0], layer.matrix[1, 1], layer.matrix[2, 2] = 1.0, 0.12, 0.08
        layer.bias.zero_()  # noise of variance 1, the prior's
    assert dead_units(subject(ae, rows[:300], rows[300:])).tolist() == [False, False, True]
    with torch.no_grad():
        layer.bias[3:] = torch.tensor([5.0, 0.0, -5.0])  # more noise drowns a unit, less lets a faint one speak
    assert dead_units(subject(ae, rows[:300], rows[300:])).tolist() == [True, False, False]


def test_saturated_units_switch_or_stick_and_sparse_ones_do_not():
    rng = np.random.default_rng(0)
    switching, stuck = rng.integers(0, 2, size=500), np.full(500, 0.999)
    graded, sparse, rare = rng.uniform(size=500), rng.beta(0.5, 10, size=500), (rng.uniform(size=500) < 0.05) * 0.4
    z = np.column_stack([switching, stuck, graded, sparse, rare]).astype(float)
    assert saturated_units(z, (0.0, 1.0)).tolist() == [True, True, False, False, False]
    assert saturated_units(2 * z - 1, (-1.0, 1.0)).tolist() == [True, True, False, False, False]


def test_directions_are_the_rank_of_a_linear_code(rows):
    copies = np.eye(6)[[0, 1, 0, 1, 0, 1]]
    seen = subject(linear_net(rows[:300], copies, np.linalg.pinv(copies)), rows[:300], rows[300:])
    assert directions(seen) == 2


# Geometry and robustness


def test_trustworthiness_is_scikit_learns(shelf):
    ae, (X, X_test, _) = shelf.plane_net, shelf.plane
    found = evidence.examine(ae, X, X_test).sections["geometry"]
    x, z = ae.scale(X_test), ae.transform(X_test)
    assert found["trustworthiness"].value == pytest.approx(trustworthiness(x, z, n_neighbors=10), abs=1e-9)
    assert found["continuity"].value == pytest.approx(trustworthiness(z, x, n_neighbors=10), abs=1e-9)


def test_the_spectrum_of_a_linear_encoder_is_that_of_its_matrix(rows):
    matrix = np.random.default_rng(0).normal(size=(3, 6))
    found = jacobian_spectra(subject(linear_net(rows[:300], matrix, matrix.T), rows[:300], rows[300:]))
    assert found == pytest.approx(np.tile(np.linalg.svd(matrix, compute_uv=False), (len(found), 1)))


def test_a_code_too_wide_for_its_jacobian_is_told_so(rows, monkeypatch):
    judged = subject(linear_net(rows[:300], np.eye(6), np.eye(6)), rows[:300], rows[300:])
    monkeypatch.setattr("isthmus.evidence.geometry.MOST_NUMBERS", 35)
    told = geometry(judged)
    assert (told["jacobian_rows"], told["jacobian_norm"], told["jacobian_dimension"]) == (0, None, None)
    assert told["trustworthiness"].value == pytest.approx(1)
    assert pictures(judged)["spectrum"] is None


@pytest.mark.parametrize("wide", [False, True])
def test_the_map_of_a_code_is_its_two_principal_components(rows, wide):
    z = np.repeat(rows[:40], 9, axis=1) if wide else rows
    expected = PCA(2).fit_transform(z)
    np.testing.assert_allclose(np.abs(code_map(z)), np.abs(expected), atol=1e-8)


def test_the_identity_neither_amplifies_noise_nor_takes_it_away(rows):
    found = robustness(subject(linear_net(rows[:300], np.eye(6), np.eye(6)), rows[:300], rows[300:]))
    assert found["amplification"].value == pytest.approx(1, rel=0.1)
    assert found["r2_noisy"].value == pytest.approx(1 - NOISE**2, abs=3e-3)


def test_a_code_on_another_scale_is_as_robust(rows):
    one, other = (
        robustness(subject(linear_net(rows[:300], np.eye(6) * k, np.eye(6) / k), rows[:300], rows[300:]))
        for k in (1, 1000)
    )
    assert one["amplification"].value == pytest.approx(other["amplification"].value, rel=1e-6)


# Test rows, probes, history


def test_two_sample_auc_of_shifted_normals_is_the_closed_form():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(800, 1)), rng.normal(1.0, 1, size=(800, 1))
    side = np.repeat([0, 1], 800)
    linear, _ = two_sample_scores(train, test)
    assert roc_auc_score(side, linear) == pytest.approx(0.7602, abs=0.03)  # Φ(1/√2)


def test_alike_samples_are_not_told_apart(rows):
    side = np.repeat([0, 1], [300, 100])
    assert max(roc_auc_score(side, s) for s in two_sample_scores(rows[:300], rows[300:])) < 0.6
    assert column_shift(rows[:300], rows[300:])[0] == 0


def test_the_shifted_column_is_named(rows):
    moved = rows[300:] + np.array([0, 0, 0, 50, 0, 0])
    assert column_shift(rows[:300], moved) == (1.0, 3)


def test_probes_read_a_code_that_tells_the_class_and_guess_from_one_that_does_not():
    y = np.repeat([0, 1, 2], 60)
    rng = np.random.default_rng(0)
    tells = np.eye(3)[y] * 5 + rng.normal(size=(180, 3))
    for reader in PROBES.values():
        assert probe(reader, View(tells), y).mean() > 0.95
        assert probe(reader, View(rng.normal(size=(180, 3))), y).mean() < 0.5
        assert probe(reader, View(np.ones((180, 3))), y).mean() == pytest.approx(1 / 3)
    assert clustering(tells, y).value > 0.9
    assert abs(clustering(rng.normal(size=(180, 3)), y).value) < 0.1
    assert clustering(np.ones((180, 3)), y).value == 0


def history(losses):
    return [{"loss": loss, "learning_rate": 1.0} for loss in losses]


@pytest.mark.parametrize(
    ("losses", "key", "value"),
    [
        (np.linspace(1, 0, 101), "falling", 0.25),
        (np.r_[np.linspace(1, 0, 50), np.zeros(50)], "falling", 0.0),
        (np.r_[np.linspace(1, 0, 50), np.linspace(0, 0.3, 50)], "regret", 0.3),
        (np.r_[np.linspace(1, 0, 50), 2.0, np.zeros(50)], "jump", 2.0),
        (np.linspace(0, 1, 20), "falling", 1.0),
        ([1.0, 0.5], "falling", 1.0),
    ],
)
def test_histories_of_known_shape(losses, key, value):
    assert convergence(history(losses), "max_epochs")[key] == pytest.approx(value, abs=0.02)


def test_patience_spent_is_rest():
    assert convergence(history(np.linspace(1, 0, 40)), "patience")["falling"] == 0


def test_statistics_of_means_are_functions_of_columns():
    rows = np.arange(12.0).reshape(6, 2)
    assert of_means(rows, lambda m: m[..., 0] / m[..., 1]).value == pytest.approx(5 / 6)


def test_examining_twice_gives_the_same_bits(shelf):
    X, X_test, y_test = shelf.digits
    first, second = (json.dumps(evidence.examine(shelf.digits_net, X, X_test, y_test).to_dict()) for _ in range(2))
    assert first == second


def test_float32_and_float64_agree(shelf):
    X, X_test, _ = shelf.plane
    a = evidence.examine(shelf.plane_net, X, X_test)
    b = evidence.examine(shelf.plane_net, X.astype(np.float32), X_test.astype(np.float32))
    assert a.sections["reconstruction"]["r2"].value == pytest.approx(b.sections["reconstruction"]["r2"].value, abs=1e-5)
    assert [v.status for v in a.verdicts] == [v.status for v in b.verdicts]


def test_top_k_codes_are_compared_with_pca_of_as_many_numbers(shelf):
    X, X_test, _ = shelf.digits
    ae = zoo.topk(64, k=8, max_epochs=20, input_shape=(1, 8, 8), random_state=0).fit(X)
    assert reconstruction(subject(ae, X, X_test))["pca_size"] == 8
