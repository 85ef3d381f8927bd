"""The contraction penalty and the Jacobian behind it, against automatic differentiation, by value and by gradient."""

import itertools
import math

import numpy as np
import pytest
import torch
from members import Convolution, Dropping, rows, small
from torch import nn
from torch.func import jacrev, vmap
from torch.utils.flop_counter import FlopCounterMode

from isthmus import Autoencoder, codes, decoders, encoders, jacobians, penalties
from isthmus.assembly import Blueprint, assemble
from isthmus.jacobians import jacobian, squared_norm
from isthmus.nn import ACTIVATIONS
from isthmus.passes import Pass

DEPTHS = {"one layer": (), "two layers": (5,), "three layers": (6, 5), "four layers": (6, 5, 4)}
CODES = [codes.Plain(), codes.Activation("sigmoid"), codes.Activation("tanh"), codes.TopK(2), codes.Gaussian()]
EXACT = {"rtol": 1e-10, "atol": 1e-13}


def net(inputs=9, size=3, hidden=(5,), activation="tanh", code=None, **slots):
    """A composition with a contraction of strength 1 unless told otherwise, in float64."""
    slots = {"encoder": encoders.MLP(hidden, activation), "penalty": penalties.Contraction(1.0), "code": code} | slots
    low = np.full(inputs, -1.0)
    blueprint = Blueprint(slots, size, (inputs,), low, -low)
    return assemble(blueprint, 0, torch.float64, torch.device("cpu"))


def batch(n=6, inputs=9):
    return torch.randn(n, inputs, generator=generator(2), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def norms(module, x, rng=None):
    """What the penalty says of each row."""
    return module.penalties["contraction"](module(x, rng=rng))


def by_jacrev(module, x):
    """(N, K, D)."""
    return vmap(jacrev(lambda row: module.encode(row[None])[0]))(x)


def by_differences(module, x, step=1e-6):
    columns = []
    for j in range(x.shape[1]):
        nudge = torch.zeros_like(x)
        nudge[:, j] = step
        with torch.no_grad():
            columns.append((module.encode(x + nudge) - module.encode(x - nudge)) / (2 * step))
    return torch.stack(columns, dim=2)


def gradients(value, module):
    return torch.autograd.grad(value, list(module.parameters()), allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("spec", [codes.Plain(), codes.Activation("tanh"), codes.TopK(2)], ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", DEPTHS.values(), ids=DEPTHS)
def test_the_closed_form_and_its_gradient_are_exact(hidden, activation, spec):
    module, x = net(hidden=hidden, activation=activation, code=spec), batch()
    weight = torch.linspace(0.4, 1.6, len(x), dtype=torch.float64)
    oracle = by_jacrev(module, x)
    expected = (weight * oracle.square().sum((1, 2))).mean()
    found = module.objective(module(x, weight=weight))["contraction"]
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(gradients(found, module), gradients(expected, module), **EXACT)
    torch.testing.assert_close(module.jacobian(x), oracle, **EXACT)


SHAPES = {  # inputs, size, rows: from the widest input to a code wider than it
    "wide rows": (40, 3, 6),
    "narrow rows": (4, 3, 6),
    "a wider code": (2, 5, 7),
    "many rows": (12, 2, 60),
    "one row": (4, 3, 1),
}


@pytest.mark.parametrize("spec", CODES, ids=repr)
@pytest.mark.parametrize("hidden", DEPTHS.values(), ids=DEPTHS)
@pytest.mark.parametrize(("inputs", "size", "n"), SHAPES.values(), ids=SHAPES)
def test_it_is_exact_whatever_is_multiplied_first(inputs, size, n, hidden, spec):
    module, x = net(inputs, size, hidden, code=spec), batch(n, inputs)
    oracle = by_jacrev(module, x).square().sum((1, 2))
    torch.testing.assert_close(norms(module, x), oracle, **EXACT)
    torch.testing.assert_close(
        gradients(norms(module, x).sum(), module), gradients(oracle.sum(), module), rtol=1e-10, atol=1e-12
    )


# widths from the input to the code, rows, code, multiplications there and back: N rows, D, H (near the input), J, K
N, D, H, J, K = 8, 30, 12, 10, 4
ORDERS = {
    "one layer": ((D, K), N, codes.Plain(), 0),
    "one bent layer": ((D, K), N, codes.Activation(), 0),  # a matrix times a vector is not counted
    "two layers, the code summed first": ((D, H, K), N, codes.Plain(), 2 * H * H * (N + D + K)),
    "two layers of few inputs": ((3, 50, K), N, codes.Plain(), 3 * N * 3 * 50 * K),
    "two bent layers": ((D, H, K), N, codes.Activation(), 2 * H * H * (N * K + D) + 3 * N * K * H),
    "three layers": ((D, H, J, K), N, codes.Plain(), 3 * N * K * J * H + 2 * H * H * (N * K + D)),
    "three layers, multiplied out": ((5, 50, J, K), N, codes.Plain(), 3 * N * K * J * 50 + 3 * N * K * 50 * 5),
    "three layers and a wide code": ((2, H, J, 20), N, codes.Plain(), 3 * N * 2 * H * J + 2 * J * J * (N * 2 + 20)),
}


def multiplications(function):
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(("widths", "n", "spec", "expected"), ORDERS.values(), ids=ORDERS)
def test_no_more_is_multiplied_than_the_cheapest_order_needs(widths, n, spec, expected):
    module = net(widths[0], widths[-1], widths[1:-1], code=spec)
    p = module(batch(n, widths[0]))
    p.trail = [a.detach().requires_grad_() for a in p.trail]
    sources = [*p.trail, *module.encoder.parameters()]
    penalty = module.penalties["contraction"]
    counted = multiplications(lambda: torch.autograd.grad(penalty(p).mean(), sources, allow_unused=True))
    assert counted == expected


def test_a_probe_multiplies_as_one_number_of_the_code_would():
    module = net(D, K, (H, J), penalty=penalties.Contraction(1.0, probes=1))
    p = module(batch(N, D), rng=generator())
    p.trail = [a.detach().requires_grad_() for a in p.trail]
    penalty = module.penalties["contraction"]
    counted = multiplications(lambda: torch.autograd.grad(penalty(p).mean(), list(module.encoder.parameters())[:-1:2]))
    assert counted <= 3 * N * (D * H + H * J + J * K)


@pytest.mark.parametrize("code", [codes.Plain(), codes.Activation()], ids=repr)
def test_the_layers_are_run_once(code):
    module, x = net(hidden=(6, 5), code=code), batch()
    runs = []
    for layer in module.encoder.dense:
        layer.register_forward_hook(lambda *_: runs.append(1))
    module.objective(module(x))
    assert len(runs) == 3


def test_a_pass_made_by_hand_serves_too():
    module, x = net(hidden=(6, 5)), batch()
    p = module(x)
    by_hand = Pass(x, x, None, p.z, {}, p.theta)
    torch.testing.assert_close(module.penalties["contraction"](by_hand), norms(module, x))


@pytest.mark.parametrize("hidden", DEPTHS.values(), ids=DEPTHS)
@pytest.mark.parametrize("spec", [codes.Plain(), codes.Activation("sigmoid")], ids=repr)
def test_gradients_are_those_of_finite_differences(hidden, spec):
    module, x = net(hidden=hidden, code=spec), batch(3)
    names = [name for name, _ in module.encoder.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in module.encoder.parameters()]

    def norm(*given):
        encoder = _Norm(module.encoder, module.code)
        state = {f"encoder.{name}": value for name, value in zip(names, given, strict=True)}
        return torch.func.functional_call(encoder, state, x)

    assert torch.autograd.gradcheck(norm, values)
    torch.testing.assert_close(module.jacobian(x), by_differences(module, x), rtol=1e-5, atol=1e-8)


class _Norm(nn.Module):
    def __init__(self, encoder, code):
        super().__init__()
        self.encoder, self.code = encoder, code

    def forward(self, x):
        z = self.code(self.encoder(x))[0]
        return squared_norm(self.encoder, self.code, Pass(x, x, None, z, {}, x)).mean()


def test_tied_weights_get_both_gradients():
    module, x = net(hidden=(6,), decoder=decoders.Tied()), batch()
    total = torch.stack(list(module.objective(module(x)).values())).sum()
    oracle = module.surprise(module(x)).mean() + by_jacrev(module, x).square().sum((1, 2)).mean()
    torch.testing.assert_close(gradients(total, module), gradients(oracle, module), **EXACT)


# Estimates from random signs


def every_sign(z, probes, rng):
    """All 2^K vectors of signs instead of a draw: the mean over them is the expectation itself."""
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=z.shape[1])), dtype=z.dtype)
    return signs.expand(len(z), -1, -1)


@pytest.mark.parametrize("spec", CODES, ids=repr)
@pytest.mark.parametrize("hidden", DEPTHS.values(), ids=DEPTHS)
@pytest.mark.parametrize("inputs", [4, 40])
def test_an_estimate_is_unbiased_and_so_is_its_gradient(inputs, hidden, spec, monkeypatch):
    monkeypatch.setattr(jacobians, "_signs", every_sign)
    module = net(inputs, hidden=hidden, code=spec, penalty=penalties.Contraction(1.0, probes=1))
    exact = net(inputs, hidden=hidden, code=spec)
    x = batch(inputs=inputs)
    found, expected = norms(module, x, generator()), norms(exact, x, generator())
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(
        gradients(found.mean(), module), gradients(expected.mean(), exact), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("spec", [codes.Plain(), codes.Activation("sigmoid"), codes.Gaussian()], ids=repr)
@pytest.mark.parametrize("probes", [1, 4])
def test_estimates_spread_as_random_signs_do(probes, spec):
    """Mean ‖J‖² and variance 2 Σ_{i≠j} (JJᵀ)ᵢⱼ² / probes, within five standard errors of 20,000 draws."""
    module, draws = net(hidden=(6, 5), code=spec, penalty=penalties.Contraction(1.0, probes)), 20_000
    row = batch(1)
    gram = (J := by_jacrev(module, row)[0].detach()) @ J.T
    found = norms(module, row.expand(draws, -1), generator(3)).detach()
    variance = 2 * (gram.square().sum() - gram.diagonal().square().sum()) / probes
    assert abs(found.mean() - gram.trace()) < 5 * math.sqrt(variance / draws)
    fourth = (found - found.mean()).pow(4).mean()
    assert abs(found.var() - variance) < 5 * math.sqrt((fourth - variance**2) / draws)


def test_one_number_of_the_code_is_estimated_without_error():
    module, x = net(size=1, hidden=(6, 5), penalty=penalties.Contraction(1.0, probes=1)), batch()
    torch.testing.assert_close(norms(module, x, generator()), by_jacrev(module, x).square().sum((1, 2)), **EXACT)


def test_an_estimate_needs_randomness_and_repeats_with_it():
    module, x = net(hidden=(6, 5), penalty=penalties.Contraction(1.0, probes=1)), batch()
    exact = by_jacrev(module, x).square().sum((1, 2))
    torch.testing.assert_close(norms(module, x), exact, **EXACT)  # without randomness it is exact
    one, two, other = (norms(module, x, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.allclose(one, other)
    assert not torch.allclose(one, exact)


def test_the_built_term_says_what_it_estimates_from():
    said = [net(penalty=penalties.Contraction(1.0, probes)).penalties["contraction"] for probes in (None, 1, 4)]
    assert [term.estimated for term in said] == [None, "1 random probe", "4 random probes"]


# A user's own encoders and codes


@pytest.mark.parametrize("spec", [codes.Plain(), codes.Activation("sigmoid"), codes.Gaussian()], ids=repr)
def test_it_is_exact_for_a_users_convolution(spec):
    module = net(16, code=spec, encoder=Images)
    x = batch(3, 16)
    oracle = by_jacrev(module, x).square().sum((1, 2))
    for rng in (None, generator()):  # a Gaussian code is then sampled; its mean is what is meant
        torch.testing.assert_close(norms(module, x, rng), oracle, **EXACT)
    found = gradients(norms(module, x).sum(), module)
    torch.testing.assert_close(found, gradients(oracle.sum(), module), rtol=1e-9, atol=1e-12)
    with torch.no_grad():  # as on held-out rows
        held_out = module.objective(module(x))["contraction"]
    torch.testing.assert_close(held_out, oracle.mean().detach(), **EXACT)
    assert not held_out.requires_grad
    torch.testing.assert_close(module.jacobian(x), by_jacrev(module, x), **EXACT)


class Images(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.network = Convolution(inputs, outputs)

    def forward(self, x):
        return self.network(x.reshape(-1, 1, 4, 4))


class Masked(nn.Module):
    """B (m ∘ tanh(A x)) with a random mask m, new at each run; the masks are kept."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.last, self.masks = nn.Linear(inputs, 8), nn.Linear(8, outputs), []

    def forward(self, x):
        self.masks.append(torch.randint(0, 2, (len(x), 8)).to(x.dtype))
        return self.last(self.masks[-1] * torch.tanh(self.first(x)))

    def norms(self, x, mask):
        slope = mask * (1 - torch.tanh(self.first(x)).square())
        return ((self.last.weight * slope[:, None, :]) @ self.first.weight).square().sum((1, 2))


@pytest.mark.parametrize("probes", [None, 64])
def test_the_penalty_sees_the_dropout_that_the_pass_saw(probes):
    module, x = net(encoder=Masked, penalty=penalties.Contraction(1.0, probes)), batch()
    network = module.encoder.network
    network.masks.clear()
    p = module(x, rng=generator())
    found = module.penalties["contraction"](p)
    assert len(network.masks) == 1  # the encoder ran once
    expected = network.norms(x, network.masks[0])
    if probes is None:
        torch.testing.assert_close(found, expected, **EXACT)
        torch.testing.assert_close(gradients(found.sum(), module), gradients(expected.sum(), module), **EXACT)
    else:
        torch.testing.assert_close(found, expected, rtol=0.6, atol=0)
    other = network.norms(x, 1 - network.masks[0])
    assert not torch.allclose(found, other, rtol=0.6, atol=0)


def test_the_callers_rows_are_left_as_they_are():
    module, x = net(encoder=nn.Linear(9, 3)), batch()
    p = module(x)
    assert p.x_tilde.requires_grad
    assert not x.requires_grad
    assert not p.x.requires_grad


def test_rows_are_differentiated_by_only_where_a_penalty_asks():
    assert not net(hidden=(6, 5))(batch()).x_tilde.requires_grad
    assert not net(encoder=nn.Linear(9, 3), penalty=penalties.L1(1.0), decoder=decoders.Linear())(
        batch()
    ).x_tilde.requires_grad
    with torch.no_grad():
        assert not net(encoder=nn.Linear(9, 3))(batch()).x_tilde.requires_grad


class Smooth(nn.Module):
    """A user's own penalty: the squared slope of the codes' sum."""

    differentiates = True

    def forward(self, p):
        return torch.autograd.grad(p.z.sum(), p.x_tilde, create_graph=True)[0].square().sum(dim=1)


def test_a_users_own_penalty_may_differentiate_the_pass():
    module, x = net(penalty=Smooth()), batch()
    oracle = by_jacrev(module, x).sum(1).square().sum(1).mean()
    torch.testing.assert_close(module.objective(module(x))["penalty"], oracle, **EXACT)


def test_a_contraction_of_a_net_with_dropout_is_trained():
    settings = {"penalty": penalties.Contraction(0.1), "encoder": Dropping, "max_epochs": 3, "random_state": 0}
    ae, twin = (Autoencoder(2, **settings).fit(rows()) for _ in range(2))
    assert all(np.isfinite(epoch["contraction"]) for epoch in ae.history_)
    assert ae.history_[0]["validation_loss"] == twin.history_[0]["validation_loss"]


@pytest.mark.parametrize("quantise", [torch.round, torch.zeros_like], ids=["rounded", "constant"])
def test_where_no_gradient_reaches_the_row_it_is_0(quantise):
    class Quantised(codes.Code):
        def forward(self, a, context=None, rng=None):
            return quantise(a), {}

        def slope(self, a):
            return None

    module, x = net(), batch()
    assert (jacobian(module.encoder, Quantised(3), x) == 0).all()
    p = Pass(x, x, None, quantise(x[:, :3]), {}, x)
    assert squared_norm(module.encoder, Quantised(3), p).tolist() == [0] * len(x)


class Sine(codes.Code):
    """A user's code that inherits the base's slope, of 1, though it bends."""

    def __init__(self, size):
        super().__init__(size)

    def forward(self, a, context=None, rng=None):
        return torch.sin(a), {}


def test_a_code_that_bends_without_saying_so_is_differentiated():
    module, x = net(code=Sine), batch()
    oracle = by_jacrev(module, x)
    torch.testing.assert_close(norms(module, x), oracle.square().sum((1, 2)), **EXACT)
    torch.testing.assert_close(module.jacobian(x), oracle, **EXACT)


def jacobian_norm(strength):
    ae = small("contractive", strength=strength, max_epochs=30, learning_rate=1e-2).fit(rows(300))
    return np.square(ae.jacobian(rows(300))).sum((1, 2)).mean()


def test_tied_weights_cannot_escape_contraction():
    norms = [jacobian_norm(strength) for strength in (0.0, 1.0, 10.0)]
    assert norms[0] > 2 * norms[1] > 4 * norms[2]


def test_an_estimated_contraction_contracts_too():
    settings = {"hidden": (8, 8), "max_epochs": 30, "learning_rate": 1e-2}
    free = small("contractive", strength=0.0, **settings)
    held = small("contractive", strength=1.0, **settings).set_params(penalty__probes=1)
    norms = [np.square(ae.fit(rows(300)).jacobian(rows(300))).sum((1, 2)).mean() for ae in (free, held)]
    assert norms[0] > 2 * norms[1]
