"""Stacks: the unrolled net is its layers one after the other until it is trained on as one."""

import numpy as np
import pytest
import torch
from members import rows
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from isthmus import (
    AnomalyDetector,
    Autoencoder,
    BoltzmannMachine,
    codes,
    corruptions,
    decoders,
    encoders,
    evidence,
    finetune,
    likelihoods,
    load,
    penalties,
    priors,
    stack,
    zoo,
)
from isthmus.errors import SettingError
from isthmus.populations import fit_together
from isthmus.stacking import StackedAutoencoder

QUICK = {"max_epochs": 3, "random_state": 0}
SIGMOID = {"encoder": encoders.Linear(), "code": codes.Activation("sigmoid"), **QUICK}
KINDS = {
    "plain": lambda: [zoo.undercomplete(5, (8,), **QUICK), zoo.undercomplete(2, (4,), **QUICK)],
    "deep": lambda: [zoo.linear(n, **QUICK) for n in (6, 5, 4, 3)],
    "one": lambda: [zoo.undercomplete(3, (8,), scaling="minmax", **QUICK)],
    "bits": lambda: [BoltzmannMachine(n, scaling="minmax", **QUICK) for n in (7, 4)],
    "bits, then real": lambda: [
        BoltzmannMachine(7, **QUICK),
        Autoencoder(2, encoders.Linear(), likelihood=likelihoods.Bernoulli(), **QUICK),
    ],
    "real, then bits": lambda: [BoltzmannMachine(7, "gaussian", **QUICK), BoltzmannMachine(3, **QUICK)],
    "tied": lambda: [Autoencoder(n, decoder=decoders.Tied(), scaling="global", **SIGMOID) for n in (5, 3)],
    "unit columns": lambda: [zoo.linear(n, penalty=penalties.L1(0.1), **QUICK) for n in (5, 3)],
    "variational": lambda: [zoo.topk(6, 3, **QUICK), zoo.variational(2, hidden=(4,), **QUICK)],
    "learned variance": lambda: [
        Autoencoder(4, likelihood=likelihoods.GaussianVariance("column"), **QUICK),
        zoo.linear(2, scaling=None, **QUICK),
    ],
}
TINY = {"max_epochs": 5, "random_state": 0}


def made(kind="plain", **settings):
    return stack(KINDS[kind](), **(TINY | settings))


def chained(layers, X, back=True):
    for layer in layers:
        X = layer.transform(X)
    for layer in reversed(layers) if back else ():
        X = layer.inverse_transform(X)
    return X


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKindOfLayer:
    def test_before_it_is_trained_on_it_is_its_layers_one_after_the_other(self, kind):
        X = rows()
        ae = made(kind, max_epochs=0).fit(X)
        assert [type(layer) for layer in ae.layers_] == [type(layer) for layer in ae.layers]
        np.testing.assert_allclose(ae.transform(X), chained(ae.layers_, X, back=False), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ae.reconstruct(X), chained(ae.layers_, X), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ae.inverse_transform(ae.transform(X)), ae.reconstruct(X), rtol=1e-9)
        assert (ae.n_iter_, ae.history_) == (0, [])

    def test_training_on_lowers_the_error_of_training_rows(self, kind):
        X = rows()
        how = {"validation_fraction": 0.0, "learning_rate": 0.01}
        before, after = (made(kind, max_epochs=n, **how).fit(X) for n in (0, 10))
        assert after.score(X) > before.score(X) + 0.01
        assert after.history_[-1]["loss"] < after.history_[0]["loss"]
        for layer, other in zip(before.layers_, after.layers_, strict=True):
            for one, two in zip(layer.module_.parameters(), other.module_.parameters(), strict=True):
                assert torch.equal(one, two)  # the layers stay as they were

    def test_saved_and_loaded(self, kind, tmp_path):
        X = rows()
        ae = made(kind).fit(X)
        ae.save(tmp_path)
        again = load(tmp_path)
        assert type(again) is StackedAutoencoder
        assert repr(again) == repr(ae)
        assert repr(again.get_params()["layers"]) == repr(ae.get_params()["layers"])
        for method in ("transform", "reconstruct", "score_samples"):
            assert np.array_equal(getattr(again, method)(X), getattr(ae, method)(X))
        assert np.array_equal(again.untrained().transform(X), ae.untrained().transform(X))
        assert again.partial_fit(X).n_iter_ == ae.n_iter_ + 1

    def test_a_classifier_starts_from_it(self, kind):
        X = rows()
        y = (X[:, 0] > np.median(X[:, 0])).astype(int)
        ae = made(kind).fit(X)
        net = finetune(ae, max_epochs=1, learning_rate=1e-12, random_state=0).fit(X, y)
        seen = []
        net.module_.network.network[-1].register_forward_hook(lambda module, given, out: seen.append(given[0]))
        net.predict_proba(X)
        np.testing.assert_allclose(torch.cat(seen).numpy(), ae.transform(X), atol=1e-8)
        assert finetune(ae, max_epochs=15, learning_rate=0.05, random_state=0).fit(X, y).score(X, y) > 0.8
        if len(ae.layers) > 1:
            pieces = finetune(ae.layers_, max_epochs=1, learning_rate=1e-12, random_state=0).fit(X, y)
            unrolled = finetune(made(kind, max_epochs=0).fit(X), max_epochs=1, learning_rate=1e-12, random_state=0)
            np.testing.assert_allclose(pieces.predict_proba(X), unrolled.fit(X, y).predict_proba(X), atol=1e-8)


def test_each_layer_is_trained_on_the_codes_of_the_one_before():
    X = rows()
    ae = stack([layer.set_params(scaling=None) for layer in KINDS["deep"]()], validation_fraction=0.0, **TINY).fit(X)
    given = X
    for layer, own in zip(KINDS["deep"](), ae.layers_, strict=True):
        alone = layer.set_params(scaling=None).fit(given)
        assert np.array_equal(alone.transform(given), own.transform(given))
        given = alone.transform(given)


@pytest.mark.parametrize("scaling", ["auto", "standard", "minmax", "global", None])
def test_a_stack_of_one_is_that_autoencoder(scaling):
    X = rows()
    ae = zoo.undercomplete(3, (8,), scaling=scaling, validation_fraction=0.0, **QUICK)
    one = stack([ae], max_epochs=0, validation_fraction=0.0, random_state=5).fit(X)
    alone = clone(ae).fit(X)
    np.testing.assert_allclose(one.transform(X), alone.transform(X), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(one.reconstruct(X), alone.reconstruct(X), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(one.score(X), alone.score(X), rtol=1e-9)
    assert one.layers_[0].scaling == scaling
    np.testing.assert_allclose(one.layers_[0].transform(X), alone.transform(X), rtol=1e-9, atol=1e-11)


def test_going_on_with_a_stack_of_one_is_going_on_with_that_autoencoder():
    X = rows()
    how = {"validation_fraction": 0.0, "schedule": "constant", "batch_size": None, "early_stopping": False}
    ae = zoo.linear(3, **QUICK | how)
    one = stack([ae], max_epochs=0, random_state=0, **how).fit(X).partial_fit(X)
    alone = clone(ae).fit(X)
    alone.n_iter_, alone.history_ = 0, []
    np.testing.assert_allclose(one.transform(X), alone.partial_fit(X).transform(X), rtol=1e-7, atol=1e-9)


def test_the_transpose_of_a_boltzmann_machine_is_its_decoder():
    ae = made("bits", max_epochs=0).fit(rows())
    for machine, back in zip(ae.layers_, reversed(ae.module_.decoder.levels), strict=True):
        layer = back.decoder.network.dense[0]
        assert torch.equal(layer.weight, machine.module_.weight.T)
        assert torch.equal(layer.bias, machine.module_.visible_bias)
    assert ae.module_.likelihood.unit_interval
    free = made("bits").fit(rows()).module_
    outwards, inwards = free.decoder.levels[-1].decoder.network, free.encoder[0].encoder
    assert not torch.equal(outwards.dense[0].weight, inwards.dense[0].weight.T)


def test_rows_held_out_are_not_seen_by_the_layers():
    X = rows()
    ae = made("deep", validation_fraction=0.25).fit(X)
    assert (ae.n_train_, ae.n_validation_) == (90, 30)
    assert [layer.n_train_ + layer.n_validation_ for layer in ae.layers_] == [90] * 4
    assert "validation_loss" in ae.history_[-1]


def test_weights_of_rows_reach_the_layers():
    X = rows()
    weight = np.where(np.arange(len(X)) < 60, 2.0, 1.0)
    layers = [zoo.linear(3, scaling=None, validation_fraction=0.0, **QUICK), zoo.linear(2, **QUICK)]
    ae = stack(layers, validation_fraction=0.0, **TINY).fit(X, sample_weight=weight)
    alone = clone(layers[0]).fit(X, sample_weight=weight)
    np.testing.assert_allclose(ae.layers_[0].transform(X), alone.transform(X), rtol=1e-9)


def test_the_squared_error_may_follow_bits():
    """Trained on by the squared error of the first layer's means: the same net to begin with, another loss."""
    X = rows()
    how = {"max_epochs": 0, "validation_fraction": 0.0}
    first, other = (made("bits", likelihood=own, **how).fit(X) for own in (None, likelihoods.Gaussian()))
    np.testing.assert_allclose(other.reconstruct(X), first.reconstruct(X), atol=1e-12)
    x = torch.as_tensor(other.scale(X))
    assert 0 <= x.min() < x.max() <= 1
    error = 0.5 * np.square(x.numpy() - other.scale(other.reconstruct(X))).sum(axis=1)
    np.testing.assert_allclose(-other.score_samples(X), error + 3 * np.log(2 * np.pi), rtol=1e-9)


def test_slots_of_the_fine_tuning():
    X = rows()
    ae = made(corruption=corruptions.Masking(0.4), penalty=penalties.Contraction(0.3)).fit(X)
    assert "penalty" in "".join(ae.history_[-1]).lower() or "contraction" in ae.history_[-1]
    plain = made().fit(X)
    slope = {own: np.square(own.jacobian(X)).sum() for own in (ae, plain)}
    assert slope[ae] < slope[plain]
    with torch.no_grad():
        noisy = ae.module_(torch.as_tensor(ae.scale(X)), rng=torch.Generator())
    assert 0.3 < (noisy.x_tilde == 0).double().mean() < 0.5


def test_seeds():
    X = rows()
    layers = [zoo.linear(4, max_epochs=3), zoo.linear(4, max_epochs=3)]
    one, same, other = (stack(layers, max_epochs=2, random_state=s).fit(X) for s in (1, 1, 2))
    assert np.array_equal(one.transform(X), same.transform(X))
    assert not np.allclose(one.layers_[0].transform(X), other.layers_[0].transform(X))
    assert one.layers_[0].seed_ != one.layers_[1].seed_
    assert layers[0].random_state is None
    assert not hasattr(layers[0], "module_")


def test_clones_have_no_state_and_layers_can_be_set():
    ae = made().fit(rows())
    twin = clone(ae)
    assert not hasattr(twin, "layers_")
    assert not hasattr(twin, "module_")
    assert repr(twin) == repr(ae)
    twin.set_params(layers=KINDS["deep"](), learning_rate=0.01)
    assert twin.fit(rows()).transform(rows()).shape == (120, 3)
    assert twin.get_feature_names_out().tolist() == [f"stackedautoencoder{i}" for i in range(3)]
    wide, narrow = ([zoo.linear(4, max_epochs=5), zoo.linear(k, max_epochs=5)] for k in (4, 1))
    search = GridSearchCV(
        stack(narrow, max_epochs=20, learning_rate=0.01, random_state=0), {"layers": [narrow, wide]}, cv=2
    ).fit(rows())
    assert search.best_params_["layers"] is wide


def test_stacks_are_told_apart_in_a_population():
    X = rows()
    several = [made(), made("tied"), made(random_state=3), made(max_epochs=0)]
    alone = [clone(ae).fit(X) for ae in several]
    assert fit_together(several, X) == [None] * 4
    for one, other in zip(several, alone, strict=True):
        np.testing.assert_allclose(one.transform(X), other.transform(X), rtol=1e-8, atol=1e-10)


def test_evidence_can_be_taken():
    X = rows(300)
    for epochs in (0, 5):
        found = evidence.examine(made(max_epochs=epochs).fit(X), X, rows(100, seed=1)).to_dict()
        assert {verdict["name"] for verdict in found["verdicts"]} >= {"better-than-pca", "better-than-untrained"}


def test_a_detector_around_it_is_saved(tmp_path):
    X = rows()
    detector = AnomalyDetector(made()).fit(X)
    detector.save(tmp_path)
    again = load(tmp_path)
    assert type(again.autoencoder_) is StackedAutoencoder
    assert np.array_equal(again.score_samples(X), detector.score_samples(X))


def test_codes_can_be_sampled():
    ae = made("variational", penalty=penalties.Divergence()).fit(rows())
    assert ae.sample(7, random_state=0).shape == (7, 6)
    assert "divergence" in ae.history_[-1]


EXCUSED = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "batches are drawn by row number, so repeated rows draw others",
)


@parametrize_with_checks(
    [stack([BoltzmannMachine(3, max_epochs=2), zoo.linear(2, max_epochs=2)], max_epochs=2, random_state=0)],
    expected_failed_checks=lambda estimator: EXCUSED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.one = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.one(x)


L = zoo.linear(2, **QUICK)
WRONG = {
    "none": (
        lambda: stack([]),
        (
            "layers must be a sequence of at least 1, each an Autoencoder or a BoltzmannMachine; got (); "
            "in StackedAutoencoder"
        ),
    ),
    "a class": (
        lambda: stack([Autoencoder]),
        (
            "layers must be a sequence of at least 1, each an Autoencoder or a BoltzmannMachine; "
            f"got ({Autoencoder!r},); in StackedAutoencoder"
        ),
    ),
    "a bad layer": (
        lambda: stack([L, zoo.linear(0)]),
        "code_size must be a whole number >= 1; got 0; in Autoencoder",
    ),
    "groups": (
        lambda: stack([L, Autoencoder(2, decoder=decoders.PerGroup())]),
        "a part needs the group of each row; in layers[1]; none that does",
    ),
    "own": (
        lambda: stack([L, Autoencoder(2, encoder=Net, **QUICK)]),
        (
            "the encoder is a network of your own; in layers[1]; a specification; "
            "write it as a specification, such as encoders.MLP()"
        ),
    ),
    "own decoder": (
        lambda: stack([Autoencoder(2, decoder=Net, **QUICK)]),
        (
            "the decoder is a network of your own; in layers[0]; a specification; "
            "write it as a specification, such as encoders.MLP()"
        ),
    ),
    "a likelihood that cannot follow": (
        lambda: stack([L], likelihood=likelihoods.Bernoulli()),
        (
            "likelihoods.Bernoulli(binary=False) cannot follow layers whose rows are likelihoods.Gaussian(scale=1.0); "
            "in StackedAutoencoder; the first layer's, or likelihoods.Gaussian(); "
            "give the first layer likelihood=likelihoods.Bernoulli(binary=False)"
        ),
    ),
    "counts": (
        lambda: stack([Autoencoder(2, likelihood=likelihoods.Poisson(), **QUICK)]),
        (
            "the encoder sees counts as logarithms, or categories as bits; in layers[0]; "
            "a likelihood of real numbers; write it as a specification, such as encoders.MLP()"
        ),
    ),
    "a prior of rows": (
        lambda: stack([L, Autoencoder(2, code=codes.Gaussian(priors.Vamp(3)), **QUICK)]),
        "the last layer's code has a prior made of its own rows; in layers; another prior, such as priors.Standard()",
    ),
    "a penalty": (
        lambda: stack([L], penalty=codes.Plain()),
        "codes.Plain() is no penalty; in the slot penalty; one of penalties",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_stacked(name):
    make, message = WRONG[name]
    with pytest.raises(SettingError) as fault:
        make().fit(np.abs(np.rint(rows())))
    assert str(fault.value) == message


def test_unknown_settings():
    with pytest.raises(SettingError, match=r"^no such setting: learning_rat; in StackedAutoencoder; did you mean 'lea"):
        stack([L], learning_rat=1)
    with pytest.raises(SettingError, match=r"^no such setting: code_size; in StackedAutoencoder"):
        stack([L], code_size=1)
    with pytest.raises(SettingError, match=r"^layers__0 cannot be set: layers is \("):
        stack([L]).set_params(layers__0=3)
