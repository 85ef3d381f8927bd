"""Clustering with a mixture prior: planted clusters found again, weights handed over, the mixture read out."""

import copy

import numpy as np
import pytest
import torch
from members import rows
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from isthmus import Autoencoder, codes, encoders, load, mixtures, priors, zoo
from isthmus.errors import DataError, SettingError
from isthmus.populations import fit_together

FIRST = {"max_epochs": 20, "random_state": 0, "batch_size": 32}


def planted(seed=0, n=600, d=10, clusters=5, apart=7.0):
    """Clusters of unit variance whose nearest means are so far apart, and of each row its cluster."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(clusters, d))
    means *= apart / np.linalg.norm(means[:, None] - means + 1e9 * np.eye(clusters)[:, :, None], axis=2).min()
    y = rng.integers(clusters, size=n)
    return means[y] + rng.normal(size=(n, d)), y


def kind(components, seed, **settings):
    small = {"hidden": (64,), "max_epochs": 30, "batch_size": 32, "random_state": seed}
    return zoo.mixture(8, components, **(small | settings))


@pytest.mark.parametrize(("d", "clusters"), [(10, 5), (4, 3), (20, 8)])
def test_planted_clusters_are_found_in_one_training(d, clusters):
    """Ten seeds of weights and rows each; the members of a population are as they would be alone."""
    sets = [planted(seed, d=d, clusters=clusters) for seed in range(10)]
    made = [kind(clusters, seed) for seed in range(10)]
    assert fit_together(made, [X for X, _ in sets]) == [None] * 10
    found = [adjusted_rand_score(y, mixtures.assign(ae, X)) for ae, (X, y) in zip(made, sets, strict=True)]
    assert min(found) >= 0.95, found


def test_a_population_restarts_as_its_members_alone():
    X, _ = planted(n=200)
    make = [lambda i=i: kind(3, i, max_epochs=12, dtype="float64") for i in range(2)]
    alone, together = [m().fit(X) for m in make], [m() for m in make]
    fit_together(together, X)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(mixtures.responsibilities(one, X), mixtures.responsibilities(other, X), atol=1e-6)


def test_a_mixture_restarts_once(monkeypatch):
    heard = []
    restart = priors.MixturePrior.restart
    monkeypatch.setattr(priors.MixturePrior, "restart", lambda s, m, v: (heard.append(m.clone()), restart(s, m, v))[0])
    X, _ = planted(n=200)
    kind(3, 0, max_epochs=12).fit(X)
    assert [z.shape for z in heard] == [(180, 8)]
    kind(3, 0, code=codes.Gaussian(priors.Mixture(3, restart=0)), max_epochs=12).fit(X)
    kind(3, 0, max_epochs=10).fit(X)
    assert len(heard) == 1


def test_the_restart_is_scikit_learns_mixture():
    """On clusters far apart there is one answer; what posteriors vary is added."""
    z = torch.from_numpy(planted(d=3, clusters=4, apart=20.0)[0])
    prior = priors.Mixture(4).build(3).double()
    prior.restart(z, torch.full_like(z, -1.0))
    fit = GaussianMixture(4, covariance_type="diag", n_init=5, random_state=1).fit(z.numpy())
    ours = prior.means[:, 0].argsort().detach()
    theirs = fit.means_[:, 0].argsort()
    np.testing.assert_allclose(prior.means.detach()[ours], fit.means_[theirs], rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(prior.logits.softmax(0).detach()[ours], fit.weights_[theirs], rtol=1e-3)
    expected = fit.covariances_[theirs] + np.exp(-1.0)
    np.testing.assert_allclose(prior.log_variances.exp().detach()[ours], expected, rtol=2e-2)


def test_fewer_codes_than_components_restart_nothing():
    prior = priors.Mixture(4).build(2)
    before = copy.deepcopy(prior.state_dict())
    prior.restart(torch.zeros(3, 2), torch.zeros(3, 2))
    assert all(torch.equal(before[name], tensor) for name, tensor in prior.state_dict().items())


# --- of a trained autoencoder ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["undercomplete", "variational", "denoising"])
def test_a_trained_autoencoder_goes_on_to_clusters(first):
    X, y = planted(d=8, clusters=4)
    settings = {"hidden": (32,)} | ({"beta": 0.1} if first == "variational" else {})
    ae = zoo.KINDS[first](4, **settings, **FIRST).fit(X)
    made = mixtures.cluster(ae, X, 4, strength=0.1, max_epochs=10)
    assert adjusted_rand_score(y, mixtures.assign(made, X)) >= 0.95
    assert made.history_[-1]["loss"] < made.history_[0]["loss"]
    assert made.encoder == ae.encoder
    assert made.corruption == ae.corruption
    assert made.sample(5, random_state=0).shape == (5, 8)


def test_it_begins_as_it_was_trained(monkeypatch):
    """Without training: the same codes and reconstructions, narrow posteriors, the mixture of the codes."""
    monkeypatch.setattr(mixtures, "_train", lambda job: job.finish())
    X, _ = planted(d=8, clusters=4)
    for kind_of in (zoo.undercomplete, zoo.variational, zoo.convolutional):
        ae = kind_of(4, **FIRST).fit(X)
        made = mixtures.cluster(ae, X, 4)
        np.testing.assert_allclose(made.transform(X), ae.transform(X), atol=1e-6)
        np.testing.assert_allclose(made.reconstruct(X), ae.reconstruct(X), atol=1e-6)
        with torch.no_grad():
            stats = made.module_.code(made.module_.encoder(torch.from_numpy(made.scale(X))))[1]
        within = made.module_.code.prior.log_variances.exp().mean().item()
        if kind_of is not zoo.variational:
            torch.testing.assert_close(stats["log_variance"].exp().mean().item(), 0.1 * within)
        fit = GaussianMixture(4, covariance_type="diag", n_init=10, random_state=0).fit(made.transform(X))
        agreed = adjusted_rand_score(fit.predict(made.transform(X)), mixtures.assign(made, X))
        assert agreed > 0.95


def test_trained_weights_are_left_alone():
    X, _ = planted(n=200)
    ae = zoo.undercomplete(3, hidden=(8,), **FIRST).fit(X)
    before = copy.deepcopy(ae.module_.state_dict())
    mixtures.cluster(ae, X, 3, max_epochs=3)
    assert all(torch.equal(before[name], tensor) for name, tensor in ae.module_.state_dict().items())


def test_responsibilities_are_those_of_the_codes():
    X, _ = planted(n=200)
    made = kind(3, 0, max_epochs=3).fit(X)
    found = mixtures.responsibilities(made, X)
    assert found.shape == (200, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    expected = made.module_.code.prior.responsibilities(torch.from_numpy(made.transform(X))).detach()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(mixtures.assign(made, X), found.argmax(axis=1))


def test_a_clustering_is_kept_and_repeats(tmp_path):
    X, _ = planted(n=200)
    ae = zoo.undercomplete(3, hidden=(8,), **FIRST).fit(X)
    one, other = (mixtures.cluster(ae, X, 3, max_epochs=3) for _ in range(2))
    np.testing.assert_allclose(one.transform(X), other.transform(X), atol=1e-6)
    one.save(tmp_path / "model")
    np.testing.assert_array_equal(mixtures.assign(load(tmp_path / "model"), X), mixtures.assign(one, X))


def own(inputs, outputs):
    return torch.nn.Linear(inputs, outputs)


REFUSED = [
    ({}, {"components": 0}, "components must be a whole number >= 1; got 0; in cluster"),
    ({}, {"strength": -1.0}, "strength must be a number >= 0; got -1.0; in cluster"),
    ({}, {"max_epoch": 3}, "no such setting: max_epoch; in Autoencoder; did you mean 'max_epochs'?"),
    (
        {"code": codes.TopK(1)},
        {},
        "the code is TopK(k=1); in cluster; codes.Plain() or codes.Gaussian()",
    ),
    ({"encoder": own}, {}, "the encoder is a network of your own; in cluster; a specification"),
]


@pytest.mark.parametrize(("settings", "asked", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_clustered(settings, asked, message):
    ae = Autoencoder(2, **{"encoder": encoders.MLP((4,)), "max_epochs": 1} | settings).fit(rows())
    with pytest.raises(SettingError) as caught:
        mixtures.cluster(ae, rows(), **asked)
    assert str(caught.value) == message


def test_fewer_rows_than_components():
    ae = zoo.linear(2, max_epochs=1).fit(rows())
    with pytest.raises(DataError) as caught:
        mixtures.cluster(ae, rows()[:5], 7)
    assert str(caught.value) == "5 rows to train on; in cluster; at least 7"


def test_a_code_without_a_mixture_has_no_responsibilities():
    with pytest.raises(SettingError) as caught:
        mixtures.assign(zoo.variational(2, max_epochs=1).fit(rows()), rows())
    assert str(caught.value) == (
        "the code has no mixture as its prior; in responsibilities; code=codes.Gaussian(priors.Mixture(10)); "
        "make one of a trained autoencoder by mixtures.cluster(ae, X)"
    )
