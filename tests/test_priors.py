"""Priors against torch's distributions, quadrature and Monte Carlo; what they learn and how they are kept."""

import copy
import math

import joblib
import numpy as np
import pytest
import torch
from members import rows
from scipy import integrate
from torch import distributions as D

from isthmus import Autoencoder, codes, encoders, load, penalties, priors
from isthmus.assembly import Blueprint, assemble
from isthmus.errors import SettingError
from isthmus.populations import fit_together
from isthmus.pretraining import finetune

STEPS = {"dtype": "float64", "batch_size": 16, "max_epochs": 10}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normals(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def mixture(components=4, size=3, **settings):
    """A mixture whose parameters are all different, and the same by torch."""
    prior = priors.Mixture(components, **settings).build(size).double()
    prior.begin(normals(components).softmax(0), normals(components, size), torch.exp(normals(components, size, seed=2)))
    return prior


def by_torch(prior):
    components = D.Independent(D.Normal(prior.means, torch.exp(prior.log_variances / 2)), 1)
    return D.MixtureSameFamily(D.Categorical(logits=prior.logits), components)


def built(code, width=5, size=3, seed=0, **slots):
    """A composition on columns within [−2, 3]."""
    slots = {"code": code, "encoder": encoders.MLP((7,), "tanh"), **slots}
    blueprint = Blueprint(slots, size, (width,), np.full(width, -2.0), np.full(width, 3.0))
    return assemble(blueprint, seed, torch.float64, torch.device("cpu"))


def vamp(components=6, **more):
    return built(codes.Gaussian(priors.Vamp(components)), **more)


# --- densities ---------------------------------------------------------------------------------------------------


def test_the_density_of_a_mixture_is_torchs():
    prior, z = mixture(), 3 * normals(50, 3)
    torch.testing.assert_close(prior.log_prob(z), by_torch(prior).log_prob(z))


def test_responsibilities_are_bayes_rule():
    prior, z = mixture(), 2 * normals(50, 3)
    twin = by_torch(prior)
    each = twin.component_distribution.log_prob(z[:, None]).exp() * twin.mixture_distribution.probs
    torch.testing.assert_close(prior.responsibilities(z), each / each.sum(dim=1, keepdim=True))


def test_the_density_far_away_is_finite():
    assert torch.isfinite(mixture().float().log_prob(torch.full((1, 3), 1e6))).all()


def test_a_mixture_begins_as_it_is_told():
    prior = priors.Mixture(3, least_variance=0.01).build(2)
    weights, means = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    variances = torch.tensor([[0.02, 1], [4, 9], [1e-9, 100]])
    prior.begin(weights, means, variances)
    torch.testing.assert_close(prior.logits.softmax(0), weights)
    torch.testing.assert_close(prior.means, means)
    expected = variances.clamp_min(0.01)
    torch.testing.assert_close(prior.log_variances.exp(), expected, rtol=2e-3, atol=0)


def test_no_variance_falls_below_the_least():
    prior = priors.Mixture(2, least_variance=0.04).build(3)
    with torch.no_grad():
        prior.raw.fill_(-1e4)
    torch.testing.assert_close(prior.log_variances.exp(), torch.full((2, 3), 0.04))
    prior.log_variances.sum().backward()
    assert torch.isfinite(prior.raw.grad).all()


def test_components_differ_from_the_start_and_depend_on_the_seed():
    first, again, other = (built(codes.Gaussian(priors.Mixture(5, spread=2.0)), seed=s).code.prior for s in (0, 0, 1))
    assert torch.equal(first.means, again.means)
    assert not torch.equal(first.means, other.means)
    assert torch.pdist(first.means).min() > 0.1
    wide = priors.Mixture(2000, spread=2.0).build(3)
    assert wide.means.std().item() == pytest.approx(2.0, rel=0.05)
    torch.testing.assert_close(wide.log_variances, torch.zeros(2000, 3), atol=2e-3, rtol=0)


@pytest.mark.parametrize("make", [mixture, lambda: vamp().code.prior], ids=["mixture", "vamp"])
def test_samples_follow_the_density(make):
    """Means, and the entropy as the mean of −log p, within 5 standard errors of importance-free integration in 1-D."""
    prior = make()
    z = prior.sample(20_000, generator())
    again = prior.sample(20_000, generator(1))
    assert z.shape == (20_000, 3)
    for moment in (lambda t: t, torch.square):
        one, two = moment(z), moment(again)
        error = torch.sqrt(one.var(0) / len(one) + two.var(0) / len(two))
        assert ((one.mean(0) - two.mean(0)).abs() < 5 * error).all()
    if isinstance(prior, priors.MixturePrior):
        expected, variance = by_torch(prior).mean, by_torch(prior).variance
    else:
        mean, log_variance = prior.posteriors()
        expected = mean.mean(0)
        variance = (log_variance.exp() + mean.square()).mean(0) - expected.square()
    assert ((z.mean(0) - expected).abs() < 5 * torch.sqrt(variance / len(z))).all()
    torch.testing.assert_close(z.var(0), variance, rtol=0.1, atol=0)


def test_the_density_of_a_mixture_integrates_to_one():
    prior = mixture(size=1)
    total, _ = integrate.quad(lambda v: prior.log_prob(torch.tensor([[v]]).double()).exp().item(), -40, 40, limit=200)
    assert total == pytest.approx(1, abs=1e-6)


def test_the_density_of_a_vamp_is_the_mean_of_its_posteriors():
    module, z = vamp(), 2 * normals(40, 3)
    mean, log_variance = module.code.prior.posteriors()
    each = D.Independent(D.Normal(mean, torch.exp(log_variance / 2)), 1).log_prob(z[:, None])  # (N, C)
    torch.testing.assert_close(module.code.log_prior(z), each.logsumexp(1) - math.log(6))
    single = copy.deepcopy(module).float()
    torch.testing.assert_close(
        single.code.log_prior(z.float()).double(), module.code.log_prior(z), atol=1e-4, rtol=1e-4
    )


# --- divergences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [priors.Mixture(4), priors.Vamp(5)], ids=repr)
def test_the_divergence_is_unbiased(prior):
    """Its mean over draws is KL(q ‖ p), here of a single row, by another estimator of more draws."""
    module = built(codes.Gaussian(prior), penalty=penalties.Divergence(2.0))
    x = normals(1, 5).expand(20_000, -1)
    p = module(x, rng=generator())
    found = module.code.divergence(p.z, p.stats)
    assert found.shape == (20_000, 1)
    one = module(x, rng=generator(1))
    q = D.Independent(D.Normal(one.stats["mean"], torch.exp(one.stats["log_variance"] / 2)), 1)
    other = q.log_prob(one.z) - module.code.log_prior(one.z)
    error = math.sqrt(found.var().item() / 20_000 + other.var().item() / 20_000)
    assert abs(found.mean().item() - other.mean().item()) < 4 * error
    torch.testing.assert_close(module.objective(p)["divergence"], 2 * found.mean())


def test_a_mixture_of_one_is_the_closed_form():
    """One component N(0, I): the estimate's mean is the closed form."""
    module = built(codes.Gaussian(priors.Mixture(1)))
    module.code.prior.begin(torch.ones(1), torch.zeros(1, 3), torch.ones(1, 3))
    plain = built(codes.Gaussian())
    x = normals(1, 5).expand(20_000, -1)
    p = module(x, rng=generator())
    found = module.code.divergence(p.z, p.stats)
    exact = plain.code.divergence(p.z, p.stats).sum(1)[0].item()
    assert abs(found.mean().item() - exact) < 4 * found.std().item() / math.sqrt(20_000)


# --- training ----------------------------------------------------------------------------------------------------


def autoencoder(prior, **settings):
    slots = {"encoder": encoders.MLP((6,), "tanh"), "code": codes.Gaussian(prior), "penalty": penalties.Divergence(0.5)}
    return Autoencoder(2, **slots, **(STEPS | {"random_state": 0} | settings))


PRIORS = [priors.Mixture(3, 0.5), priors.Vamp(4)]


def state(ae):
    return {name: tensor.clone() for name, tensor in ae.module_.state_dict().items()}


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_every_parameter_of_a_prior_is_trained(prior):
    ae = autoencoder(prior).fit(rows())
    before, after = state(ae.untrained()), state(ae)
    own = [name for name in after if name.startswith("code.prior.")]
    assert own
    assert all(not torch.equal(before[name], after[name]) for name in own)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_recorded_steps_are_eager_ones(prior):
    eager, recorded = (autoencoder(prior, engine=engine).fit(rows()) for engine in ("eager", "recorded"))
    assert recorded.engine_.startswith("recorded, ")
    for name, tensor in state(eager).items():
        torch.testing.assert_close(state(recorded)[name], tensor, rtol=0, atol=1e-8)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_members_of_a_population_are_what_they_are_alone(prior):
    alone = [autoencoder(prior, random_state=i, learning_rate=(1e-3, 1e-2)[i]).fit(rows()) for i in range(2)]
    together = [autoencoder(prior, random_state=i, learning_rate=(1e-3, 1e-2)[i]) for i in range(2)]
    assert fit_together(together, rows()) == [None, None]
    for one, other in zip(alone, together, strict=True):
        assert "one by one" not in other.engine_
        for name, tensor in state(one).items():
            torch.testing.assert_close(state(other)[name], tensor, rtol=0, atol=1e-8)


def test_members_may_differ_in_a_priors_numbers():
    made = [autoencoder(priors.Mixture(3, 0.5, least)) for least in (1e-3, 0.5)]
    alone = [autoencoder(priors.Mixture(3, 0.5, least)).fit(rows()) for least in (1e-3, 0.5)]
    fit_together(made, rows())
    assert "one by one" not in made[0].engine_
    for one, other in zip(alone, made, strict=True):
        np.testing.assert_allclose(one.transform(rows()), other.transform(rows()), atol=1e-8)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_copies_saved_and_pickled_ones_are_the_same_and_apart(prior, tmp_path):
    ae = autoencoder(prior).fit(rows())
    ae.save(tmp_path / "model")
    joblib.dump(ae, tmp_path / "ae.joblib")
    z = torch.from_numpy(ae.transform(rows()))
    expected = ae.module_.code.log_prior(z)
    for twin in (copy.deepcopy(ae), load(tmp_path / "model"), joblib.load(tmp_path / "ae.joblib")):
        torch.testing.assert_close(twin.module_.code.log_prior(z), expected, rtol=0, atol=0)
        np.testing.assert_array_equal(twin.sample(5, random_state=0), ae.sample(5, random_state=0))
        with torch.no_grad():
            for p in twin.module_.encoder.parameters():
                p.add_(1.0)
        moved = not torch.equal(twin.module_.code.log_prior(z), expected)
        assert moved == isinstance(prior, priors.Vamp)  # through its own encoder,
        torch.testing.assert_close(ae.module_.code.log_prior(z), expected, rtol=0, atol=0)  # not another's


def test_the_encoder_is_no_part_of_a_vamp():
    module = vamp()
    names = [name for name, _ in module.named_parameters()]
    assert [name for name in names if name.startswith("code.")] == ["code.prior.rows"]
    assert len(names) == len(set(names)) == len(list(module.parameters()))


def test_rows_of_a_vamp_lie_within_the_columns():
    module = vamp(400)
    prior = module.code.prior
    assert prior.rows.min() >= -2
    assert prior.rows.max() <= 3
    with torch.no_grad():
        prior.rows.fill_(7.0)
    mean, log_variance = prior.posteriors()
    encoded = module.encoder(torch.full((400, 5), 3.0, dtype=torch.float64))
    torch.testing.assert_close(torch.cat([mean, log_variance], 1), encoded)


def test_a_classifier_begins_with_a_code_that_has_a_prior():
    X, y = rows(), np.arange(120) % 2
    for prior in PRIORS:
        finetune(autoencoder(prior).fit(X), max_epochs=2).fit(X, y).predict(X)


MISFITS = [
    (priors.Mixture(0), "components must be a whole number >= 1; got 0; in Mixture"),
    (priors.Mixture(3, 0.0), "spread must be a number > 0; got 0.0; in Mixture"),
    (priors.Vamp(1.5), "components must be a whole number >= 1; got 1.5; in Vamp"),
]


@pytest.mark.parametrize(("prior", "message"), MISFITS, ids=range(len(MISFITS)))
def test_settings_of_priors_are_checked(prior, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, code=codes.Gaussian(prior)).fit(rows())
    assert str(caught.value) == message


def test_a_prior_is_no_number():
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, code=codes.Gaussian(3)).fit(rows())
    assert str(caught.value) == "prior must be one of None or a prior such as priors.Mixture(10); got 3; in Gaussian"
