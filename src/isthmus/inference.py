"""Inference: a function of a built module over many rows, in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH_NUMBERS = 1 << 20  # numbers in a batch of inputs: a few MiB, so that intermediate results stay small


def batched(
    module: nn.Module, function: Callable[[Tensor], Tensor], X: NDArray[np.floating], width_hint: int = 1
) -> NDArray[np.floating]:
    """Apply `function` to slices of rows X, (N, D), on the module's device and dtype; the result has X's dtype.

    `width_hint` is how many times wider than a row the function's work is (K for a Jacobian).
    """
    like = next(module.parameters(), torch.zeros(()))
    size = max(1, BATCH_NUMBERS // max(1, X.shape[1] * width_hint))
    results = []
    with torch.no_grad():
        for start in range(0, max(len(X), 1), size):
            part = np.require(X[start : start + size], requirements=("C", "W"))
            rows = torch.as_tensor(part).to(like.device, like.dtype)
            results.append(function(rows).detach().cpu().numpy().astype(X.dtype, copy=False))
    return results[0] if len(results) == 1 else np.concatenate(results)
