"""New rows by way of the code, against models whose code is known in closed form."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from isthmus import Autoencoder, codes, decoders, generating, priors, zoo
from isthmus.errors import DataError, SettingError
from isthmus.samplers import GaussianMixture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 6)) + 3
QUICK = {"max_epochs": 2, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def plain():
    return zoo.linear(4, **QUICK).fit(X)


@pytest.fixture(scope="module")
def gaussian():
    return zoo.variational(3, hidden=(8,), **QUICK).fit(X)


@pytest.fixture(scope="module")
def conditional():
    ae = Autoencoder(3, decoder=decoders.Conditional(), code=codes.Gaussian(), **QUICK)
    return ae.fit(X, groups=np.arange(300) % 2)


def test_of_a_linear_code_the_way_between_rows_is_the_line_between_reconstructions(plain):
    a, b = X[:3], X[3:6]
    way = generating.interpolate(plain, a, b, steps=5)
    ends = plain.reconstruct(a), plain.reconstruct(b)
    assert way.shape == (3, 5, 6)
    for i, share in enumerate(np.linspace(0, 1, 5)):
        np.testing.assert_allclose(way[:, i], (1 - share) * ends[0] + share * ends[1], rtol=1e-6)


def test_the_path_suits_the_prior(plain, gaussian):
    assert generating.default_path(plain) == "linear"
    assert generating.default_path(gaussian) == "spherical"
    mixture = Autoencoder(3, code=codes.Gaussian(priors.Mixture(4)), **QUICK).fit(X)
    assert generating.default_path(mixture) == "linear"
    a, b = X[:3], X[3:6]
    own = generating.interpolate(gaussian, a, b)
    np.testing.assert_array_equal(own, generating.interpolate(gaussian, a, b, how="spherical"))
    assert not np.allclose(own, generating.interpolate(gaussian, a, b, how="linear"))


def test_a_traversal_changes_one_unit_between_its_quantiles(plain):
    made = generating.traverse(plain, X[:2], units=[2, 0], steps=5, reach=1.5, rows=X)
    assert made.shape == (2, 2, 5, 6)
    Z = plain.transform(X)
    for place, unit in enumerate((2, 0)):
        z = np.repeat(Z[:2, None], 5, axis=1)
        z[:, :, unit] = np.linspace(*np.quantile(Z[:, unit], norm.cdf([-1.5, 1.5])), 5)
        np.testing.assert_allclose(made[:, place], plain.inverse_transform(z.reshape(-1, 4)).reshape(2, 5, 6))


def test_of_a_gaussian_unit_the_reach_is_in_standard_deviations(gaussian):
    seen = 2 + 3 * np.random.default_rng(0).normal(size=(200_000, 2))
    values = generating.walk(seen, [1], steps=3, reach=2.0)
    np.testing.assert_allclose(values, [[-4, 2, 8]], atol=0.1)
    prior = generating.spread_codes(gaussian)
    assert prior.shape == (2000, 3)
    np.testing.assert_allclose(generating.walk(prior, [0], 3, 1.0), [[-1, 0, 1]], atol=0.1)


def test_without_rows_the_prior_says_how_far(gaussian):
    whole = generating.traverse(gaussian, steps=3)
    assert whole.shape[0] == 1
    assert whole.shape[2:] == (3, 6)
    np.testing.assert_array_equal(whole, generating.traverse(gaussian, steps=3))


def test_without_a_prior_the_rows_themselves_say_how_far(plain):
    same = generating.traverse(plain, X[:50], units=[0], steps=3)
    np.testing.assert_array_equal(same, generating.traverse(plain, X[:50], units=[0], steps=3, rows=X[:50]))


class Weighted(torch.nn.Module):
    """Decodes unit u with weight w[u] into column u; unit 1 into none."""

    def forward(self, z):
        return torch.cat([z * torch.tensor([1.0, 0.0, 5.0], dtype=z.dtype), 0 * z], dim=1)


def test_active_units_are_those_that_move_rows_the_strongest_first():
    ae = Autoencoder(3, encoder=torch.nn.Linear(6, 3), decoder=Weighted(), **QUICK | {"max_epochs": 1}).fit(X)
    seen = np.random.default_rng(0).normal(size=(500, 3)) * [1, 100, 1]  # by variance unit 1 would be first
    assert generating.active_units(ae, seen) == [2, 0]
    still = np.zeros((500, 3))
    assert generating.active_units(ae, still) == [0]


def test_at_most_ten_units_are_walked_along():
    ae = zoo.linear(12, **QUICK).fit(RNG.normal(size=(200, 14)))
    assert generating.traverse(ae, rows=RNG.normal(size=(50, 14)), steps=2).shape == (1, 10, 2, 14)


def test_a_sampler_s_codes_are_decoded(plain):
    sampler = GaussianMixture(2, random_state=0).fit(plain.transform(X))
    made = generating.sample_with(plain, sampler, 7, 3)
    np.testing.assert_array_equal(made, plain.inverse_transform(sampler.sample(7, 3)))


def test_groups_reach_the_decoder(conditional):
    a, b = X[:2], X[2:4]
    both = [generating.interpolate(conditional, a, b, 3, groups=[g, g]) for g in (0, 1)]
    assert not np.allclose(*both)
    mixed = generating.interpolate(conditional, a, b, 3, groups=[0, 1])
    np.testing.assert_allclose(mixed, np.stack([both[0][0], both[1][1]]), rtol=1e-6)
    bound = conditional.for_group(1)
    np.testing.assert_allclose(generating.interpolate(bound, a, b, 3), both[1], rtol=1e-6)
    walked = generating.traverse(conditional, X[:2], [0], 3, groups=[1, 1])
    np.testing.assert_allclose(walked, generating.traverse(bound, X[:2], [0], 3), rtol=1e-6)
    sampler = GaussianMixture(2, random_state=0).fit(conditional.transform(X))
    made = generating.sample_with(conditional, sampler, 3, 0, groups=[1, 1, 1])
    np.testing.assert_allclose(made, generating.sample_with(bound, sampler, 3, 0), rtol=1e-6)


FAULTS = [
    (
        lambda ae: generating.interpolate(ae, X[:2], X[:3]),
        DataError,
        "2 rows and 3; in interpolate; pairs: as many rows of a as of b",
    ),
    (
        lambda ae: generating.interpolate(ae, X[:2], X[:2], 1, "round"),
        SettingError,
        (
            "steps must be a whole number >= 2; got 1 and how must be one of None, 'linear', 'spherical'; got 'round'; "
            "in interpolate"
        ),
    ),
    (
        lambda ae: generating.traverse(ae, units=[4], rows=X),
        SettingError,
        "no unit 4; in traverse; units of the code: 0 to 3",
    ),
    (
        lambda ae: generating.traverse(ae, reach=0, units=[]),
        SettingError,
        (
            "reach must be a number > 0; got 0 and units must be one of None or a sequence of at least 1, each a whole "
            "number >= 0; got []; in traverse"
        ),
    ),
    (
        generating.traverse,
        SettingError,
        (
            "nothing says how far units range: this code has no prior; in traverse; rows, such as those of training; "
            "traverse(ae, rows=X)"
        ),
    ),
    (
        lambda ae: generating.sample_with(ae, GaussianMixture(), 0),
        SettingError,
        "n_samples must be a whole number >= 1; got 0; in sample_with",
    ),
]


@pytest.mark.parametrize(("act", "kind", "message"), FAULTS)
def test_what_does_not_fit_is_one_line(plain, act, kind, message):
    with pytest.raises(kind) as caught:
        act(plain)
    assert str(caught.value) == message
