"""The regressor: scikit-learn's checks, generalized linear models as oracles, answers of every kind, saving."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from isthmus import Regressor, corruptions, likelihoods, load, networks
from isthmus.classification import OnMaps
from isthmus.errors import DataError, SettingError
from isthmus.populations import fit_together
from isthmus.regression import Regression

# training draws rows by their number: a weight of 2 and a row given twice are not the same batches
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": "batches are random",
    "check_sample_weight_equivalence_on_sparse_data": "batches are random",
}


def small(**settings):
    return Regressor(
        **({"network": networks.MLP((8,)), "max_epochs": 60, "random_state": 0, "device": "cpu"} | settings)
    )


def whole(likelihood=None, **settings):
    """Plain gradient descent on all rows until nothing moves."""
    own = {"network": networks.MLP(()), "likelihood": likelihood, "scaling": None, "target_scaling": None}
    own |= {"batch_size": None, "max_epochs": 3000, "learning_rate": 0.05, "validation_fraction": 0.0}
    return small(**(own | {"early_stopping": False, "dtype": "float64"} | settings))


@parametrize_with_checks(
    # not AdamW: from centred rows and answers the bias's gradient is rounding alone, which it makes full steps of
    [small(), small(network=networks.MLP(()), batch_size=None, max_epochs=100, learning_rate=0.05, optimizer="sgd")],
    expected_failed_checks=lambda estimator: {} if estimator.batch_size is None else EXCUSED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table():
    X, y = load_diabetes(return_X_y=True)
    X = X[:, [2, 3, 5, 8]]
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def weights(regressor):
    weight, bias = (p.detach().numpy() for p in regressor.module_.network.parameters())
    return weight[0], float(bias[0])


def test_without_a_hidden_layer_it_is_least_squares(table):
    X, y = table
    ours, theirs = whole(target_scaling="standard").fit(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-8)


def test_a_sigmoid_neuron_is_logistic_regression(table):
    X, y = table
    high = (y > np.median(y)).astype(float)
    ours = whole(likelihoods.Bernoulli()).fit(X, high)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, high)
    np.testing.assert_allclose(weights(ours)[0], theirs.coef_[0], atol=1e-4)
    assert weights(ours)[1] == pytest.approx(theirs.intercept_[0], abs=1e-4)
    np.testing.assert_allclose(ours.predict(X), theirs.predict_proba(X)[:, 1], atol=1e-4)


def test_an_exponential_neuron_is_poissons_regression(table):
    X, y = table
    counts = np.round(y / 20)
    ours = whole(likelihoods.Poisson(size=None)).fit(X, counts)
    theirs = PoissonRegressor(alpha=0, tol=1e-10, max_iter=10_000).fit(X, counts)
    np.testing.assert_allclose(weights(ours)[0], theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)


def test_weighted_rows_are_weighted_least_squares(table):
    X, y = table
    weight = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    ours = whole(target_scaling="standard").fit(X, y, sample_weight=weight)
    theirs = LinearRegression().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)


class Fixed(nn.Module):
    def __init__(self, *answers):
        super().__init__()
        self.answers, self.auxiliary_weight = answers, 0.25

    def forward(self, x):
        return self.answers if self.training and len(self.answers) > 1 else self.answers[0]


def test_the_loss_is_torchs():
    rng = np.random.default_rng(0)
    theta, first, y = (torch.tensor(rng.normal(size=(7, 4))) for _ in range(3))
    weight = torch.tensor(rng.random(7))
    answer = likelihoods.Gaussian(0.5).build(4)
    module = Regression(corruptions.Corruption(), OnMaps(Fixed(theta, first), (3,)), answer)
    terms = module.objective(module(torch.zeros(7, 3), y, None, weight))

    def oracle(theta):
        return -(torch.distributions.Normal(theta, 0.5).log_prob(y).sum(dim=1) * weight).mean()

    torch.testing.assert_close(terms["surprise"], oracle(theta))
    torch.testing.assert_close(terms["auxiliary"], 0.25 * oracle(first))
    assert [*module.eval().objective(module(torch.zeros(7, 3), y))] == ["surprise"]


def test_a_wave_is_learned_in_its_own_units():
    x = np.linspace(-3, 3, 400)[:, None]
    y = 1000 + 50 * np.sin(2 * x[:, 0])
    net = networks.MLP((64, 64), "silu")
    found = small(network=net, max_epochs=200, early_stopping=False).fit(x, y)
    assert found.predict(x).shape == (400,)
    assert found.score(x, y) > 0.99


def test_answers_of_several_numbers(table):
    X, y = table
    both = np.stack([y, -3 * y + 7], axis=1)
    ours = whole(target_scaling="standard").fit(X, both)
    np.testing.assert_allclose(ours.predict(X), LinearRegression().fit(X, both).predict(X), rtol=1e-4)


def test_a_learned_variance_is_that_of_the_answers():
    """y = 2x + noise of a standard deviation that grows with x: the likelihood's own parameters say it."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (4000, 1))
    y = 2 * x[:, 0] + (0.1 + x[:, 0]) * rng.normal(size=4000)
    found = whole(likelihoods.GaussianVariance("entry"), network=networks.MLP((16,), "tanh"), max_epochs=800).fit(x, y)
    with torch.no_grad():
        theta = found.module_(torch.tensor([[0.1], [0.5], [0.9]], dtype=torch.float64)).theta
        draws = found.module_.answer.sample(theta.repeat_interleave(20_000, 0), torch.Generator().manual_seed(0))
    spread = draws.reshape(3, 20_000).std(dim=1)
    np.testing.assert_allclose(spread, [0.2, 0.6, 1.0], rtol=0.12)
    np.testing.assert_allclose(found.predict([[0.1], [0.5], [0.9]]), [0.2, 1.0, 1.8], atol=0.12)


@pytest.mark.parametrize("likelihood", [None, likelihoods.Bernoulli(), likelihoods.Poisson(size=None)])
def test_it_is_saved(table, tmp_path, likelihood):
    X, y = table
    y = y if likelihood is None else (y > 100).astype(float)
    found = small(likelihood=likelihood, max_epochs=3).fit(X, y)
    found.save(tmp_path)
    again = load(tmp_path)
    assert isinstance(again, Regressor)
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    assert again.get_params()["likelihood"] == likelihood


def test_a_population_of_regressors_is_what_each_is_alone(table):
    X, y = table

    def crew():
        rates = enumerate([1e-3, 1e-2, 3e-3])
        return [
            small(network=networks.MLP((6, 5), "tanh"), learning_rate=rate, random_state=seed, max_epochs=5)
            for seed, rate in rates
        ]

    together, alone = crew(), crew()
    assert fit_together(together, X, y=y) == [None, None, None]
    for one, other in zip(together, alone, strict=True):
        other.fit(X, y)
        np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-8)
        assert "one by one" not in one.engine_


def test_partial_fit_goes_on(table):
    X, y = table
    found = small(network=networks.MLP(()), learning_rate=0.05)
    errors = []
    for _ in range(60):
        found.partial_fit(X, y)
        errors.append(np.mean((found.predict(X) - y) ** 2))
    assert errors[-1] == pytest.approx(np.mean((LinearRegression().fit(X, y).predict(X) - y) ** 2), rel=0.02)
    with pytest.raises(DataError) as caught:
        found.partial_fit(X, np.stack([y, y], axis=1))
    assert str(caught.value) == "answers have 2 numbers; in y; 1, as in the first call"
    assert found.predict(X).shape == (len(X),)


def test_gradients_are_watched(table):
    scope = small(max_epochs=2).fit(*table, watch="gradients").gradients_
    assert [len(look.layers) for look in scope.history] == [2, 2, 2]


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        (
            {"likelihood": likelihoods.Bernoulli(), "target_scaling": None},
            [0.0, 2.0] * 20,
            (
                "rows reach from 0 to 2; in y under target_scaling=None; numbers in [0, 1], as this model needs; "
                "use scaling='minmax'"
            ),
        ),
        ({}, [0.0, np.nan] * 20, "Input y contains NaN.; in y; finite numbers"),
        ({}, [0.0] * 39, "39 answers for 40 rows; in y; one answer a row"),
        ({}, None, "Regressor requires y to be passed, but the target y is None; pass an answer for each row"),
    ],
)
def test_bad_answers(settings, y, message):
    with pytest.raises(DataError) as caught:
        small(**settings).fit(np.random.default_rng(0).normal(size=(40, 2)), y)
    assert str(caught.value) == message


def test_bad_settings():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40)
    with pytest.raises(SettingError) as caught:
        small(likelihood=corruptions.Gaussian(0.1), target_scaling="log").fit(X, y)
    assert "target_scaling must be one of 'auto', 'standard', 'minmax', 'global', None; got 'log'" in str(caught.value)
    with pytest.raises(SettingError) as caught:
        small(likelihood=corruptions.Gaussian(0.1)).fit(X, y)
    assert str(caught.value) == (
        "corruptions.Gaussian(amount=0.1) is no likelihood; in the slot likelihood; one of likelihoods"
    )
