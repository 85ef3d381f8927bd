"""Training on the importance-weighted bound: its value and gradients against oracles, and the estimator's manners."""

import numpy as np
import pytest
import torch
from members import rows
from sklearn.base import clone

import isthmus
from isthmus import Autoencoder, bounds, codes, corruptions, encoders, likelihoods, penalties
from isthmus.beyond import ImportanceWeighted
from isthmus.beyond.importance import Weighted
from isthmus.errors import SettingError
from isthmus.populations import fit_together

SMALL = {"code_size": 2, "encoder": encoders.MLP((8,), "tanh"), "max_epochs": 3, "random_state": 0}


def fitted(**settings):
    return ImportanceWeighted(**(SMALL | settings)).fit(rows())


def loss(module, x, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return module.objective(module(x, None, rng))["bound"]


def value(module, x, seed=0):
    with torch.no_grad():
        return loss(module, x, seed).item()


@pytest.fixture
def x():
    return torch.as_tensor(np.random.default_rng(3).normal(size=(5, 6)))


@pytest.mark.parametrize("samples", [1, 4])
def test_the_gradient_is_that_of_finite_differences(x, samples):
    """With common noise; of every parameter in a random direction."""
    module = fitted(samples=samples).module_
    parameters = list(module.parameters())
    gradients = torch.autograd.grad(loss(module, x), parameters)
    generator = torch.Generator().manual_seed(1)
    for p, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                p.add_(step * direction)
                ends.append(value(module, x))
            p.add_(1e-5 * direction)
        assert (gradient * direction).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-7)


def test_the_bound_of_one_sample_is_the_evidence_bound(x):
    """With the divergence estimated from the sample, as it is where no closed form is known."""
    module = fitted(samples=1).module_
    z, stats = module.code(module.encoder(x), None, torch.Generator().manual_seed(4))
    sampled_kl = module.code.log_posterior(z, stats) - module.code.log_prior(z)
    surprise = module.likelihood.nll(module.decoder(z), x).sum(dim=-1)
    assert value(module, x, 4) == pytest.approx((surprise + sampled_kl).mean().item(), rel=1e-12)
    many = np.mean([-value(module, x, seed) for seed in range(600)])
    assert many == pytest.approx(bounds.elbo(module, x.numpy(), 5000).mean, abs=0.15)


def test_the_bound_is_the_estimate_of_as_many_samples(x):
    module = fitted(samples=20).module_
    many = np.mean([-value(module, x, seed) for seed in range(300)])
    estimates = [bounds.log_likelihood(module, x.numpy(), 20, seed).mean for seed in range(300)]
    spread = np.std(estimates) * np.sqrt(2 / 300)
    assert abs(many - np.mean(estimates)) < 4 * spread
    assert spread < 0.05


def test_weights_of_rows_count(x):
    module = fitted(samples=3).module_
    rng = torch.Generator().manual_seed(0)
    given = torch.tensor([2.0, 0, 1, 1, 1], dtype=x.dtype)
    weighted = module.objective(module(x, None, rng, given))["bound"]
    doubled = module(x, None, torch.Generator().manual_seed(0))
    per_row = torch.logsumexp(module._log_weights(doubled).view(3, 5), dim=0) - np.log(3)
    assert weighted.item() == pytest.approx(-(per_row * given).mean().item())


def test_the_doubly_reparametrised_gradient_agrees_on_average_and_is_less_noisy():
    """Of the encoder: both are unbiased; of the decoder they are the same number for number."""
    ae = fitted(samples=30, max_epochs=100)
    plain, x = ae.module_, torch.as_tensor(ae.scale(rows()[:5]))
    doubly = Weighted(plain, 30, doubly=True).double()
    assert value(plain, x) == value(doubly, x)

    def gradients(module):
        parameters = [*module.encoder.parameters(), *module.decoder.parameters()]
        split = sum(p.numel() for p in module.encoder.parameters())
        found = []
        for seed in range(400):
            gradient = torch.autograd.grad(loss(module, x, seed), parameters)
            found.append(torch.cat([g.flatten() for g in gradient]).numpy())
        return np.array(found)[:, :split], np.array(found)[:, split:]

    (encoder, decoder), (encoder_2, decoder_2) = gradients(plain), gradients(doubly)
    np.testing.assert_allclose(decoder, decoder_2, rtol=1e-9, atol=1e-12)
    error = np.sqrt((encoder.var(axis=0) + encoder_2.var(axis=0)) / 400)
    z = (encoder.mean(axis=0) - encoder_2.mean(axis=0)) / np.maximum(error, 1e-12)
    assert np.abs(z).max() < 5
    assert np.mean(np.square(z)) < 2
    assert encoder_2.var(axis=0).sum() < 0.7 * encoder.var(axis=0).sum()


def test_masked_entries_are_scored_alone(x):
    """Under a corruption the row itself is scored, where the corruption says so."""
    module = fitted(samples=2, corruption=corruptions.Masking(0.5, "hidden")).module_
    rng = torch.Generator().manual_seed(2)
    p = module(x, None, rng)
    assert p.mask is not None
    entries = module.likelihood.nll(p.theta, x.repeat(2, 1)) * p.mask.repeat(2, 1)
    log_w = bounds.log_weights(module, (-entries.sum(-1), p.z, p.stats)).view(2, -1)
    expected = np.log(2) - torch.logsumexp(log_w, 0).mean().item()
    assert module.objective(p)["bound"].item() == pytest.approx(expected)


def test_bits_are_drawn_anew_in_training():
    X = np.random.default_rng(0).uniform(size=(60, 6))
    settings = SMALL | {"binarise": True, "likelihood": likelihoods.Bernoulli()}
    ae = ImportanceWeighted(samples=2, **settings).fit(X)
    first, second = (ae.module_(torch.as_tensor(X), None, torch.Generator().manual_seed(s)).x for s in (0, 1))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)
    many = torch.stack([ae.module_(torch.as_tensor(X), None, torch.Generator().manual_seed(s)).x for s in range(400)])
    assert float((many.mean(dim=0) - torch.as_tensor(X)).abs().max()) < 0.15
    assert np.array_equal(ae.module_(torch.as_tensor(X)).x.numpy(), X)


def test_steps_are_recorded():
    for more in ({}, {"doubly": True}, {"binarise": True, "likelihood": likelihoods.Bernoulli()}):
        X = np.random.default_rng(0).uniform(size=(200, 6))
        by = {
            engine: ImportanceWeighted(samples=3, **(SMALL | more | {"engine": engine})).fit(X)
            for engine in ("recorded", "eager")
        }
        assert by["recorded"].engine_.startswith("recorded")
        for a, b in zip(*(ae.module_.parameters() for ae in by.values()), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("doubly", [False, True])
def test_they_train_together_as_alone(doubly):
    X = rows()
    together = [ImportanceWeighted(samples=3, doubly=doubly, **(SMALL | {"random_state": s})) for s in range(3)]
    alone = [clone(ae).fit(X) for ae in together]
    assert fit_together(together, X) == [None] * 3
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.transform(X), b.transform(X), rtol=1e-6, atol=1e-8)
    assert doubly or "one by one" not in together[0].engine_


def test_others_are_no_members_of_the_same_population():
    X = rows()
    mixed = [
        ImportanceWeighted(samples=2, **SMALL),
        ImportanceWeighted(samples=3, **SMALL),
        Autoencoder(code=codes.Gaussian(), **SMALL),
    ]
    alone = [clone(ae).fit(X) for ae in mixed]
    fit_together(mixed, X)
    for a, b in zip(mixed, alone, strict=True):
        np.testing.assert_allclose(a.transform(X), b.transform(X), rtol=1e-6, atol=1e-8)


def test_more_samples_give_a_better_model_of_the_rows():
    """A narrow decoder that needs a posterior that is no independent Gaussian: L_1 distorts it, L_50 does less."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, size=1000)
    X = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.05 * rng.normal(size=(1000, 2))
    found = []
    for samples in (1, 50):
        ae = ImportanceWeighted(
            1, samples, likelihood=likelihoods.Gaussian(0.1), scaling=None, max_epochs=30, random_state=0
        ).fit(X[:700])
        found.append(bounds.log_likelihood(ae.module_, X[700:], 300).mean)
    assert found[1] > found[0] + 0.02


def test_settings_clone_and_print():
    ae = ImportanceWeighted(3, 7, doubly=True, learning_rate=0.1, penalty=None)
    assert set(ae.get_params(deep=False)) == {
        *Autoencoder().get_params(deep=False),
        *("samples", "binarise", "doubly"),
    }
    twin = clone(ae)
    assert twin.get_params() == ae.get_params()
    assert repr(ae) == "ImportanceWeighted(code_size=3, doubly=True, learning_rate=0.1, samples=7)"
    assert twin.set_params(samples=2, encoder=encoders.Linear()).samples == 2


def test_saved_and_loaded(tmp_path):
    ae = fitted(samples=4, doubly=True)
    ae.save(tmp_path)
    again = isthmus.load(tmp_path)
    assert type(again) is ImportanceWeighted
    assert again.get_params() == ae.get_params()
    assert np.array_equal(again.transform(rows()), ae.transform(rows()))
    x = torch.as_tensor(rows()[:5])
    assert value(again.module_, x) == value(ae.module_, x)
    again.partial_fit(rows())
    assert "bound" in again.history_[-1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingError) as fault:
        ImportanceWeighted(code=codes.Plain(), **SMALL).fit(rows())
    assert str(fault.value) == (
        "ImportanceWeighted needs a code that gives 'density', of each row by itself; "
        "this code gives no statistics; use code=codes.Gaussian()"
    )
    with pytest.raises(SettingError, match="penalty must be one of None; got"):
        ImportanceWeighted(penalty=penalties.Divergence()).fit(rows())
    with pytest.raises(SettingError, match="samples must be a whole number >= 1; got 0"):
        ImportanceWeighted(samples=0).fit(rows())
    with pytest.raises(SettingError, match="no such setting: learning_rat; in ImportanceWeighted; did you mean"):
        ImportanceWeighted(learning_rat=1)


def test_its_other_methods_are_those_of_an_autoencoder():
    ae, X = fitted(samples=3), rows()
    assert ae.transform(X).shape == (120, 2)
    assert ae.sample(4, random_state=0).shape == (4, 6)
    assert ae.score_samples(X).shape == (120,)
    assert ae.untrained().n_iter_ == 0
