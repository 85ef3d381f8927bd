"""The Jacobian of the code with respect to the row, and its squared norm: in closed form where there is one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isthmus.codes import Code
from isthmus.nn import Perceptron


def jacobian(encoder: nn.Module, code: Code, x: Tensor) -> Tensor:
    """∂z/∂x of the deterministic code at each row, (N, K, D)."""
    slope = code.slope(encoder(x)) if isinstance(encoder, Perceptron) else None
    if slope is None or not isinstance(encoder, Perceptron):
        return torch.stack(_rows(encoder, code, x), dim=1)
    return slope[:, :, None] * encoder.jacobian(x)


def squared_norm(encoder: nn.Module, code: Code, x: Tensor) -> Tensor:
    """‖∂z/∂x‖²_F at each row, (N,), exact.

    One layer: Σᵢ s′(aᵢ)² ‖Wᵢ‖² (Rifai 2011). More layers: the product of the layers' Jacobians. Other encoders and
    codes: one backward pass for each number of the code.
    """
    slope = code.slope(encoder(x)) if isinstance(encoder, Perceptron) else None
    if slope is None or not isinstance(encoder, Perceptron):
        return torch.stack([row.square().sum(dim=-1) for row in _rows(encoder, code, x)]).sum(dim=0)
    if len(encoder.dense) == 1:
        return slope.square() @ encoder.dense[0].weight.square().sum(dim=1)
    return (slope[:, :, None] * encoder.jacobian(x)).square().sum(dim=(1, 2))


def _rows(encoder: nn.Module, code: Code, x: Tensor) -> list[Tensor]:
    """The Jacobian's rows, K tensors of (N, D), by automatic differentiation; they can be differentiated again.

    Where no gradient reaches the row (a quantised or constant code) it is 0.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        z, _ = code(encoder(x))
        return [_gradient(z[:, k], x) for k in range(z.shape[1])]


def _gradient(unit: Tensor, x: Tensor) -> Tensor:
    if not unit.requires_grad:
        return torch.zeros_like(x)
    return torch.autograd.grad(unit.sum(), x, create_graph=True, materialize_grads=True)[0]
