"""The gradient microscope against the chain rule written out, on networks that are known to fade, burst or shut."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from members import rows, small
from torch import nn

from isthmus import Classifier, networks
from isthmus.errors import SettingError
from isthmus.evidence import GradientMicroscope, backwards
from isthmus.populations import fit_together


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def stack(depth, activation, gain=1.0, width=8):
    """Layers of one width with weights N(0, gain²/width), and their loss ½‖output‖², a mean over rows."""
    layers = []
    for _ in range(depth):
        layer = nn.Linear(width, width)
        nn.init.normal_(layer.weight, 0, gain / width**0.5, generator=generator(len(layers)))
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1]).double()


def half_square(output):
    return 0.5 * output.square().sum(dim=1).mean()


def batch(n=40, width=8):
    return torch.randn(n, width, generator=generator(9), dtype=torch.float64)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid, nn.ReLU, lambda: nn.ReLU(inplace=True)])
def test_it_is_the_chain_rule(activation):
    net, x = stack(3, activation), batch()
    look = GradientMicroscope(net).look(x, half_square)
    first, middle, last = (net[i].weight.detach() for i in (0, 2, 4))
    a = [x @ first.T]
    bend = {"Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "ReLU": torch.relu}[type(net[1]).__name__]
    a.append(bend(a[0]) @ middle.T)
    a.append(bend(a[1]) @ last.T)
    slopes = [torch.func.vmap(torch.func.vmap(torch.func.grad(bend)))(one) for one in a[:2]]
    signals = [a[2]]
    for weight, slope in ((last, slopes[1]), (middle, slopes[0])):
        signals.insert(0, (signals[0] @ weight) * slope)
    inputs = [x, bend(a[0]), bend(a[1])]
    for layer, signal, given in zip(look.layers, signals, inputs, strict=True):
        assert layer.signal == pytest.approx(float(signal.norm(dim=1).mean()), rel=1e-10)
        assert layer.gradient == pytest.approx(float((signal.T @ given / len(x)).norm()), rel=1e-10)
    for layer, slope in zip(look.layers, slopes, strict=False):
        assert layer.shut == pytest.approx(float((slope < 0.0125).double().mean()))
        assert layer.dead == pytest.approx(float((slope < 0.0125).all(dim=0).double().mean()))
    singular = torch.linalg.svdvals(middle * slopes[0][:16, None, :]).mean()
    assert look.layers[1].singular == pytest.approx(float(singular), rel=1e-6)
    assert look.layers[0].singular == pytest.approx(float(torch.linalg.svdvals(first).mean()), rel=1e-6)
    assert look.ratio == pytest.approx(look.layers[0].signal / look.layers[2].signal)


def test_nothing_is_moved():
    net, x = stack(3, nn.Tanh), batch()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    scope = GradientMicroscope(net)
    scope.look(x, half_square)
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("net", "status"),
    [
        (stack(12, nn.Sigmoid), "fail"),
        (stack(12, nn.ReLU, 2**0.5, width=64), "pass"),
        (stack(12, nn.Identity, 4.0), "warn"),
    ],
    ids=["sigmoid", "he", "bursting"],
)
def test_verdicts(net, status):
    scope = GradientMicroscope(net)
    look = scope.look(batch(width=net[0].in_features), half_square)
    assert scope.verdict.status == status
    if status == "fail":
        assert look.ratio < 1e-5
        assert scope.verdict.suggestion == "use ReLU with He initialisation, or fewer layers"
        assert scope.verdict.sentence == f"The first layer receives {look.ratio:.0e} of the last layer's signal."
    if status == "warn":
        assert look.ratio > 1e2
        assert scope.verdict.suggestion == "use smaller first weights, or clip_norm=1"


def test_units_that_are_shut_are_counted():
    net = stack(2, nn.ReLU, 2**0.5)
    with torch.no_grad():
        net[0].bias[:5] = -100.0
    scope = GradientMicroscope(net)
    layer = scope.look(batch(), half_square).layers[0]
    assert layer.dead >= 5 / 8
    assert scope.verdict.status == "warn"
    assert scope.verdict.sentence.endswith("of the units of 0 are shut for every row.")


@pytest.mark.parametrize("kind", ["undercomplete", "contractive", "variational", "vq", "convolutional"])
def test_a_fit_is_watched_and_trains_as_without(kind):
    watched, plain = (small(kind).fit(rows(), watch=watch) for watch in ("gradients", None))
    assert [look.step for look in watched.gradients_.history] == [0, 1, 2, 3]
    assert all(np.isfinite(layer.signal) for look in watched.gradients_.history for layer in look.layers)
    assert np.array_equal(watched.transform(rows()), plain.transform(rows()))
    assert not hasattr(watched.fit(rows()), "gradients_")


def test_the_first_look_is_at_the_first_weights():
    ae = small("undercomplete", learning_rate=1e-12).fit(rows(), watch="gradients")
    first, *later = ae.gradients_.history
    for look in later:
        assert [layer.signal for layer in look.layers] == pytest.approx([layer.signal for layer in first.layers])


def test_classifiers_are_watched():
    X, y = rows(), (rows()[:, 0] > 0.5).astype(int)
    fit = Classifier(networks.MLP((8, 8)), max_epochs=2, random_state=0).fit(X, y, watch="gradients")
    assert [look.step for look in fit.gradients_.history] == [0, 1, 2]
    assert len(fit.gradients_.history[0].layers) == 3


def numbers(look):
    return np.array([list(asdict(layer).values())[1:] for layer in look.layers], dtype=float)


def same_looks(one, other):
    assert [look.step for look in one.gradients_.history] == [look.step for look in other.gradients_.history]
    for mine, its in zip(one.gradients_.history, other.gradients_.history, strict=True):
        assert [layer.name for layer in mine.layers] == [layer.name for layer in its.layers]
        np.testing.assert_allclose(numbers(mine), numbers(its), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", ["undercomplete", "contractive", "variational", "denoising", "convolutional"])
def test_a_population_is_looked_at_as_its_members_alone(kind):
    """Those that draw noise in a pass too, each its own; and those that stop before the others."""
    settings = {"dtype": "float64", "max_epochs": 6, "patience": 1, "schedule": "constant"}
    rates = (1e-3, 0.3, 0.01, 0.1)

    def make():
        return [small(kind, random_state=i, learning_rate=rate, **settings) for i, rate in enumerate(rates)]

    together, apart = make(), make()
    fit_together(together, rows(), watch="gradients")
    for one, other in zip(apart, together, strict=True):
        same_looks(one.fit(rows(), watch="gradients"), other)
        assert other.gradients_.network is other.module_


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_population_is_looked_at_in_one_pass(activation, monkeypatch):
    X, y = rows(), (rows()[:, 0] > 0.5).astype(int)
    settings = {"dtype": "float64", "max_epochs": 4, "engine": "eager"}

    def make():
        begun = ("uniform", "xavier", "he")
        return [
            Classifier(networks.MLP((8, 8), activation, begun[i]), label_smoothing=0.1 * i, random_state=i, **settings)
            for i in range(3)
        ]

    apart = [one.fit(X, y, watch="gradients") for one in make()]
    monkeypatch.setattr(backwards, "_alone", None)  # what looks at one by itself
    together = make()
    fit_together(together, X, y=y, watch="gradients")
    for one, other in zip(apart, together, strict=True):
        same_looks(one, other)
        assert not np.isnan(numbers(other.gradients_.history[0])[:2]).any()


def test_a_population_is_looked_at_when_it_is_due_and_trains_as_without():
    watched, plain = ([small("undercomplete", random_state=i, max_epochs=4) for i in range(2)] for _ in range(2))
    fit_together(watched, rows(), watch="gradients", when=(0, 1, 3))
    fit_together(plain, rows())
    for one, other in zip(watched, plain, strict=True):
        assert [look.step for look in one.gradients_.history] == [0, 1, 3]
        assert np.array_equal(one.transform(rows()), other.transform(rows()))
        assert not hasattr(other, "gradients_")


def test_what_cannot_be_stacked_is_looked_at_too():
    """A network with a dropout of its own trains one by one."""
    net = nn.Sequential(nn.Linear(rows().shape[1], 6), nn.Dropout(0.5), nn.Linear(6, 2))
    X, y = rows(), (rows()[:, 0] > 0.5).astype(int)
    made = [Classifier(net, max_epochs=2, random_state=i) for i in range(2)]
    fit_together(made, X, y=y, watch="gradients")
    assert all("one by one" in one.engine_ for one in made)
    assert all([look.step for look in one.gradients_.history] == [0, 1, 2] for one in made)


def test_frozen_layers_have_signals_and_no_gradient():
    net = stack(3, nn.Tanh)
    net[2].weight.requires_grad_(False)
    look = GradientMicroscope(net).look(batch(), half_square)
    assert [layer.gradient > 0 for layer in look.layers] == [True, False, True]
    assert all(layer.signal > 0 for layer in look.layers)


def test_it_is_told_in_plain_types_and_as_a_table():
    scope = GradientMicroscope(stack(3, nn.Tanh))
    assert scope.verdict.sentence == "Nothing was looked at."
    scope.look(batch(), half_square)
    told = scope.to_dict()
    assert [layer["name"] for layer in told["history"][0]["layers"]] == ["0", "2", "4"]
    assert told["verdict"]["name"] == "gradients"
    assert str(scope).splitlines()[-1].startswith(f"{scope.verdict.status}: The first layer receives")


def test_what_cannot_be_watched():
    with pytest.raises(SettingError) as caught:
        small("linear").fit(rows(), watch="weights")
    assert str(caught.value) == "watch must be one of None, 'gradients'; got 'weights'; in fit"
    with pytest.raises(SettingError) as caught:
        fit_together([small("linear")], rows(), watch="weights")
    assert str(caught.value) == "watch must be one of None, 'gradients'; got 'weights'; in fit_together"
