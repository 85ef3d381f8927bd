"""The logic of captured steps, run on a CPU with a capture that calls the function again."""

import pytest
import torch
from members import KINDS, rows, small

from isthmus.populations import fit_together
from isthmus.training import loop
from isthmus.training.graphs import Graphed
from isthmus.training.optimiser import AdamW


class Called(Graphed):
    """`capture` gives back what it was given, after a run of it as a capture would not make."""

    captures = 0

    def __init__(self, pool, optimiser, rngs, engine):
        def again(step, rngs):
            type(self).captures += 1
            return step

        super().__init__(pool, optimiser, rngs, engine, again)


@pytest.fixture
def captured(monkeypatch):
    """Training as on a GPU: rates as tensors, batches chosen by a counter, losses written by index."""
    Called.captures = 0
    monkeypatch.setattr(loop, "Steps", Called)
    monkeypatch.setattr(AdamW, "rates_as_tensors", True)
    return Called


def trained(kind, **settings):
    return small(kind, **({"max_epochs": 12, "batch_size": 16, "engine": "recorded"} | settings)).fit(rows(n=101))


def same(a, b):
    """Equal but for rates, which a GPU's kernel reads in single precision."""
    for name in ("loss", "gradient_norm"):
        assert [row[name] for row in a.history_] == pytest.approx([row[name] for row in b.history_], rel=1e-6)
    for p, q in zip(a.module_.parameters(), b.module_.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_step_trains_as_the_step_does(kind, request):
    plain = trained(kind)
    request.getfixturevalue("captured")
    graphed = trained(kind)
    assert Called.captures == 2  # whole batches, and the last one of an epoch
    assert graphed.engine_.startswith("one CUDA graph of ")
    same(graphed, plain)


def test_rates_that_fall_need_no_new_capture_and_clipping_is_in_it(request):
    settings = {"clip_norm": 0.5, "weight_decay": 0.1, "schedule": "cosine"}
    plain = trained("undercomplete", **settings)
    request.getfixturevalue("captured")
    same(trained("undercomplete", **settings), plain)
    assert Called.captures == 2


def test_a_population_is_captured_anew_when_a_member_stops(request):
    X = rows(n=101)
    settings = {"max_epochs": 30, "batch_size": 16, "engine": "recorded", "learning_rate": 0.05, "patience": 2}
    alone = [small("undercomplete", random_state=seed, **settings).fit(X) for seed in range(3)]
    assert len({ae.n_iter_ for ae in alone}) > 1, "choose settings that stop at different epochs"
    request.getfixturevalue("captured")
    together = [small("undercomplete", random_state=seed, **settings) for seed in range(3)]
    assert fit_together(together, X) == [None] * 3
    assert Called.captures > 2
    for one, other in zip(together, alone, strict=True):
        same(one, other)
