"""Codes in whole steps: how they round, what they cost, what training finds; nets that begin as identity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from members import rows

from isthmus import Autoencoder, codes, decoders, encoders, load, penalties
from isthmus.codes.rounded import LEAST, PACE
from isthmus.populations import fit_together


def built(step=0.5, threshold=0.6, components=2, size=3, seed=0):
    """A code whose mixtures are not those it begins with."""
    code = codes.Rounded(step, threshold, components).build(size).double()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in code.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=rng, dtype=torch.float64))
    return code


def probability(code, low, high):
    """Of numbers between two edges, in steps, (N, K), by the mixtures' own distribution functions."""
    weights = torch.softmax(code.logits, dim=0)
    scale = torch.exp(PACE * code.widths) + LEAST
    below, above = (torch.sigmoid((edge[:, None] - code.centres) / scale) for edge in (low, high))
    return (weights * (above - below)).sum(dim=1)


def test_it_rounds_to_steps_with_a_dead_zone():
    code = built().eval()
    z, stats = code(torch.tensor([[0.29, 0.31, -0.84]], dtype=torch.float64))
    torch.testing.assert_close(z, torch.tensor([[0.0, 0.5, -1.0]], dtype=torch.float64))
    assert torch.equal(stats["noisy"], z)
    plain = codes.Rounded(0.5).build(3)
    a = torch.linspace(-3, 3, 60)[:, None].expand(-1, 3)
    torch.testing.assert_close(plain(a)[0], 0.5 * torch.round(a / 0.5))


def test_in_training_the_decoder_sees_steps_and_the_cost_noise():
    code = built().train()
    a = torch.randn(500, 3, dtype=torch.float64).requires_grad_()
    z, stats = code(a, rng=torch.Generator().manual_seed(1))
    torch.testing.assert_close(z, 0.5 * torch.round(z / 0.5))
    away = (stats["noisy"] - a) / 0.5
    assert away.abs().max() <= 0.5
    assert away.var().item() == pytest.approx(1 / 12, rel=0.1)
    z.sum().backward()
    torch.testing.assert_close(a.grad, torch.ones_like(a))


def test_the_cost_is_minus_the_logarithm_of_a_step_s_probability():
    code = built()
    z = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2
    expected = -torch.log(probability(code, z / 0.5 - 0.5, z / 0.5 + 0.5))
    torch.testing.assert_close(code.divergence(z, {"noisy": z}), expected)
    whole = 0.5 * torch.arange(-60, 61, dtype=torch.float64)[:, None].expand(-1, 3)
    total = torch.exp(-code.divergence(whole, {"noisy": whole})).sum(dim=0)
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64))


def test_far_away_it_costs_much_but_no_infinity():
    code = built()
    far = torch.full((1, 3), 1e6, dtype=torch.float64, requires_grad=True)
    cost = code.divergence(far, {"noisy": far})
    cost.sum().backward()
    assert torch.isfinite(cost).all()
    assert torch.isfinite(far.grad).all()
    assert (far.grad > 0).all()


def test_samples_are_steps_as_often_as_they_are_cheap():
    code = built(size=2)
    z = code.sample(20_000, torch.Generator().manual_seed(3)) / 0.5
    torch.testing.assert_close(z, z.round())
    for step in (-1.0, 0.0, 1.0, 2.0):
        at = torch.full((1, 2), step, dtype=torch.float64)
        expected = probability(code, at - 0.5, at + 0.5)[0]
        torch.testing.assert_close((z == step).double().mean(dim=0), expected, atol=0.012, rtol=0)


def entropy(Q):
    """Nats a row, of columns by themselves."""
    shares = [np.unique(column, return_counts=True)[1] / len(Q) for column in Q.T]
    return sum(-(p * np.log(p)).sum() for p in shares)


def trained(strength, seed=0, **settings):
    return Autoencoder(
        6,
        encoders.Residual((8,)),
        code=codes.Rounded(0.5),
        penalty=penalties.Divergence(strength),
        max_epochs=40,
        learning_rate=1e-2,
        random_state=seed,
        validation_fraction=0.0,
        **settings,
    )


def test_what_training_says_it_costs_is_near_the_entropy():
    X = rows(2000)
    ae = trained(0.02).fit(X)
    found = entropy(np.rint(ae.transform(X) / 0.5))
    said = ae.history_[-1]["divergence"] / 0.02
    assert found == pytest.approx(said, rel=0.1)
    assert found > 3


def test_dearer_bits_are_fewer_and_members_of_a_population_are_what_they_are_alone():
    X = rows(600)
    company = [trained(strength, scaling="standard") for strength in (0.01, 0.3)]
    assert fit_together(company, X) == [None, None]
    cheap, dear = (entropy(np.rint(ae.transform(X) / 0.5)) for ae in company)
    assert dear < 0.6 * cheap
    alone = trained(0.3, scaling="standard").fit(X)
    assert alone.history_[-1]["loss"] == pytest.approx(company[1].history_[-1]["loss"], rel=1e-3)


def test_it_is_kept(tmp_path):
    X = rows()
    ae = trained(0.05).fit(X)
    ae.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").transform(X), ae.transform(X))


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 3), (3, 5), (4, 4)])
def test_beside_a_perceptron_that_begins_at_zero_is_the_identity(inputs, outputs):
    encoder = encoders.Residual((7, 6), "tanh").build((inputs,), outputs)
    x = torch.randn(9, inputs)
    expected = torch.zeros(9, outputs)
    expected[:, : min(inputs, outputs)] = x[:, : min(inputs, outputs)]
    torch.testing.assert_close(encoder(x), expected)
    decoder = decoders.Residual((7,)).build(inputs, (outputs,), encoder)
    torch.testing.assert_close(decoder(x), expected)
    decoder(x).square().sum().backward()
    assert decoder.network.dense[-1].matrix.grad.abs().max() > 0
    assert encoders.Residual((7, 6), "tanh").mirror() == decoders.Residual((6, 7), "tanh")
