"""How an encoder contracts: against closed forms, known spectra, and a broken closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus import Autoencoder, codes, encoders, zoo
from isthmus.boltzmann import BoltzmannMachine
from isthmus.errors import DataError, SettingError
from isthmus.evidence import contraction
from isthmus.evidence.contraction import directions, encoder_norm, jacobian_norms, norm_differences, shift, spectra

SHORT = {"max_epochs": 2, "random_state": 0}


def bits(n=60, columns=7):
    return (np.random.default_rng(0).random((n, columns)) < 0.4).astype(np.float64)


def sigmoid_net(**settings):
    return zoo.contractive(4, 0.1, (), code=codes.Activation("sigmoid"), **SHORT | settings)


def test_norms_are_those_of_the_whole_jacobian():
    X = np.random.default_rng(0).normal(2, 3, size=(60, 7))
    for ae in (sigmoid_net(), zoo.contractive(3, 0.1, (6, 5), **SHORT), zoo.variational(2, hidden=(5,), **SHORT)):
        J = ae.fit(X).jacobian(X[:20])
        np.testing.assert_allclose(jacobian_norms(ae, X[:20]), np.sqrt(np.square(J).sum(axis=(1, 2))), rtol=1e-6)


def test_of_a_machine_it_is_the_slope_of_its_bits_times_their_weights():
    X = bits()
    machine = BoltzmannMachine(5, scaling=None, **SHORT).fit(X)
    W = machine.module_.weight.detach().numpy()
    h = machine.transform(X)
    expected = np.sqrt(np.square(h * (1 - h)) @ np.square(W).sum(axis=1))
    np.testing.assert_allclose(jacobian_norms(machine, X), expected, rtol=1e-6)


def test_a_network_of_your_own_has_no_such_norms():
    class Own(torch.nn.Linear):
        pass

    ae = Autoencoder(3, Own, **SHORT).fit(bits())
    with pytest.raises(SettingError) as told:
        jacobian_norms(ae, bits())
    assert str(told.value) == (
        "the encoder is a network of your own; in finetune; a specification; "
        "pass the module itself: Classifier(network=nn.Sequential(ae.module_.encoder, ...))"
    )


def test_the_encoder_s_norm_counts_matrices_and_no_biases():
    ae = zoo.undercomplete(3, (4,), **SHORT).fit(bits())
    layers = [layer.matrix.detach().numpy() for layer in ae.module_.encoder.dense]
    assert encoder_norm(ae) == pytest.approx(np.sqrt(sum(np.square(one).sum() for one in layers)))


@pytest.mark.parametrize(
    ("values", "expected"), [([3.0, 0, 0], 1), ([2.0, 2.0, 0], 2), ([1.0, 1.0, 1.0], 3), ([0, 0, 0], 0)]
)
def test_directions_are_counted_by_their_strength(values, expected):
    assert directions(np.array([values, values])) == pytest.approx([expected] * 2)


def test_spectra_of_a_linear_code_are_its_matrix_s():
    X = np.random.default_rng(0).normal(size=(50, 6))
    ae = zoo.linear(4, **SHORT).fit(X)
    expected = np.linalg.svd(ae.module_.encoder.dense[0].matrix.detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(spectra(ae, X), np.tile(expected, (50, 1)), rtol=1e-6)


def test_a_rotation_shifts_its_code_as_far_as_the_noise_its_rows():
    X = np.random.default_rng(0).normal(size=(800, 5))
    ae = Autoencoder(5, encoders.MLP((), initialisation="orthogonal"), learning_rate=1e-12, **SHORT).fit(X)
    assert shift(ae, X) == pytest.approx(0.1, rel=0.05)
    with pytest.raises(DataError) as told:
        shift(ae, X[:2])
    assert str(told.value) == "fewer than 3 rows; in shift; rows that have a spread"


SHAPES = [encoders.MLP(()), encoders.MLP((6,), "tanh"), encoders.Convolutional((3,))]


@pytest.mark.parametrize("encoder", SHAPES, ids=["one layer", "two layers", "convolutions"])
def test_closed_forms_are_the_derivative_and_a_wrong_one_is_seen(encoder, monkeypatch):
    X = np.random.default_rng(1).normal(size=(30, 9))
    how = {"encoder": encoder, "code": codes.Activation("sigmoid"), "input_shape": (1, 3, 3)}
    ae = zoo.contractive(4, **how, **SHORT).fit(X)
    by_autodiff, by_differences = norm_differences(ae, X[:10])
    assert by_autodiff < 1e-12
    assert 0 < by_differences < 1e-6
    right = contraction.squared_norm
    monkeypatch.setattr(contraction, "squared_norm", lambda *given: 1.01 * right(*given))
    assert norm_differences(ae, X[:10]) == pytest.approx((0.01, 0.01), rel=1e-3)
