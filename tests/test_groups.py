"""Groups of rows: read, numbered, kept together in batches, and heard by decoders."""

import numpy as np
import pandas as pd
import pytest
import torch
from members import rows
from scipy.stats import chi2

from isthmus import Autoencoder, codes, decoders, evidence, load, penalties, sweep, zoo
from isthmus._groups import known, numbered
from isthmus.errors import DataError, SettingError
from isthmus.populations import fit_together
from isthmus.training.epochs import in_company

LABELS = np.array(["a", "b", "c"])[np.arange(120) % 3]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def grouped(**settings):
    parts = {"code": codes.Gaussian(), "penalty": penalties.Divergence(0.1), "decoder": decoders.Conditional()}
    return Autoencoder(**{"code_size": 2} | parts | {"max_epochs": 5, "random_state": 0} | settings)


# --- labels ------------------------------------------------------------------------------------------------------


def test_labels_get_the_numbers_of_training_and_new_ones_the_next():
    trained = np.array(["b", "d"])
    assert numbered(np.array(["d", "a", "b", "z", "a"]), trained).tolist() == [1, 2, 0, 3, 2]
    assert known(np.array([5, 3, 5]), np.array([3, 5])).tolist() == [1, 0, 1]


def test_an_unknown_group_is_named():
    with pytest.raises(DataError) as caught:
        known(np.array([1, 9]), np.arange(7))
    assert str(caught.value) == "no group 9 in training; in groups; one of 0, 1, 2, 3, 4 and 2 more"


FEW = np.arange(119)
NOT_A_COLUMN = np.zeros((120, 1))
CURE = "has no group; in groups; a label for every row; leave such rows out, or give each a group of its own"
HOLED = [None if i == 4 else "a" for i in range(120)]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (FEW, "groups have shape (119,); in groups; (120,), one a row of X"),
        (NOT_A_COLUMN, "groups have shape (120, 1); in groups; (120,), one a row of X"),
        (
            HOLED,
            f"row 4 {CURE}",
        ),
        (
            np.where(np.arange(120) == 7, np.nan, 1.0),
            f"row 7 {CURE}",
        ),
        ([pd.NA if i == 2 else "a" for i in range(120)], f"row 2 {CURE}"),
        ([], "groups have shape (0,); in groups; (120,), one a row of X"),
        ([[1], [1, 2]], "groups are of unequal lengths; in groups; (120,), one a row of X"),
    ],
    ids=["few", "matrix", "none", "nan", "NA", "empty", "ragged"],
)
def test_groups_that_do_not_fit_are_one_clear_error(groups, message):
    with pytest.raises(DataError) as caught:
        grouped().fit(rows(), groups=groups)
    assert str(caught.value) == message


def test_groups_are_asked_for_where_a_part_needs_them_and_refused_where_none_does():
    with pytest.raises(SettingError) as caught:
        grouped().fit(rows())
    assert str(caught.value) == "decoders.Conditional needs the group of each row; in fit; fit(X, groups=labels)"
    with pytest.raises(SettingError) as caught:
        zoo.linear(2).fit(rows(), groups=LABELS)
    assert str(caught.value) == (
        "no part of this model hears of groups; in fit; code=codes.Grouped(...), decoder=decoders.PerGroup() or "
        "decoders.Conditional(); leave groups out"
    )


# --- batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "company"), [((50, 30, 1, 19), 8), ((3, 3, 3), 2), ((40,), 7), ((1,) * 20, 4)])
def test_rows_of_a_group_come_together(sizes, company):
    context = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[torch.randperm(sum(sizes))]
    order = in_company(context, company, generator())
    assert sorted(order.tolist()) == list(range(len(context)))
    runs = torch.unique_consecutive(context[order], return_counts=True)
    pieces = sum(-(-size // company) for size in sizes)
    assert len(runs[0]) <= pieces  # neighbouring pieces of one group are one run
    for group, length in zip(*(part.tolist() for part in runs), strict=True):
        assert length >= min(company, sizes[group] % company or company)


def test_the_order_of_the_pieces_is_even():
    """Each of four pieces stands first equally often, by a χ² test."""
    context = torch.arange(4).repeat_interleave(5)
    first = [int(context[in_company(context, 5, generator(seed))[0]]) for seed in range(800)]
    counts = np.bincount(first, minlength=4)
    assert ((counts - 200) ** 2 / 200).sum() < chi2.ppf(0.999, 3)


# --- decoders ----------------------------------------------------------------------------------------------------


def two_domains(n=400, seed=0):
    """Rows of one hidden number, which two domains show by opposite signs."""
    rng = np.random.default_rng(seed)
    hidden, domain = rng.normal(size=(n, 1)), rng.integers(2, size=n)
    shown = np.hstack([hidden, 2 * hidden, hidden**2]) + 0.02 * rng.normal(size=(n, 3))
    return np.where(domain[:, None] == 0, shown, shown + np.array([5, -5, 3])), np.array(["sea", "land"])[domain]


@pytest.mark.parametrize("decoder", [decoders.PerGroup(), decoders.Conditional(decoders.MLP((16,)))], ids=repr)
def test_a_row_is_decoded_as_its_group(decoder):
    X, groups = two_domains()
    ae = Autoencoder(2, decoder=decoder, learning_rate=5e-3, max_epochs=100, random_state=0).fit(X, groups=groups)
    assert ae.groups_.tolist() == ["land", "sea"]
    assert ae.score(X, groups=groups) > 0.95
    other = np.where(groups == "sea", "land", "sea")
    assert ae.score(X, groups=other) < 0
    assert np.allclose(ae.reconstruct(X, groups), ae.inverse_transform(ae.transform(X), groups))
    bound = ae.for_group("sea")
    sea = X[groups == "sea"]
    assert np.allclose(bound.reconstruct(sea), ae.reconstruct(sea, np.repeat("sea", len(sea))))
    assert np.allclose(ae.translate(sea, to="land"), ae.for_group("land").reconstruct(sea))
    assert np.allclose(ae.swap(X[groups == "land"][:5], sea[:5], np.repeat("land", 5)), ae.translate(sea[:5], "land"))


def test_every_group_has_a_decoder_of_its_own():
    X, groups = two_domains()
    ae = Autoencoder(1, decoder=decoders.PerGroup(decoders.Linear()), max_epochs=1, random_state=0).fit(
        X, groups=groups
    )
    z, context = torch.randn(6, 1, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0])
    own = torch.stack([ae.module_.decoder.decoders[g](z[i : i + 1])[0] for i, g in enumerate(context)])
    assert torch.equal(ae.module_.decoder(z, context), own)
    with pytest.raises(SettingError) as caught:
        ae.reconstruct(X)
    assert str(caught.value) == (
        "decoders.PerGroup cannot tell whose decoder to use; without groups; the group of each row, as in fit; "
        "or bind it to one group: ae.for_group(label)"
    )


def test_what_is_bound_to_a_group_is_examined_and_not_saved(tmp_path):
    X, groups = two_domains()
    sea = X[groups == "sea"]
    ae = Autoencoder(2, decoder=decoders.PerGroup(), max_epochs=30, random_state=0).fit(X, groups=groups)
    bound = ae.for_group("sea")
    found = evidence.examine(bound, sea[:120], sea[120:]).to_dict()
    assert found["reconstruction"]["r2"] == pytest.approx(bound.score(sea[120:]))
    with pytest.raises(SettingError) as caught:
        bound.save(tmp_path)
    assert str(caught.value) == (
        "this estimator is bound to the group 'sea'; in save; save the one that for_group was called on, and bind it "
        "again when it is loaded"
    )
    bound.fit(X, groups=groups).save(tmp_path)  # fitted anew it is bound no more


def test_a_conditional_decoder_without_a_group_stands_between_them():
    X, groups = two_domains()
    ae = grouped(decoder=decoders.Conditional(decoders.Linear())).fit(X, groups=groups)
    Z = ae.transform(X)
    both = [ae.inverse_transform(Z, np.repeat(label, len(Z))) for label in ("sea", "land")]
    assert np.allclose(ae.inverse_transform(Z), np.mean(both, axis=0))


def test_samples_of_a_group_are_like_it():
    X, groups = two_domains()
    ae = grouped(code_size=1, max_epochs=150, penalty=penalties.Divergence()).fit(X, groups=groups)
    for label in ("sea", "land"):
        found = ae.sample(500, random_state=0, group=label).mean(axis=0)
        assert np.linalg.norm(found - X[groups == label].mean(axis=0)) < 1.5  # the groups are 7.7 apart
    with pytest.raises(DataError, match=r"^no group 'sky' in training; in groups; one of 'land', 'sea'$"):
        ae.sample(3, group="sky")


def test_rows_are_likelier_as_their_own_group():
    X, groups = two_domains()
    ae = grouped(code_size=1, max_epochs=60, penalty=penalties.Divergence()).fit(X, groups=groups)
    other = np.where(groups == "sea", "land", "sea")
    own, wrong = (ae.log_likelihood(X, 20, 0, groups=labels) for labels in (groups, other))
    assert (own > wrong).mean() > 0.95
    sea = groups == "sea"
    bound = ae.for_group("sea").log_likelihood(X[sea], 20, 0)
    assert np.allclose(bound, ae.log_likelihood(X[sea], 20, 0, groups=groups[sea]), atol=1e-10)


def test_what_tells_nothing_apart_does_not_swap():
    ae = zoo.variational(2, max_epochs=1).fit(rows())
    with pytest.raises(SettingError) as caught:
        ae.swap(rows()[:2], rows()[2:4])
    assert str(caught.value) == (
        "this model does not tell content from style; in swap; code=codes.Grouped(...) or "
        "decoder=decoders.PerGroup(), fitted with groups"
    )
    with pytest.raises(SettingError) as caught:
        ae.translate(rows(), to="a")
    assert str(caught.value) == (
        "this decoder is the same for all groups; in translate; decoder=decoders.PerGroup() or "
        "decoders.Conditional(), fitted with groups"
    )


def test_swaps_pair_rows():
    ae = zoo.multilevel(4, content=2, max_epochs=2, random_state=0).fit(rows(), groups=LABELS)
    X = rows()
    assert ae.swap(X[:1], X[:7]).shape == ae.swap(X[:7], X[:1]).shape == (7, 6)
    assert np.allclose(ae.swap(X[:4], X[:4]), ae.reconstruct(X[:4]))
    with pytest.raises(DataError) as caught:
        ae.swap(X[:3], X[:4])
    assert str(caught.value) == (
        "3 rows of content and 4 of style; in swap; as many of one as of the other, or a single row"
    )


# --- fits --------------------------------------------------------------------------------------------------------

GROUPED = [
    zoo.multilevel(4, content=2, max_epochs=3, random_state=0),
    grouped(max_epochs=3),
    grouped(max_epochs=3, decoder=decoders.PerGroup(decoders.MLP((5,)))),
]


@pytest.mark.parametrize("ae", GROUPED, ids=repr)
def test_populations_train_each_member_as_alone(ae):
    members = [type(ae)(**ae.get_params(deep=False) | {"random_state": seed}) for seed in range(3)]
    assert fit_together(members, rows(), groups=LABELS) == [None] * 3
    for seed, member in enumerate(members):
        alone = type(ae)(**ae.get_params(deep=False) | {"random_state": seed}).fit(rows(), groups=LABELS)
        assert "one by one" not in member.engine_
        assert np.allclose(member.transform(rows(), LABELS), alone.transform(rows(), LABELS), atol=1e-8)
        assert np.allclose(member.reconstruct(rows(), LABELS), alone.reconstruct(rows(), LABELS), atol=1e-8)


@pytest.mark.parametrize("ae", GROUPED, ids=repr)
def test_recorded_steps_are_the_eager_ones(ae):
    fits = [
        type(ae)(**ae.get_params(deep=False) | {"engine": engine}).fit(rows(), groups=LABELS)
        for engine in ("recorded", "eager")
    ]
    assert fits[0].engine_.startswith("recorded")
    assert np.allclose(*(one.reconstruct(rows(), LABELS) for one in fits), atol=1e-8)


@pytest.mark.parametrize("ae", GROUPED, ids=repr)
def test_they_are_saved_with_their_groups(ae, tmp_path):
    ae = type(ae)(**ae.get_params(deep=False)).fit(rows(), groups=LABELS)
    ae.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.groups_.tolist() == ["a", "b", "c"]
    assert np.array_equal(again.reconstruct(rows(), LABELS), ae.reconstruct(rows(), LABELS))


def test_partial_fit_knows_the_groups_of_the_first_call():
    ae = grouped(max_epochs=1).partial_fit(rows(), groups=LABELS)
    ae.partial_fit(rows()[:20], groups=LABELS[:20])
    with pytest.raises(DataError, match=r"^no group 'q' in training; in groups; one of 'a', 'b', 'c'$"):
        ae.partial_fit(rows()[:20], groups=np.repeat("q", 20))


def test_a_code_takes_new_groups_later():
    ae = zoo.multilevel(4, content=2, random_state=0).partial_fit(rows(), groups=LABELS)
    ae.partial_fit(rows()[:20], groups=np.repeat(["q", "a"], 10))
    assert ae.groups_.tolist() == ["a", "b", "c"]
    pooled = ae.transform(rows()[:20], np.repeat(["q", "r"], 10))[:, :2]
    assert len(np.unique(pooled.round(9), axis=0)) == 2


def test_a_pooled_code_weighs_no_rows():
    ae, some = zoo.multilevel(4, content=2, max_epochs=2, random_state=0), np.arange(120) % 4 > 0
    with pytest.raises(SettingError) as caught:
        ae.fit(rows(), sample_weight=np.linspace(0.5, 1, 120), groups=LABELS)
    assert str(caught.value) == (
        "codes.Grouped pools rows that all count alike; in sample_weight; no weights, or such as only leave rows out"
    )
    without = ae.fit(rows()[some], groups=LABELS[some]).transform(rows())
    assert np.array_equal(ae.fit(rows(), sample_weight=some.astype(float), groups=LABELS).transform(rows()), without)


def test_sweeps_hear_groups():
    found = sweep(grouped(max_epochs=2), rows(), {"penalty.strength": [0.1, 1.0]}, seeds=2, groups=LABELS)
    assert [row["seeds"] for row in found.rows] == [2, 2]
