"""Eight rows are numbered by three hidden units, and by two they cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus.lab import Protocol, run
from isthmus.lab.experiment import missed
from isthmus.lab.mitchell import MITCHELL, ROWS, SLIDE, decodes, words


@pytest.fixture(scope="module")
def measured():
    return MITCHELL.measure(MITCHELL.settings, range(6))


def test_six_seeds_reconstruct_every_row(measured):
    assert not missed(measured.numbers, MITCHELL.expected)
    assert sum(measured.series["words"]) == 6
    assert measured.numbers["binary"] == measured.series["words"][8] / 6


def test_the_slide_s_table_is_a_code_and_a_table_with_two_rows_alike_is_none():
    assert words(SLIDE) == 8
    assert all(decodes(SLIDE))
    alike = SLIDE.copy()
    alike[0] = alike[1]
    assert words(alike) == 7
    assert decodes(alike) == [False, False, *[True] * 6]
    middle = SLIDE.copy()
    middle[0] = SLIDE[1:].mean(axis=0)  # within what the others span: no unit can read it, all others it can
    assert not decodes(middle)[0]


def test_a_sweep_s_summed_step_is_mitchell_s_rule(measured):
    """One sweep from the first weights, by the formulas of the book (table 4.2)."""
    from isthmus.lab.mitchell import _untrained
    from isthmus.trials import fit_all

    net = _untrained({**MITCHELL.settings, "sweeps": 1}, 3)
    fit_all([net], ROWS)
    (hidden,), (out,) = net.module_.encoder.dense, net.module_.decoder.network.dense
    twin = _first(3)
    w, v = twin.module_.encoder.dense[0].matrix.double().detach().numpy(), _out(twin).matrix.double().detach().numpy()
    b, c = np.zeros(3), np.zeros(8)
    assert np.abs(w).max() <= 0.1
    assert np.abs(v).max() <= 0.1
    x = ROWS.astype(float)
    h = 1 / (1 + np.exp(-(x @ w.T + b)))
    o = 1 / (1 + np.exp(-(h @ v.T + c)))
    delta_out = o * (1 - o) * (x - o)
    delta_hidden = h * (1 - h) * (delta_out @ v)
    np.testing.assert_allclose(out.matrix.detach(), v + 0.3 * delta_out.T @ h, atol=1e-6)
    np.testing.assert_allclose(out.bias.detach(), c + 0.3 * delta_out.sum(0), atol=1e-6)
    np.testing.assert_allclose(hidden.matrix.detach(), w + 0.3 * delta_hidden.T @ x, atol=1e-6)
    np.testing.assert_allclose(hidden.bias.detach(), b + 0.3 * delta_hidden.sum(0), atol=1e-6)


def _first(seed):
    """The net as it is before training."""
    from isthmus._fitting import untrained
    from isthmus.lab.mitchell import _untrained
    from isthmus.trials import fit_all

    net = _untrained({**MITCHELL.settings, "sweeps": 1}, seed)
    fit_all([net], ROWS)
    return untrained(net)


def _out(net):
    return net.module_.decoder.network.dense[0]


@pytest.mark.parametrize("changed", [{"code_size": 2, "sweeps": 300}, {"eta": 0.003, "sweeps": 300}])
def test_two_units_or_a_tiny_rate_do_not_hold(changed, tmp_path):
    result = run(MITCHELL, Protocol(seeds=2, settings=changed), tmp_path)
    assert result["holds"] is False
    assert set(result["missed"]) == {"reconstruct", "binary"}


def test_one_example_at_a_time_is_a_step_an_example():
    measured = MITCHELL.measure({**MITCHELL.settings, "batch": 1, "sweeps": 20}, range(2))
    assert set(measured.numbers) >= set(MITCHELL.expected)


def test_its_pictures_are_told_and_readable(measured):
    assert_told(measured, MITCHELL.expected, MITCHELL.settings)
    assert_readable(measured)
