"""The one place of `seeing` that asks for a gradient: of a number by what it was computed from."""

from __future__ import annotations

import torch
from torch import Tensor


def pulled(value: Tensor, to: Tensor) -> Tensor:
    """∂value/∂to; 0 where no way leads there."""
    if not value.requires_grad:
        return torch.zeros_like(to)
    return torch.autograd.grad(value, to, materialize_grads=True)[0]
