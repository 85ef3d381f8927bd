"""Members of a population against the same estimators, each fitted alone."""

import copy
import pickle
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import networks
import numpy as np
import pandas as pd
import pytest
import torch
from members import KINDS, Dropping, rows, small
from networks import IMAGE, between
from sklearn.base import clone
from torch import nn

from isthmus import (
    Autoencoder,
    Classifier,
    Regressor,
    codes,
    corruptions,
    decoders,
    encoders,
    finetune,
    likelihoods,
    load,
    penalties,
    zoo,
)
from isthmus import networks as isthmus_networks
from isthmus._constraints import non_negative
from isthmus._spec import Spec
from isthmus.errors import DataError, DivergenceError, SettingError
from isthmus.populations import fit_together
from isthmus.training import Unstackable
from isthmus.training.stacked import Stacked

MEMBERS = 3
STEPS = {"dtype": "float64", "batch_size": 16, "max_epochs": 15}  # 15 · 7 steps on 120 rows less those held out
ONE_BY_ONE = ", one by one: "


def state(ae):
    return torch.cat([t.detach().flatten().double() for t in ae.module_.state_dict().values()])


def history(ae):
    return [[value for name, value in row.items() if name != "seconds"] for row in ae.history_]


def learned(ae):
    """The names of what a fit leaves."""
    return {name for name in vars(ae) if name.endswith("_")}


def alone(make, Xs):
    """Each member fitted by itself, and its fault where it diverged."""
    fits, faults = [make(i) for i in range(len(Xs))], []
    for ae, X in zip(fits, Xs, strict=True):
        try:
            ae.fit(X)
        except DivergenceError as fault:
            faults.append(fault)
        else:
            faults.append(None)
    return fits, faults


def same(one, other, atol=1e-8):
    """Weights, history, stopping and all else that a fit leaves; and memory of its own."""
    torch.testing.assert_close(state(one), state(other), rtol=0, atol=atol)
    assert [[*row] for row in one.history_] == [[*row] for row in other.history_]
    np.testing.assert_allclose(history(one), history(other), rtol=100 * atol, atol=100 * atol)
    assert learned(one) == learned(other)
    for name in ("n_iter_", "stopped_", "seed_", "n_features_in_", "n_train_", "n_validation_"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.module_.training == other.module_.training
    for tensor in (*other.module_.parameters(), *other.module_.buffers()):
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        assert tensor.is_leaf


def check(make, X=None, n=MEMBERS, stacked=True, atol=1e-8):
    """Fit members together, and compare each with itself alone; give those fitted together."""
    X = rows() if X is None else X
    Xs = X if isinstance(X, list) else [X] * n
    fits, faults = alone(make, Xs)
    together = [make(i) for i in range(len(Xs))]
    made = []
    found = fit_together(together, X, tick=made.append)
    assert sorted(made) == list(range(len(Xs)))
    assert [str(fault) for fault in found] == [str(fault) for fault in faults]
    for one, other in zip(fits, together, strict=True):
        same(one, other, atol)
        assert (ONE_BY_ONE not in other.engine_) == stacked, other.engine_
    return together


@pytest.fixture
def pools(monkeypatch):
    """How many members each stack had, in order."""
    sizes = []
    begin = Stacked.__init__

    def counted(self, states, *more):
        sizes.append(len(states))
        begin(self, states, *more)

    monkeypatch.setattr(Stacked, "__init__", counted)
    return sizes


# --- numbers that members may differ in --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_every_kind_that_differ_in_all_they_may(kind, pools):
    rates, decays, clips = (1e-3, 5e-3, 2e-2), (0.0, 0.1, 0.3), (0.1, None, 3.0)
    made = check(
        lambda i: small(
            kind,
            **STEPS | {"max_epochs": (12, 15, 15)[i], "patience": (20, 20, 3)[i]},
            random_state=i,
            learning_rate=rates[i],
            weight_decay=decays[i],
            clip_norm=clips[i],
        )
    )
    assert pools[0] == MEMBERS
    assert made[1].n_iter_ * 7 > 100
    assert made[1].engine_.startswith("recorded, ")


def mlp(**parts):
    return Autoencoder(3, encoder=encoders.MLP((6,), "tanh"), random_state=0, **STEPS, **parts)


VARIED = {
    "contraction": lambda v: zoo.contractive(3, v, (8,), random_state=0, **STEPS),
    "contraction of an encoder without layers": lambda v: zoo.contractive(3, v, (), random_state=0, **STEPS),
    "contraction by probes": lambda v: mlp(penalty=penalties.Contraction(v, 2)),
    "contraction through a bend": lambda v: mlp(penalty=penalties.Contraction(v), code=codes.Activation()),
    "share of firing": lambda v: zoo.sparse(6, v / 2, 2 * v, random_state=0, **STEPS),
    "divergence": lambda v: zoo.variational(2, v, (8,), random_state=0, **STEPS),
    "absolute codes": lambda v: mlp(penalty=penalties.L1(v)),
    "matrices": lambda v: mlp(penalty=penalties.Weights(v)),
    "several": lambda v: mlp(penalty=penalties.Sum(one=penalties.L1(v), two=penalties.Weights(v / 3))),
    "noise": lambda v: zoo.denoising(2, "gaussian", v, (8,), random_state=0, **STEPS),
    "masks": lambda v: zoo.denoising(2, "masking", v, (8,), random_state=0, **STEPS),
    "hidden entries": lambda v: mlp(corruption=corruptions.Masking(v, "hidden")),
    "salt and pepper": lambda v: zoo.denoising(2, "salt-and-pepper", v, (8,), random_state=0, **STEPS),
    "standard deviation": lambda v: mlp(likelihood=likelihoods.Gaussian(v)),
    "Laplace's scale": lambda v: mlp(likelihood=likelihoods.Laplace(v)),
    "degrees of freedom": lambda v: mlp(likelihood=likelihoods.StudentT(10 * v, v)),
}
NUMBERS = {
    "floats": (0.05, 0.2, 0.9),
    "numpy's": tuple(np.logspace(-2, -0.1, 3)),
    "whole ones among them": (1, 0.2, 0.9),
}


OTHER_NUMBERS = [(name, numbers) for name in ("contraction", "divergence", "noise") for numbers in [*NUMBERS][1:]]


@pytest.mark.parametrize(("varied", "numbers"), [*((name, "floats") for name in VARIED), *OTHER_NUMBERS])
def test_members_that_differ_in_a_number_of_a_part(varied, numbers, pools):
    made = check(lambda i: VARIED[varied](NUMBERS[numbers][-i]), n=2)
    assert pools == [2]
    losses = [ae.history_[-1]["loss"] for ae in made]
    assert losses[0] != losses[1], "the number changes nothing"


def test_a_strength_of_zero_among_others(pools):
    check(lambda i: small("contractive", random_state=0, strength=(0.0, 0.3, 1)[i], **STEPS))
    assert pools == [MEMBERS]


def test_whole_numbers_where_any_will_do(pools):
    check(lambda i: small("contractive", random_state=0, strength=i, **STEPS))
    assert pools == [MEMBERS]


def test_members_that_clip_and_members_that_do_not(pools):
    check(lambda i: small("undercomplete", random_state=i, clip_norm=(None, 0.1, None)[i], **STEPS))
    assert pools == [MEMBERS]


@pytest.mark.parametrize("dtype", ["float32", torch.float32])
def test_members_in_single_precision(dtype):
    made = check(lambda i: small("undercomplete", random_state=i, **STEPS | {"dtype": dtype}), atol=1e-5)
    assert (
        made[0].transform(rows()).dtype == np.float32 or made[0].module_.encoder.dense[0].matrix.dtype == torch.float32
    )


def test_rows_in_single_precision_make_networks_in_it():
    made = check(lambda i: small("undercomplete", random_state=i), rows(dtype=np.float32), atol=1e-5)
    assert made[0].transform(rows(dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize("engine", ["eager", "recorded"])
def test_the_engine_is_that_asked_for(engine):
    made = check(lambda i: small("variational", random_state=i, engine=engine, max_epochs=2))
    assert {ae.engine_.split(",")[0] for ae in made} == {engine}


@pytest.mark.parametrize(("n", "batch"), [(120, None), (120, 7), (30, 1), (17, 16), (2, "auto"), (1, 16)])
def test_batches_of_every_size(n, batch):
    check(lambda i: small("denoising", random_state=i, batch_size=batch, dtype="float64"), rows(n))


# --- stopping, and what goes wrong -------------------------------------------------------------------------------


def test_members_stop_by_themselves_and_the_rest_are_stacked_anew(pools):
    rates = (0.1, 0.03, 0.3, 0.2, 0.05, 0.02)
    settings = STEPS | {"max_epochs": 60, "patience": 2, "schedule": "constant"}
    made = check(lambda i: small("contractive", random_state=i, learning_rate=rates[i], **settings), n=6)
    assert len({ae.n_iter_ for ae in made}) > 3, "choose rates that stop at different epochs"
    assert pools[0] == 6
    assert 1 < pools[1] <= 3


def test_members_that_cannot_be_stacked_anew_go_on_one_by_one(monkeypatch):
    begin = Stacked.alone

    def refuse(self, *batch):
        if self.members < 6:
            raise Unstackable("later")
        return begin(self, *batch)

    monkeypatch.setattr(Stacked, "alone", refuse)
    rates = (0.1, 0.03, 0.3, 0.2, 0.05, 0.02)
    settings = STEPS | {"max_epochs": 60, "patience": 2, "schedule": "constant"}
    made = [small("contractive", random_state=i, learning_rate=rates[i], **settings) for i in range(6)]
    fit_together(made, rows())
    for ae in made:
        same(clone(ae).fit(rows()), ae)


def test_a_member_that_diverges_is_the_only_one_to_suffer():
    rates = (1e-3, 1e160, 5e-3, 2e-3)
    made = check(lambda i: small("undercomplete", random_state=i, learning_rate=rates[i], **STEPS), n=4)
    assert [len(ae.history_) for ae in made] == [15, 0, 15, 15]
    assert np.isfinite(made[1].transform(rows())).all()
    assert torch.equal(state(made[1]), state(made[1].untrained()))


def test_a_member_that_diverges_at_once():
    made = check(lambda i: small("contractive", random_state=i, strength=(0.1, 1e308, 0.3)[i], **STEPS))
    assert [len(ae.history_) for ae in made] == [15, 0, 15]
    assert torch.equal(state(made[1]), state(made[1].untrained()))


def test_all_members_diverge():
    check(lambda i: small("undercomplete", random_state=i, learning_rate=1e160, **STEPS))


def test_the_fault_of_a_member_is_the_error_of_its_fit():
    strengths = (0.1, 1e308)
    _, fault = fit_together(
        [small("contractive", strength=s, dtype="float64", random_state=0) for s in strengths], rows()
    )
    assert isinstance(fault, DivergenceError)
    assert str(fault) == (
        "the term 'contraction' of the loss is not finite; in epoch 1; a finite number; the last good weights are "
        "kept; lower the strength of 'contraction' or learning_rate"
    )


# --- rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0])
@pytest.mark.parametrize("kind", ["denoising", "contractive"])
def test_rows_of_their_own(kind, fraction, pools):
    Xs = [rows(seed=seed) * (seed + 1) for seed in range(MEMBERS)]
    check(lambda i: small(kind, random_state=i, validation_fraction=fraction, **STEPS), Xs)
    assert pools[0] == MEMBERS


def test_rows_of_their_own_when_stacked_anew():
    Xs = [rows(seed=seed) for seed in range(4)]
    settings = STEPS | {"max_epochs": 40, "patience": 2, "schedule": "constant"}
    rates = (0.3, 0.2, 0.01, 0.1)
    made = check(lambda i: small("undercomplete", random_state=i, learning_rate=rates[i], **settings), Xs)
    assert len({ae.n_iter_ for ae in made}) > 2


def test_rows_of_other_numbers_are_other_populations(pools):
    check(
        lambda i: small("undercomplete", random_state=i, **STEPS), [rows(120), rows(140), rows(120, seed=1), rows(140)]
    )
    assert pools == [2, 2]


def test_other_shapes_are_other_populations(pools):
    sizes, kinds = (2, 3, 2, 3), ("linear", "linear", "linear", "undercomplete")
    check(lambda i: small(kinds[i], code_size=sizes[i], random_state=i, **STEPS), n=4)
    assert pools == [2]


def test_settings_that_shape_something_are_other_populations(pools):
    parts = [
        {"penalty": penalties.L1(0.1)},
        {"penalty": penalties.Weights(0.1)},
        {"penalty": penalties.Sum(one=penalties.L1(0.1))},
        {"penalty": penalties.Sum(two=penalties.L1(0.1))},
        {"encoder": encoders.MLP((6,), "relu")},
        {"batch_size": 8},
        {"scaling": "global"},
        {"dtype": "float32"},
        {},
    ]
    settings = STEPS | {"max_epochs": 2}
    check(lambda i: small("undercomplete", **settings | parts[i]), n=len(parts), atol=1e-5)
    assert pools in ([], [2])  # the scaling shapes nothing


def test_columns_have_their_names_in_every_member():
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    made = check(lambda i: small("linear", random_state=i), frame)
    for ae in made:
        assert ae.feature_names_in_.tolist() == list("abcdef")
        ae.transform(frame)
        with pytest.raises(ValueError, match=r"^The feature names should match those that were passed during fit"):
            ae.transform(frame.rename(columns={"a": "z"}))


def test_columns_of_an_earlier_fit_are_forgotten():
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    made = [small("linear", random_state=i).fit(frame) for i in range(MEMBERS)]
    fit_together(made, rows(d=4))
    for ae in made:
        assert not hasattr(ae, "feature_names_in_")
        assert ae.transform(rows(d=4)).shape == (120, 2)


def test_a_generator_of_states_is_drawn_from_in_order():
    one, other = np.random.RandomState(3), np.random.RandomState(3)
    fits = [small("linear", random_state=one, **STEPS).fit(rows()) for _ in range(MEMBERS)]
    together = [small("linear", random_state=other, **STEPS) for _ in range(MEMBERS)]
    fit_together(together, rows())
    for a, b in zip(fits, together, strict=True):
        same(a, b)


def test_the_global_generators_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fit_together([small("variational", random_state=i) for i in range(MEMBERS)], rows())
    assert torch.equal(before, torch.get_rng_state())


def test_nobody():
    assert fit_together([], rows()) == []


@pytest.mark.parametrize("n", [1, 3])
def test_another_number_of_rows_than_of_members(n):
    made = [small("linear"), small("linear")]
    with pytest.raises(DataError) as caught:
        fit_together(made, [rows()] * n)
    assert str(caught.value) == f"{n} arrays for 2 estimators; in X; one array, or one for each estimator"
    assert not any(hasattr(ae, "module_") for ae in made)


def test_a_mistake_is_told_before_anything_is_trained():
    made = [small("linear"), small("linear", learning_rate=-1.0)]
    with pytest.raises(SettingError, match=r"^learning_rate must be "):
        fit_together(made, rows())
    with pytest.raises(DataError, match=r"^Input X contains NaN; "):
        fit_together([small("linear"), small("linear")], [rows(), rows() * np.nan])
    assert not hasattr(made[0], "n_iter_")


# --- users' networks ---------------------------------------------------------------------------------------------


def own(name, i):
    parts = {"code_size": 3, "decoder": decoders.Linear()} | (networks.RECORDED | networks.EITHER)[name]
    settings = STEPS | {"max_epochs": 8, "random_state": i, "early_stopping": False}
    return Autoencoder(**parts | settings)


# those that draw from the global generator, or count, are trained one by one
ALONE = {"shared, frozen, idle", "dropout", "batch norm and dropout", "noise", "attention", "hook", *networks.EITHER}


NETWORKS = ["layer norm", "batch norm", "batch norm, no scale", "in place", "dropout", "convolution and back"]
NETWORKS += ["convolution, normalised", "convolution, pooled", "attention", "weight norm", "shared, frozen, idle"]
NETWORKS += ["dictionary", "running mean", "hook", "gru", "spectral norm", "sparse"]


@pytest.mark.parametrize("name", NETWORKS)
def test_users_networks(name, pools):
    """Stacked or one by one: each as it would be alone."""
    fits, _ = alone(lambda i: own(name, i), [rows(120, 16)] * 2)
    made = [own(name, i) for i in range(2)]
    assert fit_together(made, rows(120, 16)) == [None] * 2
    for one, other in zip(fits, made, strict=True):
        same(one, other, atol=1e-7)
    if name not in ALONE:
        assert pools == [2]
        assert not [ae.engine_ for ae in made if ONE_BY_ONE in ae.engine_]


def test_a_module_given_to_all_is_copied_for_each(pools):
    net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    before = copy.deepcopy(net.state_dict())
    check(lambda i: small("undercomplete", encoder=net, random_state=i, learning_rate=(1e-3, 1e-2, 3e-2)[i], **STEPS))
    assert pools == [MEMBERS]
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


def test_dropout_is_trained_one_by_one_and_says_so():
    made = check(lambda i: small("undercomplete", encoder=Dropping, random_state=i, **STEPS), stacked=False)
    for ae in made:
        assert ae.engine_.endswith(", one by one: a part draws from the global generator"), ae.engine_


def counts(self, h):
    self.count += self.training
    return h * (1 + self.count / 100)


def rebinds(self, h):
    if self.training:
        self.kept = 0.9 * self.kept + 0.1 * h.detach().mean(0)
    return h - self.kept


def converts(self, h):
    return h * torch.from_numpy(np.cos(h.detach().numpy()))


HIDDEN = {
    "counts": counts,
    "another buffer each time": rebinds,
    "numpy": converts,
    "values": lambda self, h: h * 2 if h.sum() > 0 else h,
    "nonzero": lambda self, h: h * h[h > 0].mean(),
}


@pytest.mark.parametrize(
    ("name", "engine"), [*((name, "auto") for name in HIDDEN), ("another buffer each time", "eager")]
)
def test_what_changes_from_step_to_step_is_trained_one_by_one(name, engine):
    encoder = between(HIDDEN[name])
    settings = STEPS | {"engine": engine, "encoder": encoder}
    check(lambda i: small("undercomplete", random_state=i, **settings), stacked=False)


@dataclass
class Leaky(Spec):
    """A user's specification, whose number the module wants as it is."""

    slope: float = 0.1
    constraints: ClassVar[dict] = {}

    def build(self, shape, outputs):
        return nn.Sequential(nn.Linear(prod(shape), 5), nn.LeakyReLU(self.slope), nn.Linear(5, outputs))


@dataclass
class Wide(Leaky):
    """One whose number shapes the module."""

    def build(self, shape, outputs):
        width = int(20 * self.slope)
        return nn.Sequential(nn.Linear(prod(shape), width), nn.Tanh(), nn.Linear(width, outputs))


@dataclass
class Choosing(penalties.Penalty):
    """One whose number is branched on."""

    strength: float = 0.1

    def build(self, parts):
        strength = self.strength
        return lambda p: p.z.square().sum(-1) * (strength if strength > 0.5 else 0.1)


@dataclass
class Branching(Choosing):
    def build(self, parts):
        return _Branching(self.strength)


@dataclass
class Enclosed(Choosing):
    """One whose number is any of a range, and hidden in a function."""

    constraints: ClassVar[dict] = {"strength": non_negative()}


@dataclass
class Flagged(Enclosed):
    """One whose number decides over a flag."""

    def build(self, parts):
        return _Flagged(self.strength > 0.5)


class _Flagged(nn.Module):
    def __init__(self, twice):
        super().__init__()
        self.twice = twice

    def forward(self, p):
        return p.z.square().sum(-1) * (2 if self.twice else 1)


class _Branching(nn.Module):
    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def forward(self, p):
        return p.z.square().sum(-1) * (self.strength if self.strength > 0.5 else 0.1)


@pytest.mark.parametrize("spec", [Leaky, Wide, Choosing, Branching, Enclosed, Flagged])
def test_users_specifications(spec):
    slot = "penalty" if issubclass(spec, penalties.Penalty) else "encoder"
    parts = [{slot: spec(number)} for number in (0.2, 0.6, 0.9)]
    settings = {"decoder": decoders.Linear(), "random_state": 0} | STEPS
    fits, _ = alone(lambda i: small("linear", **settings | parts[i]), [rows()] * MEMBERS)
    made = [small("linear", **settings | parts[i]) for i in range(MEMBERS)]
    fit_together(made, rows())
    for one, other in zip(fits, made, strict=True):
        same(one, other)


def test_contraction_of_a_users_network_is_trained_as_alone():
    parts = [{"penalty": penalties.Contraction(strength)} for strength in (0.1, 0.2, 0.5)]
    settings = STEPS | IMAGE | {"encoder": networks.Filters, "max_epochs": 4}
    fits, _ = alone(lambda i: small("undercomplete", **settings | parts[i]), [rows(60, 16)] * MEMBERS)
    made = [small("undercomplete", **settings | parts[i]) for i in range(MEMBERS)]
    fit_together(made, rows(60, 16))
    for one, other in zip(fits, made, strict=True):
        same(one, other)


def test_contraction_of_a_distribution_is_trained_as_alone():
    def make(i):
        penalty = penalties.Sum(one=penalties.Contraction(0.1 * (i + 1)), two=penalties.Divergence(0.2 * (i + 1)))
        return small("variational", penalty=penalty, random_state=0, **STEPS)

    fits, _ = alone(make, [rows()] * MEMBERS)
    made = [make(i) for i in range(MEMBERS)]
    fit_together(made, rows())
    for one, other in zip(fits, made, strict=True):
        same(one, other)


# --- afterwards --------------------------------------------------------------------------------------------------


def test_members_can_be_copied_saved_and_trained_on(tmp_path):
    X = rows()
    made = check(lambda i: small("contractive", random_state=i, strength=0.1 * (i + 1), **STEPS))
    for i, ae in enumerate(made):
        ae.save(tmp_path / str(i))
        for other in (pickle.loads(pickle.dumps(ae)), copy.deepcopy(ae), load(tmp_path / str(i))):  # noqa: S301
            assert np.array_equal(other.transform(X), ae.transform(X))
        assert len(pickle.dumps(ae)) < 3 * len(pickle.dumps(made[0]))
    weights = [state(ae) for ae in made]
    made[0].partial_fit(X)
    assert not torch.equal(state(made[0]), weights[0])
    assert torch.equal(state(made[1]), weights[1])  # no memory is shared
    again = clone(made[1]).fit(X)
    same(again, made[1])
    assert torch.equal(state(made[1].fit(X)), state(again))


def test_members_can_be_fitted_together_again():
    made = [small("linear", random_state=i, **STEPS) for i in range(MEMBERS)]
    fit_together(made, rows(seed=1))
    fit_together(made, rows())
    for ae in made:
        same(clone(ae).fit(rows()), ae)


def test_one_seed_gives_the_same_bits_twice():
    one, two = ([small("variational", random_state=i, **STEPS) for i in range(MEMBERS)] for _ in range(2))
    fit_together(one, rows())
    fit_together(two, rows())
    for a, b in zip(one, two, strict=True):
        assert torch.equal(state(a), state(b))
        assert history(a) == history(b)


# --- first weights and answers of their own ----------------------------------------------------------------------


def test_members_that_begin_in_different_ways(pools):
    begun = ("uniform", "xavier", "orthogonal")
    made = check(lambda i: Autoencoder(3, encoders.MLP((6,), "tanh", begun[i]), random_state=0, **STEPS))
    assert pools == [MEMBERS]
    assert len({ae.history_[0]["loss"] for ae in made}) == MEMBERS


@pytest.mark.parametrize("learner", [Classifier, Regressor])
def test_answers_of_their_own(learner, pools):
    X, seeds = rows(), (0, 0, 1, 1)
    ys = [(X[:, i % 2] > 0.5).astype(int) for i in range(4)]

    def make(i):
        return learner(isthmus_networks.MLP((5,)), random_state=seeds[i], validation_fraction=0.0, **STEPS)

    together = [make(i) for i in range(4)]
    assert fit_together(together, [X] * 4, y=ys) == [None] * 4
    assert pools == [4]
    for i, one in enumerate(together):
        same(make(i).fit(X, ys[i]), one)
    assert not torch.allclose(state(together[0]), state(together[1]))


def test_answers_for_some_only():
    with pytest.raises(DataError) as caught:
        fit_together([Classifier()] * 2, [rows()] * 2, y=[np.arange(120) % 2])
    assert str(caught.value) == "1 arrays for 2 estimators; in y; one array, or one for each estimator"


def test_classifiers_that_begin_with_trained_encoders_are_a_population():
    X = rows(60)
    start = small("undercomplete", max_epochs=2, random_state=0).fit(X)
    tuned = [finetune(start, max_epochs=2, random_state=seed, device="cpu") for seed in range(2)]
    assert fit_together(tuned, X, y=np.arange(60) % 3) == [None, None]
    alone = finetune(start, max_epochs=2, random_state=1, device="cpu").fit(X, np.arange(60) % 3)
    np.testing.assert_allclose(tuned[1].predict_proba(X), alone.predict_proba(X), rtol=1e-6)
