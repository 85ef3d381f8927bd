"""Codes whose content a group shares: against densities multiplied point by point, NumPy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from members import rows
from scipy import stats
from scipy.integrate import trapezoid
from sklearn.base import clone
from torch.distributions import Normal, kl_divergence

from isthmus import Autoencoder, codes, encoders, load, penalties, zoo
from isthmus.errors import DataError, SettingError
from isthmus.populations import fit_together

CONTENT, SIZE = 2, 5
GROUPS = np.array([3, 7, 3, 3, 7, 100])


def code(content=CONTENT, size=SIZE, **settings):
    return codes.Grouped(content, **settings).build(size)


def spread(n=6, size=SIZE, seed=0):
    """What an encoder might emit: means and log-variances, (n, 2 size) float64."""
    rng = np.random.default_rng(seed)
    return torch.tensor(np.hstack([rng.normal(size=(n, size)), rng.normal(scale=0.8, size=(n, size))]))


def product(mean, variance, groups):
    """Mean and variance of each row's group, one group after the other: NumPy, the textbook's formula."""
    m, v = np.empty_like(mean), np.empty_like(variance)
    for group in np.unique(groups):
        own = groups == group
        v[own] = 1 / np.sum(1 / variance[own], axis=0)
        m[own] = v[own] * np.sum(mean[own] / variance[own], axis=0)
    return m, v


def parts(a, size=SIZE):
    return a[:, :size].numpy(), np.exp(a[:, size:].numpy())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# The product of a group's Gaussians


def test_the_content_is_the_product_of_the_rows_gaussians():
    a = spread()
    z, found = code()(a, torch.tensor(GROUPS))
    mean, variance = parts(a)
    m, v = product(mean[:, :CONTENT], variance[:, :CONTENT], GROUPS)
    np.testing.assert_allclose(found["mean"], np.hstack([m, mean[:, CONTENT:]]), rtol=1e-12)
    np.testing.assert_allclose(found["log_variance"].exp(), np.hstack([v, variance[:, CONTENT:]]), rtol=1e-12)
    torch.testing.assert_close(z, found["mean"], rtol=0, atol=0)


def test_the_product_is_that_of_the_densities():
    """The rows' densities multiplied on a grid and normalised by the trapezoid rule have this mean and variance."""
    a = spread(4, seed=2)
    found = code()(a, torch.zeros(4, dtype=torch.long))[1]
    mean, variance = parts(a)
    grid = np.linspace(-12, 12, 200_001)
    for entry in range(CONTENT):
        density = np.prod(
            [stats.norm.pdf(grid, m, np.sqrt(v)) for m, v in zip(mean[:, entry], variance[:, entry], strict=True)], 0
        )
        density /= trapezoid(density, grid)
        m = trapezoid(grid * density, grid)
        v = trapezoid((grid - m) ** 2 * density, grid)
        np.testing.assert_allclose(found["mean"][:, entry], m, rtol=1e-9)
        np.testing.assert_allclose(found["log_variance"][:, entry].exp(), v, rtol=1e-9)


def test_pooling_one_row_after_the_other_is_the_conjugate_update():
    """A Gaussian's mean known to (m, v) and seen once more with a variance: Kalman's update, in any order of rows."""
    a = spread(6, seed=3)
    found = code()(a, torch.full((6,), 9))[1]
    mean, variance = parts(a)
    for first, *others in ((0, 1, 2, 3, 4, 5), (4, 1, 5, 0, 3, 2)):
        m, v = mean[first], variance[first]
        for i in others:
            gain = v / (v + variance[i])
            m, v = m + gain * (mean[i] - m), v * (1 - gain)
        np.testing.assert_allclose(found["mean"][0, :CONTENT], m[:CONTENT])
        np.testing.assert_allclose(found["log_variance"][0, :CONTENT].exp(), v[:CONTENT])


def test_the_order_of_rows_and_the_names_of_groups_are_irrelevant():
    a, order = spread(), [4, 0, 5, 2, 1, 3]
    z, found = code()(a, torch.tensor(GROUPS))
    for names in ({3: 3, 7: 7, 100: 100}, {3: 2**40, 7: -5, 100: 0}):
        renamed = torch.tensor([names[group] for group in GROUPS[order]])
        other, moved = code()(a[order], renamed)
        torch.testing.assert_close(other, z[order])
        for name, values in found.items():
            torch.testing.assert_close(moved[name], values[order])


def test_extreme_variances_stay_finite_in_float32():
    a = torch.tensor([[1.0, 2.0, 500.0, -500.0], [3.0, 4.0, 500.0, -500.0], [5.0, 6.0, -500.0, 500.0]]).repeat(50, 1)
    a.requires_grad_()
    built = code(1, 2)
    z, found = built(a, torch.arange(3).repeat(50), generator())
    (z.square().sum() + built.divergence(z, found).sum()).backward()
    assert torch.isfinite(a.grad).all()
    np.testing.assert_allclose(found["mean"][:3, 0].detach(), [1, 3, 5], rtol=1e-5)


# One draw for a group


def test_the_rows_of_a_group_share_one_draw_of_the_content_and_none_of_the_style():
    z, found = code()(spread(), torch.tensor(GROUPS), generator())
    content, style = z[:, :CONTENT], z[:, CONTENT:]
    for group in np.unique(GROUPS):
        own = content[torch.tensor(group == GROUPS)]
        assert (own == own[0]).all()
    assert len(torch.unique(content, dim=0)) == len(np.unique(GROUPS))
    assert len(torch.unique(style)) == style.numel()
    assert (z != found["mean"]).all()


def test_draws_have_the_posteriors_mean_and_variance():
    a, times = spread(3, seed=4), 4000
    own = torch.tensor([0, 0, 1])
    groups = (own + 2 * torch.arange(times)[:, None]).flatten()
    z, found = code()(a.repeat(times, 1), groups, generator(1))
    z = z.view(times, 3, SIZE)
    mean, variance = found["mean"][:3], found["log_variance"][:3].exp()
    assert ((z.mean(0) - mean).abs() < 4 * (variance / times).sqrt()).all()
    assert (z.var(0) / variance - 1).abs().max() < 4 * (2 / times) ** 0.5
    independent = np.corrcoef(np.hstack([z[:, 0], z[:, 1, CONTENT:], z[:, 2]]).T)
    assert np.abs(independent - np.eye(len(independent))).max() < 5 / times**0.5


# The divergence: once a group


def test_the_divergence_counts_the_content_once_a_group():
    """Summed over a batch: Σ_groups KL(content) + Σ_rows KL(style), each by torch.distributions (Bouchacourt 2018)."""
    built, groups = code(), torch.tensor(GROUPS)
    z, found = built(spread(), groups, generator())
    each = kl_divergence(Normal(found["mean"], (found["log_variance"] / 2).exp()), Normal(0.0, 1.0))
    first = [int(np.argmax(group == GROUPS)) for group in np.unique(GROUPS)]
    content, style = each[first, :CONTENT].sum(), each[:, CONTENT:].sum()
    divergence = built.divergence(z, found)
    assert len(divergence) == len(GROUPS)
    torch.testing.assert_close(divergence.sum(), content + style)
    for group in np.unique(GROUPS):  # and group by group: each row has 1/n of it
        own = torch.tensor(group == GROUPS)
        per_row = divergence[own].sum(dim=1) - each[own, CONTENT:].sum(dim=1)
        torch.testing.assert_close(per_row, (each[own, :CONTENT].sum(dim=1) / own.sum()))


def test_the_loss_is_the_bound_averaged_over_groups():
    """N/G times the loss of a batch: 1/G Σ_G (Σ_i −log p(xᵢ|c, sᵢ) + KL(s) + KL(c)), written out for two groups."""
    X, groups = rows(40), np.repeat([0, 1], [30, 10])
    ae = multilevel(max_epochs=1).fit(X, groups=groups)
    x = torch.tensor(ae.scale(X))
    p = ae.module_(x, torch.tensor(groups), generator(5))
    total = 0.0
    for group in (0, 1):
        own = torch.tensor(groups == group)
        m, s = p.stats["mean"][own], (p.stats["log_variance"][own] / 2).exp()
        each = kl_divergence(Normal(m, s), Normal(0.0, 1.0))
        error = -Normal(p.theta[own], 1.0).log_prob(x[own]).sum()
        total += error + each[0, :CONTENT].sum() + each[:, CONTENT:].sum()
    loss = sum(ae.module_.objective(p).values())
    torch.testing.assert_close(loss * len(X) / 2, total / 2)


def test_a_batch_that_cuts_a_group_pools_what_it_has():
    a, groups = spread(), torch.tensor(GROUPS)
    built = code()
    for kept in ([0, 1], [2, 3, 4], [1, 5]):
        z, found = built(a[kept], groups[kept])
        mean, variance = parts(a[kept])
        m, v = product(mean[:, :CONTENT], variance[:, :CONTENT], GROUPS[kept])
        np.testing.assert_allclose(found["mean"][:, :CONTENT], m)
        divergence = built.divergence(z, found)[:, :CONTENT].sum().item()
        once = [int(np.argmax(GROUPS[kept] == group)) for group in np.unique(GROUPS[kept])]
        np.testing.assert_allclose(divergence, 0.5 * (m**2 + v - 1 - np.log(v))[once].sum())


def test_gradients_against_finite_differences():
    built, groups = code(), torch.tensor(GROUPS)

    def drawn(a):
        z, found = built(a, groups, generator(3))
        return z, built.divergence(z, found), built.log_posterior(z, found), built.log_prior(z)

    assert torch.autograd.gradcheck(drawn, spread().requires_grad_())


# Groups of one


@pytest.mark.parametrize("context", [None, torch.arange(6), torch.tensor([5, 0, 9, 8, 1, 3])])
def test_groups_of_one_are_a_gaussian_code(context):
    a, ours, plain = spread(), code(), codes.Gaussian().build(SIZE)
    z, found = ours(a, context, generator())
    other, known = plain(a, None, generator())
    for name, values in known.items():
        torch.testing.assert_close(found[name], values)
    torch.testing.assert_close(ours(a, context)[0], plain(a)[0])
    torch.testing.assert_close(ours.divergence(z, found), plain.divergence(z, known))
    torch.testing.assert_close(ours.log_posterior(other, found), plain.log_posterior(other, known))
    torch.testing.assert_close(ours.log_prior(other), plain.log_prior(other))
    if context is None or (context == torch.arange(6)).all():
        torch.testing.assert_close(z, other)


def test_a_fit_on_groups_of_one_is_that_of_a_gaussian_code():
    """All rows in one batch, in their order, so that both draw the same noise for the same rows."""
    X = rows(60)
    settings = {"max_epochs": 12, "batch_size": None, "validation_fraction": 0.0, "random_state": 3}
    ours = multilevel(**settings).fit(X, groups=np.arange(60))
    plain = Autoencoder(SIZE, encoders.MLP((8,)), code=codes.Gaussian(), penalty=penalties.Divergence(), **settings)
    plain.fit(X)
    np.testing.assert_allclose(losses(ours), losses(plain), rtol=1e-9)
    np.testing.assert_allclose(ours.transform(X), plain.transform(X), rtol=1e-6, atol=1e-9)


# The estimator


def multilevel(**settings):
    small = {"code_size": SIZE, "content": CONTENT, "beta": 1.0, "hidden": (8,), "max_epochs": 3, "random_state": 0}
    return zoo.multilevel(**(small | settings))


def losses(ae):
    return [[value for name, value in row.items() if name != "seconds"] for row in ae.history_]


def weights(ae):
    return torch.cat([t.detach().flatten() for t in ae.module_.state_dict().values()])


def grouped_rows(n=120, of=6, seed=0):
    """Rows of groups: each group shifts all its rows alike."""
    groups = np.random.default_rng(seed).integers(n // of, size=n)
    shift = np.random.default_rng(seed + 1).normal(size=(n // of, 6)) @ np.diag([3, 3, 0, 0, 0, 0])
    return rows(n, seed=seed) + shift[groups], groups


@pytest.fixture(scope="module")
def fitted():
    X, groups = grouped_rows()
    return multilevel().fit(X, groups=groups), X, groups


def test_codes_pool_all_rows_of_a_group_that_are_passed(fitted):
    ae, X, groups = fitted
    with torch.no_grad():
        a = ae.module_.encoder(torch.tensor(ae.scale(X)))
    mean, variance = parts(a)
    m, _ = product(mean[:, :CONTENT], variance[:, :CONTENT], groups)
    found = ae.transform(X, groups=groups)
    np.testing.assert_allclose(found, np.hstack([m, mean[:, CONTENT:]]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ae.transform(X), mean, rtol=1e-9, atol=1e-12)
    few = groups < 3
    np.testing.assert_allclose(ae.transform(X[few], groups=groups[few]), found[few], rtol=1e-9, atol=1e-12)


def test_a_group_is_pooled_over_several_batches_of_inference(monkeypatch, fitted):
    ae, X, groups = fitted
    whole = ae.transform(X, groups=groups)
    again = ae.reconstruct(X, groups=groups)
    monkeypatch.setattr("isthmus.inference.batch_rows", lambda *given: 7)
    np.testing.assert_allclose(ae.transform(X, groups=groups), whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ae.reconstruct(X, groups=groups), again, rtol=1e-9, atol=1e-12)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(ae.transform(X[order], groups=groups[order]), whole[order], rtol=1e-9, atol=1e-12)


def test_groups_may_be_words_and_need_not_have_been_trained_with(fitted):
    ae, X, groups = fitted
    named = np.array([f"person {group}" for group in groups])
    np.testing.assert_allclose(ae.transform(X, groups=named), ae.transform(X, groups=groups), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        ae.transform(X, groups=groups + 1000), ae.transform(X, groups=groups), rtol=1e-9, atol=1e-12
    )
    words = multilevel().fit(X, groups=named)
    assert sorted(words.groups_.tolist()) == sorted({*named.tolist()})


def test_a_swap_decodes_the_content_of_one_with_the_style_of_another(fitted):
    ae, X, groups = fitted
    one, other = X[:40], X[40:80]
    Z, S = ae.transform(one), ae.transform(other)
    expected = ae.inverse_transform(np.hstack([Z[:, :CONTENT], S[:, CONTENT:]]))
    np.testing.assert_allclose(ae.swap(one, other), expected, rtol=1e-9)
    np.testing.assert_allclose(ae.swap(one, one), ae.reconstruct(one), rtol=1e-9)
    pooled = ae.transform(one, groups=groups[:40])
    expected = ae.inverse_transform(np.hstack([pooled[:, :CONTENT], S[:, CONTENT:]]))
    np.testing.assert_allclose(ae.swap(one, other, groups=groups[:40]), expected, rtol=1e-9)
    assert np.abs(ae.swap(one, other) - expected).max() > 1e-3
    np.testing.assert_allclose(ae.swap(one[:1], other)[5], ae.swap(one[:1], other[5:6])[0], rtol=1e-9)


def test_batches_hold_company_of_the_groups():
    """With company=4 a batch of 12 has 3 groups of 4 where groups have as many; without, a group meets by chance."""
    X, groups = rows(240), np.repeat(np.arange(60), 4)
    seen = []

    class Watching(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

    for company in (4, 1):
        ae = multilevel(
            code=codes.Grouped(CONTENT, company), batch_size=12, max_epochs=1, validation_fraction=0.0, engine="eager"
        )
        found = []
        forward = codes.grouped._Grouped.forward

        def noting(self, a, context=None, rng=None, found=found, forward=forward):
            if context is not None:
                found.append(len(torch.unique(context)))
            return forward(self, a, context, rng)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(codes.grouped._Grouped, "forward", noting)
            ae.fit(X, groups=groups)
        seen.append(found)
    assert seen[0] == [3] * 20
    assert np.mean(seen[1]) > 9


@pytest.mark.parametrize("batch_size", [16, None])
def test_a_population_is_its_members_alone(batch_size):
    X, groups = grouped_rows()
    settings = {"max_epochs": 8, "batch_size": batch_size, "dtype": "float64"}
    alone = [multilevel(random_state=seed, **settings).fit(X, groups=groups) for seed in range(3)]
    together = [multilevel(random_state=seed, **settings) for seed in range(3)]
    assert fit_together(together, X, groups=groups) == [None] * 3
    for one, other in zip(alone, together, strict=True):
        assert "one by one" not in other.engine_
        torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=1e-8)
        np.testing.assert_allclose(losses(one), losses(other), rtol=1e-6)
        np.testing.assert_array_equal(one.groups_, other.groups_)


def test_a_recorded_fit_is_the_eager_one():
    X, groups = grouped_rows()
    fits = [
        multilevel(max_epochs=20, batch_size=16, dtype="float64", engine=engine).fit(X, groups=groups)
        for engine in ("recorded", "eager")
    ]
    assert fits[0].engine_.startswith("recorded, ")
    torch.testing.assert_close(weights(fits[0]), weights(fits[1]), rtol=0, atol=1e-8)
    np.testing.assert_allclose(losses(fits[0]), losses(fits[1]), rtol=1e-6)


def test_saved_and_loaded_it_is_the_same(tmp_path, fitted):
    ae, X, groups = fitted
    ae.save(tmp_path)
    other = load(tmp_path)
    np.testing.assert_array_equal(other.transform(X, groups=groups), ae.transform(X, groups=groups))
    np.testing.assert_array_equal(other.swap(X[:5], X[5:10]), ae.swap(X[:5], X[5:10]))
    np.testing.assert_array_equal(other.groups_, ae.groups_)


def test_a_clone_fits_alike_and_training_goes_on(fitted):
    ae, X, groups = fitted
    again = clone(ae).fit(X, groups=groups)
    torch.testing.assert_close(weights(again), weights(ae), rtol=0, atol=0)
    again.partial_fit(X, groups=groups)
    assert (weights(again) != weights(ae)).any()


def test_training_finds_what_a_group_shares():
    """Rows = group's shift in two columns + own numbers in the others: swaps take each from where they should."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    shared, own = rng.normal(size=(40, 2))[groups], rng.normal(size=(400, 2))
    X = np.hstack([shared, own]) @ np.array(
        [[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 0, -1, 0], [0, 1, 0, -1]]
    ) + 0.05 * rng.normal(size=(400, 4))
    ae = zoo.multilevel(
        4, 2, 0.02, (32,), max_epochs=100, learning_rate=1e-2, early_stopping=False, random_state=0
    ).fit(X, groups=groups)
    other = rng.permutation(400)
    wanted = np.hstack([shared, own[other]]) @ np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 0, -1, 0], [0, 1, 0, -1]])
    error = np.square(ae.swap(X, X[other], groups=groups) - wanted).mean()
    assert error < 0.05 * wanted.var()


# Errors, word by word


def refused(kind, call):
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_groups_of_another_length():
    X = rows(30)
    assert refused(DataError, lambda: multilevel().fit(X, groups=np.zeros(29, int))) == (
        "groups have shape (29,); in groups; (30,), one a row of X"
    )


def test_groups_absent_at_fit():
    assert refused(SettingError, lambda: multilevel().fit(rows(30))) == (
        "codes.Grouped needs the group of each row; in fit; fit(X, groups=labels)"
    )


def test_no_groups_and_no_rows():
    assert refused(DataError, lambda: multilevel().fit(rows(30), groups=[])) == (
        "groups have shape (0,); in groups; (30,), one a row of X"
    )
    none = refused(DataError, lambda: multilevel().fit(np.empty((0, 6)), groups=[]))
    assert none == refused(DataError, lambda: zoo.variational().fit(np.empty((0, 6))))


def test_a_row_without_a_group():
    groups = np.zeros(30)
    groups[4] = np.nan
    assert refused(DataError, lambda: multilevel().fit(rows(30), groups=groups)) == (
        "row 4 has no group; in groups; a label for every row; leave such rows out, or give each a group of its own"
    )


def test_more_content_than_code():
    X, groups = grouped_rows()
    assert refused(SettingError, lambda: multilevel(content=5).fit(X, groups=groups)) == (
        "codes.Grouped has content=5 of 5 numbers; code; content below code_size, so that a style is left"
    )


def test_groups_where_no_part_hears_of_them():
    assert refused(SettingError, lambda: zoo.variational().fit(rows(30), groups=np.zeros(30, int))) == (
        "no part of this model hears of groups; in fit; code=codes.Grouped(...), "
        "decoder=decoders.PerGroup() or decoders.Conditional(); leave groups out"
    )


def test_a_swap_of_a_code_in_one_part_and_of_unequal_rows(fitted):
    ae, X, _ = fitted
    plain = zoo.variational(2, max_epochs=1).fit(X)
    assert refused(SettingError, lambda: plain.swap(X, X)) == (
        "this model does not tell content from style; in swap; "
        "code=codes.Grouped(...) or decoder=decoders.PerGroup(), fitted with groups"
    )
    assert refused(DataError, lambda: ae.swap(X[:3], X[:4])) == (
        "3 rows of content and 4 of style; in swap; as many of one as of the other, or a single row"
    )
    assert refused(DataError, lambda: ae.transform(X, groups=[1, 2])) == (
        "groups have shape (2,); in groups; (120,), one a row of X"
    )
