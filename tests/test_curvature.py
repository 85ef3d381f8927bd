"""The curvature penalty against automatic differentiation, the second derivatives it stands for, and training."""

import numpy as np
import pytest
import torch
from members import rows, small
from test_contraction import batch, by_jacrev, generator, gradients, net
from torch import nn
from torch.func import jacrev, vmap

from isthmus import codes, encoders, penalties
from isthmus.jacobians import squared_change
from isthmus.populations import fit_together

CURVED = [codes.Plain(), codes.Activation("sigmoid"), codes.Gaussian()]
EXACT = {"rtol": 1e-9, "atol": 1e-13}


@pytest.mark.parametrize("spec", CURVED, ids=repr)
@pytest.mark.parametrize("hidden", [(), (5,), (6, 5)], ids=["one layer", "two layers", "three layers"])
def test_the_change_of_the_jacobian_and_its_gradient_are_exact(hidden, spec):
    module, x = net(hidden=hidden, code=spec), batch()
    moved = x + 0.3 * torch.randn(x.shape, generator=generator(1), dtype=x.dtype)
    expected = (by_jacrev(module, moved) - by_jacrev(module, x)).square().sum((1, 2))
    found = squared_change(module.encoder, module.code, module(x), moved)
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(gradients(found.sum(), module), gradients(expected.sum(), module), **EXACT)


def test_other_encoders_go_by_automatic_differentiation():
    own = nn.Sequential(nn.Linear(9, 5), nn.Softplus(), nn.Linear(5, 3))
    module, x = net(encoder=own.double(), penalty=penalties.Curvature(1.0)), batch()
    moved = x + 0.1
    expected = (by_jacrev(module, moved) - by_jacrev(module, x)).square().sum((1, 2))
    found = squared_change(module.encoder, module.code, module(x), moved)
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(gradients(found.sum(), module), gradients(expected.sum(), module), **EXACT)


@pytest.mark.parametrize("hidden", [(), (6, 5)], ids=["one layer", "three layers"])
def test_probes_are_unbiased(hidden):
    module, x = net(hidden=hidden, code=codes.Activation("tanh")), batch(2)
    moved = x + 0.5
    passes = module(x.repeat(20_000, 1), rng=generator())
    found = squared_change(module.encoder, module.code, passes, moved.repeat(20_000, 1), 1).reshape(-1, 2)
    expected = squared_change(module.encoder, module.code, module(x), moved)
    error = found.std(dim=0) / len(found) ** 0.5
    assert ((found.mean(dim=0) - expected).abs() < 4 * error).all()


def test_small_noise_gives_the_second_derivatives():
    """E‖J(x + ε) − J(x)‖² / noise² → ‖H‖² summed over all numbers of the code."""
    module = net(hidden=(5,), penalty=penalties.Curvature(2.0, noise=1e-3))
    x = batch(3)
    exact = vmap(jacrev(jacrev(lambda row: module.encode(row[None])[0])))(x).square().sum((1, 2, 3))
    found = module.penalties["curvature"](module(x.repeat(4000, 1), rng=generator())).reshape(-1, 3)
    error = found.std(dim=0) / len(found) ** 0.5
    assert ((found.mean(dim=0) - 2e-6 * exact).abs() < 4 * error + 1e-3 * 2e-6 * exact).all()


def test_held_out_rows_leave_it_out():
    module = net(penalty=penalties.Curvature(1.0))
    assert torch.equal(module.penalties["curvature"](module(batch())), torch.zeros(6, dtype=torch.float64))


def test_training_with_it_flattens_the_code_s_second_derivatives():
    def curvature(strength):
        penalty = penalties.Sum(first=penalties.Contraction(0.1), second=penalties.Curvature(strength, 0.3, 2))
        own = {"encoder": encoders.MLP((8,), "tanh"), "penalty": penalty, "random_state": 0}
        ae = small("contractive", **own, max_epochs=60, learning_rate=1e-2).fit(rows())
        assert "second by 2 draws of noise" in ae.engine_
        x = torch.as_tensor(ae.scaler_.apply(rows())).to(next(ae.module_.parameters()))
        with torch.no_grad():
            return float(vmap(jacrev(jacrev(lambda row: ae.module_.encode(row[None])[0])))(x[:20]).square().sum())

    assert curvature(10.0) < 0.3 * curvature(1e-9)


def test_a_population_is_what_each_is_alone():
    def crew():
        return [
            small("contractive", penalty=penalties.Curvature(strength, 0.2), max_epochs=4, random_state=i)
            for i, strength in enumerate((0.1, 0.5, 1.0))
        ]

    together, alone = crew(), crew()
    assert fit_together(together, rows()) == [None, None, None]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.transform(rows()), other.fit(rows()).transform(rows()), rtol=1e-6, atol=1e-9)
        assert "one by one" not in one.engine_
