"""The one loop: the same bits from a seed, resuming, stopping, clipping, and what is left after a divergence."""

import json
import math
from functools import partial
from itertools import chain

import numpy as np
import pytest
import torch
from members import KINDS, Dropping, rows, small
from safetensors.torch import load_file, save_file
from torch import nn

from isthmus import Autoencoder, corruptions, load, penalties
from isthmus import _fitting as fitting
from isthmus.errors import DivergenceError, RunError
from isthmus.populations import fit_together
from isthmus.training import Rows, Settings, State, train, write_checkpoint


def weights_of(module):
    return torch.cat([p.detach().flatten().clone() for p in module.state_dict().values()])


def weights(ae):
    return weights_of(ae.module_)


def losses(ae):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in ae.history_]


@pytest.mark.parametrize(("dtype", "engine"), [("float32", "recorded"), ("float64", "eager")])
@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_the_same_bits(kind, dtype, engine):
    settings = {"dtype": dtype, "engine": engine}
    one, two = (small(kind, **settings).fit(rows()) for _ in range(2))
    assert torch.equal(weights(one), weights(two))
    assert losses(one) == losses(two)
    assert not torch.equal(weights(one), weights(small(kind, **settings | {"random_state": 1}).fit(rows())))


def test_without_a_seed_fits_differ():
    one, two = (small("linear", random_state=None).fit(rows()) for _ in range(2))
    assert not torch.equal(weights(one), weights(two))


def test_a_random_state_is_drawn_from():
    state = np.random.RandomState(3)
    one, two = (small("linear", random_state=state).fit(rows()) for _ in range(2))
    assert not torch.equal(weights(one), weights(two))
    again = small("linear", random_state=np.random.RandomState(3)).fit(rows())
    assert torch.equal(weights(one), weights(again))


@pytest.mark.parametrize("kind", KINDS)
def test_the_global_generators_are_left_alone(kind):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    ae = small(kind, encoder=Dropping) if kind == "undercomplete" else small(kind)
    ae.fit(rows()).partial_fit(rows())
    ae.transform(rows())
    ae.untrained()
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def keeper(folder):
    """An observer that keeps every epoch's checkpoint."""
    return lambda state: write_checkpoint(folder / f"{state.epoch}.safetensors", state)


@pytest.mark.parametrize(("epochs", "engine"), [(4, "eager"), (10, "recorded")])
@pytest.mark.parametrize("kind", KINDS)
def test_resuming_at_any_epoch_is_the_unbroken_run(kind, epochs, engine, tmp_path):
    """Bit for bit, by replays too: whether steps are recorded depends on the whole training, not on what is left."""
    settings = {"max_epochs": epochs, "dtype": "float32"}
    whole = small(kind, **settings).fit(rows(), observers=[keeper(tmp_path)])
    assert whole.n_validation_ == 12
    assert whole.engine_.split(",")[0] == engine
    for epoch in (1, 2, epochs - 1, epochs):
        resumed = small(kind, **settings).fit(rows(), resume=tmp_path / f"{epoch}.safetensors")
        assert torch.equal(weights(whole), weights(resumed))
        assert losses(whole) == losses(resumed)
        assert (resumed.n_iter_, resumed.stopped_) == (whole.n_iter_, whole.stopped_)


def test_resuming_within_the_patience_stops_at_the_same_epoch(tmp_path):
    settings = {"max_epochs": 60, "patience": 3, "learning_rate": 0.3, "schedule": "constant", "dtype": "float64"}
    whole = small("undercomplete", **settings).fit(rows(), observers=[keeper(tmp_path)])
    assert whole.stopped_ == "patience"
    for epoch in (1, whole.n_iter_ - 1, whole.n_iter_):
        resumed = small("undercomplete", **settings).fit(rows(), resume=tmp_path / f"{epoch}.safetensors")
        assert torch.equal(weights(whole), weights(resumed))
        assert losses(whole) == losses(resumed)


def test_resuming_without_held_out_rows(tmp_path):
    settings = {"max_epochs": 4, "validation_fraction": 0, "encoder": Dropping}
    whole = small("undercomplete", **settings).fit(rows(), observers=[keeper(tmp_path)])
    resumed = small("undercomplete", **settings).fit(rows(), resume=tmp_path / "2.safetensors")
    assert torch.equal(weights(whole), weights(resumed))


def test_a_seed_repeats_a_users_dropout():
    one, two = (small("undercomplete", encoder=Dropping).fit(rows()) for _ in range(2))
    assert torch.equal(weights(one), weights(two))
    assert np.array_equal(one.transform(rows()), one.transform(rows()))


@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_best_weights_are_restored(early_stopping):
    kept = {}
    settings = {"max_epochs": 40, "patience": 4, "learning_rate": 0.3, "schedule": "constant"}
    ae = small("undercomplete", early_stopping=early_stopping, **settings)
    ae.fit(rows(), observers=[lambda state: kept.update({state.epoch: weights_of(state.module)})])
    best = int(np.argmin([epoch["validation_loss"] for epoch in ae.history_])) + 1
    assert (ae.stopped_, ae.n_iter_) == (("patience", best + 4) if early_stopping else ("max_epochs", 40))
    assert best < 40
    assert torch.equal(weights(ae), kept[best])


class Slope(nn.Module):
    """A module whose gradient is known: the loss is w · g, so that dloss/dw = g."""

    def __init__(self, g, bias=0.0):
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(1, len(g), dtype=torch.float64))
        self.bias = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.register_buffer("g", torch.tensor(g, dtype=torch.float64))
        self.g_bias = bias
        self.seen = []

    def forward(self, x, context=None, rng=None, weight=None):
        self.seen.append(x[:, 0].tolist())
        return x

    def objective(self, x):
        return {"reconstruction": (self.matrix * self.g).sum() + self.g_bias * self.bias.sum()}


def numbered(n):
    return Rows(torch.arange(n, dtype=torch.float64)[:, None])


def run(module, n=6, **settings):
    settings = Settings(**{"max_epochs": 1, "batch_size": n, "learning_rate": 0.1, "schedule": "constant"} | settings)
    return train(State.begin(module, settings), numbered(n), settings)


@pytest.mark.parametrize(("clip", "share"), [(None, 1), (1.0, 1 / 5), (4.9, 4.9 / 5), (5.1, 1), (50.0, 1)])
def test_clipping_bounds_the_gradient_after_backward(clip, share):
    """(3, 4) has length 5: the first moment is a tenth of what is left of it, the second a thousandth of its square."""
    module = Slope([3.0, 4.0])
    state = run(module, clip_norm=clip)
    assert state.history[0]["gradient_norm"] == pytest.approx(5.0)
    left = share * module.g[None]
    torch.testing.assert_close(state.moments.first[0], 0.1 * left, rtol=1e-6, atol=0)
    torch.testing.assert_close(state.moments.second[0], 0.001 * left**2, rtol=1e-6, atol=0)


def by_hand(ae, seen, clip=None, decay=0.0, rates=(), how=torch.optim.AdamW):
    """The same training in plain torch over the batches seen, an epoch each; its losses and norms, batch by batch."""
    module = ae.untrained().module_
    matrices = [p for p in module.parameters() if p.ndim > 1]
    vectors = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = how(groups, lr=1.0)
    history = []
    for rate, batches in zip(rates, seen, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate
        for x in batches:
            optimiser.zero_grad()
            loss = sum(module.objective(module(x)).values())
            loss.backward()
            norm = nn.utils.clip_grad_norm_(module.parameters(), math.inf if clip is None else clip)
            optimiser.step()
            history.append((loss.item(), norm.item()))
    return module, history


@pytest.mark.parametrize("engine", ["eager", "recorded"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize(("clip", "decay"), [(None, 0.0), (0.5, 0.0), (None, 0.3), (0.5, 0.3)])
def test_training_is_that_of_plain_torch(clip, decay, schedule, engine):
    """torch's AdamW, which decays matrices alone, and its clipping, over the same batches."""
    settings = {"max_epochs": 4, "batch_size": 16, "validation_fraction": 0, "learning_rate": 0.01, "dtype": "float64"}
    settings |= {"clip_norm": clip, "weight_decay": decay, "schedule": schedule, "engine": engine}
    ae = small("contractive", **settings).fit(rows(109))
    seen = seen_by(small("contractive", **settings | {"engine": "eager"}), rows(109))
    assert [len(batches) for batches in seen] == [7] * 4
    half = [0.01 * (0.01 + 0.99 * (1 + math.cos(math.pi * i / 4)) / 2) for i in range(4)]
    rates = [0.01] * 4 if schedule == "constant" else half
    module, history = by_hand(ae, seen, clip, decay, rates)
    torch.testing.assert_close(weights(ae), weights_of(module), rtol=0, atol=1e-10)
    share = np.array([len(x) for x in seen[0]]) / 109
    means = np.array(history).reshape(4, 7, 2).transpose(2, 0, 1) @ share
    np.testing.assert_allclose([row["loss"] for row in ae.history_], means[0], rtol=1e-10)
    np.testing.assert_allclose([row["gradient_norm"] for row in ae.history_], means[1], rtol=1e-10)


@pytest.mark.parametrize("engine", ["eager", "recorded"])
@pytest.mark.parametrize(("momentum", "clip", "decay"), [(0.0, None, 0.0), (0.9, None, 0.2), (0.5, 0.5, 0.0)])
def test_sgd_is_that_of_plain_torch(momentum, clip, decay, engine):
    settings = {"max_epochs": 4, "batch_size": 16, "validation_fraction": 0, "learning_rate": 0.01, "dtype": "float64"}
    settings |= {"clip_norm": clip, "weight_decay": decay, "optimizer": "sgd", "momentum": momentum, "engine": engine}
    ae = small("contractive", schedule="constant", **settings).fit(rows(109))
    seen = seen_by(small("contractive", schedule="constant", **settings | {"engine": "eager"}), rows(109))
    how = partial(torch.optim.SGD, momentum=momentum)
    module, _ = by_hand(ae, seen, clip, decay, [0.01] * 4, how)
    torch.testing.assert_close(weights(ae), weights_of(module), rtol=0, atol=1e-10)


def test_members_of_a_population_descend_as_alone():
    settings = {"optimizer": "sgd", "momentum": 0.8, "weight_decay": 0.01, "max_epochs": 5}
    members = [small("undercomplete", random_state=i, learning_rate=0.01 * (i + 1), **settings) for i in range(3)]
    fit_together(members, rows())
    for i, member in enumerate(members):
        alone = small("undercomplete", random_state=i, learning_rate=0.01 * (i + 1), **settings).fit(rows())
        assert "one by one" not in member.engine_
        torch.testing.assert_close(weights(member), weights(alone), rtol=0, atol=1e-8)


def seen_by(ae, X):
    """The rows of every batch of a fit, an epoch each."""
    job = fitting.prepared(ae, fitting.learned(ae, fitting.Table(X), 0), 0)
    seen, epochs = [], []
    job.member.state.module.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    train(job.member.state, job.rows, job.member.settings, None, [lambda state: epochs.append(len(seen))])
    return [seen[start:end] for start, end in zip([0, *epochs], epochs, strict=False)]


def test_weight_decay_shrinks_matrices_and_not_biases():
    module = Slope([0.0, 0.0])
    run(module, weight_decay=0.5)
    torch.testing.assert_close(module.matrix, torch.full_like(module.matrix, 1 - 0.1 * 0.5))
    torch.testing.assert_close(module.bias, torch.ones_like(module.bias))


@pytest.mark.parametrize(
    ("n", "batch", "sizes"),
    [(6, 2, [2, 2, 2]), (7, 3, [3, 4]), (5, 4, [5]), (8, 3, [3, 3, 2]), (3, 10, [3]), (3, 1, [1, 1, 1]), (1, 4, [1])],
)
def test_batches_cover_each_row_once_an_epoch_in_another_order(n, batch, sizes):
    module = Slope([1.0])
    run(module, n=n, batch_size=batch, max_epochs=4, early_stopping=False)
    epochs = [module.seen[i : i + len(sizes)] for i in range(0, len(module.seen), len(sizes))]
    assert len(epochs) == 4
    for epoch in epochs:
        assert [len(part) for part in epoch] == sizes
        assert sorted(chain(*epoch)) == list(range(n))
    if n > 3 and len(sizes) > 1:
        assert len({tuple(chain(*epoch)) for epoch in epochs}) > 1


def test_the_schedule_is_half_a_cosine_to_a_hundredth():
    rates = [epoch["learning_rate"] for epoch in small("linear", max_epochs=10, learning_rate=0.5).fit(rows()).history_]
    expected = [0.5 * (0.01 + 0.99 * (1 + math.cos(math.pi * i / 10)) / 2) for i in range(10)]
    np.testing.assert_allclose(rates, expected)
    assert rates[0] == 0.5
    constant = small("linear", learning_rate=0.5, schedule="constant").fit(rows()).history_
    assert [epoch["learning_rate"] for epoch in constant] == [0.5] * 3


def test_what_the_history_says():
    watched = small("variational").fit(rows()).history_
    keys = ["epoch", "loss", "reconstruction", "divergence", "validation_loss", "learning_rate", "gradient_norm"]
    assert [list(epoch) for epoch in watched] == [[*keys, "seconds"]] * 3
    assert [epoch["epoch"] for epoch in watched] == [1, 2, 3]
    for epoch in watched:
        assert epoch["loss"] == pytest.approx(epoch["reconstruction"] + epoch["divergence"])
    assert "validation_loss" not in small("linear", validation_fraction=0).fit(rows()).history_[0]
    json.dumps(watched, allow_nan=False)


def test_the_loss_of_an_epoch_is_that_of_its_weights():
    """With all rows in one batch, the first loss is that of the first weights."""
    ae = small("linear", batch_size=None, validation_fraction=0).fit(rows())
    first = ae.untrained()
    x = torch.as_tensor(ae.scale(rows()))
    loss = first.module_.objective(first.module_(x))["reconstruction"]
    assert ae.history_[0]["loss"] == pytest.approx(loss.item())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "batch"), [(1, 4, "auto"), (2, 1, "auto"), (5, 3, 16), (17, 3, 16), (33, 1, 16)])
def test_few_rows_and_columns(kind, n, d, batch):
    X = rows(n, d)
    ae = small(kind, batch_size=batch).fit(X)
    assert ae.transform(X).shape == (n, ae.code_size)
    assert np.isfinite(ae.reconstruct(X)).all()


def test_few_rows_with_normalised_batches():
    """Batch normalisation cannot learn from one row: a last batch of one joins the one before it."""
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    ae = small("undercomplete", encoder=net, batch_size=16, validation_fraction=0).fit(rows(33, 3))
    assert np.isfinite(ae.score(rows(33, 3)))


class Trap(nn.Module):
    """A penalty that is well until its `calls`-th training batch, then is `value`, or has a gradient that is NaN."""

    def __init__(self, calls, value=None):
        super().__init__()
        self.calls, self.value, self.count = calls, value, 0

    def forward(self, p):
        self.count += p.z.requires_grad
        if self.count <= self.calls:
            return 0 * p.z.sum(-1)
        if self.value is not None:
            return p.z.sum(-1) * 0 + self.value
        return torch.sqrt((p.z * 0).abs()).sum(-1)  # its value is 0, its slope 0 · ∞


def diverge(penalty, epochs=5, **settings):
    """Fit with a trap; give the estimator, the error, and the weights at every epoch's end."""
    kept = []
    ae = small("linear", penalty=penalty, max_epochs=epochs, batch_size=None, validation_fraction=0, **settings)
    with pytest.raises(DivergenceError) as caught:
        ae.fit(rows(), observers=[lambda state: kept.append(weights_of(state.module))])
    return ae, str(caught.value), kept


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_penalty_that_is_not_finite_is_named(value):
    ae, message, kept = diverge(Trap(2, value))
    assert message == (
        "the term 'penalty' of the loss is not finite; in epoch 3; a finite number; the last good weights are kept; "
        "lower the strength of 'penalty' or learning_rate"
    )
    assert len(kept) == 2
    assert torch.equal(weights(ae), kept[0])  # those that gave the last finite loss
    assert len(ae.history_) == ae.n_iter_ == 2
    assert np.isfinite(ae.score(rows()))


def test_a_gradient_that_is_not_finite_is_named():
    ae, message, kept = diverge(Trap(2))
    assert message == (
        "the gradient is not finite; in epoch 3; a finite number; the last good weights are kept; "
        "lower learning_rate, or set clip_norm"
    )
    assert torch.equal(weights(ae), kept[0])
    assert np.isfinite(ae.transform(rows())).all()


def test_a_loss_that_overflows_is_named_and_the_model_stays_usable():
    """One step of 1e30 leaves weights that are finite and useless: they are not the last good ones."""
    settings = {"learning_rate": 1e30, "batch_size": None, "validation_fraction": 0, "dtype": "float32"}
    ae = small("undercomplete", **settings)
    with pytest.raises(DivergenceError) as caught:
        ae.fit(rows())
    assert str(caught.value) == (
        "the term 'reconstruction' of the loss is not finite; in epoch 2; a finite number; the last good weights are "
        "kept; lower learning_rate, or scale the data"
    )
    assert torch.equal(weights(ae), weights(ae.untrained()))
    assert np.isfinite(ae.reconstruct(rows())).all()


def test_a_divergence_on_held_out_rows_is_named_too():
    class Touchy(nn.Module):
        def forward(self, p):
            return p.z.sum(-1) * (0 if p.z.requires_grad else math.nan)

    with pytest.raises(DivergenceError) as caught:
        small("linear", penalty=Touchy()).fit(rows())
    assert str(caught.value).startswith("the term 'penalty' of the loss is not finite; in epoch 1; ")


def test_only_an_overflowing_strength():
    with pytest.raises(DivergenceError) as caught:
        small("contractive", penalty=penalties.Contraction(1e38), dtype="float32").fit(rows() * 1e3)
    assert str(caught.value).startswith(("the term 'contraction' of the loss", "the gradient"))


def test_partial_fit_goes_on_after_a_divergence():
    ae = small("linear", penalty=Trap(2, math.nan), batch_size=None)
    ae.partial_fit(rows()).partial_fit(rows())
    with pytest.raises(DivergenceError):
        ae.partial_fit(rows())
    assert np.isfinite(ae.score(rows()))
    ae.module_.penalties["penalty"].calls = 100
    ae.partial_fit(rows())
    assert ae.n_iter_ == 3
    assert np.isfinite(ae.score(rows()))


def test_partial_fit_goes_on_from_where_it_was():
    ae = small("linear")
    for epoch in range(1, 4):
        ae.partial_fit(rows())
        assert ae.n_iter_ == len(ae.history_) == epoch
    falling = [epoch["loss"] for epoch in ae.history_]
    assert falling == sorted(falling, reverse=True)
    once = small("linear", max_epochs=3, schedule="constant", validation_fraction=0, early_stopping=False).fit(rows())
    assert torch.equal(weights(ae), weights(once))


def test_partial_fit_after_fit_adds_epochs():
    ae = small("linear").fit(rows())
    before = weights(ae)
    ae.partial_fit(rows())
    assert (ae.n_iter_, len(ae.history_), ae.history_[-1]["epoch"]) == (4, 4, 4)
    assert not torch.equal(before, weights(ae))


def test_fitting_again_starts_afresh():
    ae = small("linear").partial_fit(rows(seed=1)).fit(rows())
    assert torch.equal(weights(ae), weights(small("linear").fit(rows())))
    assert ae.n_iter_ == len(ae.history_) == 3


def checkpoint(tmp_path, kind="linear", **settings):
    path = tmp_path / "last.safetensors"
    small(kind, **settings).fit(rows(), observers=[lambda state: write_checkpoint(path, state)])
    return path


def rewrite(path, tensors=lambda t: t, meta=None):
    kept = load_file(path)
    save_file(tensors(kept), path, metadata={"isthmus": meta} if meta is not None else None)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint at all"),
    "missing": lambda path: path.unlink(),
    "no metadata": rewrite,
    "metadata is no JSON": lambda path: rewrite(path, meta="{"),
    "metadata is a list": lambda path: rewrite(path, meta="[]"),
    "metadata lacks keys": lambda path: rewrite(path, meta='{"epoch": 1}'),
    "tensors are missing": lambda path: rewrite(path, lambda t: {"x": torch.zeros(1)}, meta="{}"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_checkpoints_are_one_line(damage, tmp_path):
    path = checkpoint(tmp_path)
    damage(path)
    with pytest.raises(RunError) as caught:
        small("linear").fit(rows(), resume=path)
    error = caught.value
    assert error.what.startswith("the checkpoint cannot be used (")
    assert (error.where, error.expected) == (str(path), "a checkpoint of the same model")
    assert error.hint == "start again with --overwrite"
    assert "\n" not in str(error)


def test_a_checkpoint_of_another_model(tmp_path):
    path = checkpoint(tmp_path)
    with pytest.raises(RunError) as caught:
        small("undercomplete").fit(rows(), resume=path)
    assert str(caught.value) == (
        "the checkpoint cannot be used ('module.encoder.layers.1.matrix'); "
        f"{path}; a checkpoint of the same model; start again with --overwrite"
    )


def test_checkpoints_of_networks_that_share_tensors(tmp_path):
    class Shared(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.one = nn.Linear(inputs, outputs)
            self.two = self.one

        def forward(self, x):
            return self.one(x) + self.two(x)

    path = checkpoint(tmp_path, encoder=Shared)
    assert small("linear", encoder=Shared).fit(rows(), resume=path).n_iter_ == 3


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = checkpoint(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr("isthmus.training.checkpoints.save", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(ValueError, match=r"^no room to write the file; at .*last.safetensors; nothing was written; "):
        small("linear").fit(rows(), observers=[lambda state: write_checkpoint(path, state)])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


def test_noise_differs_between_epochs_and_repeats_with_the_seed():
    seen = []

    class Watching(nn.Module):
        def forward(self, p):
            seen.append((p.x_tilde - p.x).detach().clone())
            return 0 * p.z.sum(-1)

    settings = {"batch_size": None, "validation_fraction": 0, "penalty": Watching()}
    small("linear", corruption=corruptions.Gaussian(0.5), **settings).fit(rows())
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    small("linear", corruption=corruptions.Gaussian(0.5), **settings).fit(rows())
    assert all(torch.equal(seen[i], seen[i + 3]) for i in range(3))


def test_held_out_rows_meet_the_same_noise_every_epoch():
    """With a learning rate too small to move anything, the watched loss of a noisy kind stays put."""
    ae = small("denoising", learning_rate=1e-300, weight_decay=0.0).fit(rows())
    watched = {epoch["validation_loss"] for epoch in ae.history_}
    assert len(watched) == 1


def in_another_order(conv):
    """The kernel's numbers with the channels side by side."""
    conv.to(memory_format=torch.channels_last)


def with_gaps(conv):
    """The kernel's numbers as every second one of a larger tensor."""
    conv.weight.data = torch.stack([conv.weight.data, conv.weight.data], dim=-1)[..., 0]


@pytest.mark.parametrize("engine", ["eager", "recorded"])
@pytest.mark.parametrize("lay_out", [in_another_order, with_gaps])
def test_the_order_of_a_parameter_in_memory_changes_nothing(lay_out, engine, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2 * 4 * 3))
    fitted = []
    for change in (lambda conv: None, lay_out):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(5 * 12, 3))
        change(network[0])
        ae = Autoencoder(3, encoder=network, input_shape=(2, 4, 3), max_epochs=3, engine=engine, random_state=0)
        fitted.append(ae.fit(X, observers=[lambda state: write_checkpoint(tmp_path / "last", state)]).transform(X))
        ae.save(tmp_path / "model")
        np.testing.assert_array_equal(load(tmp_path / "model", encoder=network).transform(X), fitted[-1])
    np.testing.assert_allclose(fitted[1], fitted[0], rtol=1e-9, atol=1e-12)
