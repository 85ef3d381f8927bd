"""Penalties against automatic differentiation, finite differences and the formulas as written."""

import math

import numpy as np
import pytest
import torch
from members import Convolution, rows, small
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.func import jacrev

from isthmus import Autoencoder, codes, decoders, encoders, load, penalties
from isthmus.errors import SettingError
from isthmus.foreign import ForeignEncoder
from isthmus.jacobians import jacobian, squared_norm
from isthmus.nn import ACTIVATIONS
from isthmus.passes import Pass

WIDTHS = {"one layer": (), "two layers": (5,), "deep": (6, 5, 4)}
CODES = [codes.Plain(), codes.Activation("sigmoid"), codes.Activation("tanh"), codes.TopK(2), codes.Gaussian()]
INPUTS = 4


def parts(hidden=(5,), activation="tanh", spec=None, size=3):
    torch.manual_seed(0)
    code = (spec or codes.Plain()).build(size)
    return encoders.MLP(hidden, activation).build(INPUTS, code.width).double(), code


def batch(n=6):
    return torch.randn(n, INPUTS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def by_jacrev(encoder, code, x):
    return torch.stack([jacrev(lambda row: code(encoder(row[None]))[0][0])(row) for row in x])


def by_differences(encoder, code, x, step=1e-6):
    columns = []
    for j in range(x.shape[1]):
        nudge = torch.zeros_like(x)
        nudge[:, j] = step
        with torch.no_grad():
            columns.append((code(encoder(x + nudge))[0] - code(encoder(x - nudge))[0]) / (2 * step))
    return torch.stack(columns, dim=2)


@pytest.mark.parametrize("spec", CODES, ids=repr)
@pytest.mark.parametrize("hidden", WIDTHS.values(), ids=WIDTHS)
def test_contraction_is_exact_for_every_code_and_depth(hidden, spec):
    encoder, code = parts(hidden, "tanh", spec)
    x = batch()
    oracle = by_jacrev(encoder, code, x)
    torch.testing.assert_close(jacobian(encoder, code, x), oracle, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(squared_norm(encoder, code, x), oracle.square().sum((1, 2)), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(jacobian(encoder, code, x), by_differences(encoder, code, x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_contraction_is_exact_for_every_activation(activation):
    encoder, code = parts((6, 5), activation, codes.Activation(activation))
    x = batch()
    torch.testing.assert_close(jacobian(encoder, code, x), by_jacrev(encoder, code, x), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("spec", CODES, ids=repr)
@pytest.mark.parametrize("hidden", WIDTHS.values(), ids=WIDTHS)
def test_its_gradient_is_exact_too(hidden, spec):
    encoder, code = parts(hidden, "tanh", spec)
    x, weights = batch(), list(encoder.parameters())

    def gradients(norms):
        return torch.autograd.grad(norms.sum(), weights, allow_unused=True, materialize_grads=True)

    oracle = gradients(by_jacrev(encoder, code, x).square().sum((1, 2)))
    torch.testing.assert_close(gradients(squared_norm(encoder, code, x)), oracle, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("spec", [codes.Plain(), codes.Activation("sigmoid"), codes.Gaussian()], ids=repr)
def test_contraction_is_exact_for_a_users_convolution(spec):
    torch.manual_seed(0)
    code = spec.build(3)
    encoder = ForeignEncoder(Convolution(16, code.width), (1, 4, 4)).double()
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    oracle = by_jacrev(encoder, code, x)
    torch.testing.assert_close(squared_norm(encoder, code, x), oracle.square().sum((1, 2)))
    with torch.no_grad():  # as on held-out rows
        torch.testing.assert_close(squared_norm(encoder, code, x), oracle.square().sum((1, 2)))


@pytest.mark.parametrize("quantise", [torch.round, torch.zeros_like], ids=["rounded", "constant"])
def test_where_no_gradient_reaches_the_row_it_is_0(quantise):
    class Quantised(codes.Code):
        def forward(self, a, context=None, rng=None):
            return quantise(a), {}

        def slope(self, a):
            return None

    encoder, _ = parts()
    assert (jacobian(encoder, Quantised(3), batch()) == 0).all()


def test_gradcheck_of_one_layer():
    encoder, code = parts((), "identity", codes.Activation("sigmoid"))
    layer = encoder.dense[0]

    def norm(matrix, bias):
        state = {"layers.0.matrix": matrix, "layers.0.bias": bias}
        return (code.slope(torch.func.functional_call(encoder, state, batch())).square() @ matrix.square().sum(1)).sum()

    matrix, bias = (p.detach().clone().requires_grad_() for p in (layer.matrix, layer.bias))
    assert torch.autograd.gradcheck(norm, (matrix, bias))
    torch.testing.assert_close(norm(layer.matrix, layer.bias), squared_norm(encoder, code, batch()).sum())


def sparsity(logits, rho=0.05, strength=3.0, weight=None):
    term = penalties.KL(rho, strength).build(None)
    x = torch.zeros(len(logits), 1)
    return term(Pass(x, x, None, torch.sigmoid(logits), {"logits": logits}, x, weight))


def naive_sparsity(activation, rho, strength):
    """As the lecture writes it, ρ̂ the mean activation."""
    return strength * (rho * (rho / activation).log() + (1 - rho) * ((1 - rho) / (1 - activation)).log()).sum()


def test_kl_is_the_formula():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(sparsity(logits), naive_sparsity(torch.sigmoid(logits).mean(0), 0.05, 3.0))
    at_target = torch.full((9, 4), math.log(0.05 / 0.95), dtype=torch.float64)
    torch.testing.assert_close(sparsity(at_target), torch.zeros((), dtype=torch.float64))


def test_weighted_kl_is_the_formula_of_the_weighted_mean():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.linspace(0.2, 1.8, 9, dtype=torch.float64)
    mean = (weight[:, None] * torch.sigmoid(logits)).sum(0) / weight.sum()
    torch.testing.assert_close(sparsity(logits, weight=weight), naive_sparsity(mean, 0.05, 3.0))


@pytest.mark.parametrize("level", [-1e4, -200.0, 200.0, 1e4])
def test_kl_is_finite_where_units_never_or_always_fire(level):
    logits = torch.full((5, 3), level, requires_grad=True)
    value = sparsity(logits)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad * math.copysign(1, level) > 0).all()  # descent leads back to where units fire at times


def test_kl_makes_units_fire_at_its_share():
    X = rows(400)
    settings = {"strength": 20.0, "max_epochs": 60, "learning_rate": 1e-2}
    shares = [small("sparse", rho=rho, **settings).fit(X).transform(X).mean() for rho in (0.1, 0.4)]
    np.testing.assert_allclose(shares, [0.1, 0.4], atol=0.02)


def test_l1_keeps_unit_columns():
    settings = {"encoder": encoders.Linear(), "decoder": decoders.Linear(), "random_state": 0, "max_epochs": 20}
    ae = Autoencoder(4, penalty=penalties.L1(0.5), **settings).fit(rows())
    lengths = ae.module_.decoder.reader.weight.norm(dim=0)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    assert (ae.module_.decoder.reader.matrix.norm(dim=0) - 1).abs().max() > 1e-3  # the free matrix behind it moves


def test_l1_is_the_sum_of_magnitudes():
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    x = torch.zeros(2, 1)
    assert penalties._L1(0.5)(Pass(x, x, None, z, {}, x)).tolist() == [1.5, 1.5]


def jacobian_norm(strength):
    ae = small("contractive", strength=strength, max_epochs=30, learning_rate=1e-2).fit(rows(300))
    return np.square(ae.jacobian(rows(300))).sum((1, 2)).mean()


def test_tied_weights_cannot_escape_contraction():
    norms = [jacobian_norm(strength) for strength in (0.0, 1.0, 10.0)]
    assert norms[0] > 2 * norms[1] > 4 * norms[2]


def test_weights_is_the_sum_of_squares_of_matrices():
    ae = Autoencoder(2, encoder=encoders.MLP((3,)), penalty=penalties.Weights(0.1), max_epochs=1, random_state=0)
    module = ae.fit(rows()).module_
    squares = sum(p.square().sum() for p in module.parameters() if p.ndim > 1)
    x = torch.as_tensor(ae.scale(rows()))
    torch.testing.assert_close(module.objective(module(x))["weights"], 0.1 * squares)


def test_tied_matrices_are_counted_once():
    ae = small("contractive", penalty=penalties.Weights(1.0)).fit(rows())
    x = torch.as_tensor(ae.scale(rows()))
    once = sum(layer.matrix.square().sum() for layer in ae.module_.encoder.dense)
    torch.testing.assert_close(ae.module_.objective(ae.module_(x))["weights"], once)


def test_a_sum_names_its_terms_in_the_history():
    both = penalties.Sum(few=penalties.KL(0.1, 0.5), flat=penalties.Contraction(0.1))
    history = small("sparse", penalty=both).fit(rows()).history_
    for epoch in history:
        assert epoch["loss"] == pytest.approx(epoch["reconstruction"] + epoch["few"] + epoch["flat"])


def test_a_strength_within_a_sum_can_be_searched():
    both = penalties.Sum(few=penalties.KL(0.1, 0.5), flat=penalties.Contraction(0.1))
    grid = {"penalty__flat__strength": [0.0, 1e4]}
    search = GridSearchCV(small("sparse", penalty=both, max_epochs=20), grid, cv=2).fit(rows())
    assert search.best_params_ == {"penalty__flat__strength": 0.0}
    assert both.flat.strength == 0.1  # the one given is left alone


class Quiet(nn.Module):
    """A user's penalty."""

    def forward(self, p):
        return p.z.square().sum(-1)


def test_a_penalty_of_ones_own():
    history = small("linear", penalty=Quiet()).fit(rows()).history_
    assert all(epoch["penalty"] > 0 for epoch in history)


MISMATCHES = [
    (
        {"penalty": penalties.KL()},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.KL(), "code": codes.Activation("relu")},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.KL(), "code": codes.Gaussian()},
        (
            "penalties.KL needs a code that gives 'unit interval'; this code gives gaussian; "
            "use code=codes.Activation('sigmoid')"
        ),
    ),
    (
        {"penalty": penalties.Divergence()},
        (
            "penalties.Divergence needs a code that gives 'gaussian'; this code gives no statistics; "
            "use code=codes.Gaussian()"
        ),
    ),
    (
        {"penalty": penalties.Sum(a=penalties.Divergence()), "code": codes.Activation()},
        (
            "penalties.Divergence needs a code that gives 'gaussian'; this code gives unit interval; "
            "use code=codes.Gaussian()"
        ),
    ),
    (
        {"penalty": penalties.L1(), "decoder": nn.Linear(2, 6)},
        (
            "penalties.L1 cannot keep the columns of ForeignDecoder at unit length; decoder; "
            "decoders.Linear or decoders.MLP"
        ),
    ),
    (
        {"penalty": penalties.Sum(a=3)},
        "a must be a penalty such as penalties.Contraction(0.1); got 3; in Sum",
    ),
    (
        {"penalty": penalties.Sum(terms=penalties.L1())},
        "a penalty cannot be called 'terms'; in Sum; a name without '__' that no method has",
    ),
    (
        {"penalty": penalties.Sum(reconstruction=penalties.L1())},
        (
            "a penalty cannot be called 'reconstruction'; in the slot penalty; a name other than epoch, loss, "
            "reconstruction, gradient, gradient_norm, validation_loss, learning_rate, seconds, which the history uses"
        ),
    ),
    (
        {"code": codes.TopK(5)},
        "codes.TopK keeps k=5 of 2 units; code; k at most code_size",
    ),
    (
        {"code": codes.Gaussian(), "decoder": decoders.Tied(), "encoder": encoders.Linear()},
        (
            "decoders.Tied would map 4 to 6 numbers where 2 to 6 are needed; decoder; a code that emits as many "
            "numbers as it reads, and one parameter an entry; give a decoder of its own"
        ),
    ),
    (
        {"decoder": decoders.Tied(), "encoder": nn.Linear(6, 2)},
        (
            "decoders.Tied cannot transpose ForeignEncoder; decoder; encoders.Linear or encoders.MLP; "
            "give a decoder of its own"
        ),
    ),
]


@pytest.mark.parametrize(("slots", "message"), MISMATCHES, ids=range(len(MISMATCHES)))
def test_parts_that_do_not_fit_are_one_clear_error(slots, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(2, **slots).fit(rows())
    assert str(caught.value) == message


class Learned(nn.Module):
    """(z − c)², with a centre c of its own to learn."""

    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), 3.0))

    def forward(self, p):
        return (p.z - self.centre).square().sum(dim=1)


def test_a_users_own_penalty_is_trained_saved_and_restored(tmp_path):
    X = rows()
    ae = Autoencoder(2, encoders.MLP((4,)), penalty=Learned(), max_epochs=5, random_state=0).fit(X)
    centre = ae.module_.state_dict()["own_penalty.centre"]
    assert not torch.equal(centre, torch.full_like(centre, 3.0))
    ae.save(tmp_path / "model")
    again = load(tmp_path / "model", penalty=Learned())
    assert torch.equal(again.module_.state_dict()["own_penalty.centre"], centre)
    assert np.array_equal(again.transform(X), ae.transform(X))
