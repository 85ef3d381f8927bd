"""What the grids of nets measure, against the same worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from isthmus import networks
from isthmus.lab import grids, readers
from isthmus.lab.grids import BUDGET, Cell, Net, ratio
from isthmus.lab.rectifier import RECTIFIER, zeros
from isthmus.lab.saturation import enlarged
from isthmus.lab.vanishing_gradients import VANISHING_GRADIENTS
from isthmus.trials import Split

SMALL = {**BUDGET, "width": 4, "points": 60, "epochs": 2}


@pytest.fixture(scope="module")
def nets():
    """Two seeds of three kinds that differ in set, in how they begin and in depth."""
    cells = [Cell("xor", "tanh", "he", 2), Cell("circle", "tanh", "uniform", 2), Cell("xor", "relu", "he", 3)]
    return grids.train(dict.fromkeys(cells, (3, 4)), SMALL, when=(0, 1))


def test_every_net_is_what_it_would_be_alone(nets):
    for cell, found in nets.items():
        X, y = grids.points(cell.plane, SMALL)
        fresh, truth = grids.points(cell.plane, SMALL, grids.FRESH)
        for net, seed in zip(found, (3, 4), strict=True):
            alone = grids._untrained(cell, seed, SMALL).fit(X, y, watch="gradients")
            np.testing.assert_allclose(net.fit.predict_proba(fresh), alone.predict_proba(fresh), atol=1e-5)
            assert net.accuracy == np.mean(alone.predict(fresh) == truth)
            looks = alone.gradients_.history
            for look in (0, 1):
                own = [layer.signal for layer in looks[look].layers]
                assert len(own) == cell.depth + 1
                np.testing.assert_allclose(net.norms("signal", look), own[:-1], rtol=1e-4)


def test_signals_are_the_chain_rule_s(nets):
    """Of two hidden layers of tanh, written out."""
    cell, (net, _) = next(iter(nets.items()))
    X, y = grids.points(cell.plane, SMALL)
    fit = grids._untrained(cell, 3, {**SMALL, "epochs": 1, "learning_rate": 1e-30}).fit(X, y)
    first, c1, second, c2, last, c3 = (p.detach().double().numpy() for p in fit.module_.parameters())
    z = np.tanh(X @ first.T + c1)
    v = np.tanh(z @ second.T + c2)
    logits = v @ last.T + c3
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    at_second = ((p - np.eye(2)[y]) @ last) * (1 - v**2)
    at_first = (at_second @ second) * (1 - z**2)
    signals = [np.linalg.norm(one, axis=1).mean() for one in (at_first, at_second)]
    np.testing.assert_allclose(net.norms("signal"), signals, rtol=1e-4)
    np.testing.assert_allclose(net.norms("gradient")[0], np.linalg.norm(at_first.T @ X / len(X)), rtol=1e-4)
    assert ratio([net]) == pytest.approx(signals[0] / signals[1], rel=1e-4)


class Seen:
    """A net whose layers were found to have these signals."""

    def __init__(self, *signals):
        self.signals = signals

    def norms(self, what, look):
        return list(self.signals)


def test_a_net_to_which_nothing_comes_back_counts_as_nothing():
    assert ratio([Seen(0.0, 0.0), Seen(1.0, 4.0), Seen(3.0, 4.0)]) == 0.25
    assert ratio([Seen(0.0, 0.0), Seen(0.0, 0.0), Seen(3.0, 4.0)]) == 0


def test_shares_have_wilson_s_interval():
    found = grids.solved([Net(None, share) for share in (0.95, 0.94, 1.0, 0.5, 0.99)], BUDGET)
    p, n, z = 3 / 5, 5, norm.ppf(0.975)
    middle, reach = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert found["share"] == p
    assert [found["low"], found["high"]] == pytest.approx(
        [(middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)]
    )


def test_a_rectifier_is_as_open_at_any_scale():
    closed, passed, none = enlarged("relu", 0, 1.0)
    assert none == pytest.approx(closed)  # shut is exactly 0, and the other way round
    assert enlarged("relu", 0, 64.0) == pytest.approx((closed, passed, none), rel=1e-12)
    assert enlarged("sigmoid", 0, 64.0)[0] > enlarged("sigmoid", 0, 1.0)[0] + 0.5


def test_readers_say_what_they_get_wrong():
    settings = {**RECTIFIER.settings, **RECTIFIER.full, "data": "digits", "hidden": (12, 8), "learning_rate": 0.02}
    found = readers.rows(settings)
    (fit,) = readers.trained(networks.MLP((12, 8)), found, [0], settings)
    wrong = np.mean(fit.predict(found.test) != found.test_labels)
    numbers = RECTIFIER.measure(settings, [0]).numbers
    assert 0 < wrong < 0.6
    assert numbers["error_percent"] == numbers["error_percent_worst"] == pytest.approx(100 * wrong)
    reach = norm.ppf(0.975) * np.sqrt(wrong * (1 - wrong) / len(found.test))
    assert numbers["error_percent_half_width"] == pytest.approx(100 * reach, rel=1e-3)
    assert numbers["zeros"] == pytest.approx(zeros(fit, found.test))


def test_zeros_are_counted_over_rows_and_hidden_units():
    """Of every hidden layer, written out."""
    settings = {**RECTIFIER.settings, **RECTIFIER.full}
    X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 3
    (fit,) = readers.trained(networks.MLP((12, 8)), Split(X, X, y, y), [1], settings)
    a = torch.as_tensor(fit.scaler_.apply(X))
    shares = []
    first, c1, second, c2 = (p.detach() for p in list(fit.module_.parameters())[:4])
    for matrix, bias in ((first, c1), (second, c2)):
        a = torch.relu(a @ matrix.T + bias)
        shares.append(float((a == 0).double().mean()))
    assert zeros(fit, X) == pytest.approx(np.mean(shares))


def test_glorot_s_nets_in_full_on_a_small_set():
    """Two ways to begin five layers of tanh; how much comes back before training, and the error of each."""
    small = {"data": "digits", "hidden": (20, 20, 20, 20, 20), "epochs": 8}
    numbers = VANISHING_GRADIENTS.measure(
        {**VANISHING_GRADIENTS.settings, **VANISHING_GRADIENTS.full, **small}, [0]
    ).numbers
    assert set(VANISHING_GRADIENTS.expected_full) <= set(numbers)
    assert numbers["signal_ratio_standard"] < numbers["signal_ratio_xavier"] / 3
    assert numbers["better_by"] == pytest.approx(numbers["error_percent_standard"] - numbers["error_percent_xavier"])
