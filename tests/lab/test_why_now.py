"""The experiment's errors are its learners' own; it breaks with few examples, with little time, and with one seed."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told
from sklearn.metrics import zero_one_loss

from isthmus.handmade import edges_and_histogram
from isthmus.lab import Protocol, find, holds, run
from isthmus.lab.why_now import WHY_NOW, errors, layers, machine, net, pictures

FEW = {"sizes": (100, 300), "steps": (4, 12), "test": 200}
SMALL = dict(WHY_NOW.settings) | FEW


def test_the_deep_net_overtakes_a_classical_pipeline_for_two_seeds():
    """Fewer sizes and test pictures than the protocol, the same pictures."""
    settings = dict(WHY_NOW.settings) | {"sizes": (100, 2500), "steps": (10, 300), "test": 800}
    measured = WHY_NOW.measure(settings, [0, 1])
    numbers = measured.numbers
    assert numbers["deep_300_fewest"] > numbers["classical_fewest"]
    assert numbers["deep_300_most"] < numbers["classical_most"]
    assert numbers["deep_300_most"] < numbers["deep_10_most"]
    assert_told(measured, WHY_NOW.expected, settings)
    assert_readable(measured)


def test_it_breaks_without_data_and_time(tmp_path):
    result = run(find("why-now"), Protocol(seeds=2, settings=FEW), tmp_path)
    assert not result["holds"]
    assert result["measured"]["ahead"] < 0
    assert result["measured"]["deep_12_most"] > result["measured"]["classical_most"]


def test_one_seed_proves_nothing(tmp_path):
    result = run(WHY_NOW, Protocol(seeds=1, settings=FEW), tmp_path)
    assert not result["holds"]
    assert result["measured"]["behind"] is None


def test_the_full_protocol_measures_what_it_expects():
    assert set(WHY_NOW.full) <= set(WHY_NOW.settings)
    assert set(WHY_NOW.bounds(full=True)) == {"behind", "ahead", "compute_helps"}
    assert not holds({"behind": 1.0, "ahead": 0.0, "compute_helps": 1.0}, WHY_NOW.expected)


def test_test_pictures_come_from_other_digits_and_seeds_draw_others():
    """Undistorted, each test picture is a digit that no training picture is."""
    plain = SMALL | {"strength": 0.0, "side": 10, "sizes": (2000,)}
    (X, y), (T, z) = pictures(plain, 0)
    assert (X.shape, T.shape, y.shape, z.shape) == ((2000, 100), (200, 100), (2000,), (200,))
    assert not {row.tobytes() for row in X} & {row.tobytes() for row in T}
    assert len({row.tobytes() for row in X}) > 900  # of 1,257
    assert not np.array_equal(pictures(plain, 1)[0][0], X)
    few, many = (pictures(SMALL | {"sizes": sizes}, 0)[0][0] for sizes in ((100,), (300,)))
    np.testing.assert_array_equal(many[:100], few)


def test_errors_are_those_of_learners_fitted_by_hand():
    (X, y), (T, z) = pictures(SMALL, 5)
    found = errors(SMALL, 5)
    assert list(found) == ["classical", "pixels", "deep_4", "deep_12"]
    H, G = (edges_and_histogram(rows.reshape(-1, 16, 16), cell=4) for rows in (X, T))
    for place, n in enumerate((100, 300)):
        wrong = zero_one_loss(z, machine().fit(H[:n], y[:n]).predict(G))
        assert found["classical"][place] == pytest.approx(100 * wrong)
        wrong = zero_one_loss(z, net(SMALL, 5, 12, n).fit(X[:n], y[:n]).predict(T))
        assert found["deep_12"][place] == pytest.approx(100 * wrong)


@pytest.mark.parametrize(("n", "steps"), [(100, 640), (6400, 640), (6400, 40)])
def test_a_budget_is_steps_whatever_the_examples(n, steps):
    epochs = net(SMALL, 0, steps, n).max_epochs
    assert steps <= epochs * -(-n // 64) < steps + -(-n // 64)


def test_the_net_reads_pictures_of_any_side_that_four_divides():
    assert sum(p.numel() for p in layers(256, 10).parameters()) == 416 + 4640 + 513 * 64 - 64 + 64 + 650
