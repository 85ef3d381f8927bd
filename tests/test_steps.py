"""Recorded steps against the steps they were recorded from, and which of the two a fit takes."""

import copy
import math
import pickle
import random

import networks
import numpy as np
import pytest
import torch
from members import ALONE, KINDS, as_rows_need, as_supported, rows, small
from networks import between
from sklearn.base import clone
from torch import nn

from isthmus import Autoencoder, codes, corruptions, decoders, encoders, likelihoods, load, penalties
from isthmus import _fitting as fitting
from isthmus._spec import family
from isthmus.errors import DivergenceError, SettingError
from isthmus.training.optimiser import AdamW, Pace
from isthmus.training.pools import Pool
from isthmus.training.randomness import own_randomness, reseed
from isthmus.training.steps import WORTH_RECORDING, Steps

N, D = 60, 16
CPU = torch.device("cpu")

# --- one step ----------------------------------------------------------------------------------------------------


def job(ae, X, weight=None):
    """An estimator about to be trained."""
    ae.validate()
    return fitting.prepared(ae, fitting.learned(ae, fitting.Table(X, weight), 0), 0)


def stepping(prepared, engine):
    """The steps of a copy of its network, none of which moves a weight."""
    pool = Pool([copy.deepcopy(prepared.member.state)])
    optimiser = AdamW(pool, [None])
    optimiser.pace([Pace(None, 0.0)])
    return Steps(pool, optimiser, [torch.Generator()], engine)


def batches(n, sizes):
    """Row numbers of batches, in another order for each."""
    rng = torch.Generator().manual_seed(0)
    return [torch.arange(n) if size == n else torch.randperm(n, generator=rng)[:size] for size in sizes]


def outcome(steps, data, index, moment, training):
    """Terms and norm, then the gradient of every parameter, then every buffer."""
    steps.pool.mode(training)
    reseed(steps.rngs, [(0, moment)])
    row = (steps.train if training else steps.look)(data, index, 1000)
    gradients = steps.optimiser.gradients if training else []
    return [t.detach().clone() for t in (row, *gradients, *steps.pool.module.buffers())]


def shake(pools, moment):
    """The same new weights for each, in place, as an optimiser writes them."""
    for pool in pools:
        rng = torch.Generator().manual_seed(moment)
        with torch.no_grad():
            for p in pool.parameters:
                p.add_(0.05 * torch.randn(p.shape, generator=rng, dtype=p.dtype))


def same_steps(ae, X, weight=None, sizes=(16, 16, 12, 16, 12)):
    """Each recorded step, after its recording too, gives the terms, gradients and buffers of the step itself."""
    prepared = job(ae, X, weight)
    recorded, eager = stepping(prepared, "recorded"), stepping(prepared, "eager")
    tolerance = 1e-10 if prepared.rows.x.dtype == torch.float64 else 2e-4
    with own_randomness(CPU):
        for moment, index in enumerate(batches(len(prepared.rows), sizes)):
            for training in (True, False):
                got, want = (outcome(s, prepared.rows, index, moment, training) for s in (recorded, eager))
                for a, b in zip(got, want, strict=True):
                    bound = tolerance * max(1.0, float(b.abs().max())) if b.numel() else 0.0
                    torch.testing.assert_close(a, b, rtol=0, atol=bound)
            shake([recorded.pool, eager.pool], moment)
    assert recorded.names == eager.names
    assert recorded.how.startswith("recorded, ")
    assert eager.how == "eager"


def weights_of_rows():
    return np.random.default_rng(1).uniform(0.2, 3, N)


@pytest.mark.parametrize(("dtype", "weighted"), [("float32", False), ("float64", False), ("float64", True)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_step_of_every_kind(kind, dtype, weighted):
    """Whole batches, the last of an epoch, one row more, all rows at once, a single row; each met more than once."""
    ae = small(kind, dtype=dtype, validation_fraction=0)
    sizes = (16, 16, 17, 17, N, N, 1, 1) if weighted else (16, 12, 16, 12)
    same_steps(ae, rows(N), weights_of_rows() if weighted else None, sizes)


GAUSSIAN = (penalties.Divergence, penalties.TotalCorrelation, penalties.DIP)


def with_part(part):
    """Settings of an estimator that holds this specification."""
    slot = {"codes": "code", "corruptions": "corruption", "encoders": "encoder", "decoders": "decoder"}
    slot |= {"likelihoods": "likelihood", "penalties": "penalty"}
    settings = {"encoder": encoders.MLP((5,)), slot[family(part)]: part} | as_rows_need(part)
    if "KL" in repr(part):
        settings["code"] = codes.Activation()
    if isinstance(part, penalties.Commitment):
        settings["code"] = codes.VectorQuantised(5, 2)
    return settings | ({"code": codes.Gaussian()} if isinstance(part, GAUSSIAN) else {})


@pytest.mark.parametrize("part", ALONE, ids=repr)
def test_the_step_of_every_part(part):
    ae = Autoencoder(4, dtype="float64", validation_fraction=0, **with_part(part))
    same_steps(ae, as_supported(part, rows(N)), weights_of_rows())


CODES = [codes.Plain(), codes.Activation(), codes.Activation("relu"), codes.TopK(2), codes.Gaussian()]


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize(("hidden", "probes"), [((), None), ((7, 5), None), ((7,), 2)], ids=str)
def test_the_step_of_contraction_at_every_depth(code, hidden, probes):
    penalty = penalties.Sum(one=penalties.Contraction(0.3, probes), two=penalties.L1(0.1), three=penalties.Weights(0.1))
    parts = {"code": code, "encoder": encoders.MLP(hidden, "tanh"), "penalty": penalty}
    same_steps(Autoencoder(4, dtype="float64", validation_fraction=0, **parts), rows(N), sizes=(16, 16))


LIKELIHOODS = [likelihoods.Gaussian(0.5), likelihoods.Bernoulli(), likelihoods.Laplace(2.0), likelihoods.StudentT(3.0)]


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("score", ["all", "hidden"])
def test_the_step_of_every_likelihood_with_a_mask(likelihood, score):
    parts = {"likelihood": likelihood, "corruption": corruptions.Masking(0.3, score), "encoder": encoders.MLP((5,))}
    same_steps(Autoencoder(3, dtype="float64", validation_fraction=0, **parts), rows(N), weights_of_rows())


@pytest.mark.parametrize(("width", "size"), [(64, 8), (300, 2), (20, 20)])
def test_the_step_of_narrow_and_wide_layers(width, size):
    """Wide enough that narrow products lie by columns."""
    ae = Autoencoder(size, encoder=encoders.MLP((width,), "tanh"), dtype="float64", validation_fraction=0)
    same_steps(ae, rows(256, 20))


@pytest.mark.parametrize("name", networks.RECORDED)
def test_the_step_of_users_networks(name):
    same_steps(own(name, dtype="float64", validation_fraction=0), rows(N, D), sizes=(16, 16, 16))


# --- whole fits --------------------------------------------------------------------------------------------------


def own(name, **settings):
    """An estimator around a user's network."""
    parts = {"code_size": 3, "decoder": decoders.Linear()} | (networks.RECORDED | networks.EITHER)[name]
    return Autoencoder(**(parts | {"max_epochs": 8, "batch_size": 16, "random_state": 0} | settings))


def state(ae):
    return torch.cat([t.detach().flatten().double() for t in ae.module_.state_dict().values()])


def history(ae):
    return [[value for name, value in row.items() if name != "seconds"] for row in ae.history_]


def same_fits(one, other, atol=1e-8):
    torch.testing.assert_close(state(one), state(other), rtol=0, atol=atol)
    np.testing.assert_allclose(history(one), history(other), rtol=100 * atol, atol=100 * atol)
    assert (one.n_iter_, one.stopped_) == (other.n_iter_, other.stopped_)


def both(make, X, **more):
    """The same fit as it stands, and as the estimator chooses."""
    eager, chosen = make(engine="eager"), make(engine="auto")
    random.seed(0)
    eager.fit(X, **more)
    random.seed(0)
    chosen.fit(X, **more)
    assert eager.engine_ == "eager"
    return eager, chosen


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_fit_is_the_eager_fit(kind):
    X, weight = rows(109), np.random.default_rng(1).uniform(0.2, 3, 109)
    settings = {"max_epochs": 20, "batch_size": 16, "dtype": "float64", "weight_decay": 0.1, "clip_norm": 2.0}
    eager, recorded = (small(kind, engine=e, **settings).fit(X, sample_weight=weight) for e in ("eager", "recorded"))
    assert [ae.engine_.split(",")[0] for ae in (eager, recorded)] == ["eager", "recorded"]
    assert eager.n_train_ % 16 > 1, "the last batch of an epoch must be smaller"
    same_fits(eager, recorded)


@pytest.mark.parametrize("name", networks.RECORDED)
def test_a_fit_of_users_networks_is_recorded_and_the_eager_one(name):
    eager, chosen = both(lambda **e: own(name, dtype="float64", early_stopping=False, **e), rows(200, D))
    assert chosen.engine_.startswith("recorded, "), chosen.engine_
    same_fits(eager, chosen, atol=1e-7)  # Adam magnifies rounding where a gradient is nothing but rounding


@pytest.mark.parametrize(("name", "dtype"), [*((name, "float64") for name in networks.EITHER), ("lstm", "float32")])
def test_what_may_not_be_recorded_trains_all_the_same(name, dtype):
    eager, chosen = both(lambda **e: own(name, dtype=dtype, early_stopping=False, **e), rows(200, D))
    assert chosen.engine_.startswith(("recorded, ", "eager: ")), chosen.engine_
    same_fits(eager, chosen, atol=1e-7 if dtype == "float64" else 1e-3)


def test_a_parameter_that_only_batches_of_one_size_use():
    """Its gradient of the other batches is 0, not that of the batch before."""
    for middle in (
        lambda self, h: self.middle(h) if len(h) < 16 else h,
        lambda self, h: h if len(h) < 16 else self.middle(h),
    ):
        networks.RECORDED["sometimes"] = {"encoder": between(middle)}
        make = lambda **e: own("sometimes", dtype="float64", max_epochs=51, early_stopping=False, **e)  # noqa: E731
        eager, chosen = both(make, rows(220, D))
        del networks.RECORDED["sometimes"]
        assert eager.n_train_ % 16 > 1
        same_fits(eager, chosen)


# --- steps that must run as they stand ---------------------------------------------------------------------------

ON_VALUES = {
    "aten._local_scalar_dense.default": lambda self, h: h * 2 if h.sum() > 0 else h,
    "aten._local_scalar_dense.default ": lambda self, h: h * h.mean().item(),
    "aten.nonzero.default": lambda self, h: h * len(torch.nonzero(h > 0)),
    "aten.index.Tensor": lambda self, h: h * h[h > 0].mean(),
    "aten.equal.default": lambda self, h: h * (2 if torch.equal(h, h) else 1),
}


@pytest.mark.parametrize("operation", ON_VALUES)
def test_what_depends_on_values_runs_as_it_stands_and_says_so(operation):
    settings = {"encoder": between(ON_VALUES[operation]), "dtype": "float64", "max_epochs": 8, "batch_size": 16}
    eager, chosen = both(lambda **e: Autoencoder(3, random_state=0, **settings, **e), rows(200, D))
    assert chosen.engine_ == f"eager: {operation.strip()} depends on values"
    assert torch.equal(state(eager), state(chosen))
    with pytest.raises(SettingError) as caught:
        Autoencoder(3, engine="recorded", **settings).fit(rows(200, D))
    assert str(caught.value) == (
        f"the step cannot be recorded ({operation.strip()} depends on values); in engine='recorded'; "
        "use engine='auto', which runs such a step as it stands"
    )


def counts(after):
    def middle(self, h):
        self.count += self.training
        return after(self.count, h)

    return middle


def rebinds(self, h):
    if self.training:
        self.kept = 0.9 * self.kept + 0.1 * h.detach().mean(0)
        return h - h.mean(0)
    return h - self.kept


def reads_then_writes(self, h):
    before = self.kept * 2
    if self.training:
        self.kept.lerp_(h.detach().mean(0), 0.1)
    return h - before


def remembers(self, h):
    self.last = h.detach()
    return h


class Ramp:
    """A helper object that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return 1.0 if self.calls < 30 else 3.0


def keeping(make, use):
    """A network that keeps something of its user's making, and uses it at every step."""

    class Keeping(networks.Between):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs)
            self.own = make()

        def between(self, h):
            return use(self.own, h) if self.training else h

    return Keeping


def ticks(own, h):
    own[0] += 1
    return h if own[0] < 30 else 3 * h


def shrinks(self, h):
    with torch.no_grad():
        self.out.weight.mul_(0.999)
    return h


HELPERS = {
    "counts in a list": keeping(lambda: [0], ticks),
    "counts in a dictionary": keeping(lambda: {0: 0}, ticks),
    "counts in an array": keeping(lambda: np.zeros(1), ticks),
    "counts in an object": keeping(Ramp, lambda own, h: h * own()),
    "a generator of its own": keeping(
        lambda: torch.Generator().manual_seed(3),
        lambda own, h: h + torch.rand(h.shape, generator=own, dtype=h.dtype),
    ),
    "shrinks its weights": between(shrinks),
}


HIDDEN = {
    "counts": counts(lambda n, h: h * (1 + n / 100)),
    "counts, then changes": counts(lambda n, h: h if n < 30 else 3 * h),
    "counts very slowly": counts(lambda n, h: h * (1 + 1e-10 * n)),
    "another buffer each time": rebinds,
    "reads, then writes": reads_then_writes,
    "a coin of Python's": lambda self, h: h if random.random() < 0.9 else 2 * h,  # noqa: S311
    "numpy": lambda self, h: h * torch.from_numpy(np.cos(h.detach().numpy())),
    "a branch on numpy": lambda self, h: h * 2 if h.detach().numpy().mean() > 0 else h,
    "a branch on a list": lambda self, h: h * 2 if h.mean().tolist() > 0 else h,
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_changes_from_step_to_step_is_never_frozen(name):
    settings = {"encoder": between(HIDDEN[name]), "dtype": "float64", "max_epochs": 8, "batch_size": 16}
    eager, chosen = both(
        lambda **e: Autoencoder(3, random_state=0, early_stopping=False, **settings, **e), rows(200, D)
    )
    if name != "reads, then writes":
        assert chosen.engine_.startswith("eager: "), chosen.engine_
    same_fits(eager, chosen)


@pytest.mark.parametrize("name", HELPERS)
def test_what_helpers_of_a_network_count_is_never_frozen(name):
    settings = {"encoder": HELPERS[name], "dtype": "float64", "max_epochs": 8, "batch_size": 16}
    same_fits(*both(lambda **e: Autoencoder(3, random_state=0, early_stopping=False, **settings, **e), rows(200, D)))


class Overwriting(networks.Between):
    """Writes into the rows it is given."""

    def forward(self, x):
        return super().forward(x.mul_(0.5).add_(0.1))


@pytest.mark.parametrize(("batch", "epochs", "fraction"), [(16, 52, 0.1), (None, 52, 0.1), (None, 52, 0)])
def test_the_training_rows_are_never_written_into(batch, epochs, fraction):
    settings = {
        "encoder": Overwriting,
        "dtype": "float64",
        "max_epochs": epochs,
        "batch_size": batch,
        "random_state": 0,
    }
    settings |= {"validation_fraction": fraction, "early_stopping": False}
    same_fits(*both(lambda **e: Autoencoder(3, **settings, **e), rows(200, D)))


def test_what_is_kept_for_looking_at_does_not_change_the_fit():
    """A tensor that a network keeps for its user, and never reads itself."""
    settings = {"encoder": between(remembers), "dtype": "float64", "max_epochs": 8, "batch_size": 16}
    eager, chosen = both(
        lambda **e: Autoencoder(3, random_state=0, early_stopping=False, **settings, **e), rows(200, D)
    )
    same_fits(eager, chosen)


def doubled(state):
    state.module.penalties["contraction"].strength *= 2


def moved(state):
    for p in state.module.parameters():
        p.data = p.data * 1.01


def shrunk(state):
    with torch.no_grad():
        for p in state.module.parameters():
            p.mul_(0.99)


@pytest.mark.parametrize("observer", [doubled, moved, shrunk])
def test_what_observers_change_is_heeded(observer):
    make = lambda **e: small("contractive", dtype="float64", max_epochs=12, early_stopping=False, **e)  # noqa: E731
    same_fits(*both(make, rows(), observers=[observer]))


def test_a_step_that_cannot_be_recorded_leaves_no_trace():
    """Neither draws nor buffers have moved when it then runs as it stands."""

    class Late(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, outputs))

        def forward(self, x):
            x = self.net(x)
            return x * 2 if x.sum() > 0 else x

    settings = {"encoder": Late, "dtype": "float64", "max_epochs": 8, "batch_size": 16, "random_state": 0}
    settings |= {"corruption": corruptions.Gaussian(0.2)}
    eager, chosen = both(lambda **e: Autoencoder(3, **settings, **e), rows(200, D))
    assert chosen.engine_ == "eager: aten._local_scalar_dense.default depends on values"
    assert torch.equal(state(eager), state(chosen))


@pytest.mark.parametrize("engine", ["auto", "recorded", "eager"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_first_step_that_is_not_finite_is_a_divergence(engine, dtype):
    ae = small("undercomplete", penalty=nowhere(), engine=engine, dtype=dtype, max_epochs=12)
    with pytest.raises(DivergenceError) as caught:
        ae.fit(rows())
    assert str(caught.value) == (
        "the term 'penalty' of the loss is not finite; in epoch 1; a finite number; the last good weights are kept; "
        "lower the strength of 'penalty' or learning_rate"
    )
    assert torch.equal(state(ae), state(ae.untrained()))


@pytest.mark.parametrize("penalty", [penalties.Weights, penalties.L1])
@pytest.mark.parametrize("strength", [1e-30, 1e-40])
def test_a_strength_that_single_precision_cannot_hold(penalty, strength):
    """Set aside, its inverse overflows."""
    settings = {"penalty": penalty(strength), "dtype": "float32", "max_epochs": 12}
    same_fits(*both(lambda **e: small("undercomplete", **settings, **e), rows()), atol=1e-5)


def nowhere():
    class Nowhere(nn.Module):
        def forward(self, p):
            return p.z.sum(-1) * math.nan

    return Nowhere()


# --- which way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epochs", "engine"), [(7, "eager"), (8, "recorded")])
def test_few_steps_are_not_worth_recording(epochs, engine):
    """100 rows in 7 batches, the last smaller: 6 whole ones an epoch, 8 · 6 < 50 ≤ 9 · 6."""
    assert WORTH_RECORDING == 50
    ae = small("linear", max_epochs=epochs + 1, batch_size=16, validation_fraction=0, early_stopping=False).fit(
        rows(100)
    )
    assert ae.engine_.split(",")[0] == engine


def test_the_eager_engine_never_records(monkeypatch):
    def fail(*args):
        raise AssertionError

    monkeypatch.setattr("isthmus.training.steps.record", fail)
    ae = small("variational", max_epochs=60, engine="eager").fit(rows())
    assert ae.engine_ == "eager"
    with pytest.raises(AssertionError):
        small("variational", max_epochs=60).fit(rows())


def test_the_recorded_engine_records_however_few_steps():
    assert small("linear", max_epochs=1, engine="recorded").fit(rows()).engine_.startswith("recorded, ")


def test_one_epoch_at_a_time_is_not_worth_recording():
    """However many there have been: each call would record anew."""
    ae = small("linear")
    engines = {ae.partial_fit(rows(30, seed=i)).engine_ for i in range(60)}
    assert engines == {"eager"}


def test_an_engine_is_one_of_three():
    with pytest.raises(SettingError) as caught:
        small("linear", engine="fast").fit(rows())
    assert str(caught.value) == "engine must be one of 'auto', 'recorded', 'eager'; got 'fast'; in Autoencoder"


# --- what a fit leaves -------------------------------------------------------------------------------------------

ENGINES = ["recorded", "eager"]


@pytest.mark.parametrize("kind", ["contractive", "variational", "sparse"])
def test_one_seed_gives_the_same_bits_by_replays_too(kind):
    one, two = (small(kind, max_epochs=12, dtype="float32", engine="recorded").fit(rows(109)) for _ in range(2))
    assert torch.equal(state(one), state(two))
    assert history(one) == history(two)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fitted_estimator_holds_only_its_own_memory(engine):
    ae = small("contractive", max_epochs=12, engine=engine).fit(rows())
    for tensor in (*ae.module_.parameters(), *ae.module_.buffers()):
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        assert tensor.grad is None
        assert tensor.is_leaf


@pytest.mark.parametrize(("engine", "partly"), [("recorded", False), ("recorded", True), ("eager", False)])
def test_a_fitted_estimator_can_be_copied_saved_and_trained_on(engine, partly, tmp_path):
    X = rows()
    ae = small("contractive", max_epochs=12, engine=engine, dtype="float64").fit(X)
    if partly:
        ae.partial_fit(X)
    ae.save(tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(ae)), copy.deepcopy(ae), load(tmp_path / "model")):  # noqa: S301
        assert np.array_equal(other.transform(X), ae.transform(X))
    for other in (pickle.loads(pickle.dumps(ae)), copy.deepcopy(ae)):  # noqa: S301
        twin = copy.deepcopy(ae).partial_fit(X)
        before = state(ae)
        assert torch.equal(state(other.partial_fit(X)), state(twin))
        assert torch.equal(state(ae), before)
        assert other.engine_
    fresh = clone(ae).fit(X)
    assert torch.equal(state(ae.fit(X)), state(fresh))
