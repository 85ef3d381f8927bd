"""Codes with a distribution or a finite set of values, against torch, scipy, quadrature and Monte Carlo."""

import copy
import math

import numpy as np
import pytest
import torch
from members import rows
from scipy import integrate, special
from torch import distributions as D

from isthmus import Autoencoder, codes, encoders, evidence, load, penalties
from isthmus.assembly import Blueprint, assemble
from isthmus.codes.bessel import log_bessel
from isthmus.errors import SettingError
from isthmus.populations import fit_together
from isthmus.pretraining import finetune

STEPS = {"dtype": "float64", "batch_size": 16, "max_epochs": 10, "random_state": 0}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normals(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def built(spec, size):
    """A code in float64, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return spec.build(size).double()


def drawn(code, a, n, seed=0):
    """n draws of one row's code, and their stats."""
    return code(a.expand(n, -1), None, generator(seed))


# --- a full covariance -------------------------------------------------------------------------------------------


def full():
    """A code of 3 numbers, a row of its encoder's output, and the posterior by torch."""
    code = built(codes.FullGaussian(), 3)
    a = normals(1, code.width)
    factor = torch.zeros(3, 3, dtype=torch.float64)
    factor[np.tril_indices(3)] = a[0, 3:]
    factor = factor.tril(-1) + torch.diag((factor.diagonal() / 2).exp())
    return code, a, D.MultivariateNormal(a[0, :3], scale_tril=factor)


def test_a_full_gaussian_emits_a_mean_and_a_triangle():
    assert codes.FullGaussian().build(4).width == 4 + 10
    code, a, twin = full()
    z, stats = code(a)
    torch.testing.assert_close(z[0], twin.mean)
    torch.testing.assert_close(stats["factor"][0], twin.scale_tril)


def test_the_density_of_a_full_gaussian_is_torchs():
    code, a, twin = full()
    z, stats = drawn(code, a, 50)
    torch.testing.assert_close(code.log_posterior(z, stats), twin.log_prob(z))
    unit = D.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    torch.testing.assert_close(code.log_prior(z), unit.log_prob(z))


def test_the_divergence_of_a_full_gaussian_is_torchs():
    code, a, twin = full()
    z, stats = code(a)
    unit = D.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    parts = code.divergence(z, stats)
    assert parts.shape == (1, 3)
    torch.testing.assert_close(parts.sum(), D.kl_divergence(twin, unit))


def test_draws_of_a_full_gaussian_have_its_moments():
    code, a, twin = full()
    z, _ = drawn(code, a, 40_000)
    spread = twin.covariance_matrix.diagonal()
    assert ((z.mean(0) - twin.mean).abs() < 5 * torch.sqrt(spread / 40_000)).all()
    bound = 5 * torch.sqrt((spread[:, None] * spread + twin.covariance_matrix.square()) / 40_000)
    assert ((torch.cov(z.mT) - twin.covariance_matrix).abs() < bound).all()
    moved = drawn(code, a.clone().requires_grad_(), 8)[0]
    assert moved.requires_grad


def test_a_full_gaussian_is_trained():
    """Four columns of one direction, R² of the bound's optimum 1 − (1/4)² by probabilistic PCA."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 1)) + 0.05 * rng.normal(size=(600, 4))
    ae = Autoencoder(2, encoders.Linear(), code=codes.FullGaussian(), penalty=penalties.Divergence(), random_state=0)
    ae.set_params(max_epochs=40, learning_rate=2e-2).fit(X)
    assert ae.score(X) == pytest.approx(1 - 1 / 16, abs=0.03)
    assert ae.sample(7, random_state=0).shape == (7, 4)


# --- on the sphere -----------------------------------------------------------------------------------------------

ORDERS = (0, 0.5, 1, 1.5, 2, 4.5, 9, 15, 15.5, 31, 63)


@pytest.mark.parametrize("order", ORDERS)
def test_bessel_functions_are_scipys(order):
    x = torch.logspace(0, 4, 60, dtype=torch.float64)
    log, ratio = log_bessel(order, x)
    scaled = special.ive(order, x.numpy())
    np.testing.assert_allclose(log, np.log(scaled), atol=5e-8, rtol=0)
    np.testing.assert_allclose(ratio, special.ive(order + 1, x.numpy()) / scaled, rtol=1e-8)
    single, its_ratio = log_bessel(order, x.float())
    torch.testing.assert_close(single.double(), log, atol=2e-5, rtol=2e-6)
    torch.testing.assert_close(its_ratio.double(), ratio, atol=0, rtol=1e-4)


@pytest.mark.parametrize("order", [0, 0.5, 7, 40])
def test_bessel_functions_are_differentiated(order):
    """d log(e⁻ˣ I_ν) / dx = I_ν₊₁ / I_ν + ν / x − 1."""
    x = torch.logspace(0, 3, 20, dtype=torch.float64, requires_grad=True)
    log, ratio = log_bessel(order, x)
    (slope,) = torch.autograd.grad(log.sum(), x, retain_graph=True)
    torch.testing.assert_close(slope, ratio + order / x - 1, atol=1e-8, rtol=1e-7)
    assert torch.autograd.gradcheck(lambda v: log_bessel(order, v), x[:5].detach().requires_grad_())


def directed(size, kappa):
    """A code on the sphere and an output of its encoder that points anywhere, of this concentration."""
    code = built(codes.VonMisesFisher(), size)
    a = normals(1, size + 1)
    a[0, -1] = math.log(math.expm1(kappa - 1))
    return code, a


SPHERES = [(2, 1.5), (2, 40.0), (3, 2.0), (5, 1.1), (5, 300.0), (20, 30.0)]


@pytest.mark.parametrize(("size", "kappa"), SPHERES)
def test_the_density_on_the_sphere_integrates_to_one(size, kappa):
    """Over the cosine t with the mean direction: area of S^{K−2} ∫ q (1 − t²)^{(K−3)/2} dt, with t = cos θ."""
    code, a = directed(size, kappa)
    z, stats = code(a)
    area = 2 * math.pi ** ((size - 1) / 2) / special.gamma((size - 1) / 2)
    across = torch.linalg.svd(z).Vh[1:2]

    def density(angle):
        at = math.cos(angle) * z + math.sin(angle) * across
        return area * math.exp(code.log_posterior(at, stats).item()) * math.sin(angle) ** (size - 2)

    assert integrate.quad(density, 0, math.pi, points=[0.1], limit=200)[0] == pytest.approx(1, abs=1e-6)
    uniform = math.exp(code.log_prior(z).item())
    assert integrate.quad(lambda t: area * uniform * math.sin(t) ** (size - 2), 0, math.pi)[0] == pytest.approx(1)


@pytest.mark.parametrize(("size", "kappa"), SPHERES)
def test_the_divergence_on_the_sphere(size, kappa):
    """Its closed form against scipy's Bessel functions, and against the mean of log q − log p over draws."""
    code, a = directed(size, kappa)
    z, stats = drawn(code, a, 20_000)
    closed = code.divergence(z, stats)
    assert closed.shape == (20_000, 1)
    order = size / 2 - 1
    log_c = order * math.log(kappa) - (order + 1) * math.log(2 * math.pi)
    log_c -= math.log(special.ive(order, kappa)) + kappa
    log_area = math.log(2) + size / 2 * math.log(math.pi) - special.gammaln(size / 2)
    mean = special.ive(order + 1, kappa) / special.ive(order, kappa)
    assert closed[0].item() == pytest.approx(kappa * mean + log_c + log_area, abs=1e-6)
    found = code.log_posterior(z, stats) - code.log_prior(z)
    assert abs(found.mean().item() - closed[0].item()) < 4 * found.std().item() / math.sqrt(20_000)


@pytest.mark.parametrize(("size", "kappa"), SPHERES)
def test_draws_on_the_sphere(size, kappa):
    """Of unit length; their cosines with the mean direction follow the density; sideways they are even."""
    code, a = directed(size, kappa)
    z, stats = drawn(code, a, 20_000)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20_000).double())
    order = size / 2 - 1
    mean = special.ive(order + 1, kappa) / special.ive(order, kappa)
    expected = mean * stats["direction"][0]
    assert ((z.mean(0) - expected).abs() < 5 * z.std(0) / math.sqrt(20_000)).all()
    cosine = (z * stats["direction"]).sum(1)
    second = 1 - (size - 1) / kappa * mean  # E t²
    error = cosine.square().std().item() / math.sqrt(20_000)
    assert abs(cosine.square().mean().item() - second) < 4 * error
    assert torch.equal(code(a)[0][0], stats["direction"][0])


@pytest.mark.parametrize(("size", "kappa"), SPHERES)
def test_draws_on_the_sphere_are_differentiated_without_bias(size, kappa):
    """The mean gradient of t² by κ against the derivative of E t² = 1 − (K − 1) A / κ."""
    code, a = directed(size, kappa)
    a = a.expand(20_000, -1).clone().requires_grad_()
    z, stats = code(a, None, generator())
    kappas = stats["concentration"]
    cosine = (z * stats["direction"].detach()).sum(1)
    (slope,) = torch.autograd.grad(cosine.square().sum(), kappas)
    mean = special.ive(size / 2, kappa) / special.ive(size / 2 - 1, kappa)
    slope_of_mean = 1 - mean**2 - (size - 1) / kappa * mean
    expected = -(size - 1) * (slope_of_mean / kappa - mean / kappa**2)
    error = slope.std().item() / math.sqrt(20_000)
    assert abs(slope.mean().item() - expected) < 4 * error


def test_draws_turn_with_the_mean_direction():
    """The same noise about two directions: gradients by the direction are those of finite differences."""
    code, a = directed(4, 5.0)
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: code(torch.cat([v, a[:, -1:]], 1), None, generator())[0], a[:, :-1])


def test_samples_cover_the_sphere():
    z = codes.VonMisesFisher().build(3).sample(20_000, generator())
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20_000))
    assert (z.mean(0).abs() < 5 / math.sqrt(3 * 20_000)).all()
    torch.testing.assert_close(torch.cov(z.mT), torch.eye(3) / 3, atol=0.02, rtol=0)


# --- a codebook --------------------------------------------------------------------------------------------------


def quantised(entries=6, size=4, vector=2, **settings):
    return built(codes.VectorQuantised(entries, vector, **settings), size)


def test_each_vector_becomes_its_nearest_entry():
    code, a = quantised().eval(), normals(30, 4)
    z, stats = code(a, None, generator())
    maps = a.reshape(30, 2, 2)  # (N, channels, positions)
    for position in range(2):
        vectors = maps[:, :, position]
        nearest = torch.cdist(vectors, code.codebook).argmin(1)
        torch.testing.assert_close(stats["indices"][:, position], nearest)
        torch.testing.assert_close(z.reshape(30, 2, 2)[:, :, position], code.codebook[nearest])
    torch.testing.assert_close(stats["chosen"], z)


def test_the_gradient_passes_a_codebook():
    a = normals(5, 4).requires_grad_()
    weight = normals(5, 4, seed=2)
    z, _ = quantised()(a, None, generator())
    assert torch.equal(torch.autograd.grad((z * weight).sum(), a)[0], weight)


def test_a_codebook_begins_as_vectors_of_the_first_batch():
    code, a = quantised(), 5 + normals(30, 4)
    code(a, None, generator())
    vectors = a.reshape(30, 2, 2).mT.reshape(-1, 2)
    assert (torch.cdist(code.codebook, vectors).min(dim=1).values < 1e-6).all()


def test_a_codebook_follows_by_moving_averages():
    code, a = quantised(3, 2, 2, decay=0.8, dead=1e-6), normals(30, 2)
    code(a, None, generator())
    for step in range(5):
        before, counts, sums = (t.clone() for t in (code.codebook, code.counts, code.sums))
        a = normals(30, 2, seed=step + 5)
        nearest = torch.cdist(a, before).argmin(1)
        code(a, None, generator(step))
        own = torch.nn.functional.one_hot(nearest, 3).double()
        torch.testing.assert_close(code.counts, 0.8 * counts + 0.2 * own.sum(0))
        torch.testing.assert_close(code.sums, 0.8 * sums + 0.2 * own.mT @ a)
        torch.testing.assert_close(code.codebook, code.sums / code.counts[:, None])


def test_an_entry_that_nothing_uses_begins_anew():
    code, a = quantised(3, 2, 2, decay=0.5, dead=0.1), normals(40, 2)
    code(a, None, generator())
    with torch.no_grad():
        code.codebook[1] = 1e3
        code.sums[1] = 1e3 * code.counts[1]
    for step in range(8):
        code(a, None, generator(step))
    assert code.codebook.abs().max() < 10
    assert len(torch.unique(code(a)[1]["indices"])) == 3


def test_a_codebook_changes_in_training_alone():
    code, a = quantised(), normals(30, 4)
    before = copy.deepcopy(code.state_dict())
    code(a)
    code.eval()(a, None, generator())
    assert all(torch.equal(before[name], tensor) for name, tensor in code.state_dict().items())
    code.train()(a, None, generator())
    assert not torch.equal(before["codebook"], code.codebook)


def test_samples_of_a_codebook_follow_its_use():
    code = quantised(3, 4, 2).eval()
    code.counts.copy_(torch.tensor([5.0, 1.0, 4.0]))
    vectors = code.sample(20_000, generator()).reshape(-1, 2, 2).mT.reshape(-1, 2)
    drawn_entries = torch.cdist(vectors, code.codebook).argmin(1)
    share = torch.bincount(drawn_entries, minlength=3) / 40_000
    torch.testing.assert_close(share, torch.tensor([0.5, 0.1, 0.4]), atol=0.02, rtol=0)


def test_a_codebook_is_k_means_on_clusters():
    """An identity of 2 numbers: every planted cluster has entries near its mean, and the error is the spread's."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10.0]])
    X = centres[rng.integers(4, size=800)] + 0.1 * rng.normal(size=(800, 2))
    code, a = quantised(4, 2, 2, decay=0.9), torch.from_numpy(X)
    for step in range(300):
        code(a[torch.randperm(800, generator=generator(step))[:64]], None, generator(step))
    nearest = torch.cdist(torch.from_numpy(centres), code.codebook).min(dim=1).values
    assert (nearest < 0.2).all()


def test_commitment_is_the_squared_distance_from_the_entries():
    term = penalties.Commitment(0.3)
    blueprint = Blueprint(
        {"code": codes.VectorQuantised(5, 2), "penalty": term}, 4, (6,), np.full(6, -2.0), np.full(6, 2.0)
    )
    module, x = assemble(blueprint, 0, torch.float64, torch.device("cpu")).eval(), normals(9, 6)
    p = module(x)
    away = module.encoder(x) - p.z.detach()
    torch.testing.assert_close(module.objective(p)["commitment"], 0.3 * away.square().sum(1).mean())
    weights = list(module.encoder.parameters())
    found = torch.autograd.grad(module.objective(p)["commitment"], weights)
    by_hand = torch.autograd.grad(0.3 * (module.encoder(x) - p.z.detach()).square().sum(1).mean(), weights)
    torch.testing.assert_close(found, by_hand)


def test_a_map_is_quantised_position_by_position():
    """(channels, height, width) of a convolutional encoder: an entry for each position."""
    X = np.random.default_rng(0).normal(size=(60, 64))
    ae = Autoencoder(
        12,
        encoders.Convolutional((4, 4), spatial=True),
        code=codes.VectorQuantised(8, 3),
        penalty=penalties.Commitment(),
        input_shape=(1, 8, 8),
        engine="recorded",
        **STEPS,
    ).fit(X)
    x = torch.from_numpy(ae.scale(X))
    z, stats = ae.module_.code(ae.module_.encoder(x))
    assert stats["indices"].shape == (60, 4)  # 2 × 2 positions
    place = z.reshape(60, 3, 2, 2)[:, :, 1, 0]
    torch.testing.assert_close(place, ae.module_.code.codebook[stats["indices"][:, 2]])
    assert "recorded" in ae.engine_


# --- finite scalars ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [(2,), (3,), (4,), (5,), (8,), (7, 2, 4)])
def test_every_level_is_reached_and_evenly_apart(levels):
    size = len(levels)
    code = built(codes.FiniteScalar(levels), size)
    a = torch.linspace(-9, 9, 4001, dtype=torch.float64)[:, None].expand(-1, size)
    z, stats = code(a)
    for i, count in enumerate(levels):
        found = torch.unique(z[:, i].round(decimals=9))
        expected = (torch.arange(count) - count // 2) / (count // 2)
        torch.testing.assert_close(found, expected.double())
    assert stats["indices"].min() == 0
    assert stats["indices"].max() == code.entries - 1 == math.prod(levels) - 1
    assert torch.equal(code(torch.zeros(1, size).double())[0], torch.zeros(1, size).double())


def test_numbers_of_entries_are_their_own():
    code = built(codes.FiniteScalar((3, 4, 2)), 6)
    z, stats = code(3 * normals(500, 6))
    vectors = z.reshape(500, 3, 2).mT.reshape(-1, 3).round(decimals=9)
    _, by_value = torch.unique(vectors, dim=0, return_inverse=True)
    pairs = torch.unique(torch.stack([by_value, stats["indices"].flatten()]), dim=1)
    assert pairs.shape[1] == len(torch.unique(by_value)) == len(torch.unique(stats["indices"]))


def test_the_gradient_passes_rounding():
    """The slope of what is rounded."""
    code, a = built(codes.FiniteScalar((5,)), 1), normals(20, 1).requires_grad_()
    (slope,) = torch.autograd.grad(code(a)[0].sum(), a)
    reach = 4 * 1.001 / 2
    torch.testing.assert_close(slope, (1 - torch.tanh(a).square()).detach() * reach / 2)


def test_samples_of_a_grid_are_even():
    z = codes.FiniteScalar((4,)).build(2).sample(20_000, generator())
    values, counts = torch.unique(z, return_counts=True)
    torch.testing.assert_close(values, torch.tensor([-1.0, -0.5, 0.0, 0.5]))
    assert (counts / 40_000 - 0.25).abs().max() < 0.02


# --- all of them -------------------------------------------------------------------------------------------------

CODES = {
    "full": {"code": codes.FullGaussian(), "penalty": penalties.Divergence(0.3)},
    "sphere": {"code": codes.VonMisesFisher(), "penalty": penalties.Divergence(0.3)},
    "codebook": {"code": codes.VectorQuantised(7, 2, 0.9, 0.3), "penalty": penalties.Commitment()},
    "grid": {"code": codes.FiniteScalar((5, 4))},
}


def autoencoder(name, **settings):
    return Autoencoder(4, encoders.MLP((8,), "tanh"), **CODES[name], **(STEPS | settings))


def state(ae):
    return ae.module_.state_dict()


def same(one, other, atol=1e-8):
    for name, tensor in state(one).items():
        torch.testing.assert_close(state(other)[name], tensor, rtol=0, atol=atol)


@pytest.mark.parametrize("name", CODES)
class TestEveryCode:
    def test_recorded_steps_are_eager_ones(self, name):
        eager, recorded = (autoencoder(name, engine=engine).fit(rows()) for engine in ("eager", "recorded"))
        assert recorded.engine_.startswith("recorded, ")
        same(eager, recorded)
        assert eager.history_[-1]["loss"] < eager.history_[0]["loss"]

    def test_members_of_a_population_are_what_they_are_alone(self, name):
        make = [lambda i=i: autoencoder(name, random_state=i, learning_rate=(1e-3, 1e-2)[i]) for i in range(2)]
        alone, together = [m().fit(rows()) for m in make], [m() for m in make]
        assert fit_together(together, rows()) == [None, None]
        for one, other in zip(alone, together, strict=True):
            assert "one by one" not in other.engine_
            same(one, other)

    def test_it_is_kept(self, name, tmp_path):
        ae = autoencoder(name).fit(rows())
        ae.save(tmp_path / "model")
        for twin in (copy.deepcopy(ae), load(tmp_path / "model")):
            np.testing.assert_array_equal(twin.transform(rows()), ae.transform(rows()))
            np.testing.assert_array_equal(twin.sample(5, random_state=1), ae.sample(5, random_state=1))

    def test_it_is_examined(self, name):
        X = rows(200)
        ae = autoencoder(name).fit(X[:150])
        found = evidence.examine(ae, X[:150], X[150:]).to_dict()
        assert len(found["verdicts"]) > 5
        used = found["code"].get("entries_used")
        if "indices" in ae.module_.code.gives:
            assert 1 <= found["code"]["perplexity"] <= used <= found["code"]["entries"]
        else:
            assert used is None

    def test_it_has_no_slope_and_a_jacobian(self, name):
        ae = autoencoder(name).fit(rows())
        assert ae.module_.code.slope(torch.zeros(2, ae.module_.code.width)) is None
        assert np.isfinite(ae.jacobian(rows()[:3])).all()
        assert ae.jacobian(rows()[:3]).shape == (3, 4, 6)

    def test_half_precision(self, name):
        ae = autoencoder(name, dtype="bfloat16").fit(rows())
        assert np.isfinite([row["loss"] for row in ae.history_]).all()

    def test_a_classifier_begins_with_it(self, name):
        finetune(autoencoder(name).fit(rows()), max_epochs=2).fit(rows(), np.arange(120) % 2).predict(rows())


def test_members_may_differ_in_a_codebooks_numbers():
    specs = [codes.VectorQuantised(7, 2, decay, dead) for decay, dead in ((0.9, 0.3), (0.5, 0.1))]
    alone = [autoencoder("codebook").set_params(code=spec).fit(rows()) for spec in specs]
    together = [autoencoder("codebook").set_params(code=spec) for spec in specs]
    fit_together(together, rows())
    for one, other in zip(alone, together, strict=True):
        assert "one by one" not in other.engine_
        same(one, other)


def test_the_use_of_entries_is_measured():
    """Planted: four clusters and as many entries, all used alike; and one that is never met."""
    ae = autoencoder("codebook", max_epochs=1).set_params(code=codes.VectorQuantised(5, 4)).fit(rows())
    found = evidence.examine(ae, rows(), rows(seed=1)).to_dict()["code"]
    seen = np.concatenate([rows(seed=1), rows()])
    with torch.no_grad():
        indices = ae.module_.code(ae.module_.encoder(torch.from_numpy(ae.scale(seen))))[1]["indices"].flatten()
    share = torch.bincount(indices, minlength=5).double() / len(indices)
    assert found["entries"] == 5
    assert found["entries_used"] == int((share > 0).sum())
    assert found["perplexity"] == pytest.approx(math.exp(special.entr(share.numpy()).sum()))


MISFITS = [
    (
        {"code": codes.VonMisesFisher(), "code_size": 1},
        "codes.VonMisesFisher has no sphere in 1 dimension; code; a code_size of at least 2",
    ),
    (
        {"code": codes.VectorQuantised(8, 3)},
        "codes.VectorQuantised has vectors of 3 numbers; code; a code_size that is a multiple; got 4",
    ),
    (
        {"code": codes.FiniteScalar((5, 5, 5))},
        "codes.FiniteScalar has levels for 3 numbers; code; a code_size that is a multiple; got 4",
    ),
    (
        {"code": codes.FiniteScalar((1,))},
        "levels must be a sequence of at least 1, each a whole number >= 2; got (1,); in FiniteScalar",
    ),
    (
        {"penalty": penalties.Commitment()},
        (
            "penalties.Commitment needs a code that gives 'codebook'; this code gives no statistics; "
            "use code=codes.VectorQuantised()"
        ),
    ),
    (
        {"penalty": penalties.Divergence(), "code": codes.VectorQuantised()},
        (
            "penalties.Divergence needs a code that gives 'divergence'; this code gives codebook, indices; "
            "use code=codes.Gaussian()"
        ),
    ),
]


@pytest.mark.parametrize(("settings", "message"), MISFITS, ids=range(len(MISFITS)))
def test_codes_that_do_not_fit_are_one_clear_error(settings, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(**({"code_size": 4} | settings)).fit(rows())
    assert str(caught.value) == message
