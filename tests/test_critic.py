"""FactorVAE's critic: who learns from which term, what it tells, and that it is trained and saved with the rest."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from members import rows
from torch import nn

from isthmus import Autoencoder, codes, encoders, load, penalties
from isthmus.beyond import FactorVAE
from isthmus.beyond.critic import shuffled
from isthmus.passes import Pass
from isthmus.penalties import Parts
from isthmus.populations import fit_together


def critic(size=2, hidden=(7, 5), strength=2.0, warm_up=0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = Parts(nn.Identity(), codes.Plain().build(size), nn.Identity())
        return FactorVAE(strength, hidden, warm_up).build(parts).double()


def passed(z, rng=None, weight=None, epoch=None):
    x = torch.zeros(len(z), 1, dtype=z.dtype)
    return Pass(x, x, None, z, {}, x, weight, rng, epoch=epoch)


def drawn(n=50, k=2, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_code_hears_the_ratio_and_the_critic_its_cross_entropy(weighted):
    """Gradients of the one term are those of the two losses of the paper, each written out here."""
    term, z = critic(), drawn().requires_grad_()
    weight = torch.linspace(0.5, 1.5, len(z), dtype=torch.float64) if weighted else None
    shares = torch.ones(len(z), dtype=torch.float64) if weight is None else weight
    p = passed(z, generator(), weight)
    value = p.mean(term(p))
    own = list(term.parameters())
    found = torch.autograd.grad(value, [z, *own])
    ratio = 2.0 * (shares * term.network(z)[:, 0]).mean()
    apart = shuffled(passed(z, generator(), weight))
    together = F.binary_cross_entropy_with_logits(
        term.network(z.detach())[:, 0], torch.ones(len(z), dtype=z.dtype), weight=shares
    )
    wrong = F.binary_cross_entropy_with_logits(term.network(apart)[:, 0], torch.zeros(len(z), dtype=z.dtype))
    torch.testing.assert_close(value, ratio)
    torch.testing.assert_close(found[0], torch.autograd.grad(ratio, z)[0])
    torch.testing.assert_close(list(found[1:]), list(torch.autograd.grad(0.5 * (together + wrong), own)))


def test_each_column_is_put_into_an_order_of_its_own():
    z = drawn(200, 3)
    apart = shuffled(passed(z, generator()))
    torch.testing.assert_close(apart.sort(dim=0).values, z.sort(dim=0).values)
    places = [[int((z[:, k] == v).nonzero()) for v in apart[:, k]] for k in range(3)]
    assert len({tuple(order) for order in places}) == 3
    assert all(sum(i == place for i, place in enumerate(order)) < 10 for order in places)


def test_rows_are_drawn_by_their_weight():
    z = torch.arange(4, dtype=torch.float64)[:, None].expand(4, 3).repeat(2000, 1)
    weight = torch.tensor([0.0, 1.0, 1.0, 2.0], dtype=torch.float64).repeat(2000)
    apart = shuffled(passed(z, generator(), weight))
    shares = np.bincount(apart[:, 1].int(), minlength=4) / len(apart)
    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0.5], atol=0.02)
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1])[0, 1]) < 0.05


def test_without_a_generator_columns_are_moved_on():
    z = drawn(5, 3)
    apart = shuffled(passed(z))
    for k in range(3):
        torch.testing.assert_close(apart[:, k], z[:, k].roll(-k))


def test_it_grows_over_its_warm_up():
    term, z = critic(warm_up=4), drawn()
    assert term.settles == 4
    torch.testing.assert_close(term(passed(z, epoch=torch.tensor(1.0))), 0.25 * term(passed(z)))


def test_a_trained_critic_tells_the_total_correlation_of_a_gaussian():
    """Codes with correlation ρ: KL(q(z) ‖ q(z₁) q(z₂)) = −½ log(1 − ρ²) = 0.51 nat at ρ = 0.8."""
    rho = 0.8
    mixing = torch.tensor([[1.0, 0.0], [rho, math.sqrt(1 - rho**2)]], dtype=torch.float64)
    term, rng = critic(hidden=(32, 32), strength=1.0), generator(1)
    own = list(term.parameters())
    optimiser = torch.optim.Adam(own, lr=1e-2)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, 400)
    for _ in range(400):
        z = torch.randn(512, 2, generator=rng, dtype=torch.float64) @ mixing.T
        for weight, gradient in zip(own, torch.autograd.grad(term(passed(z, rng)).mean(), own), strict=True):
            weight.grad = gradient
        optimiser.step()
        falling.step()
    z = torch.randn(20_000, 2, generator=rng, dtype=torch.float64) @ mixing.T
    assert term(passed(z)).mean().item() == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)


def members(seeds=3, **settings):
    both = [penalties.Sum(kl=penalties.Divergence(), factor=FactorVAE(2.0 + seed, (6,), 2)) for seed in range(seeds)]
    settings = {"code": codes.Gaussian(), "max_epochs": 4, "device": "cpu"} | settings
    return [Autoencoder(3, encoders.MLP((5,)), penalty=pen, random_state=i, **settings) for i, pen in enumerate(both)]


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_trained_in_the_one_loop_and_saved_with_the_rest(weighted, tmp_path):
    X, (ae,) = rows(), members(1)
    weight = np.linspace(0.5, 1.5, len(X)) if weighted else None
    before = {name: p.clone() for name, p in ae.fit(X, sample_weight=weight).untrained().module_.named_parameters()}
    moved = {name for name, p in ae.module_.named_parameters() if not torch.equal(p, before[name])}
    assert {f"own_factor.network.layers.{i}.{kind}" for i in (0, 1) for kind in ("matrix", "bias")} <= moved
    assert all(math.isfinite(epoch["factor"]) for epoch in ae.history_)
    ae.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.penalty == ae.penalty
    assert np.array_equal(again.transform(X), ae.transform(X))
    assert all(torch.equal(a, b) for a, b in zip(again.module_.parameters(), ae.module_.parameters(), strict=True))


def test_members_of_a_population_are_what_they_are_alone():
    X, together = rows(), members(dtype="float64", batch_size=30)
    assert fit_together(together, X) == [None] * 3
    for ae, alone in zip(together, members(dtype="float64", batch_size=30), strict=True):
        assert "one by one" not in ae.engine_
        np.testing.assert_allclose(ae.transform(X), alone.fit(X).transform(X), atol=1e-8)


def test_recorded_and_eager_steps_agree():
    X = rows()
    recorded, eager = (
        members(1, engine=engine, dtype="float64")[0].fit(X).transform(X) for engine in ("recorded", "eager")
    )
    np.testing.assert_allclose(recorded, eager, atol=1e-8)
