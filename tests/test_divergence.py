"""The divergence from the prior: free bits, capacity and warm-up against their definitions."""

import numpy as np
import pytest
import torch
from members import rows
from torch.distributions import Normal, kl_divergence

from isthmus import Autoencoder, codes, penalties, zoo
from isthmus.errors import SettingError
from isthmus.passes import Pass
from isthmus.penalties import Parts
from isthmus.populations import fit_together


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def passed(n=50, size=4, weight=None, epoch=None):
    """A pass of a Gaussian code, and its divergence of each number as torch.distributions has it, (N, K)."""
    code = codes.Gaussian().build(size)
    a = torch.randn(n, 2 * size, generator=generator(), dtype=torch.float64)
    z, stats = code(a, None, generator(1))
    x = torch.zeros(n, 1, dtype=torch.float64)
    exact = kl_divergence(Normal(stats["mean"], (stats["log_variance"] / 2).exp()), Normal(0.0, 1.0))
    when = None if epoch is None else torch.tensor(float(epoch))
    return code, Pass(x, x, None, z, stats, x, weight, epoch=when), exact


def term(code, **settings):
    return penalties.Divergence(**settings).build(Parts(None, code, None))


def test_it_is_the_closed_form():
    code, p, exact = passed()
    assert torch.allclose(term(code, strength=2.5)(p), 2.5 * exact.sum(dim=1), atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_free_bits_are_a_floor_for_each_number(weighted):
    weight = torch.rand(50, generator=generator(2), dtype=torch.float64) if weighted else None
    weight = None if weight is None else weight / weight.mean()
    code, p, exact = passed(weight=weight)
    mean = exact.mean(dim=0) if weight is None else (exact * weight[:, None]).mean(dim=0)
    free = float(mean.sort().values[1]) + 1e-3  # two numbers have less
    expected = torch.maximum(mean, torch.tensor(free)).sum()
    assert torch.allclose(term(code, free_bits=free)(p), expected, atol=1e-12)


def test_free_bits_leave_no_gradient_below_the_floor():
    code = codes.Gaussian().build(1)
    a = torch.tensor([[0.1, 0.0]], dtype=torch.float64, requires_grad=True)
    z, stats = code(a)
    x = torch.zeros(1, 1, dtype=torch.float64)
    term(code, free_bits=0.5)(Pass(x, x, None, z, stats, x)).backward()
    assert torch.equal(a.grad, torch.zeros_like(a))


@pytest.mark.parametrize(("epoch", "share"), [(None, 1.0), (0, 0.0), (5, 0.5), (10, 1.0), (40, 1.0)])
def test_a_capacity_grows_to_its_value(epoch, share):
    code, p, exact = passed(epoch=epoch)
    value = term(code, strength=3.0, capacity=7.0, warm_up=10)(p)
    assert torch.allclose(value, 3 * (exact.sum(dim=1).mean() - 7 * share).abs(), atol=1e-12)


@pytest.mark.parametrize(("epoch", "share"), [(None, 1.0), (0, 0.0), (3, 0.75), (4, 1.0), (9, 1.0)])
def test_a_strength_grows_to_its_value(epoch, share):
    code, p, exact = passed(epoch=epoch)
    assert torch.allclose(term(code, strength=2.0, warm_up=4)(p), 2 * share * exact.sum(dim=1), atol=1e-12)


def test_free_bits_and_a_capacity_exclude_each_other():
    with pytest.raises(SettingError) as caught:
        zoo.variational(2, penalty=penalties.Divergence(free_bits=0.1, capacity=2.0)).fit(rows())
    assert str(caught.value) == "penalties.Divergence has both free_bits and a capacity; penalty; one of them"


def warmed(seed=0, **settings):
    penalty = penalties.Divergence(5.0, warm_up=4)
    return zoo.variational(2, penalty=penalty, **{"max_epochs": 6, "random_state": seed} | settings)


@pytest.mark.parametrize("engine", ["recorded", "eager"])
def test_the_loop_tells_the_epoch(engine):
    """With weights that cannot move, the term grows by a quarter of its last value in each epoch, to rounding."""
    ae = warmed(engine=engine, learning_rate=1e-12, validation_fraction=0).fit(rows())
    found = np.array([row["divergence"] for row in ae.history_])
    assert found[0] == 0
    assert np.allclose(found / found[-1], [0, 0.25, 0.5, 0.75, 1, 1], atol=0.05)  # noise is drawn anew each epoch


def test_held_out_rows_hear_the_whole_strength():
    ae = warmed(learning_rate=1e-12, validation_fraction=0.5).fit(rows())
    watched = [row["validation_loss"] for row in ae.history_]
    assert np.allclose(watched, watched[0], rtol=1e-6)


def test_patience_waits_for_the_warm_up():
    """The training loss grows with the strength: without that rule it would stop after two epochs."""
    ae = warmed(learning_rate=1e-12, validation_fraction=0, patience=2, max_epochs=30).fit(rows())
    assert ae.stopped_ == "patience"
    assert ae.n_iter_ >= 4


def test_members_of_a_population_warm_up_alike():
    members = [warmed(seed, engine="recorded") for seed in range(3)]
    fit_together(members, rows())
    for seed, member in enumerate(members):
        alone = warmed(seed, engine="recorded").fit(rows())
        assert np.allclose(
            [row["divergence"] for row in member.history_], [row["divergence"] for row in alone.history_], atol=1e-8
        )


def test_an_unused_warm_up_is_not_saved(tmp_path):
    ae = warmed().fit(rows())
    assert not any("epoch" in name for name in ae.module_.state_dict())
    assert Autoencoder(2).fit(rows()).module_.settles == 0
    assert ae.module_.settles == 4
