"""Pieces are those of functions known in closed form, and dense samples of any network find no other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import networks
from isthmus.classifier import Classifier
from isthmus.errors import DataError, SettingError
from isthmus.nn import Perceptron
from isthmus.seeing import of, pieces


def filled(network, *numbers):
    """A network whose parameters are these, in their order."""
    with torch.no_grad():
        for own, given in zip(network.parameters(), numbers, strict=True):
            own.copy_(torch.tensor(given, dtype=own.dtype).reshape(own.shape))
    return network


def drawn(hidden, seed, inputs=1, activation="relu"):
    """A network in float64 whose biases are drawn too."""
    torch.manual_seed(seed)
    network = networks.MLP(hidden, activation).build((inputs,), 1).double()
    with torch.no_grad():
        for own in network.parameters():
            if own.ndim == 1:
                own.normal_()
    return network


def test_the_hat_and_its_kinks():
    """2 relu(x) − 4 relu(x − ½) + relu(x − 2): 0, up, down, less down."""
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    found = pieces(filled(network, [1, 1, 1], [0, -0.5, -2], [2, -4, 1], [0.25]), -1, 3)
    assert found.count == 4
    np.testing.assert_allclose(-1 + 4 * found.ends, [-1, 0, 0.5, 2, 3])
    np.testing.assert_allclose(found.slopes[:, 0] / 4, [0, 2, -2, -1])
    np.testing.assert_allclose(found.values[:, 0], [0.25, 0.25, 1.25, -1.75, -2.75])
    np.testing.assert_allclose(found([0.25, 0.375, 0.875])[:, 0], [0.25, 1.25, -2.25])
    assert found.crossings() == 1  # it ends below 0
    assert found.crossings(1.0) == 2  # up past 1 and down again
    assert found.crossings(2.0) == 0


def test_kinks_that_cancel_end_no_piece():
    """relu(x) − relu(−x) = x, and a unit that a later one does not read bends nothing."""
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    found = pieces(filled(network, [1, -1, 1], [0, 0, -0.3], [1, -1, 0], [0]), -1, 1)
    np.testing.assert_array_equal(found.ends, [0, 1])
    np.testing.assert_allclose(found.slopes, [[2]])


def test_two_inputs_along_a_line():
    """|x + y| on the segment from (−1, 0) to (1, 2) bends where x + y = 0, a quarter of the way."""
    network = filled(networks.MLP((2,)).build((2,), 1), [[1, 1], [-1, -1]], [0, 0], [1, 1], [0])
    found = pieces(network, [-1, 0], [1, 2])
    np.testing.assert_allclose(found.ends, [0, 0.25, 1])
    np.testing.assert_allclose(found.slopes[:, 0], [-4, 4])


@pytest.mark.parametrize("hidden", [(12,), (6, 6), (4, 4, 4), (3, 3, 3, 3)])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "hard_tanh"])
def test_dense_samples_find_the_same(hidden, activation):
    """The function itself, and as many places where the slope between samples changes."""
    network = drawn(hidden, 7, activation=activation)
    found = pieces(network, -3.0, 3.0)
    t = np.linspace(0, 1, 100_001)
    with torch.no_grad():
        y = network(torch.as_tensor(-3 + 6 * t)[:, None])[:, 0].numpy()
    np.testing.assert_allclose(found(t)[:, 0], y, atol=1e-10)
    assert found.count >= 3
    assert np.diff(found.ends).min() > 3e-5  # no piece falls between samples
    slopes = np.diff(y) / np.diff(t)
    bends = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-6 * np.abs(slopes).max())
    # a kink between two samples changes the slope twice, one at a sample once
    assert np.count_nonzero(np.diff(bends, prepend=-5) > 1) == found.count - 1


def test_one_layer_of_n_has_at_most_n_and_one():
    counts = [pieces(drawn((9,), seed), -50, 50).count for seed in range(20)]
    assert max(counts) == 10  # the bound is reached
    assert min(counts) < 10  # and not by all: some units bend beyond the line


def test_of_a_fitted_classifier_and_of_a_perceptron(sine_classifier):
    network = of(sine_classifier)
    found = pieces(network, -1, 1)
    x = np.linspace(-1, 1, 50)
    with torch.no_grad():
        logits = network(torch.as_tensor(x, dtype=torch.float32)[:, None]).numpy()
    np.testing.assert_allclose(found((x + 1) / 2), logits, atol=1e-5)
    assert found.slopes.shape == (found.count, 2)
    twin = Perceptron((1, 16, 2), "relu")
    twin.load_state_dict(dict(zip(twin.state_dict(), network.state_dict().values(), strict=True)))
    np.testing.assert_array_equal(pieces(twin, -1, 1).ends, found.ends)


@pytest.fixture(scope="module")
def sine_classifier():
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    network = Classifier(networks.MLP((16,)), scaling=None, max_epochs=30, random_state=0, device="cpu")
    return network.fit(x, (np.sin(6 * x[:, 0]) > 0).astype(int))


def test_what_it_cannot_follow_is_refused():
    with pytest.raises(SettingError) as fault:
        pieces(networks.MLP((2,), "tanh").build((1,), 1), 0, 1)
    assert str(fault.value) == (
        "tanh is not linear in pieces; in the network; "
        "dense layers with identity, relu, leaky_relu, hard_tanh between them"
    )
    with pytest.raises(SettingError, match=r"^Conv1d\(1, 1, .* is not linear in pieces; in the network; "):
        pieces(nn.Sequential(nn.Conv1d(1, 1, 1)), 0, 1)


def test_rows_that_do_not_fit_are_refused():
    network = networks.MLP((2,)).build((2,), 1)
    with pytest.raises(DataError) as fault:
        pieces(network, 0, [1, 1])
    assert str(fault.value) == "rows of shapes (1,) and (2,); in pieces; two rows of shape (2,)"
