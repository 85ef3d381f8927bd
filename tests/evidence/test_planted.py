"""Faults planted in real estimators are each named by a verdict; sound models are left in peace."""

import copy

import numpy as np
import pytest
import torch

from isthmus import Autoencoder, codes, decoders, encoders, evidence, likelihoods, penalties, zoo

IMAGES = {"input_shape": (1, 8, 8), "random_state": 0}
SEED = {"random_state": 0, "batch_size": 64, "learning_rate": 5e-3}  # tables: few and quick steps


def edited(ae, change):
    """A copy of a fitted estimator with its weights changed by `change(module)`."""
    twin = copy.deepcopy(ae)
    with torch.no_grad():
        change(twin.module_)
    return twin


def spoil_code(ae, change):
    return edited(ae, lambda module: change(module.encoder.layers[-1]))


# Copying and memorising ----------------------------------------------------------------------------------------------


def identity_copy(shelf):
    X, X_test, _ = shelf.digits
    return Autoencoder(64, encoders.Linear(), decoders.Linear(), max_epochs=60, **IMAGES).fit(X), X, X_test


def identity_by_hand(shelf):
    X, X_test, _ = shelf.plane
    ae = Autoencoder(20, encoders.Linear(), decoders.Linear(), max_epochs=30, **SEED).fit(X)

    def copier(module):
        for layer in (module.encoder.layers[0], module.decoder.network.layers[0]):
            layer.matrix.copy_(torch.eye(20))
            layer.bias.zero_()

    return edited(ae, copier), X, X_test


def memorising_sixteen_points(shelf):
    X, X_test, _ = shelf.digits
    net = Autoencoder(
        1, encoders.MLP((128, 128)), max_epochs=1500, early_stopping=False, validation_fraction=0.0, **SEED
    )
    return net.fit(X[:16]), X[:16], X_test[:200]


def overfit_on_few_rows(shelf):
    X, X_test, _ = shelf.digits
    net = Autoencoder(16, encoders.MLP((256,)), max_epochs=400, early_stopping=False, validation_fraction=0.0, **IMAGES)
    return net.fit(X[:60]), X[:60], X_test[:200]


# Codes that say nothing ----------------------------------------------------------------------------------------------


def collapsed_vae(shelf):
    X, X_test, _ = shelf.digits
    return zoo.variational(8, beta=200.0, max_epochs=50, **IMAGES).fit(X), X, X_test


def divergence_too_strong_on_a_table(shelf):
    X, X_test, _ = shelf.breast_cancer
    return zoo.variational(4, beta=100.0, max_epochs=60, **SEED).fit(X), X, X_test


def bernoulli_collapse(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(
        8,
        code=codes.Gaussian(),
        likelihood=likelihoods.Bernoulli(),
        penalty=penalties.Divergence(100.0),
        max_epochs=40,
        **SEED,
    )
    return ae.fit(X / 16), X / 16, X_test / 16


def decoder_that_ignores_the_code(shelf):
    X, X_test, _ = shelf.digits
    deaf = edited(shelf.digits_net, lambda module: module.decoder.reader.matrix.zero_())
    return deaf, X, X_test


def contraction_too_strong(shelf):
    X, X_test, _ = shelf.digits
    return zoo.contractive(8, strength=100.0, max_epochs=60, **IMAGES).fit(X), X, X_test


def sparsity_too_strong(shelf):
    X, X_test, _ = shelf.digits
    return zoo.sparse(32, strength=3000.0, max_epochs=50, **IMAGES).fit(X), X, X_test


def l1_too_strong(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(
        16,
        encoders.Linear(),
        decoders.Linear(),
        codes.Activation("relu"),
        penalty=penalties.L1(30.0),
        max_epochs=40,
        **IMAGES,
    )
    return ae.fit(X), X, X_test


def constant_output(shelf):
    X, X_test, _ = shelf.digits

    def mute(module):
        last = module.decoder.network.layers[-1]
        last.matrix.zero_()
        last.bias.zero_()

    return edited(shelf.digits_net, mute), X, X_test


def decay_too_strong(shelf):
    X, X_test, _ = shelf.digits
    return zoo.undercomplete(8, weight_decay=300.0, max_epochs=40, **IMAGES).fit(X), X, X_test


# Units ---------------------------------------------------------------------------------------------------------------


class HalfCut(torch.nn.Module):
    """An encoder with a third of its outputs cut off, before training."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.ReLU())
        self.head = torch.nn.Linear(128, outputs)
        self.register_buffer("alive", (torch.arange(outputs) % 3 > 0).float())

    def forward(self, x):
        return self.head(self.body(x)) * self.alive


class Echo(torch.nn.Module):
    """An encoder whose outputs are all the same number."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.one = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)
        )
        self.outputs = outputs

    def forward(self, x):
        return self.one(x).repeat(1, self.outputs)


def dead_from_the_start(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(24, HalfCut, decoders.MLP(), max_epochs=60, **IMAGES)
    return ae.fit(X), X, X_test


def dead_by_edit(shelf):
    X, X_test, _ = shelf.digits
    return spoil_code(shelf.digits_net, lambda layer: layer.matrix[:2].zero_()), X, X_test


def top_units_never_chosen(shelf):
    X, X_test, _ = shelf.wine
    return zoo.topk(128, k=4, max_epochs=150, **SEED).fit(X), X, X_test


def posterior_partly_inactive(shelf):
    X, X_test, _ = shelf.manifold
    return zoo.variational(16, beta=2.0, max_epochs=150, **SEED).fit(X), X, X_test


def saturated_by_training(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(16, encoders.Linear(), code=codes.Activation("tanh"), learning_rate=0.3, max_epochs=60, **IMAGES)
    return ae.fit(X), X, X_test


def saturated_by_edit(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(16, encoders.Linear(), code=codes.Activation("sigmoid"), max_epochs=60, **IMAGES).fit(X)
    return spoil_code(ae, lambda layer: layer.matrix.mul_(60)), X, X_test


def repeated_units(shelf):
    X, X_test, _ = shelf.digits

    def repeat(layer):
        layer.matrix[1:] = layer.matrix[0]
        layer.bias[1:] = layer.bias[0]

    return spoil_code(shelf.digits_net, repeat), X, X_test


def repeated_by_training(shelf):
    X, X_test, _ = shelf.digits
    ae = Autoencoder(8, Echo, decoders.MLP(), learning_rate=5e-3, max_epochs=120, **IMAGES)
    return ae.fit(X), X, X_test


# Sizes ---------------------------------------------------------------------------------------------------------------


def too_small_for_digits(shelf):
    X, X_test, _ = shelf.digits
    return zoo.undercomplete(1, max_epochs=80, **IMAGES).fit(X), X, X_test


def too_small_for_a_plane(shelf):
    X, X_test, _ = shelf.plane
    return zoo.linear(1, max_epochs=100, **SEED).fit(X), X, X_test


def too_large_for_a_sheet(shelf):
    X, X_test, _ = shelf.manifold
    return zoo.undercomplete(16, max_epochs=150, **SEED).fit(X), X, X_test


def too_large_for_a_plane(shelf):
    X, X_test, _ = shelf.plane
    return zoo.linear(15, max_epochs=100, **SEED).fit(X), X, X_test


def wider_than_the_rows(shelf):
    X, X_test, _ = shelf.manifold
    return Autoencoder(40, max_epochs=100, **SEED).fit(X), X, X_test


def nothing_but_noise(shelf):
    X, X_test, _ = shelf.noise
    return zoo.undercomplete(8, max_epochs=60, **SEED).fit(X), X, X_test


def uniform_noise_denoised(shelf):
    X = np.random.default_rng(0).uniform(size=(800, 20))
    return zoo.denoising(6, max_epochs=60, **SEED).fit(X[:500]), X[:500], X[500:]


# Training ------------------------------------------------------------------------------------------------------------


def three_epochs(shelf):
    X, X_test, _ = shelf.digits
    return zoo.undercomplete(8, max_epochs=3, **IMAGES).fit(X), X, X_test


def rate_too_low(shelf):
    X, X_test, _ = shelf.digits
    return zoo.undercomplete(8, max_epochs=12, learning_rate=1e-4, **IMAGES).fit(X), X, X_test


def rate_too_high(shelf):
    X, X_test, _ = shelf.digits
    ae = zoo.undercomplete(8, max_epochs=30, learning_rate=0.3, schedule="constant", **IMAGES)
    return ae.fit(X), X, X_test


def never_trained(shelf):
    X, X_test, y_test = shelf.digits
    return shelf.digits_net.untrained(), X, X_test, y_test


def never_trained_without_labels(shelf):
    X, X_test, _ = shelf.manifold
    return shelf.manifold_net.untrained(), X, X_test


def encoder_never_trained(shelf):
    X, X_test, y_test = shelf.digits
    ae = copy.deepcopy(shelf.digits_net)
    ae.module_.encoder = ae.untrained().module_.encoder
    return ae, X, X_test, y_test


def exploded_weights(shelf):
    X, X_test, _ = shelf.digits
    return edited(shelf.digits_net, lambda module: [p.mul_(5) for p in module.parameters()]), X, X_test


def narrow_before_the_code(shelf):
    X, X_test, _ = shelf.digits
    return Autoencoder(8, encoders.MLP((3,)), max_epochs=60, **IMAGES).fit(X), X, X_test


def fragile_whitening(shelf):
    """Every direction of the rows is blown up to the same size, noise too."""
    X, X_test, _ = shelf.plane
    ae = Autoencoder(16, encoders.Linear(), decoders.Linear(), max_epochs=60, **SEED).fit(X)
    scaled = ae.scale(X)
    _, stretch, axes = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    white = torch.as_tensor(axes[:16] / stretch[:16, None])

    def whiten(module):
        reader = module.decoder.reader
        module.encoder.layers[0].matrix.copy_(white)
        module.encoder.layers[0].bias.zero_()
        reader.matrix.copy_(torch.linalg.pinv(white))
        reader.bias.zero_()

    return edited(ae, whiten), X, X_test


# Test rows -----------------------------------------------------------------------------------------------------------


def leaked_scaling(shelf):
    X, X_test, _ = shelf.digits
    spread = X_test.std(axis=0)
    return shelf.digits_net, X, (X_test - X_test.mean(axis=0)) / np.where(spread > 0, spread, 1)


def scaled_to_the_unit_interval(shelf):
    X, X_test, _ = shelf.digits
    return shelf.digits_net, X, X_test / 16


def one_column_in_other_units(shelf):
    X, X_test, _ = shelf.manifold
    return shelf.manifold_net, X, X_test * np.where(np.arange(20) == 3, 2.54, 1).astype(np.float32)


def shifted_rows(shelf):
    X, X_test, _ = shelf.digits
    return shelf.digits_net, X, X_test + 3


def turned_images(shelf):
    X, X_test, _ = shelf.digits
    return shelf.digits_net, X, np.rot90(X_test.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64).copy()


def turned_axes(shelf):
    X, X_test, _ = shelf.plane
    return shelf.plane_net, X, X_test @ np.linalg.qr(np.random.default_rng(1).normal(size=(20, 20)))[0]


def rows_seen_in_training(shelf):
    X, _, _ = shelf.digits
    return shelf.digits_net, X, X[:500]


# Each fault, the verdict that names it, and verdicts that say the same thing in other words.
PLANTED = {
    identity_copy: ("copies", ("code-size",)),
    identity_by_hand: ("copies", ("code-size",)),
    memorising_sixteen_points: ("memorises", ("generalises",)),
    overfit_on_few_rows: ("generalises", ("memorises",)),
    collapsed_vae: ("collapse", ("better-than-mean",)),
    divergence_too_strong_on_a_table: ("collapse", ("better-than-mean",)),
    bernoulli_collapse: ("collapse", ("better-than-mean",)),
    decoder_that_ignores_the_code: ("collapse", ("better-than-mean",)),
    contraction_too_strong: ("collapse", ("better-than-mean",)),
    sparsity_too_strong: ("better-than-pca", ("better-than-untrained",)),
    l1_too_strong: ("collapse", ("better-than-mean",)),
    constant_output: ("better-than-mean", ("collapse",)),
    decay_too_strong: ("better-than-mean", ("collapse",)),
    dead_from_the_start: ("dead-units", ()),
    dead_by_edit: ("dead-units", ()),
    top_units_never_chosen: ("dead-units", ()),
    posterior_partly_inactive: ("dead-units", ("better-than-pca",)),
    saturated_by_training: ("saturation", ("better-than-pca",)),
    saturated_by_edit: ("saturation", ("better-than-pca",)),
    repeated_units: ("code-size", ("better-than-mean",)),
    repeated_by_training: ("code-size", ()),
    too_small_for_digits: ("code-size", ()),
    too_small_for_a_plane: ("code-size", ()),
    too_large_for_a_sheet: ("code-size", ()),
    too_large_for_a_plane: ("code-size", ()),
    wider_than_the_rows: ("code-size", ()),
    nothing_but_noise: ("code-size", ()),
    uniform_noise_denoised: ("code-size", ()),
    three_epochs: ("converged", ()),
    rate_too_low: ("converged", ("better-than-mean", "better-than-untrained")),
    rate_too_high: ("better-than-mean", ()),
    never_trained: ("better-than-untrained", ("better-than-mean",)),
    never_trained_without_labels: ("better-than-untrained", ("better-than-mean",)),
    encoder_never_trained: ("better-than-untrained", ("better-than-mean",)),
    exploded_weights: ("better-than-mean", ()),
    narrow_before_the_code: ("better-than-pca", ("code-size",)),
    fragile_whitening: ("robust", ()),
    leaked_scaling: ("same-distribution", ()),
    scaled_to_the_unit_interval: ("same-distribution", ()),
    one_column_in_other_units: ("same-distribution", ()),
    shifted_rows: ("same-distribution", ()),
    turned_images: ("same-distribution", ()),
    turned_axes: ("same-distribution", ()),
    rows_seen_in_training: ("same-distribution", ()),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_each_fault_is_named(plant, shelf):
    name, related = PLANTED[plant]
    found = evidence.examine(*plant(shelf))
    raised = {v.name: v.status for v in found.verdicts if v.status in ("warn", "fail")}
    assert name in raised, str(found)
    assert len(set(raised) - {name, *related}) <= 1, str(found)


# Sound models --------------------------------------------------------------------------------------------------------

SOUND = {
    "linear-digits": (lambda: zoo.linear(16, max_epochs=60, **IMAGES), "digits"),
    "undercomplete-digits": (lambda: zoo.undercomplete(8, max_epochs=60, **IMAGES), "digits"),
    "denoising-digits": (lambda: zoo.denoising(8, max_epochs=60, **IMAGES), "digits"),
    "masked-digits": (lambda: zoo.denoising(16, noise="masking", amount=0.2, max_epochs=60, **IMAGES), "digits"),
    "contractive-digits": (lambda: zoo.contractive(16, strength=0.03, max_epochs=60, **IMAGES), "digits"),
    "sparse-digits": (lambda: zoo.sparse(max_epochs=150, **IMAGES), "digits"),
    "topk-digits": (lambda: zoo.topk(max_epochs=60, **IMAGES), "digits"),
    "variational-digits": (lambda: zoo.variational(8, max_epochs=60, **IMAGES), "digits"),
    "linear-plane": (lambda: zoo.linear(4, max_epochs=100, **SEED), "plane"),
    "undercomplete-plane": (lambda: zoo.undercomplete(4, max_epochs=100, **SEED), "plane"),
    "undercomplete-sheet": (lambda: zoo.undercomplete(4, max_epochs=100, **SEED), "manifold"),
    "linear-wine": (lambda: zoo.linear(4, **SEED), "wine"),
    "contractive-wine": (lambda: zoo.contractive(4, strength=0.03, **SEED), "wine"),
    "linear-breast-cancer": (lambda: zoo.linear(8, max_epochs=100, **SEED), "breast_cancer"),
    "denoising-breast-cancer": (lambda: zoo.denoising(8, max_epochs=100, **SEED), "breast_cancer"),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_models_are_left_in_peace(name, shelf):
    build, data = SOUND[name]
    X, X_test, y_test = getattr(shelf, data)
    found = evidence.examine(build().fit(X), X, X_test, y_test)
    statuses = [v.status for v in found.verdicts]
    assert "fail" not in statuses, str(found)
    assert statuses.count("warn") <= 1, str(found)


def test_every_verdict_is_met_both_ways():
    """A verdict that always says the same is worth nothing: a fault is planted for each, and sound models pass them."""
    assert {name for name, _ in PLANTED.values()} == set(evidence.NAMES)
